//! The executor over several workers, as the query engine asks it: translates plans, runs them, and gives their rows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::TableSource as Scanned;
use polarway_query::{
    BoundPlan, DistributedExecutor, DistributedFailure, DistributedQuery, Error as QueryError, Interrupt,
    Keep, PinnedFiles, Plan, ResultKeeper, ResultRows, TableSource,
};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::error::Error;
use crate::keep::{Kept, has_order};
use crate::peers::Peers;
use crate::run::{Query, Rows};
use crate::scan::StoredScan;
use crate::service::{PART, Worker};
use crate::translate::{Tables, translate};

/// Coordinates queries over the workers of a fleet.
#[derive(Debug, Clone)]
pub struct Coordinator {
    worker: Worker,
    peers: Peers,
    runtime: Handle,
    most_workers: usize,
}

impl Coordinator {
    /// Queries run over `worker` and those of its peers that are ready, `most_workers` in all. Connections live on `runtime`.
    #[must_use]
    pub fn new(worker: Worker, peers: Peers, runtime: Handle, most_workers: usize) -> Self {
        Self { worker, peers, runtime, most_workers }
    }

    /// The workers of a query that begins now.
    fn ready(&self) -> Vec<Url> {
        let mut ready = self.peers.ready();
        ready.truncate(self.most_workers);
        ready
    }
}

impl DistributedExecutor for Coordinator {
    fn workers(&self) -> usize {
        self.ready().len()
    }

    fn prepare(&self, plan: &Plan, bound: &BoundPlan) -> Result<Box<dyn DistributedQuery>, String> {
        let mut files = PinnedFiles::default();
        let mut scans: HashMap<&str, Arc<dyn Scanned>> = HashMap::new();
        for table in &plan.tables {
            let TableSource::Stored(stored) = &table.source else { continue };
            let scan = StoredScan::new(stored, &mut files)
                .map_err(|reason| format!("{} {reason}", table.described))?;
            scans.insert(&table.name, provider_as_source(Arc::new(scan)));
        }
        let translation = translate(bound, &Scans(scans)).map_err(|refusal| refusal.to_string())?;
        let limits = self.worker.limits();
        let latest = Instant::now() + limits.query_time;
        let query = Query {
            plan: translation.plan,
            files,
            memory_bytes: limits.query_memory_bytes,
            id: plan.query,
            call: plan.call.clone(),
            is_analyzed: plan.statement.explained.is_some_and(|explained| explained.is_analyzed),
            deadline: plan.limits.deadline.map_or(latest, |deadline| deadline.min(latest)),
            kept: None,
        };
        let keeper = match &plan.keep {
            Keep::ByCaller(keeper) if self.worker.keeps_results() && !has_order(&query.plan) => {
                Some(Arc::clone(keeper))
            }
            _ => None,
        };
        let columns = Arc::clone(&bound.schema);
        Ok(Box::new(Prepared { coordinator: self.clone(), query, columns, keeper }))
    }
}

/// The scans of a plan's tables, by their names in it.
struct Scans<'p>(HashMap<&'p str, Arc<dyn Scanned>>);

impl Tables for Scans<'_> {
    fn source(&self, name: &str) -> Option<Arc<dyn Scanned>> {
        self.0.get(name).map(Arc::clone)
    }
}

/// A plan that was translated.
struct Prepared {
    coordinator: Coordinator,
    query: Query,
    /// The columns of its result.
    columns: SchemaRef,
    /// Who keeps its result, if workers may write it.
    keeper: Option<Arc<dyn ResultKeeper>>,
}

/// Wakes the query's thread when the query is stopped.
struct Stop(CancellationToken);

impl Interrupt for Stop {
    fn interrupt(&self) {
        self.0.cancel();
    }
}

impl Prepared {
    /// Runs the query, and gives each batch away. Returns its rows, which have ended.
    fn run_with(
        &self,
        rows: &mut ResultRows<'_>,
        mut give: impl FnMut(&mut ResultRows<'_>, &Rows, RecordBatch) -> Result<(), QueryError>,
    ) -> Result<Rows, DistributedFailure> {
        let Coordinator { worker, runtime, .. } = &self.coordinator;
        let _span = tracing::info_span!(target: PART, "distributed", query_id = %self.query.id).entered();
        let _on_runtime = runtime.enter(); // the query's connections close there, however it ends
        let stopped = CancellationToken::new();
        rows.attach(Arc::new(Stop(stopped.clone())));
        rows.check()?;
        let mut given = worker.run(self.query.clone(), self.coordinator.ready());
        loop {
            let next = runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = stopped.cancelled() => None,
                    next = given.next() => Some(next),
                }
            });
            let Some(next) = next else {
                return Err(rows.check().err().unwrap_or(QueryError::Interrupted).into());
            };
            match next {
                Some(Ok(batch)) => give(rows, &given, batch)?,
                Some(Err(error)) => return Err(failure(error)),
                None => return Ok(given),
            }
            rows.check()?;
        }
    }
}

impl DistributedQuery for Prepared {
    fn run(&mut self, rows: &mut ResultRows<'_>) -> Result<u32, DistributedFailure> {
        let keep = |keeper: &Arc<dyn ResultKeeper>| {
            let columns = keeper.columns(&self.columns).map_err(QueryError::Catalog)?;
            Ok::<_, QueryError>(Kept { keeper: Arc::clone(keeper), columns })
        };
        self.query.kept = self.keeper.as_ref().map(keep).transpose()?;
        let give = |rows: &mut ResultRows<'_>, given: &Rows, batch: RecordBatch| {
            let (Some(keeper), Some(gathered)) = (&self.keeper, given.gathered()) else {
                return rows.push(batch.columns().to_vec(), batch.num_rows());
            };
            let (kept_rows, kept_bytes) = gathered.size();
            rows.written(kept_rows, kept_bytes)?;
            keeper.check(gathered.arrow_bytes()).map_err(QueryError::Catalog)
        };
        let ended = self.run_with(rows, give)?;
        if let (Some(keeper), Some(gathered)) = (&self.keeper, ended.gathered()) {
            keeper.written(gathered.files());
        }
        Ok(ended.workers())
    }

    fn analyze(&mut self, rows: &mut ResultRows<'_>) -> Result<(u32, String), DistributedFailure> {
        let (began, mut given) = (Instant::now(), 0);
        let ended = self.run_with(rows, |_, _, batch| {
            given += batch.num_rows();
            Ok(())
        })?;
        let stages = ended.analysis().unwrap_or_default();
        Ok((ended.workers(), format!("{given} rows after {:.1?}\n{stages}", began.elapsed())))
    }

    fn describe(&mut self) -> Result<String, DistributedFailure> {
        let Coordinator { worker, runtime, .. } = &self.coordinator;
        let workers = self.coordinator.ready();
        runtime.block_on(worker.describe(&self.query, &workers)).map_err(failure)
    }
}

/// What an error means for the engine's choice.
fn failure(error: Error) -> DistributedFailure {
    let text = error.to_string();
    DistributedFailure::Query(match error {
        Error::NoWorkers(_) => return DistributedFailure::NoWorkers(text),
        Error::WorkerLost { .. } | Error::Connection(_) => return DistributedFailure::WorkerLost(text),
        Error::Unsupported(_) => return DistributedFailure::Refused(text),
        Error::Deadline => QueryError::Deadline,
        Error::OutOfMemory(_) => QueryError::OutOfMemory(text),
        Error::Files(error) => QueryError::Catalog(error),
        Error::Execution(_) => QueryError::Execution(text),
        Error::Configuration(_) | Error::Internal(_) => QueryError::Internal(text),
    })
}
