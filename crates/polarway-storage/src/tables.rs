//! Versioned tables: the main type of this crate.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;
use parking_lot::Mutex;
use polarway_model::{At, DatasetName};
use polarway_parquet::{EncodeOptions, Workers};
use uuid::Uuid;

use crate::adopt::Footers;
use crate::backend::Backend;
use crate::change_counts::{ChangeCounters, ChangeCounts};
use crate::commit::{CONTROL_FOLDER, Commit, commit_path, decode_schema};
use crate::dictionaries::KnownCategories;
use crate::environment::{Clock, Environment, IdSource, micros};
use crate::error::{Error, Result};
use crate::listing::Summaries;
use crate::log::CommitLog;
use crate::retry::RecentRequests;
use crate::snapshot::Snapshot;
use crate::standstill::{StandstillGuard, StandstillWatch};
use crate::storage_clock::StorageClock;

/// The most datasets whose newest commit is remembered.
const REMEMBERED_DATASETS: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// The most snapshots that are kept with their decoded schema.
const REMEMBERED_SNAPSHOTS: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// How versioned tables behave: plain data.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Versions whose data is always kept, counted from the newest.
    pub kept_versions: usize,
    /// Data that was superseded less than this ago is kept too. It must be longer than the longest
    /// query, load and retry.
    pub grace: Duration,
    /// Data that no commit refers to is kept for this long, since a slow writer may still publish it.
    pub orphan_grace: Duration,
    /// How long the newest version is taken for the newest without asking the storage.
    pub max_staleness: Duration,
    /// How tables are written.
    pub encode: EncodeOptions,
}

impl Default for Settings {
    /// Five versions, an hour of grace, a day for orphans, no staleness.
    fn default() -> Self {
        Self {
            kept_versions: 5,
            grace: Duration::from_secs(3_600),
            orphan_grace: Duration::from_secs(24 * 3_600),
            max_staleness: Duration::ZERO,
            encode: EncodeOptions::default(),
        }
    }
}

/// Versioned tables in one storage.
///
/// Any number of processes may work on the same storage at once; they share nothing else.
/// All methods block, and may be called from any number of threads.
///
/// ```
/// use std::sync::Arc;
/// use polarway_storage::{At, DiskBackend, RequestId, Settings, Tables, WriteOptions, WriteMode};
/// use arrow_array::{Int64Array, RecordBatch};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let tables = Tables::new(Arc::new(DiskBackend::open(folder.path())?), Settings::default());
///
/// let name = "squares".parse()?;
/// let batch = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 4, 9])) as _)])?;
/// let mut writer = tables.writer(&name, batch.schema(), WriteOptions::new(WriteMode::Overwrite))?;
/// writer.write(&batch)?;
/// assert_eq!(writer.publish()?.version, 1);
///
/// let snapshot = tables.snapshot(&name, At::Newest)?;
/// assert_eq!(snapshot.rows, 3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Tables {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) storage_clock: Arc<StorageClock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) standstill: StandstillWatch,
    pub(crate) counters: ChangeCounters,
    pub(crate) settings: Settings,
    pub(crate) footers: Footers,
    pub(crate) summaries: Summaries,
    pub(crate) categories: KnownCategories,
    datasets: Mutex<LruCache<DatasetName, Arc<Dataset>>>,
    snapshots: Mutex<LruCache<(DatasetName, Uuid), Arc<Snapshot>>>,
}

/// The state of one dataset in this process.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) name: DatasetName,
    pub(crate) log: CommitLog,
    pub(crate) requests: RecentRequests,
}

/// Takes the version that is most likely the newest.
type Suppose<'s> = &'s mut dyn FnMut(&Arc<Snapshot>);

impl Tables {
    /// Versioned tables in this storage, with the machine's clock and random source.
    pub fn new(backend: Arc<dyn Backend>, settings: Settings) -> Self {
        Self::with_environment(backend, settings, Environment::default())
    }

    /// The same in another environment, for example with the clock of a test.
    pub fn with_environment(
        backend: Arc<dyn Backend>,
        settings: Settings,
        Environment { clock, ids, workers }: Environment,
    ) -> Self {
        let settings = Settings { encode: settings.encode.with_workers(workers), ..settings };
        let storage_clock = Arc::new(StorageClock::new(Arc::clone(&backend), Arc::clone(&clock)));
        Self {
            backend,
            standstill: StandstillWatch::new(Arc::clone(&clock)),
            counters: ChangeCounters::default(),
            clock,
            storage_clock,
            ids,
            settings,
            footers: Footers::default(),
            summaries: Summaries::default(),
            categories: KnownCategories::default(),
            datasets: Mutex::new(LruCache::new(REMEMBERED_DATASETS)),
            snapshots: Mutex::new(LruCache::new(REMEMBERED_SNAPSHOTS)),
        }
    }

    /// Detects standstills of this process as long as the guard is held, also while nothing is being written. A server holds one:
    /// a request that arrived during a standstill was not read, and its caller may have sent it to another worker and given it
    /// up. So writes with a request id that begin right after a standstill fail with [`Error::StoodStill`].
    pub fn watch_for_standstill(&self) -> StandstillGuard {
        self.standstill.guard()
    }

    /// What the changes of this process came to.
    pub fn change_counts(&self) -> ChangeCounts {
        self.counters.counts()
    }

    /// The storage of these tables.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// The threads that encode and decode.
    pub(crate) fn workers(&self) -> &Workers {
        &self.settings.encode.workers
    }

    pub(crate) fn dataset(&self, name: &DatasetName) -> Arc<Dataset> {
        Arc::clone(self.datasets.lock().get_or_insert_ref(name, || self.new_dataset(name)))
    }

    /// The state of a dataset that this process used lately. This does not count as use.
    pub(crate) fn dataset_if_known(&self, name: &DatasetName) -> Option<Arc<Dataset>> {
        self.datasets.lock().peek(name).cloned()
    }

    pub(crate) fn new_dataset(&self, name: &DatasetName) -> Arc<Dataset> {
        let (backend, clock) = (Arc::clone(&self.backend), Arc::clone(&self.clock));
        let log = CommitLog::new(name.clone(), backend, clock, Arc::clone(&self.storage_clock));
        Arc::new(Dataset { name: name.clone(), log, requests: RecentRequests::default() })
    }

    /// Pins one version of a dataset.
    ///
    /// # Errors
    /// [`Error::UnknownDataset`] and [`Error::UnknownVersion`] with similar names and
    /// near versions,
    /// [`Error::NoVersionThen`], [`Error::VersionIsDeletion`], [`Error::UnreadableCommit`], and
    /// errors of the storage.
    pub fn snapshot(&self, name: &DatasetName, at: At) -> Result<Arc<Snapshot>> {
        match self.snapshot_if_any(name, at)? {
            Some(snapshot) => Ok(snapshot),
            None => Err(self.why_unknown(name)?),
        }
    }

    /// The error for a dataset that is not there.
    pub(crate) fn why_unknown(&self, name: &DatasetName) -> Result<Error> {
        Ok(self.unknown(name, self.dataset(name).log.newest(0)?.as_deref()))
    }

    /// Pins one version of a dataset; `None` if there is no dataset of that name. This is cheaper than the error of
    /// [`snapshot`](Self::snapshot), which looks for similar names.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot).
    pub fn snapshot_if_any(&self, name: &DatasetName, at: At) -> Result<Option<Arc<Snapshot>>> {
        self.snapshot_supposing(name, at, None)
    }

    /// The version that is most likely the newest. The storage is asked for nothing. `None` where none is known, or where
    /// [`snapshot`](Self::snapshot) would answer without waiting.
    pub fn supposed(&self, name: &DatasetName) -> Option<Arc<Snapshot>> {
        if self.backend.local_path("").is_some() {
            return None;
        }
        let commit = self.dataset_if_known(name)?.log.supposed(micros(self.settings.max_staleness))?;
        if commit.is_claim() || commit.is_deleted() {
            return None;
        }
        self.snapshot_of(name, &commit).ok()
    }

    /// The same as [`snapshot_if_any`](Self::snapshot_if_any). If the newest version is asked for, `suppose` gets the version that it most likely is, before the storage is
    /// asked for a newer one.
    pub(crate) fn snapshot_supposing(
        &self,
        name: &DatasetName,
        at: At,
        mut suppose: Option<Suppose<'_>>,
    ) -> Result<Option<Arc<Snapshot>>> {
        let dataset = self.dataset(name);
        // Staleness is allowed only for the newest version.
        let max_staleness_us = match at {
            At::Newest => micros(self.settings.max_staleness),
            At::Version(_) | At::TimeUs(_) => 0,
        };
        let mut suppose_commit = |commit: &Arc<Commit>| {
            if let Some(suppose) = &mut suppose
                && at == At::Newest
                && !commit.is_claim()
                && let Ok(snapshot) = self.snapshot_of(name, commit)
            {
                suppose(&snapshot);
            }
        };
        let newest = dataset.log.newest_supposing(max_staleness_us, &mut suppose_commit)?;
        let newest = newest.filter(|commit| !commit.is_claim());
        match (newest, at) {
            (Some(commit), At::Newest) if commit.is_deleted() => Ok(None),
            (Some(commit), At::Newest) => self.snapshot_of(name, &commit).map(Some),
            (Some(commit), At::Version(version)) => self.version(&dataset, &commit, version).map(Some),
            (Some(commit), At::TimeUs(time_us)) => self.version_then(&dataset, &commit, time_us).map(Some),
            (None, At::Version(version)) if version > 0 => match self.adopted(name)? {
                Some(_) => Err(Error::UnknownVersion { name: name.clone(), version, nearest: vec![0] }),
                None => Ok(None),
            },
            (None, _) => self.adopted(name),
        }
    }

    pub(crate) fn version(
        &self,
        dataset: &Dataset,
        newest: &Arc<Commit>,
        version: u64,
    ) -> Result<Arc<Snapshot>> {
        let name = &dataset.name;
        let unknown = || {
            let nearest = if version == 0 {
                vec![1, newest.version]
            } else {
                vec![newest.version.saturating_sub(1), newest.version]
            };
            let mut nearest: Vec<u64> = nearest.into_iter().filter(|near| *near > 0).collect();
            nearest.dedup();
            Error::UnknownVersion { name: name.clone(), version, nearest }
        };
        if version == 0 {
            return self.adopted(name)?.ok_or_else(unknown);
        }
        if version > newest.version {
            return Err(unknown());
        }
        // Commits that make no version follow the one that made it: the last of them has the current
        // files.
        let commit = match dataset.log.first_not(version, newest, |commit| Ok(commit.version <= version))? {
            None => Arc::clone(newest),
            Some(later) => dataset.log.read_existing(later.number - 1)?,
        };
        if commit.is_deleted() {
            return Err(Error::VersionIsDeletion { name: name.clone(), version });
        }
        let snapshot = self.snapshot_of(name, &commit)?;
        if commit.number != newest.number {
            self.check_present(&snapshot)?;
        }
        Ok(snapshot)
    }

    /// An older version whose data was removed can't be read, even if a cache still has it.
    fn check_present(&self, snapshot: &Snapshot) -> Result<()> {
        match snapshot.files.first() {
            Some(file) if self.backend.head(&file.path)?.is_none() => Err(self.why_missing(snapshot, file)),
            _ => Ok(()),
        }
    }

    /// The snapshot of a commit.
    pub(crate) fn snapshot_of(&self, name: &DatasetName, commit: &Commit) -> Result<Arc<Snapshot>> {
        // The name is part of the key: a dataset's folder may have been copied or renamed.
        let key = (name.clone(), commit.uuid);
        if let Some(snapshot) = self.snapshots.lock().get(&key) {
            return Ok(Arc::clone(snapshot));
        }
        let Some(schema) = &commit.schema else {
            return Err(Error::VersionIsDeletion { name: name.clone(), version: commit.version });
        };
        let schema = decode_schema(schema)
            .map_err(|reason| Error::UnreadableCommit { path: commit_path(name, commit.number), reason })?;
        let snapshot = Arc::new(Snapshot {
            name: name.clone(),
            version: commit.version,
            commit: commit.number,
            uuid: commit.version_uuid,
            kind: Some(commit.kind),
            time_us: commit.time_us,
            schema,
            rows: commit.rows(),
            bytes: commit.bytes(),
            arrow_bytes: commit.arrow_bytes(),
            lease: commit.lease,
            owner: commit.owner.clone(),
            files: commit.files.iter().map(|file| Snapshot::data_file(name, file)).collect(),
            partition_columns: 0,
        });
        self.snapshots.lock().put(key, Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// The folder of a dataset that holds only Polarway's files.
    pub(crate) fn control_folder(name: &DatasetName) -> String {
        format!("{name}/{CONTROL_FOLDER}")
    }
}
