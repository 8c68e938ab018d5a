//! How a connection to a peer is made: TCP, and TLS if there are certificates, within a bound of time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower::Service;

use super::{CONNECT_TIMEOUT, PeerTls};

/// A connection, encrypted or not.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<C: AsyncRead + AsyncWrite + Send + Unpin> Connection for C {}

#[derive(Clone, Debug)]
pub(super) struct Connector(Option<Arc<dyn PeerTls>>);

impl Connector {
    pub(super) fn new(tls: Option<Arc<dyn PeerTls>>) -> Self {
        Self(tls)
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Connection>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = self.0.clone();
        Box::pin(async move {
            let connected = tokio::time::timeout(CONNECT_TIMEOUT, connect(tls, &uri)).await;
            connected
                .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "it did not answer in time")))
        })
    }
}

async fn connect(tls: Option<Arc<dyn PeerTls>>, uri: &Uri) -> io::Result<TokioIo<Box<dyn Connection>>> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, format!("{uri} has no host and port"));
    let host = uri.host().ok_or_else(invalid)?.trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await?;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(match tls {
        None => Box::new(stream),
        Some(tls) => {
            let name = tls.name().unwrap_or(host).to_owned();
            let name = ServerName::try_from(name).map_err(|_| invalid())?;
            Box::new(TlsConnector::from(tls.client()).connect(name, stream).await?)
        }
    }))
}
