//! The peers' side: their Python, and the table that everyone measures with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::cargo::run;
use crate::folders::{made_once, workspace_root};
use crate::peers;
use crate::python::Python;

const GENERATOR: &str = "generate.py";

/// The interpreter that has the peers installed, and their script.
pub(super) struct Peers {
    python: Python,
    script: &'static str,
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

impl Peers {
    /// Installs them into `cache` if they aren't there.
    ///
    /// # Errors
    /// When there is no Python with `venv`, or a peer can't be installed.
    pub(super) fn prepare(cache: &Path) -> Result<Self> {
        Ok(Self { python: peers::install(cache)?, script: "peers.py" })
    }

    /// The same for those that read and write buckets.
    ///
    /// # Errors
    /// As of [`prepare`](Self::prepare).
    pub(super) fn prepare_for_cloud(cache: &Path) -> Result<Self> {
        let python = Python::prepare(cache, "bench-cloud-venv", "bench/python/cloud-requirements.txt")?;
        Ok(Self { python, script: "cloud_peers.py" })
    }

    /// The table of `rows` rows, generated if the `cache` doesn't hold it.
    ///
    /// # Errors
    /// When it can't be generated.
    pub(super) fn table(&self, cache: &Path, rows: u64) -> Result<Table> {
        let Self { python, .. } = self;
        let name = format!("{}-{rows}", python.fingerprint(GENERATOR)?);
        let folder = made_once(cache, &Path::new("bench-data").join(name), |folder| {
            eprintln!("bench: generating {rows} rows");
            run(python.call(GENERATOR).arg(rows.to_string()).arg(folder))
        })?;
        let facts: Value =
            serde_json::from_slice(&fs::read(folder.join("facts.json"))?).context("reading facts.json")?;
        ensure!(facts["rows"] == rows, "{} holds another table", folder.display());
        let arrow_bytes = facts["arrow_bytes"].as_u64().context("facts.json has no arrow_bytes")?;
        Ok(Table { folder, rows, arrow_bytes, peers: self.versions() })
    }

    /// The peers and their versions.
    pub(super) fn versions(&self) -> String {
        let requirements = self.python.requirements.split_whitespace();
        requirements.collect::<Vec<_>>().join(", ").replace("==", " ")
    }

    /// The interpreter, and the program of the Flight server that it runs.
    pub(super) fn flight(&self) -> [PathBuf; 2] {
        let program = workspace_root().join("xtask").join("bench").join("python").join("flight.py");
        [self.python.interpreter.clone(), program]
    }

    /// A call of their script, without its arguments.
    pub(super) fn call(&self) -> Command {
        self.python.call(self.script)
    }
}
