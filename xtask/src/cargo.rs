//! Cargo inside of `cargo xtask`, as if it had been started from the shell.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::folders::workspace_root;
use crate::libduckdb;

/// A call of `cargo <subcommand>` at the root of the checkout.
pub(crate) fn command(subcommand: &str) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.arg(subcommand).stdin(Stdio::null());
    as_from_the_shell(&mut command);
    command
}

/// Has `command`, which is cargo or calls it, run at the root of the checkout with the environment of the shell.
///
/// `cargo run` leaves variables about the xtask package in our environment. Handed on, they change what build scripts see,
/// and everything that watches them is compiled again each time a person switches between `cargo` and `cargo xtask`.
pub(crate) fn as_from_the_shell(command: &mut Command) {
    command.current_dir(workspace_root());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_left_by_cargo_run) {
            command.env_remove(name);
        }
    }
    // They come from .cargo/libduckdb.toml, as in a plain `cargo build`.
    command.env_remove(libduckdb::FOLDER_VARIABLE).env_remove(libduckdb::HEADERS_VARIABLE);
}

fn is_left_by_cargo_run(variable: &str) -> bool {
    const NAMES: [&str; 5] =
        ["CARGO", "CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
    const PREFIXES: [&str; 3] = ["CARGO_BIN_EXE_", "CARGO_MANIFEST_", "CARGO_PKG_"];
    NAMES.contains(&variable) || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}

/// What `cargo metadata` says with these `arguments`.
///
/// # Errors
/// When cargo fails; the message has what cargo printed.
pub(crate) fn metadata(arguments: &[&str]) -> Result<Value> {
    let output = command("metadata")
        .args(["--format-version", "1"])
        .args(arguments)
        .output()
        .context("starting cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    serde_json::from_slice(&output.stdout).context("reading the answer of cargo metadata")
}

/// What `cargo tree` says with these `arguments`.
///
/// # Errors
/// When cargo fails; the message has what cargo printed.
pub(crate) fn tree(arguments: &[&str]) -> Result<String> {
    let output = command("tree").args(arguments).output().context("starting cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree failed:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    String::from_utf8(output.stdout).context("reading the answer of cargo tree")
}

/// The folder that cargo builds into.
///
/// # Errors
/// When `cargo metadata` fails.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let metadata = metadata(&["--no-deps"])?;
    let folder = metadata["target_directory"].as_str().context("cargo metadata names no target folder")?;
    Ok(PathBuf::from(folder))
}

/// Runs `command` on our own output and fails when it fails.
///
/// # Errors
/// When it can't be started or ends with another status than 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("starting {program}"))?;
    if !status.success() {
        bail!("{program} ended with {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_about_the_xtask_package_are_dropped() {
        for variable in ["CARGO", "CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "OUT_DIR"] {
            assert!(is_left_by_cargo_run(variable), "{variable}");
        }
    }

    #[test]
    fn variables_that_a_person_set_are_kept() {
        for variable in ["CARGO_TARGET_DIR", "CARGO_HOME", "CARGO_TERM_COLOR", "RUSTFLAGS", "PATH"] {
            assert!(!is_left_by_cargo_run(variable), "{variable}");
        }
    }
}
