//! Settings of the engine and of one query: plain data.

use std::path::PathBuf;
use std::time::Instant;

/// How an [`Engine`](crate::Engine) is set up.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Folders that DuckDB may read: the datasets, the cold tier, the mirror. They must exist.
    pub readable: Vec<PathBuf>,
    /// Where DuckDB spills. SQL could read what lies there, so give it a folder that holds nothing else; it is
    /// made if it is missing.
    pub temp_dir: PathBuf,
    /// What DuckDB may hold in memory, in bytes, all queries together. What a scalar function allocates is not
    /// counted by DuckDB.
    pub memory_bytes: u64,
    /// What DuckDB may spill, in bytes, all queries together.
    pub temp_bytes: u64,
    /// How many threads DuckDB works with.
    pub threads: usize,
    /// The longest query text, in bytes.
    pub text_bytes: usize,
    /// How many checked texts are remembered.
    pub cached_texts: usize,
    /// How many idle connections, with their views in place, are kept for the next query over the same tables, and
    /// how many idle threads.
    pub idle_connections: usize,
}

impl EngineConfig {
    /// A configuration that reads `readable`, spills to `temp_dir`, and takes 1 GB of memory, 10 GB of temporary
    /// space and all cores.
    #[must_use]
    pub fn new(readable: Vec<PathBuf>, temp_dir: PathBuf) -> Self {
        Self {
            readable,
            temp_dir,
            memory_bytes: 1_000_000_000,
            temp_bytes: 10_000_000_000,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            text_bytes: 1_000_000,
            cached_texts: 1_000,
            idle_connections: 32,
        }
    }
}

/// How one query is run.
#[derive(Debug, Clone)]
pub struct QueryOptions {
    /// When the query ends with [`Error::Deadline`](crate::Error::Deadline), wherever it stands; `None` is never.
    pub deadline: Option<Instant>,
    /// The size that result batches aim at, in bytes. DuckDB's small ones are joined up to it.
    pub batch_bytes: usize,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self { deadline: None, batch_bytes: 1 << 20 }
    }
}
