//! A call of its own for each partition of a task.
//!
//! datafusion-distributed asks for all partitions of a task in one call, and stops reading it while its rows wait for their readers.
//! A merge in order waits for the first row of each partition: where one partition is ready long before another, its rows would fill
//! the call, and those of the other would never come.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion_distributed::{
    CoordinatorToWorkerMsg, ExecuteTaskRequest, GetWorkerInfoRequest, GetWorkerInfoResponse, WorkerChannel,
    WorkerToCoordinatorMsg,
};
use futures::stream::BoxStream;
use http::HeaderMap;

/// A worker whose partitions don't wait for each other.
pub(super) struct Apart(pub(super) Box<dyn WorkerChannel>);

#[async_trait]
impl WorkerChannel for Apart {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        sent: BoxStream<'static, CoordinatorToWorkerMsg>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        self.0.coordinator_channel(headers, sent).await
    }

    async fn execute_task(
        &mut self,
        headers: HeaderMap,
        request: ExecuteTaskRequest,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        let mut streams = Vec::new();
        // None of these waits: a call is made when its first row is asked for.
        for partition in request.target_partition_start..request.target_partition_end {
            let of_partition = ExecuteTaskRequest {
                task_key: request.task_key,
                target_partition_start: partition,
                target_partition_end: partition + 1,
                producer_head_spec: request.producer_head_spec.clone(),
            };
            let stream = self.0.execute_task(headers.clone(), of_partition, metrics.clone(), context);
            streams.extend(stream.await?);
        }
        Ok(streams)
    }

    async fn get_worker_info(&mut self, request: GetWorkerInfoRequest) -> Result<GetWorkerInfoResponse> {
        self.0.get_worker_info(request).await
    }
}
