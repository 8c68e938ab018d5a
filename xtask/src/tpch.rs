//! TPC-H at a scale: its tables, its 22 queries and their published answers, generated once per machine.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cargo::run;
use crate::folders::made_once;
use crate::python::Python;

/// The variable by which tests know where [`provide`] has put it.
pub(crate) const FOLDER_VARIABLE: &str = "POLARWAY_TPCH";

const GENERATOR: &str = "tpch.py";

/// The folder of one scale (1 is about a GB of text), generated if the `cache` doesn't hold it: `lineitem.parquet` and the
/// seven others, `queries/01.sql` to `22.sql`, and, at the scales 0.01, 0.1 and 1, `answers/01.csv` to `22.csv`.
///
/// # Errors
/// When there is no Python with `venv`, or DuckDB's generator can't be installed or fails.
pub(crate) fn provide(cache: &Path, scale: f64) -> Result<PathBuf> {
    let python = Python::prepare(cache, "tpch-venv", "bench/python/tpch-requirements.txt")?;
    let name = format!("{}-{scale}", python.fingerprint(GENERATOR)?);
    made_once(cache, &Path::new("tpch").join(name), |folder| {
        eprintln!("tpch: generating the tables at scale {scale}");
        run(python.call(GENERATOR).arg(scale.to_string()).arg(folder))
    })
}
