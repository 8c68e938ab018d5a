//! What applies to every call of every service, ours or not, before and after its method runs.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, Either, ready};
use http::{HeaderMap, HeaderValue, Request, Response};
use polarway_proto::Reason;
use polarway_proto::transport::{ACCEPTED_ENCODINGS_HEADER, ENCODING, ENCODING_HEADER};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::Instrument as _;

use crate::call_id::{CallId, ID_HEADER, call_id};
use crate::drain::Drain;
use crate::ending::{answer_within, read_within};
use crate::limits::Peer;
use crate::metrics::{Metrics, OpenCall};
use crate::patience::{is_foreign_stream, whole_within};
use crate::reasons::with_reason;
use crate::traces::Traces;

/// Wraps services in [`Edge`].
#[derive(Clone)]
pub(crate) struct EdgeLayer {
    /// How long a request may take to arrive.
    pub(crate) patience: Duration,
    /// Ends calls when the server shuts down.
    pub(crate) drain: Drain,
    /// Where calls are counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Where calls are recorded, if they are.
    pub(crate) traces: Option<Traces>,
}

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, services: S) -> Edge<S> {
        Edge { services, layer: self.clone() }
    }
}

/// Gives each call its id, counts and records it, refuses those with an unsupported encoding, limits how long requests take to
/// arrive, ends those that outlast the server, and gives each failure a reason.
#[derive(Clone)]
pub(crate) struct Edge<S> {
    services: S,
    layer: EdgeLayer,
}

impl<S> Service<Request<Body>> for Edge<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.services.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let id = call_id(request.headers());
        request.extensions_mut().insert(CallId(id.clone()));
        let mut call = OpenCall::begin(&self.layer.metrics, request.uri().path(), &id);
        if let Some(Peer { tcp, calls }) = request.extensions_mut().remove() {
            request.extensions_mut().insert(tcp);
            call.count_for(calls.begin());
        }
        if let Some(traces) = &self.layer.traces
            && let Some(trace) = traces.begin(call.method(), request.headers())
        {
            request.extensions_mut().insert(trace.parent());
            call.record_in(trace, &id);
        }
        let answer = match refuse_encoding(request.headers()) {
            Some(refused) => Either::Left(ready(Ok(refused))),
            None => {
                let cut_off = self.layer.drain.of_call(request.uri().path());
                let request = match is_foreign_stream(request.uri().path()) {
                    true => read_within(cut_off.clone(), request),
                    false => whole_within(request, self.layer.patience),
                };
                let answer = call.span.in_scope(|| self.services.call(request));
                Either::Right(answer_within(cut_off, answer))
            }
        };
        let span = call.span.clone();
        let answer = async move {
            let mut response = with_reason(answer.await?);
            response.headers_mut().insert(ID_HEADER, id);
            Ok(call.until_end_of(response))
        };
        Box::pin(answer.instrument(span))
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
    response.headers_mut().insert(ACCEPTED_ENCODINGS_HEADER, HeaderValue::from_static(ENCODING));
    Some(response)
}
