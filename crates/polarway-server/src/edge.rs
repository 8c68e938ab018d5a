//! What applies to every call of every service, ours or not, before and after its method runs.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{Either, MapOk, Ready, TryFutureExt as _, ready};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use polarway_proto::Reason;
use polarway_proto::transport::{ACCEPTED_ENCODINGS_HEADER, ENCODING, ENCODING_HEADER};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::patience::whole_within;
use crate::reasons::with_reason;

/// Wraps services in [`Edge`].
#[derive(Clone, Copy)]
pub(crate) struct EdgeLayer {
    /// How long a request may take to arrive.
    pub(crate) patience: Duration,
}

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, services: S) -> Edge<S> {
        Edge { services, patience: self.patience }
    }
}

/// Refuses requests with an unsupported encoding, limits how long they take to arrive, and gives each failure a reason.
#[derive(Clone)]
pub(crate) struct Edge<S> {
    services: S,
    patience: Duration,
}

type GiveReason = fn(Response<Body>) -> Response<Body>;

impl<S> Service<Request<Body>> for Edge<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response<Body>, Infallible>>, MapOk<S::Future, GiveReason>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.services.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if let Some(refused) = refuse_encoding(request.headers()) {
            return Either::Left(ready(Ok(refused)));
        }
        let request = whole_within(request, self.patience);
        Either::Right(self.services.call(request).map_ok(with_reason as GiveReason))
    }
}

/// The answer to a peer that compresses its messages, as gRPC ("Compression") requires: it lists the supported encodings.
fn refuse_encoding(headers: &HeaderMap) -> Option<Response<Body>> {
    let encoding = headers.get(ENCODING_HEADER).filter(|encoding| *encoding != ENCODING)?;
    let message = format!(
        "the call's messages are compressed with {:?}, and this server takes them as they are: turn gRPC's compression off",
        String::from_utf8_lossy(encoding.as_bytes())
    );
    let mut response = Status::from(Reason::UnsupportedEncoding.failure(message)).into_http();
    let accepted = HeaderName::from_static(ACCEPTED_ENCODINGS_HEADER);
    response.headers_mut().insert(accepted, HeaderValue::from_static(ENCODING));
    Some(response)
}
