//! An engine that holds the tables of Parquet files as datasets.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use polarway_cloud::Given;
use polarway_core::components::Backend;
use polarway_core::{Config, Polarway, WriteMode, WriteOptions};
use tempfile::TempDir;
use uuid::Uuid;

use crate::given::options;
use crate::watched::WatchedReads;

/// An engine in a new folder, which goes with the guard. DuckDB works on `query_threads` in it.
pub(crate) async fn engine(query_threads: usize) -> (Polarway, TempDir) {
    let (config, folder) = config(query_threads);
    (Polarway::open(config).await.unwrap(), folder)
}

/// The same over a bucket, at a place that nobody else uses.
pub(crate) async fn engine_in_bucket(query_threads: usize, given: &Given) -> (Polarway, TempDir) {
    let (mut config, folder) = config(query_threads);
    config.cold_tier = format!("{}/answers-{}", given.url, Uuid::now_v7()).parse().unwrap();
    config.buckets = options(given);
    (Polarway::open(config).await.unwrap(), folder)
}

/// The same over a directory whose files are read as those of a bucket are.
pub(crate) async fn engine_far_away(query_threads: usize) -> (Polarway, TempDir) {
    let (config, folder) = config(query_threads);
    let layer = |storage| WatchedReads::new(storage, |_, _| Ok(())) as Arc<dyn Backend>;
    (Polarway::builder(config).storage_layer(layer).open().await.unwrap(), folder)
}

fn config(query_threads: usize) -> (Config, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    config.janitor_interval = None;
    config.query_threads = query_threads;
    (config, folder)
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
