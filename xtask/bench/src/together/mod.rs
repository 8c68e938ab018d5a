//! TPC-H on workers that run each query together, each of them a process: on all cores, or each with a tenth of a core.

mod asked;
mod workers;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use polarway_client::{DistributedClient, EngineChoice, EngineUsed};

use crate::cloud::Place;
use crate::open;
use crate::protocol::Measured;
use crate::tpch;
use asked::{Asked, Setup, Task, Where};
use workers::Workers;

/// Tables with at least so many rows are stored in many files, as if they had come in pieces, so that all workers have some.
const LARGE_ROWS: usize = 100_000;

/// The files of a large table.
const FILES: usize = 24;

/// A query that reads every column of the largest table, and returns next to nothing.
const SCAN: &str = "SELECT max(COLUMNS(*)) FROM lineitem";

/// A query that passes each row of the largest table to the worker that has its group, since each row is a group.
const SHUFFLE: &str = "SELECT count(*), max(price), max(discount) FROM (
    SELECT l_orderkey, l_linenumber, max(l_extendedprice) AS price, max(l_discount) AS discount
    FROM lineitem GROUP BY l_orderkey, l_linenumber)";

/// What its rows are in memory, at scale 1: two numbers of 8 bytes and two decimals of 16 each.
const SHUFFLED_BYTES: u64 = 6_001_215 * (2 * 8 + 2 * 16);

pub(crate) struct Together {
    folder: PathBuf,
    source: PathBuf,
    texts: Vec<String>,
    /// The workers that were asked last.
    workers: Option<Workers>,
    /// Where the tables are stored already.
    stored: Vec<PathBuf>,
}

impl Together {
    /// Nothing is stored and nothing runs yet.
    pub(crate) fn set_up(folder: &Path) -> Result<Self> {
        let source = tpch::source()?;
        let texts = tpch::texts(&source)?;
        Ok(Self { folder: folder.to_owned(), source, texts, workers: None, stored: Vec::new() })
    }

    /// Measures once: `free-3-distributed-tpch-06`, for example.
    pub(crate) async fn measure(&mut self, name: &str) -> Result<Measured> {
        let asked = Asked::read(name)?;
        let sql = match asked.task {
            Task::Tpch(number) => {
                let text = number.checked_sub(1).and_then(|index| self.texts.get(index));
                text.with_context(|| format!("there is no query {number}"))?.clone()
            }
            Task::Scan | Task::ScanAgain => SCAN.to_owned(),
            Task::Shuffle => SHUFFLE.to_owned(),
        };
        let workers = self.workers(asked).await?;
        let (seconds, used) = workers.run(&sql, asked.engine).await?;
        let expect = match asked.engine {
            EngineChoice::Local => EngineUsed::Local { reason: None },
            _ => EngineUsed::Distributed { workers: u32::try_from(asked.setup.count)? },
        };
        ensure!(used == expect, "{name} ran on {used:?}");
        let needed_bytes = match asked.task {
            Task::Tpch(_) => None,
            Task::Scan | Task::ScanAgain => Some(bytes_of(&workers.tables().join("lineitem"))?),
            // Some are where they belong already.
            Task::Shuffle => {
                let count = u64::try_from(asked.setup.count)?;
                Some(SHUFFLED_BYTES * (count - 1) / count)
            }
        };
        Ok(Measured { seconds, needed_bytes })
    }

    /// The workers that are asked for, ready to be measured.
    async fn workers(&mut self, asked: Asked) -> Result<&Workers> {
        let setup = asked.setup;
        // What a worker has read from a bucket, it keeps.
        let is_fresh = asked.task == Task::Scan && setup.place == Where::Bucket;
        let running = self.workers.take().filter(|workers| workers.setup == setup && !is_fresh);
        let workers = match running {
            Some(running) => running,
            None => self.start(setup).await?,
        };
        Ok(self.workers.insert(workers))
    }

    async fn start(&mut self, setup: Setup) -> Result<Workers> {
        let bucket = match setup.place {
            Where::Bucket => Some(Place::of_variables()?),
            Where::Free | Where::Held => None,
        };
        let mut workers = Workers::start(&self.folder, setup, bucket.as_ref()).await?;
        let tables = workers.tables().to_owned();
        if !self.stored.contains(&tables) {
            let names = if bucket.is_some() { &["lineitem"][..] } else { &tpch::TABLES };
            store(names, &self.source, &self.folder.join("source"), &workers.client).await?;
            self.stored.push(tables);
            if bucket.is_some() {
                // The worker that stored them may have kept something.
                drop(workers);
                workers = Workers::start(&self.folder, setup, bucket.as_ref()).await?;
            }
        }
        if setup.place != Where::Bucket {
            // With all cores: what a first run finds out and keeps is not what is compared.
            for engine in [EngineChoice::Local, EngineChoice::Distributed] {
                for sql in self.texts.iter().map(String::as_str).chain([SCAN, SHUFFLE]) {
                    workers.run(sql, engine).await?;
                }
            }
        }
        if setup.place == Where::Held {
            workers.hold()?;
        }
        Ok(workers)
    }
}

/// Stores TPC-H as clients do: large tables in pieces.
async fn store(names: &[&str], source: &Path, folder: &Path, client: &DistributedClient) -> Result<()> {
    let files = open(folder, 0).await?;
    for name in names {
        let file = format!("{name}.parquet");
        fs::copy(source.join(&file), folder.join("cold").join(&file))?;
        let table = files.load(name).await?;
        let rows = table.num_rows();
        let piece = if rows < LARGE_ROWS { rows } else { rows.div_ceil(FILES) };
        client.store(name, table.slice(0, piece)).await?;
        for first in (piece..rows).step_by(piece) {
            client.append(name, table.slice(first, piece.min(rows - first))).await?;
        }
    }
    Ok(())
}

/// The bytes of a dataset's data files.
fn bytes_of(dataset: &Path) -> Result<u64> {
    let folder = dataset.join("_polarway/data");
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut bytes = 0;
    for entry in entries {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
