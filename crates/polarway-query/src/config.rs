//! Settings of the engine and of one query: plain data.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use polarway_model::EngineChoice;

use crate::batches::BATCH_BYTES;
use crate::kept_files::ResultKeeper;
use crate::memory::memory_limit;

/// Below so many bytes, a query gains nothing from several workers: one reads them in seconds.
const DISTRIBUTED_FROM_BYTES: u64 = 4 << 30;

/// How an [`Engine`](crate::Engine) is set up.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Folders that DuckDB may read: the datasets, the cold tier, the mirror. They must exist.
    pub readable: Vec<PathBuf>,
    /// Where DuckDB spills. SQL could read files there, so use a folder for nothing else; it is created if it is missing.
    pub temp_dir: PathBuf,
    /// The memory that DuckDB may use, in bytes, for all queries together. DuckDB does not count what a scalar function
    /// allocates.
    pub memory_bytes: u64,
    /// The space that DuckDB may use for spilling, in bytes, for all queries together.
    pub temp_bytes: u64,
    /// The number of DuckDB's threads.
    pub threads: usize,
    /// The longest query text, in bytes.
    pub text_bytes: usize,
    /// How many checked texts are cached.
    pub cached_texts: usize,
    /// How many idle connections, with their views, are kept for the next query over the same tables, and how many idle
    /// threads.
    pub idle_connections: usize,
    /// How many queries may run and wait, and for how long.
    pub limits: Limits,
    /// A DuckDB database file whose tables queries read as `analytics.<table>`. It is opened read-only.
    pub analytics: Option<PathBuf>,
    /// Queries whose files have at least this many bytes run on several workers, if there is an
    /// [engine](crate::DistributedExecutor) for that and it can run them exactly.
    pub distributed_from_bytes: u64,
}

/// Limits that keep queries from disturbing each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many queries run at once. As many again may run beside them, each of them its owner's only one: an owner's first query
    /// does not wait for those of another.
    pub running: usize,
    /// How many stopped queries, for example after their deadline, may give up their slot while DuckDB still works on them.
    /// Beyond this number a stopped query keeps its slot.
    pub spare: usize,
    /// How many queries may wait for their readers beside those that run.
    pub parked: usize,
    /// If a query's reader takes nothing for this long and others wait, the query loses its slot; it gets one again when its
    /// reader continues. If too many queries wait so, the one whose reader was silent longest, at least ten times this, ends
    /// with [`Error::ReaderTooSlow`](crate::Error::ReaderTooSlow).
    pub stall: Duration,
    /// How many more may wait for a slot; further queries are refused with [`Error::Busy`](crate::Error::Busy). If the owner of
    /// a further one has fewer that wait than another owner, the newest of that one is refused instead.
    pub waiting: usize,
    /// How long a query may wait before it is refused.
    pub wait: Duration,
    /// The longest time a query may take, including waiting, whatever its own deadline is.
    pub time: Duration,
    /// The most rows of one result.
    pub result_rows: u64,
    /// The most bytes of one result, as Arrow.
    pub result_bytes: u64,
    /// The most memory that the whole process may use, in bytes. Beyond it the newest large query is stopped: DuckDB's own
    /// limit does not count all that queries allocate.
    pub process_bytes: u64,
}

impl Default for Limits {
    /// Four running queries for each core; beside them as many stopped ones, and as many parked ones whose readers are silent
    /// for a second. A thousand queries wait for ten seconds at most. Each may take an hour; results have any size; the process
    /// may use nine tenths of the memory available to it.
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
    /// A configuration that reads `readable`, spills to `temp_dir`, and uses 1 GB of memory, 10 GB of temporary space and all
    /// cores.
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
            distributed_from_bytes: DISTRIBUTED_FROM_BYTES,
        }
    }
}

/// The call that a query belongs to, as logs and traces know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallIds {
    /// Its id in the log.
    pub request_id: Arc<str>,
    /// Its place in a trace that is recorded, as the header `traceparent` of W3C Trace Context.
    pub traceparent: Option<Arc<str>>,
}

/// How one query is run: made by the layer above from a program's options, with a deadline and one batch of values.
#[derive(Debug, Clone)]
pub struct QueryOptions {
    /// When the query ends with [`Error::Deadline`](crate::Error::Deadline), whatever its state; `None` means never.
    pub deadline: Option<Instant>,
    /// The target size of result batches, in bytes. DuckDB's small ones are joined up to it.
    pub batch_bytes: usize,
    /// The values of the text's parameters: one row, whose columns have the parameters' names (`1` for the first `?` and
    /// for `$1`, `name` for `$name`).
    pub parameters: Option<RecordBatch>,
    /// The owner of the query: owners take turns.
    pub owner: Arc<str>,
    /// The most queries of the owner that run or wait, this one included; further ones are refused with
    /// [`Error::Busy`](crate::Error::Busy). `None` is no limit of its own.
    pub most_of_owner: Option<usize>,
    /// What happens with the result.
    pub keep: Keep,
    /// Whether HUGEINT numbers are returned as text. They may have 39 digits, but Arrow's decimals only 38: longer ones are
    /// refused as decimals.
    pub hugeint_as_text: bool,
    /// Which engine runs it.
    pub engine: EngineChoice,
    /// The call that it belongs to, if it came by one.
    pub call: Option<CallIds>,
}

/// What happens with a query's result.
#[derive(Debug, Clone, Default)]
pub enum Keep {
    /// Its rows are delivered.
    #[default]
    No,
    /// Its rows are delivered to someone who keeps them as a table, or several workers write them for that keeper. A plan is
    /// refused, because it is a text.
    ByCaller(Arc<dyn ResultKeeper>),
    /// It becomes a table that the engine keeps under this name until [`remove_kept`](crate::Engine::remove_kept); no rows are
    /// delivered. A plan is refused.
    AsTable(String),
}

impl Keep {
    pub(crate) fn table(&self) -> Option<&str> {
        match self {
            Self::AsTable(name) => Some(name),
            Self::No | Self::ByCaller(_) => None,
        }
    }

    pub(crate) fn is_kept(&self) -> bool {
        !matches!(self, Self::No)
    }
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            deadline: None,
            batch_bytes: BATCH_BYTES,
            parameters: None,
            owner: Arc::default(),
            most_of_owner: None,
            keep: Keep::No,
            hugeint_as_text: false,
            engine: EngineChoice::Auto,
            call: None,
        }
    }
}
