//! Recognizes tables of formats that keep metadata beside Parquet files, which says which rows are valid.

use std::fmt;

use crate::backend::{Backend, BackendResult, Entry, join};

/// A format whose Parquet files can't be read alone: some of their rows were deleted, replaced or never committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// Delta Lake.
    Delta,
    /// Apache Iceberg.
    Iceberg,
    /// Apache Hudi.
    Hudi,
    /// Apache Paimon.
    Paimon,
    /// Lance.
    Lance,
    /// DuckLake.
    DuckLake,
    /// The output of Spark's structured streaming.
    SparkStreaming,
}

impl fmt::Display for TableFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delta => "a Delta Lake table (it has a `_delta_log`)",
            Self::Iceberg => "an Iceberg table (it has `metadata/*.metadata.json`)",
            Self::Hudi => "a Hudi table (it has a `.hoodie`)",
            Self::Paimon => "a Paimon table (it has `snapshot`, `manifest` and `schema`)",
            Self::Lance => "a Lance table (it has `_versions`)",
            Self::DuckLake => "part of a DuckLake (it has `ducklake-*.parquet`)",
            Self::SparkStreaming => "the output of a Spark stream (it has a `_spark_metadata`)",
        })
    }
}

/// The format of a folder, from the names of its entries; `None` for plain files.
pub(crate) fn format_of(
    backend: &dyn Backend,
    folder: &str,
    entries: &[Entry],
) -> BackendResult<Option<TableFormat>> {
    let has_folder = |name: &str| entries.iter().any(|entry| entry.name == name && entry.file.is_none());
    let plain = if has_folder("_delta_log") {
        Some(TableFormat::Delta)
    } else if has_folder(".hoodie") {
        Some(TableFormat::Hudi)
    } else if has_folder("_versions") {
        Some(TableFormat::Lance)
    } else if has_folder("_spark_metadata") {
        Some(TableFormat::SparkStreaming)
    } else if ["snapshot", "manifest", "schema"].into_iter().all(has_folder) {
        Some(TableFormat::Paimon)
    } else if entries.iter().any(|entry| is_ducklake_file(&entry.name)) {
        Some(TableFormat::DuckLake)
    } else {
        None
    };
    if plain.is_some() || !has_folder("metadata") {
        return Ok(plain);
    }
    let metadata = backend.list(&join(folder, "metadata"))?;
    let is_iceberg = metadata.iter().any(|entry| is_iceberg_metadata(&entry.name));
    Ok(is_iceberg.then_some(TableFormat::Iceberg))
}

/// `00001-….metadata.json`, also compressed, or the file that names the newest of these.
fn is_iceberg_metadata(name: &str) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    name.ends_with(".metadata.json") || name == "version-hint.text"
}

fn is_ducklake_file(name: &str) -> bool {
    name.starts_with("ducklake-") && name.ends_with(".parquet")
}
