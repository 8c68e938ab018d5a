//! How an engine is set up: plain data.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

pub use polarway_bucket::{BucketOptions, BucketUrl, InvalidUrl, Provider, Variables};
pub use polarway_query::Limits as QueryLimits;

/// One GB, as users count it.
const GB: u64 = 1_000_000_000;

/// How an engine is set up. Make one with [`Config::new`] and change its fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The folder for what belongs to this process: temporary files, and the mirror of remote data.
    pub data_dir: PathBuf,
    /// Where datasets lie.
    pub cold_tier: Location,
    /// How buckets are reached, if the cold tier or the handles are in one.
    pub buckets: BucketOptions,
    /// The size of the RAM cache for loads, in bytes; 0 turns it off.
    pub cache_bytes: u64,
    /// The most disk space for what SQL has read of data files that are in no directory, in bytes.
    pub mirror_bytes: u64,
    /// The most bytes that a query reads in addition, to check its data files against their checksums; 0 checks none.
    pub check_bytes: u64,
    /// The most memory that DuckDB uses for all queries together, in bytes.
    pub query_memory_bytes: u64,
    /// The most disk space that DuckDB uses for all queries together, in bytes.
    pub query_temp_bytes: u64,
    /// Threads that DuckDB works with.
    pub query_threads: usize,
    /// How many queries may run and wait, and what each may take.
    pub query_limits: QueryLimits,
    /// Queries whose files have at least this many bytes run on several workers, if there is an
    /// [executor](crate::Distribution) for that and it can run them exactly.
    pub distributed_from_bytes: u64,
    /// A DuckDB database file whose tables queries read as `analytics.<table>`, if it exists. It is opened read-only.
    pub analytics: Option<PathBuf>,
    /// Where results are kept under handles, and for how long.
    pub handles: HandleConfig,
    /// Which superseded versions are kept.
    pub retention: Retention,
    /// How long the newest version is taken for the newest without asking the storage.
    pub max_staleness: Duration,
    /// How often superseded data is removed and small files are merged. `None` is never, for a process that leaves this to
    /// another one.
    pub janitor_interval: Option<Duration>,
}

/// Where datasets lie.
///
/// ```
/// use polarway_core::Location;
///
/// let bucket: Location = "s3://lake/tables".parse()?;
/// let directory: Location = "/var/lib/polarway/cold".parse()?;
/// assert!(matches!((bucket, directory), (Location::Bucket(_), Location::Directory(_))));
/// # Ok::<(), polarway_core::InvalidUrl>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// A directory. It is made if it is missing.
    Directory(PathBuf),
    /// A bucket, or what is under a prefix in it. It must exist.
    Bucket(BucketUrl),
    /// This process's memory. The datasets are lost when the process ends.
    Memory,
}

impl Location {
    /// The kind of storage, as metrics name it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Directory(_) => "directory",
            Self::Bucket(url) => url.provider().name(),
            Self::Memory => "memory",
        }
    }
}

/// A text that is meant as a URL must be that of a bucket; any other one is a directory.
impl FromStr for Location {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        match BucketUrl::is_meant_by(text) {
            true => text.parse().map(Self::Bucket),
            false => Ok(Self::Directory(text.into())),
        }
    }
}

/// A directory or URL, which can be parsed again.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(folder) => write!(f, "{}", folder.display()),
            Self::Bucket(url) => write!(f, "{url}"),
            Self::Memory => f.write_str("memory"),
        }
    }
}

/// Where results are kept under handles, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandleConfig {
    /// Where they are kept.
    pub store: HandleStoreKind,
    /// The storage for the external store. It must hold nothing else.
    pub state: Location,
    /// How long a handle is kept without being used, unless its maker asked for another time.
    pub ttl: Duration,
    /// The most bytes for all handles in memory together; `None` is two fifths of the memory and temporary space of
    /// queries. For handles in a storage there is no limit.
    pub budget_bytes: Option<u64>,
}

impl HandleConfig {
    /// In memory, for half an hour. The external store, where it is chosen, is in `state/` under the data directory.
    fn new(data_dir: &Path) -> Self {
        Self {
            store: HandleStoreKind::Memory,
            state: Location::Directory(data_dir.join("state")),
            ttl: Duration::from_secs(30 * 60),
            budget_bytes: None,
        }
    }
}

/// Where handles are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandleStoreKind {
    /// In this process's memory: fast, and not shared.
    Memory,
    /// As tables in a storage: every process that opens the same storage serves them.
    External,
}

/// Which superseded versions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Versions whose data is always kept, counted from the newest.
    pub versions: usize,
    /// Data that was superseded less than this ago is kept too. It must be longer than the longest
    /// query, load and retry.
    pub grace: Duration,
    /// Data that no version refers to is kept for this long, since a slow writer may still publish it.
    pub orphan_grace: Duration,
}

impl Default for Retention {
    /// Five versions, an hour, a day.
    fn default() -> Self {
        let settings = polarway_storage::Settings::default();
        Self { versions: settings.kept_versions, grace: settings.grace, orphan_grace: settings.orphan_grace }
    }
}

impl Config {
    /// An engine whose files all lie under one directory: datasets in `cold/`, `analytics.duckdb` if there is one, a 2 GB cache,
    /// 2 GB of memory and all cores for queries, five versions kept.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        Self {
            cold_tier: Location::Directory(data_dir.join("cold")),
            buckets: BucketOptions::default(),
            cache_bytes: 2 * GB,
            mirror_bytes: 10 * GB,
            check_bytes: GB / 4,
            query_memory_bytes: 2 * GB,
            query_temp_bytes: 20 * GB,
            query_threads: std::thread::available_parallelism().map_or(1, usize::from),
            query_limits: QueryLimits::default(),
            distributed_from_bytes: 4 * GB,
            analytics: Some(data_dir.join("analytics.duckdb")),
            handles: HandleConfig::new(&data_dir),
            retention: Retention::default(),
            max_staleness: Duration::ZERO,
            janitor_interval: Some(Duration::from_secs(300)),
            data_dir,
        }
    }

    /// The same, with datasets in this directory, or in the bucket of this URL. Parquet files and folders of Parquet files there
    /// are datasets too. A text that is meant as a URL and is not that of a bucket is refused when the engine is opened.
    ///
    /// ```
    /// use polarway_core::{Config, Location};
    ///
    /// let config = Config::new("./polarway-data").with_cold_tier("s3://lake/tables");
    /// assert!(matches!(config.cold_tier, Location::Bucket(_)));
    /// ```
    #[must_use]
    pub fn with_cold_tier(mut self, place: impl AsRef<Path>) -> Self {
        let place = place.as_ref();
        let location = place.to_str().and_then(|text| text.parse().ok());
        self.cold_tier = location.unwrap_or_else(|| Location::Directory(place.to_owned()));
        self
    }

    /// The most bytes for all handles in memory together.
    pub(crate) fn handle_budget_bytes(&self) -> u64 {
        let room = self.query_memory_bytes.saturating_add(self.query_temp_bytes);
        self.handles.budget_bytes.unwrap_or(room / 5 * 2)
    }

    /// The same, with a cache of this many bytes.
    #[must_use]
    pub fn with_cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }
}
