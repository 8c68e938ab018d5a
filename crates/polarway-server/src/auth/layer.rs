//! The layer that asks each request for its token.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::{Authenticator, Reflection, Requester};

/// The service that everybody may ask: whoever watches a worker has no token.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// The services that describe the others.
const REFLECTION: &str = "/grpc.reflection.";

/// Wraps services in [`Auth`].
#[derive(Clone, Debug)]
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

impl<S> Service<Request<Body>> for Auth<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response<Body>, Infallible>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.services.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if self.layer.is_open(request.uri().path()) {
            request.extensions_mut().insert(Requester::anonymous());
            return Either::Right(self.services.call(request));
        }
        match self.layer.authenticator.requester(request.headers()) {
            Ok(requester) => {
                request.extensions_mut().insert(requester);
                Either::Right(self.services.call(request))
            }
            Err(failure) => Either::Left(ready(Ok(Status::from(failure).into_http()))),
        }
    }
}
