//! What applies to every call of every service, ours or not, before and after its method runs.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use polarway_proto::transport::{
    ACCEPTED_ENCODINGS_HEADER, ENCODING, ENCODING_HEADER, TIMEOUT_HEADER, decode_timeout,
};
use polarway_proto::v1::Failure;
use polarway_proto::{Method, Reason};
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::service::Routes;

use crate::auth::{Gate, NoSession, Requester, Session};
use crate::body::filtered;
use crate::call_id::{ID_HEADER, call_id};
use crate::drain::Drain;
use crate::ending::{RequestEnd, Watch, too_late};
use crate::limits::Peer;
use crate::metrics::{Beginning, Metrics, OpenCall};
use crate::patience::{TimeLimit, is_foreign_stream};
use crate::reasons::with_reason;
use crate::service::Service;
use crate::traces::Traces;

/// What calls meet at the edge, and the services behind it.
///
/// It gives each call its id, counts and records it, finds out who makes it, refuses those with an unsupported encoding, limits how
/// long requests take to arrive, ends those that outlast the server or their token, and gives each failure a reason.
pub(crate) struct Edge {
    /// Our methods.
    pub(crate) service: Service,
    /// Health and reflection.
    pub(crate) others: Routes,
    /// Finds out who makes a call.
    pub(crate) gate: Gate,
    /// How long a request may take to arrive.
    pub(crate) patience: Duration,
    /// Ends calls when the server shuts down.
    pub(crate) drain: Drain,
    /// Where calls are counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Where calls are recorded, if they are.
    pub(crate) traces: Option<Traces>,
}

/// The edge, as the calls of one connection meet it.
pub(crate) struct EdgeOfConnection {
    edge: Arc<Edge>,
    peer: Peer,
}

impl hyper::service::Service<Request<Incoming>> for EdgeOfConnection {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let edge = Arc::clone(&self.edge);
        // It is counted before anything else can happen to it.
        let arrival = edge.begin(request, &self.peer);
        Box::pin(async move { Ok(edge.answer(arrival).await) })
    }
}

/// A call that has begun, and its request.
struct Arrival {
    call: OpenCall,
    id: HeaderValue,
    /// Its method, if it is one of ours.
    method: Option<Method>,
    /// The address of its client.
    from: SocketAddr,
    session: Result<Option<Arc<Session>>, NoSession>,
    head: Parts,
    body: Body,
}

impl Edge {
    /// The edge for the calls of one connection.
    pub(crate) fn of_connection(self: Arc<Self>, peer: Peer) -> EdgeOfConnection {
        EdgeOfConnection { edge: self, peer }
    }

    fn begin(&self, request: Request<Incoming>, peer: &Peer) -> Arrival {
        let (head, body) = request.into_parts();
        let (path, headers) = (head.uri.path(), &head.headers);
        let (id, method) = (call_id(headers), Method::of_path(path));
        let session = self.gate.session(path, headers);
        let caller = session.as_ref().ok().and_then(Option::as_deref).map(Session::name);
        let beginning = Beginning { method, path, headers, id: &id, caller, connection: peer.calls.begin() };
        let call = OpenCall::begin(&self.metrics, self.traces.as_ref(), beginning);
        Arrival { call, id, method, from: peer.address, session, head, body: Body::new(body) }
    }

    async fn answer(&self, arrival: Arrival) -> Response<Body> {
        let Arrival { call, id, method, from, session, head, body } = arrival;
        let mut watch = Watch::new(match method {
            Some(_) => self.drain.of_ours(),
            None => self.drain.of_others(),
        });
        let answered = async {
            if let Some(refused) = refuse_encoding(&head.headers) {
                return Ok(refused);
            }
            let session = match session {
                Ok(session) => Ok(session),
                Err(NoSession::Refused(failure)) => Err(failure),
                Err(NoSession::Later) => {
                    let later = pin!(self.gate.authenticator.session_later(&head.headers));
                    let session = watch.during(&call.span, later).await?;
                    if let Ok(Some(session)) = &session {
                        call.found_caller(session.name());
                    }
                    session
                }
            };
            if let Ok(Some(session)) = &session {
                watch.end_with(session);
            }
            let timeout = head.headers.get(TIMEOUT_HEADER).and_then(decode_timeout);
            let deadline = timeout.and_then(|timeout| call.began.checked_add(timeout));
            if let Some(deadline) = deadline.filter(|_| method.is_some()) {
                watch.end_after(deadline);
            }
            let work = pin!(async {
                let authenticator = &self.gate.authenticator;
                let requester =
                    authenticator.introduce(session, Some(from), Some(id.clone()), head.uri.path())?;
                match method {
                    Some(method) => self.call_ours(method, &call, requester, deadline, body).await,
                    None => Ok(self.call_others(&call, Request::from_parts(head, body)).await),
                }
            });
            watch.during(&call.span, work).await?
        };
        let answered: Result<_, Failure> = answered.await;
        let mut response = answered.unwrap_or_else(|failure| Status::from(failure).into_http());
        response.headers_mut().insert(ID_HEADER, id);
        call.until_end_of(response, watch)
    }

    async fn call_ours(
        &self,
        method: Method,
        call: &OpenCall,
        requester: Requester,
        deadline: Option<Instant>,
        body: Body,
    ) -> Result<Response<Body>, Failure> {
        let body = match method.is_upload() {
            true => body,
            false => filtered(body, TimeLimit::new(call.began, self.patience)),
        };
        let call = self.service.begin(requester, deadline, call.trace())?;
        let answer = pin!(self.service.answer(method, call, body));
        match deadline {
            Some(deadline) => timeout_at(deadline, answer).await.map_err(|_| too_late()),
            None => Ok(answer.await),
        }
    }

    async fn call_others(&self, call: &OpenCall, request: Request<Body>) -> Response<Body> {
        let is_stream = is_foreign_stream(request.uri().path());
        let request = request.map(|body| match is_stream {
            true => filtered(body, RequestEnd(Watch::new(self.drain.of_others()))),
            false => filtered(body, TimeLimit::new(call.began, self.patience)),
        });
        let Ok(response) = self.others.clone().call(request).await;
        with_reason(response)
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
