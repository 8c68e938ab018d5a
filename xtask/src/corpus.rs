//! `cargo xtask test --corpus`: every Parquet and Arrow file of a folder through Polarway, beside pyarrow, DuckDB and polars.
//!
//! `corpus.py` starts a server over an empty folder, sends it one file after the other and compares what comes back; its table says
//! who read which file how. The peers are those of `cargo xtask bench`.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::cargo;
use crate::folders::{ScratchFolder, cache_folder};
use crate::libduckdb::Libduckdb;
use crate::peers;

/// Reads the files of `folder` and of those below it.
///
/// # Errors
/// When the command can't be built, there is no Python with `venv`, or a file failed: it is read otherwise than by most, takes SQL
/// down, or is refused without its cause though others read it.
pub(crate) fn run(libduckdb: &Libduckdb, folder: &Path) -> Result<()> {
    ensure!(folder.is_dir(), "{} is no folder", folder.display());
    let python = peers::install(&cache_folder()?)?;
    eprintln!("corpus: building the command");
    cargo::run(libduckdb.cargo("build").args(["--workspace", "--bin", "polarway"]))?;
    let target = cargo::target_folder()?;
    let scratch = ScratchFolder::create_in(&target, "corpus")?;
    let mut corpus = python.call("corpus.py");
    corpus.arg(target.join("debug").join("polarway")).arg(folder).arg(scratch.path());
    cargo::run(&mut corpus).context("files failed: what each did stands above")
}
