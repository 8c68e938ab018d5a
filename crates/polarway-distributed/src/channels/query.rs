//! The connections of one query: each call names the query, and a peer that is this process is called directly.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, not_impl_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion_distributed::{
    ChannelResolver, CoordinatorToWorkerMsg, ExecuteTaskRequest, GetWorkerInfoRequest, GetWorkerInfoResponse,
    WorkerChannel, WorkerToCoordinatorMsg, grpc,
};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt as _;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::ServiceExt as _;
use tracing::Instrument as _;
use url::Url;
use uuid::Uuid;

use super::Channels;
use super::apart::Apart;
use super::compact::compact;
use super::reports::{Reporting, TaskReports};
use crate::service::RunningQuery;
use crate::wire::QUERY_HEADER;

/// How the workers of a query reach each other.
#[derive(Clone)]
pub(crate) struct QueryChannels {
    pub(crate) channels: Arc<Channels>,
    pub(crate) query: Uuid,
    /// The worker of this process, if it takes part. Weak, since what it holds holds this.
    pub(crate) own: Option<(Url, Weak<RunningQuery>)>,
    /// Where the coordinator keeps what tasks report, if it asks for it.
    pub(crate) reports: Option<Arc<TaskReports>>,
}

#[async_trait]
impl ChannelResolver for QueryChannels {
    async fn get_worker_client_for_url(&self, url: &Url) -> Result<Box<dyn WorkerChannel>> {
        let worker = self.worker(url)?;
        Ok(match &self.reports {
            Some(reports) => Box::new(Reporting { worker, url: url.clone(), reports: Arc::clone(reports) }),
            None => worker,
        })
    }
}

impl QueryChannels {
    fn worker(&self, url: &Url) -> Result<Box<dyn WorkerChannel>> {
        if let Some((own, query)) = &self.own
            && own == url
        {
            return Ok(Box::new(Own(Weak::clone(query))));
        }
        let channel =
            self.channels.channel(url).map_err(|status| DataFusionError::External(status.into()))?;
        let authorization = self.channels.authorization.clone();
        let query = HeaderValue::from_str(&self.query.to_string())
            .map_err(|error| exec_datafusion_err!("{error}"))?;
        let service = channel.map_request(move |mut request: http::Request<Body>| {
            request.headers_mut().insert(HeaderName::from_static(QUERY_HEADER), query.clone());
            if let Some(value) = &authorization {
                request.headers_mut().insert(AUTHORIZATION, value.clone());
            }
            request
        });
        let counters = Arc::clone(&self.channels.counters);
        let service = service.map_response(move |answer: http::Response<Body>| {
            answer.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    counters.received_bytes.add(frame.data_ref().map_or(0, |data| data.len() as u64));
                    frame
                }))
            })
        });
        let worker = grpc::create_worker_client(grpc::BoxCloneSyncChannel::new(service));
        Ok(Box::new(Apart(worker)))
    }
}

/// Waits for an answer as long as its query lasts: a task may wait for a plan that never comes, and would hold the query meanwhile.
async fn until<T>(stopped: &CancellationToken, answer: impl Future<Output = Result<T>>) -> Result<T> {
    let answer = stopped.run_until_cancelled(answer).await;
    answer.unwrap_or_else(|| Err(ended()))
}

fn ended() -> DataFusionError {
    exec_datafusion_err!("the query has ended on this worker")
}

/// The worker of this process: plans and rows get there without being written into messages.
struct Own(Weak<RunningQuery>);

impl Own {
    fn query(&self) -> Result<Arc<RunningQuery>> {
        self.0.upgrade().ok_or_else(ended)
    }
}

#[async_trait]
impl WorkerChannel for Own {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        sent: BoxStream<'static, CoordinatorToWorkerMsg>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        let query = self.query()?;
        let stopped = query.stopped().clone();
        // The end of this stream says that the query has ended.
        let sent = sent.map(Ok).take_until(stopped.clone().cancelled_owned()).boxed();
        let answers = query.tasks().coordinator_channel(headers, sent).instrument(query.span().clone());
        until(&stopped, answers).await
    }

    async fn execute_task(
        &mut self,
        _: HeaderMap,
        request: ExecuteTaskRequest,
        _: ExecutionPlanMetricsSet,
        _: &Arc<TaskContext>,
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        let query = self.query()?;
        let (streams, _) = until(query.stopped(), query.tasks().execute_task(request)).await?;
        Ok(streams.into_iter().map(|stream| stream.map(|batch| compact(batch?)).boxed()).collect())
    }

    async fn get_worker_info(&mut self, _: GetWorkerInfoRequest) -> Result<GetWorkerInfoResponse> {
        not_impl_err!("the version of a worker is checked when it joins a query")
    }
}
