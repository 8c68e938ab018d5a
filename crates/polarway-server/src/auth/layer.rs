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
use super::{Authenticator, Reflection, Requester};
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
        let session = match self.is_open(request.uri().path()) {
            true => Ok(None),
            false => self.authenticator.session(request.headers()),
        };
        let anonymous = &self.authenticator.anonymous;
        let from = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        let caller = match &session {
            Ok(Some(session)) => Arc::clone(&session.name),
            Ok(None) | Err(_) => anonymous.shared_name(),
        };
        let id = request.extensions().get().map(|CallId(id)| id.clone());
        let origin = Origin { caller, from, id };
        let requester = match &session {
            Ok(Some(session)) => Requester::with_token(session, origin),
            Ok(None) => Requester::anonymous(anonymous.clone(), origin),
            Err(failure) => {
                origin.turned_away(request.uri().path(), failure);
                return session;
            }
        };
        request.extensions_mut().insert(requester);
        session
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
