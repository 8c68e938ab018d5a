//! The layer that asks each request for its token.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, Either, Ready, ready};
use http::{Request, Response};
use polarway_proto::v1::Failure;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tower::{Layer, Service};

use super::audit::Origin;
use super::guard::answer_within;
use super::session::Session;
use super::{Authenticator, Reflection};
use crate::call_id::CallId;

/// The service that everybody may ask: whoever watches a worker has no token.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// The services that describe the others.
const REFLECTION: &str = "/grpc.reflection.";

/// Wraps services in [`Auth`].
#[derive(Clone)]
pub(crate) struct AuthLayer {
    authenticator: Arc<Authenticator>,
    reflection: Reflection,
}

impl AuthLayer {
    pub(crate) fn new(authenticator: Arc<Authenticator>, reflection: Reflection) -> Self {
        Self { authenticator, reflection }
    }

    /// Whether requests of this path need no token. All others do, those of unknown services too.
    fn is_open(&self, path: &str) -> bool {
        path.starts_with(HEALTH) || (self.reflection == Reflection::Public && path.starts_with(REFLECTION))
    }

    /// Finds out who makes a request, and adds it to the request. Returns the session of the token, if it needs one.
    fn admit(&self, request: &mut Request<Body>) -> Result<Option<Arc<Session>>, Failure> {
        let from = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        let id = request.extensions().get().map(|CallId(id)| id.clone());
        let path = request.uri().path();
        let (session, requester) = match self.is_open(path) {
            true => {
                let caller = self.authenticator.anonymous.shared_name();
                (None, self.authenticator.everybody(Origin { caller, from, id }))
            }
            false => self.authenticator.requester(request.headers(), from, id, path)?,
        };
        request.extensions_mut().insert(requester);
        Ok(session)
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, services: S) -> Auth<S> {
        Auth { services, layer: self.clone() }
    }
}

/// Lets a request pass to its service if its caller is known, with a [`Requester`] that tells who it is.
#[derive(Clone)]
pub(crate) struct Auth<S> {
    services: S,
    layer: AuthLayer,
}

type Answered = Result<Response<Body>, Infallible>;

impl<S> Service<Request<Body>> for Auth<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Answered>, Either<S::Future, BoxFuture<'static, Answered>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.services.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match self.layer.admit(&mut request) {
            Ok(session) => {
                let answer = self.services.call(request);
                Either::Right(match session.filter(|session| session.may_end()) {
                    Some(session) => Either::Right(Box::pin(answer_within(session, answer))),
                    None => Either::Left(answer),
                })
            }
            Err(failure) => Either::Left(ready(Ok(Status::from(failure).into_http()))),
        }
    }
}
