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
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri};
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
    /// Where connections go to.
    address: Uri,
    connector: Connector,
    /// What the worker is called in requests.
    scheme: Scheme,
    authority: Authority,
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

impl Connector {
    /// Without TLS.
    pub(crate) fn plain() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        Self::Plain(tcp)
    }
}

impl Channel {
    /// Calls to the worker `origin`, whose connections go to `address`. `None` if the origin is not a complete address.
    pub(crate) fn new(origin: &Uri, address: Uri, connector: Connector) -> Option<Self> {
        let (scheme, authority) = (origin.scheme()?.clone(), origin.authority()?.clone());
        let (connection, connecting) = (Mutex::default(), tokio::sync::Mutex::default());
        Some(Self(Arc::new(Shared { address, connector, scheme, authority, connection, connecting })))
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { shared.call(request).await })
    }
}

impl Shared {
    async fn call(&self, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let path = request.uri().path_and_query().cloned();
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        *request.uri_mut() =
            uri.path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/"))).build()?;
        request.headers_mut().insert(USER_AGENT, PROGRAM);
        let mut connection = match self.open() {
            Some(connection) => connection,
            // Boxed, since it is large and rare: every call would have room for it, and be moved with it.
            None => Box::pin(self.connect()).await?,
        };
        Ok(connection.send_request(request).await?.map(Body::new))
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
                Connector::Plain(tcp) => handshake(tcp.clone().call(self.address.clone()).await?).await,
                Connector::Secure(tls) => handshake(tls.connect(self.address.clone()).await?).await,
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
