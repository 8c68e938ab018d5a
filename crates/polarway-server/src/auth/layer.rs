//! The layer that checks the token of each request.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, Either, ready};
use http::{Request, Response};
use polarway_proto::v1::Failure;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tower::{Layer, Service};

use super::authenticator::NoSession;
use super::session::Session;
use super::{Authenticator, Reflection};
use crate::call_id::CallId;
use crate::ending::answer_within;

/// The service that needs no token: load balancers and probes have none.
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
    /// Checks tokens with this authenticator.
    pub(crate) fn new(authenticator: Arc<Authenticator>, reflection: Reflection) -> Self {
        Self { authenticator, reflection }
    }

    /// Whether requests to this path need no token. All others need one, also those to unknown services.
    fn is_open(&self, path: &str) -> bool {
        path.starts_with(HEALTH) || (self.reflection == Reflection::Public && path.starts_with(REFLECTION))
    }

    /// The session of a request's token, if it needs one.
    fn session(&self, request: &Request<Body>) -> Result<Option<Arc<Session>>, NoSession> {
        match self.is_open(request.uri().path()) {
            true => Ok(None),
            false => self.authenticator.session(request.headers()),
        }
    }

    /// Adds to a request who makes it.
    fn admit(
        &self,
        request: &mut Request<Body>,
        session: Result<Option<Arc<Session>>, Failure>,
    ) -> Result<Option<Arc<Session>>, Failure> {
        let from = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        let id = request.extensions().get().map(|CallId(id)| id.clone());
        let (session, requester) = self.authenticator.introduce(session, from, id, request.uri().path())?;
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

/// Passes a request to its service if its caller is known, with a [`Requester`] for the caller.
#[derive(Clone)]
pub(crate) struct Auth<S> {
    services: S,
    layer: AuthLayer,
}

type Answered = Result<Response<Body>, Infallible>;

impl<S> Service<Request<Body>> for Auth<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, BoxFuture<'static, Answered>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.services.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let session = match self.layer.session(&request) {
            Ok(session) => Ok(session),
            Err(NoSession::Refused(failure)) => Err(failure),
            Err(NoSession::Later) => {
                let again = self.services.clone();
                let services = std::mem::replace(&mut self.services, again); // the one that said it was ready
                return Either::Right(Box::pin(call_later(services, self.layer.clone(), request)));
            }
        };
        match self.layer.admit(&mut request, session) {
            Ok(session) => {
                let answer = self.services.call(request);
                match session.filter(|session| session.may_end()) {
                    Some(session) => Either::Right(Box::pin(answer_within(session, answer))),
                    None => Either::Left(answer),
                }
            }
            Err(failure) => Either::Right(Box::pin(ready(Ok(Status::from(failure).into_http())))),
        }
    }
}

/// Makes a call after the key of its token was fetched.
async fn call_later<S>(mut services: S, layer: AuthLayer, mut request: Request<Body>) -> Answered
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let session = layer.authenticator.session_later(request.headers()).await;
    match layer.admit(&mut request, session) {
        Ok(Some(session)) => answer_within(session, services.call(request)).await,
        Ok(None) => services.call(request).await,
        Err(failure) => Ok(Status::from(failure).into_http()),
    }
}
