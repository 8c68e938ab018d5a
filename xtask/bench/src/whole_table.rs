//! The whole table, stored and loaded.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use polarway_core::{At, Compression, Polarway, Table};

use crate::clock::{median, timed};
use crate::open;

/// Large enough for the table, as a user would have it who wants it cached.
const CACHE_BYTES: u64 = 4_000_000_000;

/// Loads of a cached table whose median is the answer.
const CACHED_LOADS: usize = 201;

pub(crate) struct WholeTable {
    /// One engine's folder: datasets `stored` and `adopted` lie in its cold tier.
    folder: PathBuf,
    table: Table,
    /// An engine without a cache.
    uncached: Polarway,
    /// An engine that has the table in its cache, from when it is first asked for.
    cached: Option<Polarway>,
    stores: u64,
}

impl WholeTable {
    /// Reads the table, stores it, and lays the peers' own Parquet file beside it.
    pub(crate) async fn set_up(data: &Path, folder: &Path) -> Result<Self> {
        let table = read_arrow(&data.join("table.arrow"))?;
        let uncached = open(folder, 0).await?;
        uncached.store("stored", &table).await?;
        std::os::unix::fs::symlink(data.join("table.parquet"), folder.join("cold/adopted.parquet"))
            .context("linking table.parquet")?;
        for dataset in ["stored", "adopted"] {
            let loaded = uncached.load(dataset).await?;
            ensure!(has_same_rows(&loaded, &table)?, "{dataset} is not the table that was stored");
        }
        Ok(Self { folder: folder.to_owned(), table, uncached, cached: None, stores: 0 })
    }

    /// A table that Polarway stored, from its file to batches.
    pub(crate) async fn load(&self) -> Result<f64> {
        self.load_with(&self.uncached, "stored").await
    }

    /// The file that the peers read, adopted as a dataset, to batches.
    pub(crate) async fn load_adopted(&self) -> Result<f64> {
        self.load_with(&self.uncached, "adopted").await
    }

    /// As [`load`](Self::load), by an engine that puts what it loads into its empty cache.
    pub(crate) async fn load_filling(&self) -> Result<f64> {
        let engine = open(&self.folder, CACHE_BYTES).await?;
        self.load_with(&engine, "stored").await
    }

    async fn load_with(&self, engine: &Polarway, dataset: &str) -> Result<f64> {
        let (seconds, loaded) = timed(engine.load(dataset)).await?;
        ensure!(loaded.num_rows() == self.table.num_rows(), "{dataset} has {} rows", loaded.num_rows());
        Ok(seconds)
    }

    /// The table from memory to a dataset on disk. As for the peers, what was written is removed afterwards.
    pub(crate) async fn store(&mut self) -> Result<f64> {
        self.stores += 1;
        let name = format!("store-{}", self.stores);
        let table = self.table.clone();
        let (seconds, _) = timed(self.uncached.store(&name, table)).await?;
        fs::remove_dir_all(self.folder.join("cold").join(&name)).context("removing what was stored")?;
        Ok(seconds)
    }

    /// A cached table, until its last chunk is at hand.
    pub(crate) async fn load_cached_chunks(&mut self) -> Result<f64> {
        let engine = match self.cached.take() {
            Some(ready) => self.cached.insert(ready),
            None => {
                let engine = open(&self.folder, CACHE_BYTES).await?;
                engine.load("stored").await?;
                self.cached.insert(engine)
            }
        };
        let mut seconds = Vec::with_capacity(CACHED_LOADS);
        for _ in 0..CACHED_LOADS {
            let all = async {
                engine
                    .load_chunks("stored", At::Newest, 0, Compression::None)
                    .await?
                    .try_collect::<Vec<_>>()
                    .await
            };
            let (elapsed, chunks) = timed(all).await?;
            ensure!(!chunks.is_empty(), "the cached table has no chunks");
            seconds.push(elapsed);
        }
        ensure!(engine.cache_stats()?.misses == 1, "the table was not in the cache");
        Ok(median(seconds))
    }
}

/// Whether two tables hold the same rows, however they are cut into batches.
fn has_same_rows(left: &Table, right: &Table) -> Result<bool> {
    let mut first_row = 0;
    for batch in left.batches() {
        let beside = right.slice(first_row, batch.num_rows()).to_batch()?;
        if batch.columns() != beside.columns() {
            return Ok(false);
        }
        first_row += batch.num_rows();
    }
    Ok(first_row == right.num_rows())
}

/// A table from an Arrow IPC file.
pub(crate) fn read_arrow(path: &Path) -> Result<Table> {
    let context = || format!("reading {}", path.display());
    let file = fs::File::open(path).with_context(context)?;
    let reader = arrow_ipc::reader::FileReader::try_new(file, None).with_context(context)?;
    let schema = reader.schema();
    Ok(Table::new(schema, reader.collect::<Result<_, _>>().with_context(context)?))
}
