//! Python with pinned packages: a virtual environment in the cache folder, made once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::cargo::run;
use crate::folders::workspace_root;

/// An interpreter that has what a file of requirements pins.
pub(crate) struct Python {
    pub(crate) interpreter: PathBuf,
    /// The packages and their versions, as pip pins them.
    pub(crate) requirements: String,
}

impl Python {
    /// Makes the environment `name` in `cache` if what is there isn't it. `requirements` is a file below `xtask/`.
    ///
    /// # Errors
    /// When there is no Python with `venv`, or a package can't be installed.
    pub(crate) fn prepare(cache: &Path, name: &str, requirements: &str) -> Result<Self> {
        let requirements = workspace_root().join("xtask").join(requirements);
        let wanted = fs::read_to_string(&requirements)
            .with_context(|| format!("reading {}", requirements.display()))?;
        let folder = cache.join(name);
        let interpreter = folder.join("bin").join("python");
        // Written last: an environment without it, or with another one, isn't the one that is wanted.
        let installed = folder.join("installed.txt");
        if !fs::read_to_string(&installed).is_ok_and(|present| present == wanted) {
            let packages = packages(&wanted);
            eprintln!("python: installing {packages} into {}", folder.display());
            let mut make = Command::new("python3");
            make.args(["-m", "venv", "--clear"]).arg(&folder).stdin(Stdio::null());
            run(&mut make)
                .context("making a virtual environment (on Debian: apt-get install python3-venv)")?;
            let mut install = Command::new(&interpreter);
            install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            install.args(["--only-binary", ":all:", "--requirement"]).arg(&requirements).stdin(Stdio::null());
            run(&mut install).with_context(|| format!("installing {packages}"))?;
            fs::write(&installed, &wanted).with_context(|| format!("writing {}", installed.display()))?;
        }
        Ok(Self { interpreter, requirements: wanted })
    }

    /// A program that one of the packages brought.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.interpreter.with_file_name(name)
    }

    /// A call of one of our scripts, without its arguments.
    pub(crate) fn call(&self, name: &str) -> Command {
        let mut command = Command::new(&self.interpreter);
        command.arg(script(name)).stdin(Stdio::null());
        command
    }

    /// A short name for what a script makes with these packages: another one when either has changed.
    ///
    /// # Errors
    /// When the script can't be read.
    pub(crate) fn fingerprint(&self, name: &str) -> Result<String> {
        let script = script(name);
        let text = fs::read_to_string(&script).with_context(|| format!("reading {}", script.display()))?;
        Ok(fingerprint(&[text.as_bytes(), self.requirements.as_bytes()]))
    }
}

/// The packages that requirements name, with their versions and without their hashes.
fn packages(requirements: &str) -> String {
    let names = requirements.split_whitespace().filter(|word| word.contains("=="));
    names.collect::<Vec<_>>().join(", ")
}

/// A file among our scripts.
fn script(name: &str) -> PathBuf {
    workspace_root().join("xtask").join("bench").join("python").join(name)
}

/// 64-bit FNV-1a over all parts.
fn fingerprint(parts: &[&[u8]]) -> String {
    let hash = parts.iter().copied().flatten().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_without_their_hashes() {
        let requirements = "first==1.0 \\\n    --hash=sha256:00\nsecond==2.0\n";
        assert_eq!(packages(requirements), "first==1.0, second==2.0");
    }

    #[test]
    fn a_changed_script_and_changed_packages_get_another_fingerprint() {
        assert_eq!(fingerprint(&[]), "cbf29ce484222325");
        assert_eq!(fingerprint(&[b"a"]), "af63dc4c8601ec8c");
        assert_ne!(fingerprint(&[b"seed = 1", b"duckdb"]), fingerprint(&[b"seed = 2", b"duckdb"]));
        assert_ne!(fingerprint(&[b"seed = 1", b"duckdb"]), fingerprint(&[b"seed = 1", b"polars"]));
    }
}
