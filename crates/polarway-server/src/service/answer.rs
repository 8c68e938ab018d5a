//! The two forms of an answer, one message or many: from HTTP bodies to a method's messages and back.

use std::pin::Pin;

use futures::{Stream, StreamExt as _, stream};
use http::{HeaderValue, Response, header};
use polarway_proto::transport::{End, Framed, Received, send};
use polarway_proto::v1::Failure;
use polarway_proto::{Reason, Rpc, WithHeartbeats};
use tonic::Status;
use tonic::body::Body;

use crate::reasons::refusal;

/// The messages of a streaming answer.
pub(super) type Responses<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

/// The responses, with a heartbeat for each second without a response.
pub(super) fn beating<M: Framed>(
    responses: impl Stream<Item = Result<M, Status>> + Send + 'static,
) -> Responses<M> {
    Box::pin(WithHeartbeats::new(Box::pin(responses), || Ok(M::default())))
}

/// Calls a method with one request message and one response message.
pub(super) async fn unary<R: Rpc>(
    body: Body,
    method: impl AsyncFnOnce(R::Request) -> Result<R::Response, Failure>,
) -> Response<Body> {
    match message(body).await {
        Ok(request) => one(method(request).await),
        Err(failure) => failed(failure),
    }
}

/// Calls a method with one request message and many response messages.
pub(super) async fn streaming<R: Rpc>(
    body: Body,
    method: impl AsyncFnOnce(R::Request) -> Result<Responses<R::Response>, Status>,
) -> Response<Body> {
    let request = match message(body).await {
        Ok(request) => request,
        Err(failure) => return failed(failure),
    };
    match method(request).await {
        Ok(responses) => many(responses),
        Err(status) => status.into_http(),
    }
}

/// The answer of a method with one response message.
pub(super) fn one<M: Framed>(answer: Result<M, Failure>) -> Response<Body> {
    match answer {
        Ok(response) => many(stream::iter([Ok(response)])),
        Err(failure) => failed(failure),
    }
}

/// Reads the one message of a request.
async fn message<Q: Framed>(body: Body) -> Result<Q, Failure> {
    match Received::new(body, End::Nothing).next().await {
        Some(message) => message.map_err(|status| refusal(&status)),
        None => Err(Reason::MalformedMessage.failure("the request has no message")),
    }
}

fn many<M: Framed>(
    messages: impl Stream<Item = Result<M, Status>> + Send + Unpin + 'static,
) -> Response<Body> {
    let mut response = Response::new(send(messages, End::Status));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

fn failed(failure: Failure) -> Response<Body> {
    Status::from(failure).into_http()
}
