//! The client, and its calls with one answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt as _};
use polarway_proto::SERVICE;
use polarway_proto::client::PolarwayServiceClient;
use polarway_proto::v1::{GetServerInfoRequest, GetServerInfoResponse};
use tonic::{Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::builder::Builder;
use crate::call::{Call, Kind, Unary};
use crate::channel::Channel;
use crate::connection::{Worker, Workers};
use crate::error::{Error, Result};

/// A client of one Polarway server, or of several workers over the same tables.
///
/// It is cheap to clone, and clones share their connections; all methods take `&self`, so calls may run at the same time,
/// as with `tokio::try_join!`. The [crate's documentation](crate) says what is retried.
#[derive(Clone)]
pub struct DistributedClient {
    workers: Arc<Workers>,
    timeout: Duration,
}

impl DistributedClient {
    /// Connects to one server, such as `http://localhost:50052`, with a timeout of 30 seconds.
    ///
    /// # Errors
    /// A malformed address, and a server that does not answer or speaks another protocol.
    pub async fn connect(url: impl Into<String>) -> Result<Self> {
        Self::builder().url(url).connect().await
    }

    /// Builds a client with more settings than an address.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A client of these workers. `timeout` applies to each call.
    pub(crate) fn new(workers: Arc<Workers>, timeout: Duration) -> Self {
        Self { workers, timeout }
    }

    /// A call that has this client's timeout.
    pub(crate) fn call(&self, kind: Kind) -> Call {
        Call::new(&self.workers, self.timeout, kind)
    }

    /// Checks that the server serves.
    ///
    /// # Errors
    /// A server that does not answer, or says that it does not serve.
    pub async fn health_check(&self) -> Result<()> {
        self.health(Kind::Idempotent).await
    }

    /// Asks whether the server serves, as the first call of a client. A connection that can't be made is an error at once.
    pub(crate) async fn health_at_start(&self) -> Result<()> {
        self.health(Kind::Probe).await
    }

    async fn health(&self, kind: Kind) -> Result<()> {
        let message = HealthCheckRequest { service: SERVICE.to_owned() };
        let method = |worker: &Worker, request| {
            let mut health = worker.health();
            async move { health.check(request).await }
        };
        let answer = self.call(kind).run(&mut Unary { message, method }).await?;
        match answer.status() {
            ServingStatus::Serving => Ok(()),
            status => Err(Error::unreachable(format!("the server says that it is {}", status.as_str_name()))),
        }
    }

    /// Asks which server answers. A connection that can't be made is an error at once. A balancer whose worker does not answer
    /// is asked again.
    pub(crate) async fn server_info_at_start(&self) -> Result<GetServerInfoResponse> {
        let method = |mut service: PolarwayServiceClient<Channel>, request| async move {
            service.get_server_info(request).await
        };
        self.unary_of_any(Kind::Probe, GetServerInfoRequest {}, method).await
    }

    /// Makes a call with one answer that may be repeated.
    pub(crate) async fn unary<M, R, F>(
        &self,
        message: M,
        method: impl Fn(PolarwayServiceClient<Channel>, Request<M>) -> F + Send,
    ) -> Result<R>
    where
        M: Clone + Send,
        R: Send,
        F: Future<Output = Result<Response<R>, Status>> + Send,
    {
        let method = move |worker: &Worker, request| method(worker.service(), request);
        self.call(Kind::Idempotent).run(&mut Unary { message, method }).await
    }

    /// Makes such a call at every worker that this client knows, all at the same time. Results come in the order of arrival.
    pub(crate) fn unary_of_all<M, R, F>(
        &self,
        kind: Kind,
        message: M,
        method: impl Fn(PolarwayServiceClient<Channel>, Request<M>) -> F + Clone + Send,
    ) -> impl Stream<Item = Result<R>> + Unpin + Send
    where
        M: Clone + Send,
        R: Send,
        F: Future<Output = Result<Response<R>, Status>> + Send,
    {
        let calls = self.workers.all().map(|worker| {
            let mut call = self.call(kind).only_of(worker);
            let (message, method) = (message.clone(), method.clone());
            async move {
                let method = move |worker: &Worker, request| method(worker.service(), request);
                call.run(&mut Unary { message, method }).await
            }
        });
        calls.collect::<FuturesUnordered<_>>()
    }

    /// Makes such a call at every worker, until one of them succeeds.
    pub(crate) async fn unary_of_any<M, R, F>(
        &self,
        kind: Kind,
        message: M,
        method: impl Fn(PolarwayServiceClient<Channel>, Request<M>) -> F + Clone + Send,
    ) -> Result<R>
    where
        M: Clone + Send,
        R: Send,
        F: Future<Output = Result<Response<R>, Status>> + Send,
    {
        let mut failed: Option<Error> = None;
        let mut answers = self.unary_of_all(kind, message, method);
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(answer) => return Ok(answer),
                // That a worker did not answer is more useful to know than that another one refused.
                Err(error) => match &failed {
                    Some(first) if first.reason().is_none() => {}
                    _ => failed = Some(error),
                },
            }
        }
        Err(failed.unwrap_or_else(|| Error::unreachable("no server was named")))
    }
}

impl fmt::Debug for DistributedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DistributedClient")
            .field("workers", &self.workers.count())
            .field("timeout", &self.timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeleteOptions;

    #[tokio::test]
    async fn every_call_can_be_made_on_a_task_of_its_own() {
        fn may_be_spawned<F: Future + Send>(_: F) {}

        let workers = Workers::new(&["http://localhost:1".parse().unwrap()], None, None).unwrap();
        let client = DistributedClient::new(Arc::new(workers), Duration::from_secs(1));
        may_be_spawned(client.health_check());
        may_be_spawned(client.datasets());
        may_be_spawned(client.describe("t"));
        may_be_spawned(client.versions("t"));
        may_be_spawned(client.delete_with("t", DeleteOptions::default()));
        may_be_spawned(client.load("t"));
        may_be_spawned(client.load_stream("t"));
        may_be_spawned(client.query("SELECT 1"));
        may_be_spawned(client.query_stream("SELECT 1"));
        may_be_spawned(client.query_handle("SELECT 1"));
        may_be_spawned(client.handle("id"));
        may_be_spawned(client.handles());
        may_be_spawned(client.drop_handle("id"));
        may_be_spawned(client.extend_handle("id", None));
        may_be_spawned(client.queries());
        may_be_spawned(client.cancel_query("id"));
        may_be_spawned(client.cache_stats());
        may_be_spawned(client.server_info());
    }
}
