//! Settings of the engine and of one query: plain data.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;

use crate::memory::memory_limit;

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
    /// How many queries may run and wait, and for how long.
    pub limits: Limits,
    /// A DuckDB database file whose tables queries read as `analytics.<table>`. It is opened read-only.
    pub analytics: Option<PathBuf>,
}

/// What keeps queries out of each other's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many queries run at once.
    pub running: usize,
    /// How many queries may go on beside those that were stopped, at their deadline say, and that DuckDB has not let go of
    /// yet. Beyond it a stopped query keeps its place among those that run.
    pub spare: usize,
    /// How many queries may wait for their readers beside those that run.
    pub parked: usize,
    /// A query whose reader takes nothing for this long loses its place among those that run when others wait for it, and
    /// gets one again when its reader goes on. If too many wait so, the one whose reader was silent for the longest time, ten
    /// times this at least, ends with [`Error::ReaderTooSlow`](crate::Error::ReaderTooSlow).
    pub stall: Duration,
    /// How many more may wait for a slot; what comes beyond is turned away with [`Error::Busy`](crate::Error::Busy).
    pub waiting: usize,
    /// How long a query may wait before it is turned away.
    pub wait: Duration,
    /// The longest time a query may take, waiting included, whatever its own deadline is.
    pub time: Duration,
    /// The most rows of one result.
    pub result_rows: u64,
    /// The most bytes of one result, in Arrow's form.
    pub result_bytes: u64,
    /// What the whole process may have in memory, in bytes. Beyond it the newest large query is stopped: DuckDB's own
    /// limit does not count all that queries allocate.
    pub process_bytes: u64,
}

impl Default for Limits {
    /// Four queries for each core, as many stopped ones and as many waiting for readers that are silent for a second beside
    /// them, a thousand waiting for ten seconds at most, an hour for each, results of any size,
    /// and nine tenths of the memory that this process may take.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            running: 4 * cores,
            spare: 4 * cores,
            parked: 4 * cores,
            stall: Duration::from_secs(1),
            waiting: 1_000,
            wait: Duration::from_secs(10),
            time: Duration::from_secs(3600),
            result_rows: u64::MAX,
            result_bytes: u64::MAX,
            process_bytes: memory_limit().bytes / 10 * 9,
        }
    }
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
            limits: Limits::default(),
            analytics: None,
        }
    }
}

/// How one query is run: what the layer above makes of a program's options, with a deadline and one batch of values.
#[derive(Debug, Clone)]
pub struct QueryOptions {
    /// When the query ends with [`Error::Deadline`](crate::Error::Deadline), wherever it stands; `None` is never.
    pub deadline: Option<Instant>,
    /// The size that result batches aim at, in bytes. DuckDB's small ones are joined up to it.
    pub batch_bytes: usize,
    /// The values of the text's parameters: one row, whose columns have the parameters' names (`1` for the first `?` and
    /// for `$1`, `name` for `$name`).
    pub parameters: Option<RecordBatch>,
    /// Whose query it is.
    pub owner: Arc<str>,
    /// What becomes of the result.
    pub keep: Keep,
    /// Whether numbers of type HUGEINT come as text. They may have 39 digits, and Arrow's decimals have 38: as decimals they
    /// are refused then.
    pub hugeint_as_text: bool,
}

/// What becomes of a query's result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Keep {
    /// Its rows are given.
    #[default]
    No,
    /// Its rows are given to somebody who keeps them as a table: a plan, which is a text, is refused.
    ByCaller,
    /// It becomes a table that the engine keeps under this name until [`remove_kept`](crate::Engine::remove_kept), and no
    /// rows are given. A plan is refused.
    AsTable(String),
}

impl Keep {
    pub(crate) fn table(&self) -> Option<&str> {
        match self {
            Self::AsTable(name) => Some(name),
            Self::No | Self::ByCaller => None,
        }
    }
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            deadline: None,
            batch_bytes: 1 << 20,
            parameters: None,
            owner: Arc::default(),
            keep: Keep::No,
            hugeint_as_text: false,
        }
    }
}
