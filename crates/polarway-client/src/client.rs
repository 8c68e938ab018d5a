//! The client itself, and how it makes a call.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use polarway_proto::client::PolarwayServiceClient;
use polarway_proto::v1::GetServerInfoRequest;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::builder::Builder;
use crate::connection::{Worker, Workers};
use crate::datasets::ServerInfo;
use crate::error::{Error, Result};
use crate::retry::Tries;

/// How long a call with one answer waits for it before it is made again elsewhere; each further try waits twice as long, in case
/// the answer takes that long. A balancer keeps connections alive before a server that has stopped, so that nothing else would
/// tell.
const PATIENCE: Duration = Duration::from_secs(10);

/// The name under which health is asked for.
const SERVICE: &str = "polarway.v1.PolarwayService";

/// A client of one Polarway server, or of several workers over the same tables.
///
/// It is cheap to clone, and clones share their connections; all methods take `&self`, so calls may run at the same time,
/// as with `tokio::try_join!`. The [crate's documentation](crate) tells what is retried.
#[derive(Clone)]
pub struct DistributedClient {
    workers: Arc<Workers>,
    timeout: Duration,
}

impl DistributedClient {
    /// Connects to one server, such as `http://localhost:50052`, with a timeout of 30 seconds.
    ///
    /// # Errors
    /// An address that is none, and a server that does not answer or speaks another protocol.
    pub async fn connect(url: impl Into<String>) -> Result<Self> {
        Self::builder().url(url).connect().await
    }

    /// Sets a client up with more than an address.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(workers: Arc<Workers>, timeout: Duration) -> Self {
        Self { workers, timeout }
    }

    pub(crate) fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether the server serves.
    ///
    /// # Errors
    /// A server that does not answer, or says that it does not serve.
    pub async fn health_check(&self) -> Result<()> {
        let answer = self
            .retrying(|worker, left| {
                let mut request = self.workers.request(HealthCheckRequest { service: SERVICE.to_owned() });
                request.set_timeout(left);
                let mut health = worker.health();
                async move { health.check(request).await }
            })
            .await?;
        match answer.status() {
            ServingStatus::Serving => Ok(()),
            status => Err(Error::unreachable(format!("the server says that it is {}", status.as_str_name()))),
        }
    }

    /// Asks who answers. Where nobody can be connected to, that is said at once; what answers for a server that does not, a
    /// balancer before it, is asked again.
    pub(crate) async fn server_info_at_start(&self) -> Result<ServerInfo> {
        let mut tries = Tries::new(self.timeout);
        loop {
            match self.server_info_of_any(tries.left()).await {
                Err(error) if error.is_of_proxy() => tries.after(error).await?,
                answer => return answer,
            }
        }
    }

    /// Asks each worker once who it is; the first answer counts.
    async fn server_info_of_any(&self, timeout: Duration) -> Result<ServerInfo> {
        let mut failed = Error::unreachable("no server was named");
        for _ in 0..self.workers.count() {
            let worker = self.workers.pick();
            let mut request = self.workers.request(GetServerInfoRequest {});
            request.set_timeout(timeout);
            match worker.service().get_server_info(request).await {
                Ok(info) => return Ok(info.into_inner()),
                Err(status) => failed = status.into(),
            }
            self.workers.pass_over(&worker);
        }
        Err(failed)
    }

    /// Makes a unary call until it succeeds, or fails for good, or time has run out.
    pub(crate) async fn unary<M, R, F>(
        &self,
        message: M,
        call: impl Fn(PolarwayServiceClient<Channel>, Request<M>) -> F,
    ) -> Result<R>
    where
        M: Clone,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        self.retrying(|worker, left| {
            let mut request = self.workers.request(message.clone());
            request.set_timeout(left);
            call(worker.service(), request)
        })
        .await
    }

    async fn retrying<R, F>(&self, call: impl Fn(&Worker, Duration) -> F) -> Result<R>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let mut tries = Tries::new(self.timeout);
        let mut patience = PATIENCE;
        loop {
            let worker = self.workers.pick();
            let left = tries.left();
            let answer = call(&worker, left);
            // The last try may take all the time that is left; the server then says that it was too long.
            let answer = match patience < left {
                true => tokio::time::timeout(patience, answer).await,
                false => Ok(answer.await),
            };
            let error = match answer {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => status.into(),
                Err(_) => Error::unreachable(format!("the server did not answer for {patience:?}")),
            };
            patience *= 2;
            self.workers.pass_over(&worker);
            tries.after(error).await?;
        }
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

        let workers = Workers::new(vec!["http://localhost:1".parse().unwrap()], None);
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
