//! The engine: queries in, results out, and what runs in the meantime.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use parking_lot::Mutex;
use tracing::Span;
use uuid::Uuid;

use crate::bound_plan::BoundPlan;
use crate::catalog::Catalog;
use crate::config::{EngineConfig, Limits, QueryOptions};
use crate::distributed::DistributedExecutor;
use crate::distributed_outcome::DistributedCounts;
use crate::duckdb::DuckDb;
use crate::engines::{Engines, LocalEngine};
use crate::error::Error;
use crate::executor::{Executor, KeptPart, KeptScan, LocalFiles};
use crate::gate::{Dialect, Gate};
use crate::output::Output;
use crate::parameters::ParameterValues;
use crate::plan::{Plan, PlanLimits, ResultForm};
use crate::queue::activity::Activity;
use crate::queue::admission::Admission;
use crate::queue::control::{Control, InterruptHandle, StopReason};
use crate::queue::registry::Registry;
use crate::queue::threads::Threads;
use crate::queue::watch::{self, Watched};
use crate::resolve::{Held, resolve};
use crate::run::Run;
use crate::sink::ResultSink;
use crate::status::{QueryObserver, QueryStatus, QueueState};

/// A sandboxed DuckDB that runs SELECT statements over what a [`Catalog`] resolves.
///
/// Cheap to clone; all clones share one instance with its memory, threads and caches.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Shared>);

/// What all queries share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) gate: Gate,
    duckdb: Arc<DuckDb>,
    pub(crate) engines: Engines,
    pub(crate) registry: Arc<Registry>,
    pub(crate) limits: Limits,
    /// How many executions have begun. By this a query knows whether another one began during its own.
    pub(crate) executions: AtomicU64,
    /// Held by the one query that runs again because others held the memory.
    pub(crate) second_try: Mutex<()>,
    pub(crate) admission: Arc<Admission>,
}

impl Shared {
    /// The parser for the gate: a text means what it means to DuckDB, whichever executor runs its plan.
    pub(crate) fn dialect(&self) -> &dyn Dialect {
        &*self.duckdb
    }

    /// Removes a kept table, if it exists.
    pub(crate) fn remove_kept(&self, name: &str) -> Result<(), Error> {
        self.duckdb.remove_kept(name)
    }
}

impl Engine {
    /// Opens DuckDB in memory, locks it down, and verifies the lock. It reads stored files through `files`.
    ///
    /// # Errors
    /// [`Error::Configuration`] if a folder is missing, a value is refused, or a limit has no effect.
    pub fn open(config: EngineConfig, files: Arc<dyn LocalFiles>) -> Result<Self, Error> {
        Self::open_observed(config, files, Vec::new())
    }

    /// The same, with observers of all queries.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_observed(
        config: EngineConfig,
        files: Arc<dyn LocalFiles>,
        observers: Vec<Arc<dyn QueryObserver>>,
    ) -> Result<Self, Error> {
        let limits = config.limits;
        let gate = Gate::new(config.text_bytes, config.cached_texts);
        let admission = Admission::new(limits, Threads::new(config.idle_connections));
        let registry = Arc::new(Registry::reporting_to(observers));
        let distributed_from_bytes = config.distributed_from_bytes;
        let duckdb = Arc::new(DuckDb::open(config, files)?);
        let engines = Engines::new(Arc::clone(&duckdb) as Arc<dyn LocalEngine>, distributed_from_bytes);
        let watched = Watched {
            registry: Arc::clone(&registry),
            admission: Arc::clone(&admission),
            executor: Arc::clone(&duckdb) as Arc<dyn Executor>,
            process_bytes: limits.process_bytes,
        };
        let engine = Self(Arc::new(Shared {
            gate,
            duckdb,
            engines,
            registry,
            limits,
            executions: AtomicU64::new(0),
            second_try: Mutex::new(()),
            admission,
        }));
        watch::start(watched)
            .map_err(|error| Error::Configuration(format!("no thread to watch queries: {error}")))?;
        Ok(engine)
    }

    /// From now on, `executor` runs the plans that are to run on several workers. It is set once, after the engine was opened: its
    /// workers read the files that the engine reads.
    ///
    /// # Errors
    /// [`Error::Configuration`] if there is one already.
    pub fn set_distributed(&self, executor: Arc<dyn DistributedExecutor>) -> Result<(), Error> {
        match self.0.engines.set_distributed(executor) {
            true => Ok(()),
            false => Err(Error::Configuration("the engine has an executor over several workers".to_owned())),
        }
    }

    /// How the queries ended that were to run on several workers. One that ran out of memory runs again when others have ended, and
    /// then counts twice.
    #[must_use]
    pub fn distributed_counts(&self) -> DistributedCounts {
        self.0.engines.outcomes()
    }

    /// Starts a query, or queues it, and returns at once. The whole result goes to `sink`, on the query's own thread.
    ///
    /// # Errors
    /// [`Error::Busy`] if the queue is full.
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
        // A text may have secrets in it: it is logged under a target of its own, and nowhere else.
        tracing::debug!(target: "polarway::sql", query_id = %activity.id, sql, "a query");
        let registered = self.0.registry.add(Arc::clone(&activity));
        let Limits { result_rows, result_bytes, .. } = self.0.limits;
        let limits = PlanLimits { result_rows, result_bytes, deadline };
        let most_of_owner = options.most_of_owner;
        let output = Output::new(registered, Arc::clone(&self.0.admission), sink, limits);
        let run = Run::new(Arc::clone(&self.0), catalog, options, limits, output);
        // Log lines about it belong to what its caller is doing.
        let span = Span::current();
        let job = Box::new(move || span.in_scope(|| run.run()));
        self.0.admission.submit(&activity, job, most_of_owner)?;
        Ok(InterruptHandle(control))
    }

    /// Binds a plan's text over the types of its tables, for an engine that runs DuckDB's plans. It blocks, and its recursion is
    /// as deep as the text nests: call it on a large stack, as [`Executor::execute`] is.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for tables that only DuckDB can read, and what is wrong with the text.
    pub fn bind(&self, plan: &Plan) -> Result<BoundPlan, Error> {
        self.0.duckdb.bind(plan)
    }

    /// Checks a text and resolves its names, as a query does before it runs. It blocks, and needs a large stack.
    ///
    /// # Errors
    /// As a query with this text.
    pub fn plan(
        &self,
        sql: &str,
        catalog: &dyn Catalog,
        options: &QueryOptions,
    ) -> Result<ResolvedPlan, Error> {
        let statement = self.0.gate.check(self.0.dialect(), sql, catalog)?;
        let parameters = ParameterValues::new(options.parameters.clone());
        parameters.check(&statement.parameters)?;
        let references = parameters.references(self.0.dialect(), &statement)?;
        let (tables, held) = resolve(&statement, &references, catalog)?;
        let Limits { result_rows, result_bytes, .. } = self.0.limits;
        let plan = Plan {
            statement,
            tables,
            parameters,
            form: ResultForm { batch_bytes: options.batch_bytes, hugeint_as_text: options.hugeint_as_text },
            keep: options.keep.clone(),
            limits: PlanLimits { result_rows, result_bytes, deadline: options.deadline },
            engine: options.engine,
            query: Uuid::now_v7(),
            call: options.call.clone(),
        };
        Ok(ResolvedPlan { plan, _held: held })
    }

    /// The size of a kept table's values as Arrow, in bytes.
    ///
    /// # Errors
    /// There is no such table.
    pub fn kept_bytes(&self, name: &str) -> Result<u64, Error> {
        self.0.duckdb.kept_bytes(name)
    }

    /// Whether a kept table still exists: all of them are lost when a query breaks DuckDB.
    #[must_use]
    pub fn has_kept(&self, name: &str) -> bool {
        self.0.duckdb.has_kept(name)
    }

    /// Reads a part of a kept table, past the queue.
    #[must_use]
    pub fn scan_kept(&self, part: KeptPart) -> Box<dyn KeptScan> {
        self.0.duckdb.scan_kept(part)
    }

    /// Removes a kept table, if it exists. Queries that already read it can finish.
    ///
    /// # Errors
    /// DuckDB refuses.
    pub fn remove_kept(&self, name: &str) -> Result<(), Error> {
        self.0.remove_kept(name)
    }

    /// The engine's health. If DuckDB is gone, this tries to open it again, and blocks in the meantime.
    #[must_use]
    pub fn condition(&self) -> EngineCondition {
        let (replaced, gone) = self.0.duckdb.condition();
        let (stuck, blocked) = self.0.admission.condition();
        EngineCondition { replaced, stuck, problem: gone.or(blocked) }
    }

    /// How many queries run, wait or are stuck.
    #[must_use]
    pub fn queue(&self) -> QueueState {
        self.0.admission.counts()
    }

    /// The queries that wait or run, the oldest first.
    #[must_use]
    pub fn queries(&self) -> Vec<QueryStatus> {
        self.0.registry.all().iter().map(|activity| activity.status()).collect()
    }

    /// Stops a query by its id; `false` if no query has that id, or it has ended. Its caller gets [`Error::Interrupted`].
    #[must_use]
    pub fn cancel(&self, id: Uuid) -> bool {
        let activity = self.0.registry.get(id);
        activity.is_some_and(|activity| {
            activity.control.stop(StopReason::Cancelled);
            true
        })
    }
}

/// A plan whose files stay in place while this exists.
pub struct ResolvedPlan {
    /// The plan.
    pub plan: Plan,
    _held: Held,
}

impl std::fmt::Debug for ResolvedPlan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ResolvedPlan").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// The health of an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineCondition {
    /// How often a query broke DuckDB, so that a new one was opened.
    pub replaced: u64,
    /// Stopped queries that DuckDB still works on, beside those that run.
    pub stuck: usize,
    /// Why no query can be answered now, for the engine's operator: it may name folders. `None` if all is well.
    pub problem: Option<String>,
}

/// The version of the DuckDB library that this process is linked to, such as `1.5.6`.
#[must_use]
pub fn duckdb_version() -> String {
    crate::duckdb::duckdb_version()
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.registry.close();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use polarway_model::At;

    use crate::catalog::{CatalogError, Listed, Reference, Relation};
    use crate::executor::LocalGroup;
    use crate::plan::{FileGroup, FileReference, TableSource};

    /// A remote storage.
    struct Remote;

    impl LocalFiles for Remote {
        fn localize(&self, group: &FileGroup) -> Result<LocalGroup, CatalogError> {
            panic!("{:?} were made local before anybody runs the plan", group.files)
        }
    }

    impl Catalog for Remote {
        fn resolve(&self, references: &[Reference]) -> Result<Vec<Relation>, CatalogError> {
            let [Reference::Dataset { name, at: At::Version(version) }] = references else {
                panic!("{references:?}");
            };
            let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
            let file =
                FileReference { path: "flights/0.parquet".to_owned(), bytes: 7, rows: 1, foreign: None };
            let group = FileGroup::new(name.parse().unwrap(), *version, vec![file], Arc::clone(&schema));
            Ok(vec![Relation::of_groups(vec![group], schema)])
        }

        fn list(&self) -> Result<Vec<Listed>, CatalogError> {
            Ok(Vec::new())
        }

        fn sees_analytics(&self, _schema: &str, _table: &str) -> bool {
            true
        }
    }

    #[test]
    fn a_plan_names_files_as_their_storage_does_and_none_is_made_local_for_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let config = EngineConfig::new(vec![folder.path().to_owned()], folder.path().join("temp"));
        let engine = Engine::open(config, Arc::new(Remote)).unwrap();
        let (dialect, gate) = (engine.0.dialect(), &engine.0.gate);
        let statement =
            gate.check(dialect, "SELECT sum(a) FROM flights AT (VERSION => $v)", &Remote).unwrap();
        let version: ArrayRef = Arc::new(Int64Array::from(vec![3]));
        let parameters = ParameterValues::new(Some(RecordBatch::try_from_iter([("v", version)]).unwrap()));
        let references = parameters.references(dialect, &statement).unwrap();
        let (tables, _) = resolve(&statement, &references, &Remote).unwrap();
        let [table] = tables.as_slice() else { panic!("{tables:?}") };
        assert_eq!(table.described, "the dataset \"flights\"");
        assert_eq!(
            statement.text.trim_end(),
            format!("SELECT sum(a) FROM \"{}\" AS \"flights\"", table.name)
        );
        let TableSource::Stored(stored) = &table.source else { panic!("{table:?}") };
        let [group] = stored.files.as_slice() else { panic!("{stored:?}") };
        assert_eq!((group.dataset.as_str(), group.version), ("flights", 3));
        assert!(group.files.iter().all(|file| !Path::new(&file.path).is_absolute()), "{group:?}");
    }
}
