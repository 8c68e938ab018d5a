//! The engine itself.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::Recorder;
use object_store::memory::InMemory;
use parking_lot::Mutex;
use polarway_bucket::{Bucket, BucketUrl};
use polarway_handles::RandomSource;
use polarway_query::{Engine, EngineConfig};
use polarway_storage::{
    Backend, BackendResult, Callers, DiskBackend, Environment, FailureKind, Loader, MemoryBudget, Mirror,
    ObjectBackend, Places, REQUEST_WINDOW_US, RangeCache, Rounds, Settings, StandstillGuard, Tables,
};

use crate::access::{Access, Caller, Data, Guarded, StoredFiles};
use crate::builder::{Builder, Components};
use crate::config::{Config, HandleStoreKind, Location};
use crate::distribution::identity;
use crate::error::{Error, ErrorKind, Result};
use crate::folders::{check_apart, check_paths};
use crate::handles::{ExternalResults, Handles, MemoryResults, ResultStore};
use crate::metrics::{
    BucketMetrics, EngineMetrics, MeasuredStorage, QueryMetrics, RefusedWrites, StateTraffic, StorageRole,
};
use crate::mounts::Mount;
use crate::threads::{Threads, Work};
use crate::whole_micros::WholeMicros;
use crate::workspace::{MIRROR_FOLDER, PLAN_SPILL_FOLDER, RANGES_FOLDER, SPILL_FOLDER, Workspace};

/// How long after a write its retry may come. Until then, data must stay.
const RETRY_WINDOW: Duration = Duration::from_micros(REQUEST_WINDOW_US.unsigned_abs());

/// The embedded engine: stores tables under names, loads them back, runs SQL over them.
///
/// It is cheap to clone, and all methods take `&self`. Work that blocks runs on the blocking threads of the tokio runtime, at
/// most 400 of them for each engine. A program that opens several engines on one runtime should raise its
/// `max_blocking_threads`, which is 512 by default. Several processes may open the same cold tier at once.
///
/// The crate's first page has an example.
#[derive(Clone)]
pub struct Polarway {
    access: Access,
    /// It ends when the last clone is dropped.
    _janitor: Option<Arc<Rounds>>,
}

/// The parts of an engine. Work that is still running keeps them after [`Polarway`] is dropped.
pub(crate) struct EngineParts {
    /// Datasets, handles and queries, which are reached through [`Access`] alone.
    pub(crate) guarded: Guarded,
    pub(crate) memory: MemoryBudget,
    pub(crate) whole_micros: WholeMicros,
    pub(crate) threads: Threads,
    /// Held by a caller with a quota while it publishes: what it has is added up and must not grow meanwhile.
    pub(crate) quotas: Mutex<()>,
    pub(crate) environment: Environment,
    pub(crate) random: Arc<dyn RandomSource>,
    /// `None` without a recorder.
    pub(crate) metrics: Option<EngineMetrics>,
    cold_refuses: Arc<RefusedWrites>,
    /// Whether datasets or handles are in a bucket, which may take long to answer.
    pub(crate) is_in_bucket: bool,
    /// If the cold tier is a directory: its path as configured, and without symbolic links.
    pub(crate) cold_folders: Vec<PathBuf>,
    /// Differs for each storage.
    pub(crate) storage_identity: String,
    /// Whether somebody asked for what an executor over several workers needs.
    is_distributed: AtomicBool,
    /// Dropped last: it holds the files of the other parts.
    workspace: Workspace,
}

impl Polarway {
    /// Opens an engine, and makes directories that are missing. A cold tier that can't be written is opened, too: its datasets
    /// can be loaded and queried.
    ///
    /// # Errors
    /// Directories that can't be made or read, and settings that DuckDB refuses.
    pub async fn open(config: Config) -> Result<Self> {
        Self::builder(config).open().await
    }

    /// Opens an engine with components of the program's own.
    pub fn builder(config: Config) -> Builder {
        Builder::new(config)
    }

    pub(crate) async fn open_with(config: Config, components: Components) -> Result<Self> {
        let interval = config.janitor_interval;
        let callers = if is_in_bucket(&config) { Callers::known() } else { Callers::default() };
        let threads = Threads::new(callers);
        let engine =
            threads.calls.clone().run(move || EngineParts::open(&config, components, threads)).await?;
        let engine = Arc::new(engine);
        let janitor = interval.map(|interval| engine.start_janitor(interval)).transpose()?;
        let access = Access::new(engine, Caller::anonymous());
        Ok(Self { access, _janitor: janitor.map(Arc::new) })
    }

    /// The memory that uploads, loads and the cache share. Reserve the memory of each piece here before it is given to
    /// [`store_pieces`](Self::store_pieces).
    pub fn memory(&self) -> &MemoryBudget {
        &self.engine().memory
    }

    /// Has it noticed when this process stands still, as long as the guard is held. A server holds one as long as it takes
    /// requests: one that came meanwhile waited unread, and its caller may have made it again elsewhere and gone on. So writes
    /// under a request id fail that begin right after that; who still waits for one sends it again.
    pub fn watch_for_standstill(&self) -> StandstillGuard {
        self.engine().watch_for_standstill()
    }

    /// Sets the metrics of what changes all the time, such as the size of the cache: call it before they are collected. Without
    /// a [recorder](Builder::recorder), it does nothing. Handles in a storage that others share are counted once a minute, in the
    /// background.
    pub async fn sample_metrics(&self) {
        let engine = Arc::clone(self.engine());
        if engine.metrics.is_none() {
            return;
        }
        let calls = engine.threads.calls.clone();
        let is_shared = engine.handles_are_shared();
        // An error of these calls says that the runtime is shutting down.
        let sample = Arc::clone(&engine);
        let _ = calls
            .run(move || {
                sample.sample_metrics();
                Ok(())
            })
            .await;
        let count = async move {
            calls
                .run(move || {
                    engine.count_handles();
                    Ok(())
                })
                .await
        };
        if is_shared {
            tokio::spawn(count);
        } else {
            let _ = count.await;
        }
    }

    /// Checks whether the cold tier can be reached.
    ///
    /// # Errors
    /// Errors of the storage.
    pub async fn check_cold_tier(&self) -> Result<()> {
        self.blocking(|access| access.engine().check_cold_tier()).await
    }

    /// Why the cold tier took no writes when it was last written to, if it took none: it is read-only or full, or the rights to
    /// write are missing. Tables can be loaded and queried all the same. It is known only with a recorder of metrics, and names no
    /// dataset.
    pub fn cold_tier_refuses_writes(&self) -> Option<&'static str> {
        self.engine().cold_refuses.reason()
    }

    /// The way to all that the caller may use.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    pub(crate) fn with_caller(&self, caller: Caller) -> Self {
        let access = Access::new(Arc::clone(self.engine()), caller);
        Self { access, _janitor: self._janitor.clone() }
    }

    pub(crate) fn engine(&self) -> &Arc<EngineParts> {
        self.access.engine()
    }

    /// Runs a call that blocks, on a thread that may block.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Access) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.blocking_as(&self.engine().threads.calls, work).await
    }

    /// The same for another kind of work.
    pub(crate) async fn blocking_as<T: Send + 'static>(
        &self,
        kind: &Work,
        work: impl FnOnce(&Access) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let access = self.access.clone();
        kind.run(move || work(&access)).await
    }

    /// Runs a call that most likely blocks only for a moment, unless it may ask a bucket.
    pub(crate) async fn blocking_briefly<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Access) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.engine().is_in_bucket {
            return self.blocking(work).await;
        }
        let access = self.access.clone();
        self.engine().threads.calls.run_briefly(move || work(&access)).await
    }
}

impl fmt::Debug for Polarway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polarway")
            .field("engine", self.engine())
            .field("caller", self.caller())
            .finish_non_exhaustive()
    }
}

impl EngineParts {
    /// `true` the first time.
    pub(crate) fn begin_distribution(&self) -> bool {
        !self.is_distributed.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn plan_spill_folder(&self) -> PathBuf {
        self.workspace.path().join(PLAN_SPILL_FOLDER)
    }

    fn open(config: &Config, components: Components, threads: Threads) -> Result<Self> {
        if config.retention.grace < RETRY_WINDOW {
            let message =
                "retention.grace must be ten minutes at least: retries and readers need the data for so long";
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        if config.retention.grace < config.query_limits.time {
            let message = "retention.grace must be as long as query_limits.time at least: a query needs its data to the end";
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        check_paths(config)?;
        check_apart(config)?;
        let workspace = Workspace::open(&config.data_dir)?;
        let measured = components.recorder.as_deref().map(Measured::new);
        let cold =
            OpenStorage::open(config, StorageRole::Cold, measured.as_ref(), &components, &threads.served)?;
        let OpenStorage { backend, root, metrics, refused_writes: cold_refuses } = cold;
        let mut bucket_metrics = Vec::from_iter(metrics);
        let mut storage_identity = identity(&config.cold_tier, root.as_deref());
        let cold_folders = match &config.cold_tier {
            Location::Directory(folder) => root.iter().chain([folder]).cloned().collect(),
            Location::Bucket(url) => vec![url.to_string().into()],
            Location::Memory => Vec::new(),
        };
        let ranges = RangeCache::new(&workspace.path().join(RANGES_FOLDER), config.mirror_bytes)?;
        let places = |backend: &Arc<dyn Backend>| Places::new(Arc::clone(backend), ranges.clone());
        let mirror_folder = workspace.path().join(MIRROR_FOLDER);
        let mirror = Mirror::new(places(&backend), mirror_folder, config.mirror_bytes)?
            .sharing(components.environment.workers.clone());
        let settings = Settings {
            kept_versions: config.retention.versions,
            grace: config.retention.grace,
            orphan_grace: config.retention.orphan_grace,
            max_staleness: config.max_staleness,
            ..Settings::default()
        };
        let environment = components.environment.clone();
        let tables = Arc::new(Tables::with_environment(backend, settings, environment.clone()));

        let memory = MemoryBudget::new(shared_bytes(config));
        let mut handle_places = None;
        let external = match config.handles.store {
            HandleStoreKind::Memory => None,
            HandleStoreKind::External => {
                let state = OpenStorage::open(
                    config,
                    StorageRole::State,
                    measured.as_ref(),
                    &components,
                    &threads.served,
                )?;
                let OpenStorage { backend, root, metrics, .. } = state;
                bucket_metrics.extend(metrics);
                let external =
                    ExternalResults::open(Arc::clone(&backend), config, &memory, environment.clone())?;
                handle_places = Some(places(&backend));
                storage_identity =
                    format!("{storage_identity}; {}", identity(&config.handles.state, root.as_deref()));
                Some((external, root))
            }
        };
        let files = StoredFiles::new(mirror, handle_places, ranges.clone(), config.check_bytes);
        let plan_files = Arc::new(files.for_plans());
        let mut readable: Vec<PathBuf> = root.into_iter().collect();
        readable.push(files.folder());
        readable.extend(external.iter().filter_map(|(_, root)| root.clone()));
        let query_config = EngineConfig {
            memory_bytes: config.query_memory_bytes,
            temp_bytes: config.query_temp_bytes,
            threads: config.query_threads,
            limits: config.query_limits,
            analytics: config.analytics.clone(),
            distributed_from_bytes: config.distributed_from_bytes,
            ..EngineConfig::new(readable, workspace.path().join(SPILL_FOLDER))
        };
        let observers = measured.as_ref().map(|measured| Arc::new(QueryMetrics::new(measured.recorder)) as _);
        let observers = observers.into_iter().chain(components.query_observer).collect();
        let queries = Engine::open_observed(query_config, Arc::new(files), observers)?;
        let loader = Loader::sharing(Arc::clone(&tables), config.cache_bytes, memory.clone());
        let clock = &environment.clock;
        let results: Arc<dyn ResultStore> = match external {
            Some((external, _)) => Arc::new(external),
            None => {
                let (budget, ids) = (config.handle_budget_bytes(), Arc::clone(&environment.ids));
                Arc::new(MemoryResults::new(queries.clone(), budget, Arc::clone(clock), ids))
            }
        };
        let handles = Handles::start(results, config.handles.ttl, Arc::clone(clock))?;
        let whole_micros = WholeMicros::new(environment.workers.clone());
        let data = Data::new(tables, loader, queries, handles, plan_files);
        Ok(Self {
            guarded: Guarded::new(data, components.policy),
            memory,
            whole_micros,
            threads,
            quotas: Mutex::new(()),
            environment,
            random: components.random,
            cold_refuses,
            metrics: measured.map(|measured| EngineMetrics::new(measured.recorder, ranges, bucket_metrics)),
            is_in_bucket: is_in_bucket(config),
            cold_folders,
            storage_identity,
            is_distributed: AtomicBool::new(false),
            workspace,
        })
    }
}

/// The memory of uploads, loads and the cache together: two thirds of what queries leave of the process's memory.
/// The rest is for memory that is not counted.
fn shared_bytes(config: &Config) -> u64 {
    let process_bytes = config.query_limits.process_bytes;
    let beside_queries = process_bytes.saturating_sub(config.query_memory_bytes).max(process_bytes / 4);
    beside_queries / 3 * 2
}

fn is_in_bucket(config: &Config) -> bool {
    let state = (config.handles.store == HandleStoreKind::External).then_some(&config.handles.state);
    [Some(&config.cold_tier), state].into_iter().flatten().any(|place| matches!(place, Location::Bucket(_)))
}

/// A recorder, and the traffic of the storages that are opened.
struct Measured<'r> {
    recorder: &'r (dyn Recorder + Send + Sync),
    traffic: StateTraffic,
}

impl<'r> Measured<'r> {
    fn new(recorder: &'r (dyn Recorder + Send + Sync)) -> Self {
        Self { traffic: StateTraffic::new(recorder), recorder }
    }
}

/// A storage that was opened.
struct OpenStorage {
    backend: Arc<dyn Backend>,
    /// Its path, if it is a directory.
    root: Option<PathBuf>,
    /// `None` without a recorder.
    metrics: Option<BucketMetrics>,
    refused_writes: Arc<RefusedWrites>,
}

impl OpenStorage {
    /// A storage that takes no writes is opened, too.
    fn open(
        config: &Config,
        role: StorageRole,
        measured: Option<&Measured<'_>>,
        components: &Components,
        callers: &Callers,
    ) -> Result<Self> {
        let (location, what) = match role {
            StorageRole::Cold => (&config.cold_tier, "the cold tier"),
            StorageRole::State => (&config.handles.state, "the folder of handles"),
        };
        let (mut root, mut traffic) = (None, None);
        let (recorder, kind) = (measured.map(|measured| measured.recorder as _), location.kind());
        let refused_writes = Arc::new(RefusedWrites::new(role, kind, recorder));
        let tried_to_write = |written: &BackendResult<()>| {
            if let Err(error) = written {
                tracing::warn!(storage = ?location, %error, "{what} can be read and not be written");
            }
            refused_writes.note(written);
        };
        let storage: Arc<dyn Backend> = match location {
            Location::Directory(folder) => {
                let disk = DiskBackend::open(folder)?.with_reserve();
                let mount = Mount::holding(disk.root());
                let is_remote = mount.as_ref().is_some_and(Mount::is_remote);
                let disk = if is_remote { disk.far_away() } else { disk };
                tried_to_write(&disk.probe());
                if let Some(warning) = mount.as_ref().and_then(Mount::warning) {
                    tracing::warn!("{what}: {warning}");
                }
                root = Some(disk.root().to_owned());
                Arc::new(disk)
            }
            Location::Bucket(url) => {
                let bucket = Bucket::new(url, &config.buckets).map_err(|error| unusable(what, url, error))?;
                traffic = Some(Arc::clone(bucket.traffic()));
                let (backend, written) = open_bucket(url, bucket, what, callers)?;
                tried_to_write(&written);
                Arc::new(backend)
            }
            Location::Memory => Arc::new(ObjectBackend::new(Arc::new(InMemory::new()))?),
        };
        let Some(measured) = measured else {
            return Ok(Self { backend: components.over(storage), root, metrics: None, refused_writes });
        };
        let recorder = measured.recorder;
        let refused = Arc::clone(&refused_writes);
        let storage = MeasuredStorage::over(storage, role, kind, recorder, &measured.traffic, refused);
        let metrics = Some(BucketMetrics::new(role, kind, recorder, traffic));
        Ok(Self { backend: components.over(Arc::new(storage)), root, metrics, refused_writes })
    }
}

/// Opens a bucket, and checks that it can be listed and that it refuses to create a file that exists. One that takes no writes is
/// opened, too, and its refusal returned.
fn open_bucket(
    url: &BucketUrl,
    bucket: Bucket,
    what: &str,
    callers: &Callers,
) -> Result<(ObjectBackend, BackendResult<()>)> {
    let backend = ObjectBackend::of_bucket_for(bucket, callers.clone())?;
    backend.check().map_err(|error| unusable(what, url, error))?;
    match backend.prove_exclusive() {
        Err(error) if error.kind != FailureKind::WriteDenied => Err(unusable(what, url, error)),
        written => Ok((backend, written)),
    }
}

fn unusable(what: &str, url: &BucketUrl, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Configuration, format!("{what} can't be {url}")).caused_by(error)
}
