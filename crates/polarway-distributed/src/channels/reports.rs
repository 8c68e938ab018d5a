//! What the tasks of a query report of themselves when it has ended, where somebody asked for it.
//!
//! A report comes back on the call that brought the plan, which ends after the report. So all of them are there when the last of
//! these calls has ended, and nobody has to wait for one. A task that was never asked for rows reports nothing.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion_distributed::{
    CoordinatorToWorkerMsg, ExecuteTaskRequest, GetWorkerInfoRequest, GetWorkerInfoResponse, TaskKey,
    WorkerChannel, WorkerToCoordinatorMsg,
};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::HeaderMap;
use parking_lot::Mutex;
use url::Url;

/// The reports of a query's tasks.
#[derive(Debug, Default)]
pub(crate) struct TaskReports(Mutex<Vec<TaskReport>>);

/// What a task says of itself.
#[derive(Debug, Clone)]
pub(crate) struct TaskReport {
    /// The number of its stage.
    pub(crate) stage: usize,
    /// Its number in the stage.
    pub(crate) task: usize,
    /// Who ran it.
    pub(crate) worker: Url,
    /// Those of each operator, from the top down.
    pub(crate) operators: Vec<MetricsSet>,
}

impl TaskReports {
    /// All that have come, in the order of stages and tasks.
    pub(crate) fn all(&self) -> Vec<TaskReport> {
        let mut all = self.0.lock().clone();
        all.sort_by_key(|report| (report.stage, report.task));
        all
    }
}

/// A worker whose reports are kept.
pub(super) struct Reporting {
    pub(super) worker: Box<dyn WorkerChannel>,
    pub(super) url: Url,
    pub(super) reports: Arc<TaskReports>,
}

#[async_trait]
impl WorkerChannel for Reporting {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        sent: BoxStream<'static, CoordinatorToWorkerMsg>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        // A call is for one task, which its first message names.
        let named = Arc::new(OnceLock::<TaskKey>::new());
        let names = Arc::clone(&named);
        let sent = sent.inspect(move |message| {
            if let CoordinatorToWorkerMsg::SetPlanRequest(plan) = message {
                let _ = names.set(plan.task_key);
            }
        });
        let (worker, reports) = (self.url.clone(), Arc::clone(&self.reports));
        let answers = self.worker.coordinator_channel(headers, sent.boxed()).await?;
        let kept = answers.inspect(move |answer| {
            if let (Some(key), Ok(WorkerToCoordinatorMsg::TaskMetrics(metrics))) = (named.get(), answer) {
                reports.0.lock().push(TaskReport {
                    stage: key.stage_id,
                    task: key.task_number,
                    worker: worker.clone(),
                    operators: metrics.pre_order_plan_metrics.clone(),
                });
            }
        });
        Ok(kept.boxed())
    }

    async fn execute_task(
        &mut self,
        headers: HeaderMap,
        request: ExecuteTaskRequest,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        self.worker.execute_task(headers, request, metrics, context).await
    }

    async fn get_worker_info(&mut self, request: GetWorkerInfoRequest) -> Result<GetWorkerInfoResponse> {
        self.worker.get_worker_info(request).await
    }
}
