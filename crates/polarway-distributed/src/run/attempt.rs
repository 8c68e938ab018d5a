//! One try to run a query over workers.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::Result as PlanResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::execute_stream;
use datafusion_distributed::{DistributedExec, WorkerResolver};
use futures::StreamExt as _;
use parking_lot::Mutex;
use polarway_query::CatalogError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;
use uuid::Uuid;

use super::Query;
use super::analysis::Analysis;
use super::failure::Failure;
use super::leases::Leases;
use crate::channels::{QueryChannels, TaskReports};
use crate::compute::Work;
use crate::error::Error;
use crate::keep::{Gathered, file_name, is_kept_by_tasks};
use crate::service::Worker;
use crate::session;

/// The batches that wait for the reader.
const BATCHES: usize = 1;

/// A try. Dropping it ends it on all workers.
pub(super) struct Attempt {
    rows: Receiver<PlanResult<RecordBatch>>,
    _work: Work<()>,
    leases: Leases,
    workers: usize,
    /// What it took, if somebody asks.
    analysis: Option<Analysis>,
    /// What its tasks have kept, if they keep the result.
    gathered: Option<Gathered>,
    /// Why a file could not be read here.
    unread: Arc<Mutex<Option<CatalogError>>>,
    _stop: DropGuard,
}

/// The workers that take part.
pub(super) struct TakingPart(pub(super) Vec<Url>);

impl WorkerResolver for TakingPart {
    fn get_urls(&self) -> PlanResult<Vec<Url>> {
        Ok(self.0.clone())
    }
}

impl Attempt {
    pub(super) async fn start(worker: &Worker, query: &Query, workers: &[Url]) -> Result<Self, Error> {
        // Each try is a query of its own to the workers: what is left of an earlier one can't be taken for it.
        let id = Uuid::now_v7();
        worker.0.counters().tries.add(1);
        if let Some(kept) = &query.kept {
            // No stage has more tasks than there are workers.
            let names: Vec<Uuid> = (0..workers.len().max(1) as u64).map(|task| file_name(id, task)).collect();
            kept.keeper.expect(&names);
        }
        let mut leases = Leases::take(worker, id, query, workers).await?;
        let shared = &worker.0;
        let stopped = CancellationToken::new();
        let runtime = shared.runtime.of_query(query.files.all(), query.memory_bytes, stopped.clone());
        let (runtime, store) = runtime.map_err(|error| Failure::of(error).into_error())?;
        let own = shared.query(&id).map(|own| (own.url().clone(), Arc::downgrade(&own)));
        let reports = query.is_analyzed.then(Arc::<TaskReports>::default);
        let channels = QueryChannels {
            channels: Arc::clone(&shared.channels),
            query: id,
            own,
            reports: reports.clone(),
        };
        let workers = TakingPart(leases.urls().to_vec());
        let took_part = leases.urls().len();
        let kept = query.kept.as_ref();
        let place =
            kept.and_then(|kept| shared.place(kept.keeper.handle(), Arc::clone(&kept.columns), id, &stopped));
        let spread = shared.spread;
        let state = session::coordinator(spread, &shared.functions, runtime, workers, channels, place)
            .map_err(|error| Failure::of(error).into_error())?;
        let plan = query.plan.clone();
        let stop = stopped.clone().drop_guard();
        let planned = shared.compute.spawn(async move {
            let plan = session::stop_with(session::in_stages(&state, &plan, spread).await?, &stopped)?;
            let rows = execute_stream(Arc::clone(&plan), state.task_ctx())?;
            Ok((plan, rows))
        });
        let failed = || Error::Internal("the query could not be planned".to_owned());
        let planned: PlanResult<_> = planned.done().await.ok_or_else(failed)?;
        let (plan, rows) = planned.map_err(|error| Failure::of(error).into_error())?;
        let is_spread = plan.is::<DistributedExec>();
        let gathered = is_kept_by_tasks(&plan).then(|| Gathered::of(id));
        let analysis = reports.map(|reports| Analysis { plan, reports });
        if !is_spread {
            leases.release();
        }
        let workers = if is_spread { took_part } else { 1 };
        let (sender, receiver) = mpsc::channel(BATCHES);
        let work = shared.compute.spawn(pass_on(rows, sender));
        let unread = store.failure();
        Ok(Self { rows: receiver, _work: work, leases, workers, analysis, gathered, unread, _stop: stop })
    }

    /// The next rows.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        loop {
            let next = tokio::select! {
                biased;
                next = self.rows.recv() => next.transpose(),
                error = self.leases.ended() => return Err(error),
            };
            return match next {
                Ok(Some(batch)) if batch.num_rows() == 0 => continue,
                Ok(next) => {
                    if let (Some(figures), Some(gathered)) = (&next, &mut self.gathered) {
                        gathered.add(figures).map_err(Error::Files)?;
                    }
                    Ok(next)
                }
                Err(error) => Err(explain(Failure::of(error), &self.leases, &self.unread).await),
            };
        }
    }

    /// What its tasks have kept so far; `None` if it gives rows.
    pub(super) fn gathered(&self) -> Option<&Gathered> {
        self.gathered.as_ref()
    }

    /// The same, at its end.
    pub(super) fn into_gathered(self) -> Option<Gathered> {
        self.gathered
    }

    /// How many workers run it.
    pub(super) fn workers(&self) -> usize {
        self.workers
    }

    /// What it took for each stage and worker, once it has given its last row, if the query asks for it.
    pub(super) fn analysis(&self) -> Option<String> {
        self.analysis.as_ref().map(Analysis::text)
    }

    /// The workers that this try has lost.
    pub(super) fn lost(&self) -> Vec<Url> {
        self.leases.lost()
    }
}

/// Passes rows on to their reader, until it is gone.
async fn pass_on(mut rows: SendableRecordBatchStream, reader: Sender<PlanResult<RecordBatch>>) {
    while let Some(next) = rows.next().await {
        if reader.send(next).await.is_err() {
            return;
        }
    }
}

/// What a failure of the rows means.
async fn explain(failure: Failure, leases: &Leases, unread: &Mutex<Option<CatalogError>>) -> Error {
    let unread = unread.lock().take();
    match (unread, failure) {
        (Some(error), _) => Error::Files(error),
        (None, Failure::Connection(why)) => leases.probe().await.unwrap_or(Error::Connection(why)),
        (None, Failure::Query(error)) => error,
    }
}
