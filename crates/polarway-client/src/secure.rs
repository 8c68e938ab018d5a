//! Connects with TLS, and remembers why that failed.
//!
//! HTTP/2 turns the errors of a connection into text, and a server that refuses this client's certificate says so only after the
//! handshake (TLS 1.3), when HTTP/2 has begun.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use polarway_tls::{ALPN, Ahead, ReadAhead, ReadThrough, Reader, Sides, explain, tls_error};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig, InvalidMessage};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codegen::Service;

use crate::channel::{BoxError, tcp};

/// The names of the two ends in messages.
const SIDES: Sides = Sides { ours: "this client", theirs: "the server" };

/// The reason why the last connection to a worker was not secure, as text. A new connection clears it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastFailure(Arc<Mutex<Option<String>>>);

impl LastFailure {
    /// The reason, if there is one.
    pub(crate) fn get(&self) -> Option<String> {
        self.0.lock().clone()
    }

    fn forget(&self) {
        *self.0.lock() = None;
    }

    /// Remembers an error, if it is one of TLS.
    fn remember(&self, error: &io::Error) {
        if let Some(error) = tls_error(error) {
            *self.0.lock() = Some(with_advice(error));
        }
    }
}

/// Why TLS failed, and what to do about it.
fn with_advice(error: &rustls::Error) -> String {
    let advice = match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            ". If it is a CA of your own, name its file with `tls_ca` (--tls-ca)"
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            ". Give one with `tls_identity` (--tls-cert and --tls-key)"
        }
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => ": use http://",
        _ => "",
    };
    format!("{}{advice}", explain(error, SIDES))
}

/// Makes connections to one worker.
pub(crate) struct SecureConnector {
    tcp: HttpConnector,
    tls: TlsConnector,
    name: ServerName<'static>,
    last_failure: LastFailure,
}

impl SecureConnector {
    /// For a worker of this name. `None` if the name can't be in a certificate.
    pub(crate) fn new(config: Arc<ClientConfig>, host: &str, last_failure: LastFailure) -> Option<Self> {
        // In a URL, an IPv6 address is in brackets.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).ok()?;
        let mut tcp = tcp();
        tcp.enforce_http(false); // TLS comes on top
        Some(Self { tcp, tls: TlsConnector::from(config), name, last_failure })
    }

    /// Connects.
    ///
    /// # Errors
    /// If there is no connection, or it is not secure.
    pub(crate) async fn connect(&self, address: Uri) -> Result<TokioIo<SecureStream>, BoxError> {
        let Self { tcp, tls, name, last_failure } = self;
        let connecting = tcp.clone().call(address);
        last_failure.forget();
        let stream = connecting.await?.into_inner();
        let connected = tls.connect(name.clone(), ReadAhead::new(stream, Ahead::default())).await;
        let stream = connected.inspect_err(|error| last_failure.remember(error))?;
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            let error = io::Error::other(rustls::Error::NoApplicationProtocol);
            last_failure.remember(&error);
            return Err(error.into());
        }
        Ok(TokioIo::new(SecureStream::new(stream, last_failure.clone())))
    }
}

/// A connection that remembers why it failed.
type SecureStream = ReadThrough<TlsStream<ReadAhead<TcpStream>>, LastFailure>;

impl<S: AsyncRead + Unpin> Reader<S> for LastFailure {
    fn poll_read(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(stream).poll_read(context, buffer);
        if let Poll::Ready(Err(error)) = &read {
            self.remember(error);
        }
        read
    }
}
