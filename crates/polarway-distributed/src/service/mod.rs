//! The worker's side: what other workers may ask of this one, on an address of its own.
//!
//! A query begins with a call that names its files and limits ([`wire::JOIN`]), and lasts as long as that call. Plans and rows
//! are taken only for queries that have begun. When the call ends, for whatever reason, everything of the query is dropped.

mod answering;
mod gateway;
mod part;
mod plan_check;
mod query;
mod reclaiming;
mod serve;
mod stoppable;

pub(crate) use part::PART;
pub use part::{Part, PartObserver};
pub(crate) use query::RunningQuery;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;
use polarway_model::HandleId;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::census::{Census, WorkerStatus};
use crate::channels::{Channels, Token};
use crate::compute::Compute;
use crate::counters::{Counters, WorkerCounts};
use crate::error::Error;
use crate::keep::Place;
use crate::memory::WorkerMemory;
use crate::session::{Functions, Spill, Spread, WorkerRuntime};
use crate::store::Readers;
use polarway_query::{PlanFiles, ResultFiles};

/// What must be the same on all workers of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The version of the program.
    pub version: String,
    /// A text that differs for each storage of datasets.
    pub storage: String,
}

/// The bounds of a worker.
#[derive(Debug, Clone)]
pub struct WorkerLimits {
    /// Queries that it takes part in at once.
    pub queries: usize,
    /// The longest time of a query.
    pub query_time: Duration,
    /// Memory of all queries.
    pub memory_bytes: usize,
    /// Memory of one query.
    pub query_memory_bytes: usize,
    /// Spilled bytes of all queries.
    pub spill_bytes: u64,
    /// Reads of files at once, each of which holds a thread.
    pub reads: usize,
    /// The longest message: a plan, or the list of a query's files.
    pub message_bytes: usize,
}

impl Default for WorkerLimits {
    fn default() -> Self {
        Self {
            queries: 16,
            query_time: Duration::from_secs(60 * 60),
            memory_bytes: 1 << 30,
            query_memory_bytes: 512 << 20,
            spill_bytes: 10 << 30,
            reads: 32,
            message_bytes: 64 << 20,
        }
    }
}

/// What a worker is made of.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// What it compares with others.
    pub identity: Identity,
    /// What callers must show; `None` if their certificates are enough.
    pub token: Option<Token>,
    /// Opens the files of queries.
    pub files: Arc<dyn PlanFiles>,
    /// Writes files of kept results; `None` if it keeps none where others find them.
    pub result_files: Option<Arc<dyn ResultFiles>>,
    /// The functions of plans.
    pub functions: Functions,
    /// How its queries are spread.
    pub spread: Spread,
    /// Its bounds.
    pub limits: WorkerLimits,
    /// Where it spills: what DataFusion left there is removed at start and end.
    pub spill_folder: PathBuf,
}

/// A worker of queries over several workers: it runs tasks for others, and coordinates queries of its own.
#[derive(Debug, Clone)]
pub struct Worker(pub(crate) Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) identity: Identity,
    /// Differs for each process.
    pub(crate) instance: Uuid,
    pub(crate) token: Option<Token>,
    pub(crate) result_files: Option<Arc<dyn ResultFiles>>,
    pub(crate) functions: Functions,
    pub(crate) spread: Spread,
    pub(crate) limits: WorkerLimits,
    pub(crate) runtime: WorkerRuntime,
    pub(crate) compute: Compute,
    pub(crate) channels: Arc<Channels>,
    queries: Mutex<HashMap<Uuid, Arc<RunningQuery>>>,
    observer: OnceLock<Arc<dyn PartObserver>>,
    slots: Arc<Semaphore>,
    is_draining: AtomicBool,
}

impl Worker {
    /// A worker that calls its peers through `channels`.
    ///
    /// # Errors
    /// A spill folder that can't be used, or no threads.
    pub fn open(options: WorkerOptions, channels: Arc<Channels>) -> Result<Self, Error> {
        let unusable = |error| Error::Configuration(format!("the spill folder can't be used: {error}"));
        let no_threads = |error| Error::Configuration(format!("there are no threads for plans: {error}"));
        let limits = options.limits;
        let spill = Spill::open(&options.spill_folder, limits.spill_bytes).map_err(unusable)?;
        let slots = Arc::new(Semaphore::new(limits.reads.max(1)));
        let readers = Readers { files: options.files, slots, census: Arc::new(Census::default()) };
        Ok(Self(Arc::new(Shared {
            identity: options.identity,
            instance: Uuid::now_v7(),
            token: options.token,
            result_files: options.result_files,
            functions: options.functions,
            spread: options.spread,
            compute: Compute::open(options.spread.partitions).map_err(no_threads)?,
            runtime: WorkerRuntime { readers, memory: WorkerMemory::new(limits.memory_bytes), spill },
            channels,
            queries: Mutex::default(),
            observer: OnceLock::new(),
            slots: Arc::new(Semaphore::new(limits.queries)),
            is_draining: AtomicBool::new(false),
            limits,
        })))
    }

    /// What it holds for queries at this moment.
    #[must_use]
    pub fn status(&self) -> WorkerStatus {
        let runtime = &self.0.runtime;
        runtime.census().status(runtime.memory.used(), runtime.spill.used(), self.0.is_draining())
    }

    /// What it has done for queries since it was opened.
    #[must_use]
    pub fn counts(&self) -> WorkerCounts {
        self.0.counters().now()
    }

    /// Whether it writes files of kept results.
    pub(crate) fn keeps_results(&self) -> bool {
        self.0.result_files.is_some()
    }

    /// Its bounds.
    pub(crate) fn limits(&self) -> &WorkerLimits {
        &self.0.limits
    }

    /// From now on, `observer` learns of each part that the worker takes. Only the first one does.
    pub fn observe(&self, observer: Arc<dyn PartObserver>) {
        let _ = self.0.observer.set(observer);
    }

    /// From now on it takes no new queries; those that run go on.
    pub fn drain(&self) {
        self.0.is_draining.store(true, Ordering::Release);
    }
}

impl Shared {
    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.channels.counters
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }

    /// Where the tasks of a try write here; `None` if this worker keeps no results where others find them.
    pub(crate) fn place(
        &self,
        handle: HandleId,
        columns: SchemaRef,
        attempt: Uuid,
        stopped: &CancellationToken,
    ) -> Option<Arc<Place>> {
        let (files, stopped) = (Arc::clone(self.result_files.as_ref()?), stopped.clone());
        let census = Arc::clone(self.runtime.census());
        Some(Arc::new(Place { files, handle, columns, attempt, stopped, census }))
    }

    /// A query that this worker takes part in.
    pub(crate) fn query(&self, id: &Uuid) -> Option<Arc<RunningQuery>> {
        self.queries.lock().get(id).cloned()
    }
}
