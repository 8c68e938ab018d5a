//! The peers' side: a Python virtual environment of pinned versions, and the table that everyone measures with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::cargo::run;
use crate::folders::{ScratchFolder, workspace_root};

/// An interpreter that has the peers installed.
pub(super) struct Python {
    interpreter: PathBuf,
    scripts: PathBuf,
    /// The peers and their versions, as pip pins them.
    pub(super) requirements: String,
}

/// The table on disk.
pub(super) struct Table {
    /// Holds `table.parquet` and `table.arrow`, the same rows.
    pub(super) folder: PathBuf,
    pub(super) rows: u64,
    /// Its size as Arrow buffers.
    pub(super) arrow_bytes: u64,
    /// The peers and their versions.
    pub(super) peers: String,
}

impl Python {
    /// Makes the environment in `cache` if what is there isn't it.
    ///
    /// # Errors
    /// When there is no Python with `venv`, or a peer can't be installed.
    pub(super) fn prepare(cache: &Path) -> Result<Self> {
        let scripts = workspace_root().join("xtask").join("bench").join("python");
        let requirements = scripts.join("requirements.txt");
        let wanted = fs::read_to_string(&requirements)
            .with_context(|| format!("reading {}", requirements.display()))?;
        let folder = cache.join("bench-venv");
        let interpreter = folder.join("bin").join("python");
        // Written last: an environment without it, or with another one, isn't the one that is wanted.
        let installed = folder.join("installed.txt");
        if !fs::read_to_string(&installed).is_ok_and(|present| present == wanted) {
            eprintln!("bench: installing the peers into {}", folder.display());
            let mut make = Command::new("python3");
            make.args(["-m", "venv", "--clear"]).arg(&folder).stdin(Stdio::null());
            run(&mut make)
                .context("making a virtual environment (on Debian: apt-get install python3-venv)")?;
            let mut install = Command::new(&interpreter);
            install.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--only-binary",
                ":all:",
            ]);
            install.arg("--requirement").arg(&requirements).stdin(Stdio::null());
            run(&mut install).context("installing the peers")?;
            fs::write(&installed, &wanted).with_context(|| format!("writing {}", installed.display()))?;
        }
        Ok(Self { interpreter, scripts, requirements: wanted })
    }

    /// The table of `rows` rows, generated if the `cache` doesn't hold it.
    ///
    /// # Errors
    /// When it can't be generated.
    pub(super) fn table(&self, cache: &Path, rows: u64) -> Result<Table> {
        let generator = self.scripts.join("generate.py");
        let folder = cache.join("bench-data").join(format!("{}-{rows}", fingerprint(&fs::read(&generator)?)));
        if !folder.join("facts.json").is_file() {
            eprintln!("bench: generating {rows} rows into {}", folder.display());
            let staging = ScratchFolder::create_in(cache, ".bench-data")?;
            run(Command::new(&self.interpreter).arg(&generator).arg(rows.to_string()).arg(staging.path()))?;
            fs::create_dir_all(&folder)?;
            // The facts come last: with them the folder is complete.
            for file in ["table.parquet", "table.arrow", "facts.json"] {
                fs::rename(staging.path().join(file), folder.join(file))
                    .with_context(|| format!("keeping {file}"))?;
            }
        }
        let facts: Value =
            serde_json::from_slice(&fs::read(folder.join("facts.json"))?).context("reading facts.json")?;
        ensure!(facts["rows"] == rows, "{} holds another table", folder.display());
        let arrow_bytes = facts["arrow_bytes"].as_u64().context("facts.json has no arrow_bytes")?;
        let peers = self.requirements.split_whitespace().collect::<Vec<_>>().join(", ").replace("==", " ");
        Ok(Table { folder, rows, arrow_bytes, peers })
    }

    /// A call of `peers.py`, without its arguments.
    pub(super) fn peers(&self) -> Command {
        let mut command = Command::new(&self.interpreter);
        command.arg(self.scripts.join("peers.py"));
        command
    }
}

/// A short name for `bytes` (64-bit FNV-1a), so that a changed generator makes a table of its own.
fn fingerprint(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_generator_gets_another_folder() {
        assert_eq!(fingerprint(b""), "cbf29ce484222325");
        assert_eq!(fingerprint(b"a"), "af63dc4c8601ec8c");
        assert_ne!(fingerprint(b"seed = 1"), fingerprint(b"seed = 2"));
    }
}
