//! TLS clients and servers that are not ours.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::tls_certificates::{Authority, Pair};

/// Both versions of TLS.
pub(crate) const ALL: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

fn ring() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}

fn key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// What a client of this CA speaks.
pub(crate) fn client_config(
    versions: &[&'static SupportedProtocolVersion],
    ca: &Authority,
    identity: Option<&Pair>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(ca.pem()));
    let builder = ClientConfig::builder_with_provider(ring()).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(pair) => builder.with_client_auth_cert(certificates(&pair.certificate), key(&pair.key)).unwrap(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Does a handshake.
pub(crate) async fn handshake(address: &str, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// The certificate that a server shows.
pub(crate) async fn shown_certificate(address: &str, ca: &Authority) -> Option<Vec<u8>> {
    let stream = handshake(address, client_config(ALL, ca, None)).await.ok()?;
    Some(stream.get_ref().1.peer_certificates()?.first()?.to_vec())
}

/// The certificate of a pair as bytes.
pub(crate) fn der(pair: &Pair) -> Vec<u8> {
    certificates(&pair.certificate)[0].to_vec()
}

/// An HTTP/2 connection, on which many calls can be made.
pub(crate) struct Calls(SendRequest<Bytes>);

impl Calls {
    pub(crate) async fn over(stream: TlsStream<TcpStream>) -> Self {
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Asks for the server's health, and returns the status of the call.
    pub(crate) async fn check_health(&mut self) -> String {
        let request = http::Request::post("https://localhost/grpc.health.v1.Health/Check")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let mut sender = self.0.clone().ready().await.unwrap();
        let (response, mut body) = sender.send_request(request, false).unwrap();
        body.send_data(Bytes::from_static(&[0; 5]), true).unwrap();
        let mut response = response.await.unwrap().into_body();
        while let Some(data) = response.data().await {
            let _ = response.flow_control().release_capacity(data.unwrap().len());
        }
        let trailers = response.trailers().await.unwrap().unwrap();
        trailers.get("grpc-status").unwrap().to_str().unwrap().to_owned()
    }
}

/// A server that does a handshake with this certificate, and nothing else.
pub(crate) async fn shows(pair: &Pair) -> SocketAddr {
    let builder = rustls::ServerConfig::builder_with_provider(ring()).with_protocol_versions(ALL).unwrap();
    let builder = builder.with_no_client_auth();
    let mut config = builder.with_single_cert(certificates(&pair.certificate), key(&pair.key)).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    accepts(TlsAcceptor::from(Arc::new(config))).await
}

async fn accepts(acceptor: TlsAcceptor) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut accepted = Vec::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            accepted.push(acceptor.accept(stream).await);
        }
    });
    address
}
