//! The address on which other workers call.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use futures::stream::{BoxStream, StreamExt as _, unfold};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Connected;

use super::Worker;
use crate::channels::{CONNECTION_WINDOW, PING_INTERVAL, PING_TIMEOUT, PeerTls, STREAM_WINDOW};
use crate::error::Error;

/// How long a caller may take to agree on TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Handshakes at once; more callers wait.
const HANDSHAKES: usize = 64;

impl Worker {
    /// Serves other workers until `stop` is ready, and then until the calls that run have ended.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        tls: Option<Arc<dyn PeerTls>>,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), Error> {
        let router = axum::Router::new().fallback(move |request: Request| {
            let worker = self.clone();
            worker.answer(request.map(Body::new))
        });
        Server::builder()
            .http2_keepalive_interval(Some(PING_INTERVAL))
            .http2_keepalive_timeout(Some(PING_TIMEOUT))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .add_routes(Routes::from(router))
            .serve_with_incoming_shutdown(accepted(listener, tls), stop)
            .await
            .map_err(|error| Error::Internal(format!("the workers' address can't be served: {error}")))
    }
}

/// A connection of a caller, encrypted or not.
enum Incoming {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

/// The connections that come. One that can't be made is dropped, and the others go on.
fn accepted(
    listener: TcpListener,
    tls: Option<Arc<dyn PeerTls>>,
) -> BoxStream<'static, io::Result<Incoming>> {
    let streams = unfold(listener, |listener| async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, listener)),
                // The caller has gone, or the process has no file left: neither ends the service.
                Err(error) => {
                    tracing::debug!(%error, "a worker's connection can't be accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    });
    let connected = streams.map(move |stream| {
        let acceptor = tls.as_ref().map(|tls| TlsAcceptor::from(tls.server()));
        async move {
            stream.set_nodelay(true).ok()?;
            let Some(acceptor) = acceptor else { return Some(Ok(Incoming::Plain(stream))) };
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => Some(Ok(Incoming::Encrypted(Box::new(stream)))),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a caller on the workers' address did not agree on TLS");
                    None
                }
                Err(_) => None,
            }
        }
    });
    connected.buffer_unordered(HANDSHAKES).filter_map(std::future::ready).boxed()
}

impl Connected for Incoming {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Incoming {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Self::Encrypted(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Incoming {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Encrypted(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Encrypted(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Encrypted(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
