//! The engine: queries in, results out, and what runs meanwhile.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use uuid::Uuid;

use crate::activity::Activity;
use crate::admission::Admission;
use crate::catalog::Catalog;
use crate::config::{EngineConfig, Limits, QueryOptions};
use crate::control::{Control, InterruptHandle, StopReason};
use crate::culprits::Culprits;
use crate::diagnose::{Hidden, Origin, diagnose};
use crate::error::Error;
use crate::gate::Gate;
use crate::instances::Instances;
use crate::kept;
use crate::native::NativeError;
use crate::registry::Registry;
use crate::run::Run;
use crate::sink::ResultSink;
use crate::status::QueryStatus;
use crate::threads::Threads;
use crate::watch::{self, Watched};

/// A sandboxed DuckDB that runs SELECT statements over what a [`Catalog`] resolves.
///
/// Cheap to clone; all clones share one instance with its memory, threads and caches.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Shared>);

/// What all queries share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) gate: Gate,
    pub(crate) instances: Arc<Instances>,
    pub(crate) culprits: Culprits,
    pub(crate) registry: Arc<Registry>,
    pub(crate) limits: Limits,
    /// Folders that no message may name.
    pub(crate) folders: Vec<PathBuf>,
    /// Held by the one query that runs again because others had the memory.
    pub(crate) second_try: Mutex<()>,
    pub(crate) admission: Arc<Admission>,
}

impl Engine {
    /// Opens DuckDB in memory, locks it down, and proves that it is locked.
    ///
    /// # Errors
    /// [`Error::Configuration`] when a folder is missing, a value is refused, or a limit is not kept.
    pub fn open(config: EngineConfig) -> Result<Self, Error> {
        let gate = Gate::new(config.text_bytes, config.cached_texts);
        let instances = Arc::new(Instances::open(config.clone())?);
        let admission = Admission::new(config.limits, Threads::new(config.idle_connections));
        let registry = Arc::new(Registry::default());
        let shared = Self(Arc::new(Shared {
            gate,
            instances: Arc::clone(&instances),
            culprits: Culprits::default(),
            registry: Arc::clone(&registry),
            limits: config.limits,
            folders: config.readable.into_iter().chain([config.temp_dir]).chain(config.analytics).collect(),
            second_try: Mutex::new(()),
            admission: Arc::clone(&admission),
        }));
        let process_bytes = config.limits.process_bytes;
        watch::start(Watched { registry, admission, instances, process_bytes })
            .map_err(|error| Error::Configuration(format!("no thread to watch queries: {error}")))?;
        Ok(shared)
    }

    /// Starts a query, or puts it into the queue, and returns at once. All that comes of it goes to `sink`, on the
    /// query's own thread.
    ///
    /// # Errors
    /// [`Error::Busy`] when the queue is full.
    pub fn start(
        &self,
        sql: &str,
        catalog: Arc<dyn Catalog>,
        options: QueryOptions,
        mut sink: Box<dyn ResultSink>,
    ) -> Result<InterruptHandle, Error> {
        let latest = Instant::now().checked_add(self.0.limits.time);
        let deadline = match (options.deadline, latest) {
            (Some(wanted), Some(latest)) => Some(wanted.min(latest)),
            (wanted, latest) => wanted.or(latest),
        };
        let control = Arc::new(Control::new(deadline, sink.releaser()));
        let activity = Arc::new(Activity::new(sql, Arc::clone(&options.owner), Arc::clone(&control)));
        let registered = self.0.registry.add(Arc::clone(&activity));
        let run = Run::new(Arc::clone(&self.0), registered, catalog, options, sink);
        self.0.admission.submit(&activity, Box::new(move || run.run()))?;
        Ok(InterruptHandle(control))
    }

    /// The bytes that a kept table takes, as Arrow would hold its values.
    ///
    /// # Errors
    /// There is no such table.
    pub fn kept_bytes(&self, name: &str) -> Result<u64, Error> {
        let instance = self.0.instances.current()?;
        instance.sessions.connect().and_then(|connection| kept::bytes(&connection, name)).map_err(internal)
    }

    /// Whether a kept table is still there: all of them go with a DuckDB that a query broke.
    #[must_use]
    pub fn has_kept(&self, name: &str) -> bool {
        self.0.instances.current().is_ok_and(|instance| instance.has_kept(name))
    }

    /// Removes a kept table, if it is there. Queries that read it read on.
    ///
    /// # Errors
    /// DuckDB refuses.
    pub fn remove_kept(&self, name: &str) -> Result<(), Error> {
        kept::remove_from(&*self.0.instances.current()?, name).map_err(internal)
    }

    /// How the engine is. If DuckDB is gone, this tries to bring it back, and blocks meanwhile.
    #[must_use]
    pub fn condition(&self) -> EngineCondition {
        let (replaced, gone) = self.0.instances.condition();
        let (stuck, blocked) = self.0.admission.condition();
        EngineCondition { replaced, stuck, problem: gone.or(blocked) }
    }

    /// The queries that wait or run, the oldest first.
    #[must_use]
    pub fn queries(&self) -> Vec<QueryStatus> {
        self.0.registry.all().iter().map(|activity| activity.status()).collect()
    }

    /// Stops a query by its id; `false` when there is none of that id, or no more. Its caller gets
    /// [`Error::Interrupted`].
    #[must_use]
    pub fn cancel(&self, id: Uuid) -> bool {
        let activity = self.0.registry.get(id);
        activity.is_some_and(|activity| {
            activity.control.stop(StopReason::Cancelled);
            true
        })
    }
}

/// How an engine is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineCondition {
    /// How often a query broke DuckDB, so that another one was opened.
    pub replaced: u64,
    /// Queries that were stopped and that DuckDB is still at, beside those that run.
    pub stuck: usize,
    /// Why no query can be answered now, for whoever runs the engine: it may name folders. `None` while all is well.
    pub problem: Option<String>,
}

fn internal(error: NativeError) -> Error {
    diagnose(&error, Origin::OtherText, &Hidden::default())
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.registry.close();
    }
}
