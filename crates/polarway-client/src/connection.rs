//! Connections to the workers, and the choice of the worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::Stream;
use http::header::AUTHORIZATION;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Uri};
use polarway_proto::Rpc;
use polarway_proto::client::PolarwayServiceClient;
use polarway_proto::transport::{End, MESSAGE_BYTES, Received, received_status, send};
use rustls::ClientConfig;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic_health::pb::health_client::HealthClient;

use crate::channel::{Channel, Connector, tcp};
use crate::error::{Error, ErrorKind, Result};
use crate::secure::{LastFailure, SecureConnector};

/// Room for the headers that requests have.
const HEADERS: usize = 8;

/// The workers that a client knows. All of them serve the same tables; one is asked until it fails.
pub(crate) struct Workers {
    workers: Vec<Worker>,
    current: AtomicUsize,
    token: Option<HeaderValue>,
}

/// A worker that was chosen for a call.
#[derive(Clone)]
pub(crate) struct Worker {
    index: usize,
    channel: Channel,
    /// Why its connection was not secure.
    last_failure: LastFailure,
}

impl Workers {
    /// Workers at these addresses. Those with `https://` need a TLS configuration.
    ///
    /// # Errors
    /// A host whose name can't be in a certificate.
    pub(crate) fn new(
        uris: &[Uri],
        tls: Option<&Arc<ClientConfig>>,
        token: Option<HeaderValue>,
    ) -> Result<Self> {
        let workers = uris.iter().enumerate().map(|(index, uri)| Worker::new(index, uri, tls));
        let workers = workers.collect::<Result<Vec<_>>>()?;
        // Many clients with one list of workers should not all begin with the first.
        let current = AtomicUsize::new(fastrand::usize(..workers.len().max(1)));
        Ok(Self { workers, current, token })
    }

    /// How many workers there are.
    pub(crate) fn count(&self) -> usize {
        self.workers.len()
    }

    /// Every worker.
    pub(crate) fn all(&self) -> impl Iterator<Item = Worker> {
        self.workers.iter().cloned()
    }

    /// The worker to ask now.
    pub(crate) fn pick(&self) -> Worker {
        self.workers[self.current.load(Ordering::Relaxed) % self.workers.len()].clone()
    }

    /// A worker failed: from now on the next one is asked, unless another call has changed the worker already.
    pub(crate) fn pass_over(&self, worker: &Worker) {
        let next = (worker.index + 1) % self.workers.len();
        let _ = self.current.compare_exchange(worker.index, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The headers of every request.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(HEADERS);
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        headers
    }
}

impl Worker {
    fn new(index: usize, uri: &Uri, tls: Option<&Arc<ClientConfig>>) -> Result<Self> {
        let last_failure = LastFailure::default();
        let connector = match tls.filter(|_| uri.scheme() == Some(&Scheme::HTTPS)) {
            None => Connector::Plain(tcp()),
            Some(tls) => {
                let host = uri.host().unwrap_or_default();
                let connector = SecureConnector::new(Arc::clone(tls), host, last_failure.clone());
                Connector::Secure(connector.ok_or_else(|| {
                    let message = format!("no certificate can be for {host:?}: give the server's name");
                    Error::new(ErrorKind::Configuration, message)
                })?)
            }
        };
        let channel = Channel::new(uri.clone(), connector);
        Ok(Self { index, channel, last_failure })
    }

    /// The error of a call to this worker.
    pub(crate) fn failure(&self, status: Status) -> Error {
        Error::from_status(status, self.last_failure.get())
    }

    /// Polarway's service on this worker.
    pub(crate) fn service(&self) -> PolarwayServiceClient<Channel> {
        PolarwayServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES)
    }

    /// Calls a method that moves tables, and returns the messages of its answer.
    pub(crate) async fn bulk<R: Rpc>(
        &self,
        headers: HeaderMap,
        messages: impl Stream<Item = Result<R::Request, Status>> + Send + Unpin + 'static,
    ) -> Result<Received<R::Response>, Status> {
        let mut request = http::Request::new(send(messages, End::Nothing));
        *request.method_mut() = http::Method::POST;
        *request.version_mut() = http::Version::HTTP_2;
        *request.uri_mut() = Uri::from_static(R::METHOD.path());
        *request.headers_mut() = headers;
        for (name, value) in
            [(http::header::TE, "trailers"), (http::header::CONTENT_TYPE, "application/grpc")]
        {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let mut channel = self.channel.clone();
        let response = channel.call(request).await.map_err(Status::from_error)?;
        match received_status(&response) {
            Some(status) => Err(status),
            None => Ok(Received::new(Body::new(response.into_body()), End::Status)),
        }
    }

    /// The health service on this worker.
    pub(crate) fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel.clone())
    }
}
