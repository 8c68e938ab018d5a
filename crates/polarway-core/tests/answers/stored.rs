//! An engine that holds the tables of Parquet files as datasets.

use std::fs::File;
use std::path::Path;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use polarway_core::{Config, Polarway, WriteMode, WriteOptions};
use tempfile::TempDir;

/// An engine in a new folder, which goes with the guard. DuckDB works on `query_threads` in it.
pub(crate) async fn engine(query_threads: usize) -> (Polarway, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    config.janitor_interval = None;
    config.query_threads = query_threads;
    (Polarway::open(config).await.unwrap(), folder)
}

/// Stores the table of `file` as two writes, so that queries read it from more than one data file.
pub(crate) async fn store(polarway: &Polarway, name: &str, file: &Path) {
    let reader = || ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
    let rows = usize::try_from(reader().metadata().file_metadata().num_rows()).unwrap();
    let first = reader().with_limit(rows / 2).build().unwrap();
    polarway.store_reader(name, first, WriteOptions::default()).await.unwrap();
    let rest = reader().with_offset(rows / 2).build().unwrap();
    polarway.store_reader(name, rest, WriteOptions::new(WriteMode::Append)).await.unwrap();
}
