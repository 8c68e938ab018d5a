//! libduckdb out of the release archive, as the build script of `libduckdb-sys` downloads it.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use super::{VERSION, library_name, settings};
use crate::cargo;
use crate::folders::{ScratchFolder, workspace_root};

/// Has `libduckdb-sys` download the archive into the target folder, and keeps the library in `folder`.
///
/// # Errors
/// When there is no archive for this platform, or its host can't be reached.
pub(super) fn fetch(folder: &Path) -> Result<()> {
    // A folder in the settings would make the build script look no further.
    settings::write(&workspace_root(), None)?;
    let output = cargo::command("build")
        .args(["--package", "libduckdb-sys"])
        .env("DUCKDB_DOWNLOAD_LIB", "1")
        .stderr(Stdio::piped())
        .output()
        .context("starting cargo")?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("{}", reason(&message).unwrap_or("cargo can't build libduckdb-sys"));
    }
    let library = library_name();
    let downloads = cargo::target_folder()?.join("duckdb-download");
    let downloaded = fs::read_dir(&downloads)
        .with_context(|| format!("looking at {}", downloads.display()))?
        .filter_map(|platform| Some(platform.ok()?.path().join(VERSION).join(&library)))
        .find(|path| path.is_file())
        .with_context(|| format!("no {library} came into {}", downloads.display()))?;
    let cache = folder.parent().context("the folder has no parent")?;
    let staging = ScratchFolder::create_in(cache, ".release")?;
    let staged = staging.path().join(&library);
    fs::copy(&downloaded, &staged).with_context(|| format!("copying {}", downloaded.display()))?;
    fs::create_dir_all(folder)?;
    fs::rename(staged, folder.join(library)).with_context(|| format!("writing into {}", folder.display()))
}

/// The line in which the build script says what went wrong.
fn reason(stderr: &str) -> Option<&str> {
    stderr.lines().map(str::trim).find(|line| line.starts_with("Failed to set up libduckdb"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_scripts_own_reason_is_found_in_cargos_output() {
        let stderr = "error: failed to run custom build command\n  --- stderr\n\n  thread 'main' panicked at b.rs:1:2:\n  \
                      Failed to set up libduckdb: Dns Failed\n  note: run with RUST_BACKTRACE=1\n";
        assert_eq!(reason(stderr), Some("Failed to set up libduckdb: Dns Failed"));
        assert_eq!(reason("error: no such package"), None);
    }
}
