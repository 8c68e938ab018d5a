//! A Python with other readers of our files: pyarrow, polars and DuckDB.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::python::Python;

/// The variable by which tests know the interpreter that has them.
pub(crate) const VARIABLE: &str = "POLARWAY_PEERS";

/// Installs them into `cache` if they aren't there.
///
/// # Errors
/// When there is no Python with `venv`, or one of them can't be installed.
pub(crate) fn install(cache: &Path) -> Result<Python> {
    Python::prepare(cache, "bench-venv", "bench/python/requirements.txt")
}

/// The interpreter that has them, installed if they aren't there.
///
/// # Errors
/// As of [`install`].
pub(crate) fn provide(cache: &Path) -> Result<PathBuf> {
    Ok(install(cache)?.interpreter)
}
