//! Who may call, and which call is which.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{Request, Response};
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use tracing::Instrument as _;
use uuid::Uuid;

use super::stoppable::Stoppable;
use super::{RunningQuery, Shared, Worker, answering};
use crate::wire::{self, JoinRequest, Joined, PeerStatus, QUERY_HEADER, StatusRequest, TASK_METHODS};

impl Worker {
    /// Answers a call.
    pub(super) async fn answer(self, request: Request<Body>) -> Response<Body> {
        let shared = self.0;
        let is_known =
            shared.token.as_ref().is_none_or(|token| token.is_in(request.headers().get(AUTHORIZATION)));
        if !is_known {
            return Status::unauthenticated(
                "workers show each other a token, and this one is missing or wrong",
            )
            .into_http();
        }
        match request.uri().path() {
            wire::STATUS => status(shared, request).await,
            wire::JOIN => join(shared, request).await,
            path if TASK_METHODS.contains(&path) => task(&shared, request).await,
            path => Status::unimplemented(format!("a worker has no method {path}")).into_http(),
        }
    }
}

async fn status(shared: Arc<Shared>, request: Request<Body>) -> Response<Body> {
    let answer = tower::service_fn(move |_: tonic::Request<StatusRequest>| {
        let runtime = &shared.runtime;
        let status = PeerStatus {
            version: shared.identity.version.clone(),
            storage: shared.identity.storage.clone(),
            instance: shared.instance.as_bytes().to_vec(),
            is_draining: shared.is_draining(),
            queries: runtime.census().queries() as u64,
            memory_bytes: runtime.memory.used() as u64,
        };
        std::future::ready(Ok(tonic::Response::new(status)))
    });
    Grpc::new(ProstCodec::<PeerStatus, StatusRequest>::default()).unary(answer, request).await
}

async fn join(shared: Arc<Shared>, request: Request<Body>) -> Response<Body> {
    let message_bytes = shared.limits.message_bytes;
    let answer = tower::service_fn(move |request: tonic::Request<JoinRequest>| {
        std::future::ready(shared.join(request.into_inner()).map(tonic::Response::new))
    });
    Grpc::new(ProstCodec::<Joined, JoinRequest>::default())
        .max_decoding_message_size(message_bytes)
        .server_streaming(answer, request)
        .await
}

/// A call that carries a plan or rows: it ends when its query does.
async fn task(shared: &Shared, request: Request<Body>) -> Response<Body> {
    let Some(query) = named_query(shared, &request) else {
        return Status::new(
            Code::FailedPrecondition,
            "this worker does not take part in the query, or no longer",
        )
        .into_http();
    };
    let request = request.map(|body| Stoppable::request(body, &query));
    let answer = answering::answer(shared, &query, request).instrument(query.span().clone());
    tokio::select! {
        biased;
        () = query.stopped().cancelled() => query.ended().into_http(),
        answer = answer => match answer {
            Ok(answer) => answer.map(|body| Stoppable::answer(body, &query)),
            Err(status) => status.into_http(),
        },
    }
}

fn named_query(shared: &Shared, request: &Request<Body>) -> Option<Arc<RunningQuery>> {
    let header = request.headers().get(QUERY_HEADER)?;
    shared.query(&Uuid::parse_str(header.to_str().ok()?).ok()?)
}
