//! TPC-H and TPC-DS at a scale: the tables, the queries and, for TPC-H, their published answers, generated once per machine.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cargo::run;
use crate::folders::made_once;
use crate::python::Python;

const GENERATOR: &str = "tpc.py";

/// One of TPC's suites of queries.
pub(crate) struct Suite {
    /// The name of DuckDB's extension for it.
    name: &'static str,
    /// The variable by which tests know where [`provide`](Self::provide) has put it.
    pub(crate) folder_variable: &'static str,
}

/// 22 queries over 8 tables.
pub(crate) const TPCH: Suite = Suite { name: "tpch", folder_variable: "POLARWAY_TPCH" };

/// 99 queries over 24 tables.
pub(crate) const TPCDS: Suite = Suite { name: "tpcds", folder_variable: "POLARWAY_TPCDS" };

impl Suite {
    /// The folder of one scale (1 is about a GB of text), generated if the `cache` doesn't hold it: a Parquet file for each
    /// table, `queries/01.sql` and so on, and, for TPC-H at the scales 0.01, 0.1 and 1, `answers/01.csv` and so on.
    ///
    /// # Errors
    /// When there is no Python with `venv`, or DuckDB's generator can't be installed or fails.
    pub(crate) fn provide(&self, cache: &Path, scale: f64) -> Result<PathBuf> {
        let python = Python::prepare(cache, "tpc-venv", "bench/python/tpc-requirements.txt")?;
        let folder = format!("{}-{scale}", python.fingerprint(GENERATOR)?);
        made_once(cache, &Path::new(self.name).join(folder), |folder| {
            eprintln!("{}: generating the tables at scale {scale}", self.name);
            run(python.call(GENERATOR).arg(self.name).arg(scale.to_string()).arg(folder))
        })
    }
}
