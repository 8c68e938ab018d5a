//! The connection to one worker. It is made when a call needs it, and again after it broke.
//!
//! tonic's own channel passes each call through a task of its own and some more layers, whose settings are not used here. For a
//! small call that is a tenth of the client's work.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::header::USER_AGENT;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use parking_lot::Mutex;
use polarway_proto::transport::{CLIENT_STREAM_WINDOW_BYTES, CONNECTION_WINDOW_BYTES, FRAME_BYTES};
use tonic::body::Body;
use tonic::codegen::Service;

use crate::secure::SecureConnector;

/// The longest time to connect.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// A connection in use that is silent for this long gets a ping, and has the same time to answer it.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// What the server's logs and proxies see.
const PROGRAM: HeaderValue = HeaderValue::from_static(concat!("polarway-rust/", env!("CARGO_PKG_VERSION")));

/// Why a call could not be made.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// The calls to one worker, over one connection. Clones share it.
#[derive(Clone)]
pub(crate) struct Channel(Arc<Shared>);

struct Shared {
    /// The worker's address: where connections go to, and what requests call it.
    origin: Uri,
    connector: Connector,
    /// The newest connection. It may be broken.
    connection: Mutex<Option<SendRequest<Body>>>,
    /// Held while a connection is made, so that calls that begin meanwhile use the same one.
    connecting: tokio::sync::Mutex<()>,
}

/// Makes connections.
pub(crate) enum Connector {
    Plain(HttpConnector),
    Secure(SecureConnector),
}

/// Makes connections of TCP to addresses that begin with `http://`.
pub(crate) fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp
}

impl Channel {
    /// Calls to the worker at this address.
    pub(crate) fn new(origin: Uri, connector: Connector) -> Self {
        let (connection, connecting) = (Mutex::default(), tokio::sync::Mutex::default());
        Self(Arc::new(Shared { origin, connector, connection, connecting }))
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Incoming>, BoxError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { shared.call(request).await })
    }
}

impl Shared {
    async fn call(&self, mut request: Request<Body>) -> Result<Response<Incoming>, BoxError> {
        let path = request.uri().path_and_query().cloned();
        let mut parts = self.origin.clone().into_parts();
        parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        *request.uri_mut() = Uri::from_parts(parts)?;
        request.headers_mut().insert(USER_AGENT, PROGRAM);
        let mut connection = match self.open() {
            Some(connection) => connection,
            // Boxed, since it is large and rare: every call would have room for it, and be moved with it.
            None => Box::pin(self.connect()).await?,
        };
        Ok(connection.send_request(request).await?)
    }

    /// The connection, if there is one that is not known to be broken.
    fn open(&self) -> Option<SendRequest<Body>> {
        self.connection.lock().as_ref().filter(|connection| !connection.is_closed()).cloned()
    }

    async fn connect(&self) -> Result<SendRequest<Body>, BoxError> {
        let _connecting = self.connecting.lock().await;
        if let Some(connection) = self.open() {
            return Ok(connection);
        }
        let made = async {
            match &self.connector {
                Connector::Plain(tcp) => handshake(tcp.clone().call(self.origin.clone()).await?).await,
                Connector::Secure(tls) => handshake(tls.connect(self.origin.clone()).await?).await,
            }
        };
        let made = tokio::time::timeout(CONNECT, made).await;
        let connection = made.map_err(|_| {
            io::Error::new(io::ErrorKind::TimedOut, format!("no connection in {CONNECT:?}"))
        })??;
        *self.connection.lock() = Some(connection.clone());
        Ok(connection)
    }
}

/// Begins HTTP/2. The connection has a task of its own, which ends when nobody can send on it any more.
async fn handshake<S>(stream: S) -> Result<SendRequest<Body>, BoxError>
where
    S: Read + Write + Unpin + Send + 'static,
{
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(CLIENT_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .handshake(stream)
        .await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection broke");
        }
    });
    Ok(sender)
}
