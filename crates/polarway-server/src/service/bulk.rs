//! The methods that move tables, served without tonic's copies; the others are tonic's to serve.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::{Stream, StreamExt as _, stream};
use http::{HeaderValue, Request, Response, header};
use polarway_proto::Reason;
use polarway_proto::bulk::{Bulk, End, MESSAGE_BYTES, PLAIN_BYTES, QUERY_BYTES, Received, send};
use polarway_proto::server::{PolarwayService, PolarwayServiceServer, SERVICE_NAME};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service as TowerService;
use tonic::metadata::MetadataMap;
use tonic::server::NamedService;

use super::arrivals::Arrivals;
use super::{Service, store};
use crate::reasons::refusal;

/// The service, with its own way to take what `Store` brings, and to send what `Load` and `Query` answer.
#[derive(Clone)]
pub(crate) struct BulkService {
    service: Arc<Service>,
    /// For the one of the others that brings a query.
    handles: PolarwayServiceServer<Service>,
    others: PolarwayServiceServer<Service>,
}

impl BulkService {
    pub(crate) fn new(service: Service) -> Self {
        let service = Arc::new(service);
        let taking = |most_bytes| {
            PolarwayServiceServer::from_arc(Arc::clone(&service))
                .max_decoding_message_size(most_bytes)
                .max_encoding_message_size(MESSAGE_BYTES)
        };
        let (handles, others) = (taking(QUERY_BYTES), taking(PLAIN_BYTES));
        Self { service, handles, others }
    }
}

impl NamedService for BulkService {
    const NAME: &'static str = SERVICE_NAME;
}

impl TowerService<Request<Body>> for BulkService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = Arc::clone(&self.service);
        match request.uri().path() {
            "/polarway.v1.PolarwayService/Store" => Box::pin(async move {
                let memory = service.engine.memory();
                let arrivals = Arrivals::none(memory);
                let requests = Received::new(arrivals.count(request.into_body(), memory), End::Nothing);
                let stored = store::store(&service.engine, requests, arrivals, service.upload_silence);
                Ok(match stored.await {
                    Ok(response) => stream_response(stream::iter([Ok(response)])),
                    Err(failure) => Status::from(failure).into_http(),
                })
            }),
            "/polarway.v1.PolarwayService/Load" => {
                Box::pin(
                    async move { Ok(answer(request, async |request| service.load(request).await).await) },
                )
            }
            "/polarway.v1.PolarwayService/Query" => {
                Box::pin(
                    async move { Ok(answer(request, async |request| service.query(request).await).await) },
                )
            }
            "/polarway.v1.PolarwayService/CreateHandle" => TowerService::call(&mut self.handles, request),
            _ => TowerService::call(&mut self.others, request),
        }
    }
}

/// Reads the one message of a request, calls the method, and sends the stream that it answers with.
async fn answer<Q: Bulk + 'static, M, S>(
    request: Request<Body>,
    call: impl AsyncFnOnce(tonic::Request<Q>) -> Result<tonic::Response<S>, Status>,
) -> Response<Body>
where
    M: Bulk + 'static,
    S: Stream<Item = Result<M, Status>> + Send + Unpin + 'static,
{
    let (parts, body) = request.into_parts();
    let message = match Received::<Q>::new(body, End::Nothing).next().await {
        Some(Ok(message)) => message,
        Some(Err(status)) => return Status::from(refusal(&status)).into_http(),
        None => {
            return Status::from(Reason::MalformedMessage.failure("the request has no message")).into_http();
        }
    };
    let metadata = MetadataMap::from_headers(parts.headers);
    match call(tonic::Request::from_parts(metadata, parts.extensions, message)).await {
        Ok(response) => stream_response(response.into_inner()),
        Err(status) => status.into_http(),
    }
}

fn stream_response<M, S>(messages: S) -> Response<Body>
where
    M: Bulk + 'static,
    S: Stream<Item = Result<M, Status>> + Send + Unpin + 'static,
{
    let mut response = Response::new(send(messages, End::Status));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}
