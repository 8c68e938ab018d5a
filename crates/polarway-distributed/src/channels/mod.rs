//! Connections to other workers: one to each, which is watched by pings and made again after it failed.

mod apart;
mod compact;
mod connector;
mod credentials;
mod query;
mod reports;

pub use credentials::{Credentials, PeerTls, Token};
pub(crate) use query::QueryChannels;
pub(crate) use reports::{TaskReport, TaskReports};

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use http::uri::PathAndQuery;
use hyper::rt::Executor;
use parking_lot::Mutex;
use prost::Message;
use tokio::runtime::Handle;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;
use url::Url;

use crate::counters::Counters;
use crate::wire::{JOIN, JoinRequest, Joined, PeerStatus, STATUS, StatusRequest};
use connector::Connector;

/// How long a connection may take to be made.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often either side tries a connection by a ping, also when nothing happens on it.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(2);
/// How long the answer to a ping may take. With the interval, and the question who of all is silent, it is how long a worker that
/// stands still can hold up a query: less than six seconds.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_millis(2_500);
/// What a stream of rows may have in flight: one partition of a task has a stream.
pub(crate) const STREAM_WINDOW: u32 = 1 << 20;
/// The most that HTTP/2 has for a connection: streams whose readers wait must not hold up the others.
pub(crate) const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// What a stream may hold of rows that have arrived and wait for their reader, beside the last message.
pub(crate) const UNREAD_BYTES: usize = 256 << 10;

/// The connections of a process to its peers.
#[derive(Debug)]
pub struct Channels {
    open: Mutex<HashMap<Url, Channel>>,
    connector: Connector,
    /// Where connections live, whichever thread makes the first call.
    runtime: Handle,
    authorization: Option<HeaderValue>,
    /// Those of the worker that calls.
    pub(crate) counters: Arc<Counters>,
}

impl Channels {
    /// No connection yet: each is made for the first call to its peer, and lives on the runtime on which this is called.
    ///
    /// # Errors
    /// A token that no header can have, or no runtime.
    pub fn new(credentials: &Credentials) -> Result<Self, crate::Error> {
        let no_runtime = |error| crate::Error::Configuration(format!("connections need a runtime: {error}"));
        Ok(Self {
            runtime: Handle::try_current().map_err(no_runtime)?,
            open: Mutex::default(),
            connector: Connector::new(credentials.tls.clone()),
            authorization: credentials.token.as_ref().map(Token::header).transpose()?,
            counters: Arc::default(),
        })
    }

    /// The connection to a peer. It connects, and connects again after a failure, when it is used.
    fn channel(&self, url: &Url) -> Result<Channel, Status> {
        let mut open = self.open.lock();
        if let Some(channel) = open.get(url) {
            return Ok(channel.clone());
        }
        let endpoint = Endpoint::from_shared(url.to_string())
            .map_err(|error| Status::invalid_argument(format!("{url} is no address of a worker: {error}")))?
            .executor(OnRuntime(self.runtime.clone()))
            .http2_keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let channel = endpoint.connect_with_connector_lazy(self.connector.clone());
        open.insert(url.clone(), channel.clone());
        Ok(channel)
    }

    /// Closes the connections to peers that are not known any more, once their calls have ended.
    pub(crate) fn retain(&self, is_known: impl Fn(&Url) -> bool) {
        self.open.lock().retain(|url, _| is_known(url));
    }

    fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(value) = &self.authorization {
            request.metadata_mut().as_mut().insert(AUTHORIZATION, value.clone());
        }
        request
    }

    /// What a peer says of itself.
    pub(crate) async fn status(&self, url: &Url) -> Result<PeerStatus, Status> {
        let mut client = Grpc::new(self.channel(url)?);
        ready(&mut client).await?;
        let answer = client.unary(self.request(StatusRequest {}), path(STATUS), codec()).await?;
        Ok(answer.into_inner())
    }

    /// Makes a peer take part in a query until the stream is dropped. The first message says that it does.
    pub(crate) async fn join(&self, url: &Url, request: JoinRequest) -> Result<Streaming<Joined>, Status> {
        let mut client = Grpc::new(self.channel(url)?);
        ready(&mut client).await?;
        let answer = client.server_streaming(self.request(request), path(JOIN), codec()).await?;
        Ok(answer.into_inner())
    }
}

/// Spawns the tasks of connections.
#[derive(Clone)]
struct OnRuntime(Handle);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for OnRuntime {
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

async fn ready(client: &mut Grpc<Channel>) -> Result<(), Status> {
    client.ready().await.map_err(|error| Status::from_error(error.into()))
}

fn path(path: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(path)
}

fn codec<Sent: Message + Send + 'static, Received: Message + Default + Send + 'static>()
-> ProstCodec<Sent, Received> {
    ProstCodec::default()
}

/// Whether a call failed on its connection, and not by the answer of its peer: an answer has no cause on this side.
pub(crate) fn is_of_connection(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}
