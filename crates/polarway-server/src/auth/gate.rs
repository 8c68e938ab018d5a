//! Which calls need a token.

use std::sync::Arc;

use http::HeaderMap;

use super::authenticator::NoSession;
use super::session::Session;
use super::{Authenticator, Reflection};
use crate::foreign;

/// The service that needs no token: load balancers and probes have none.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// Finds the owners of the tokens of calls.
pub(crate) struct Gate {
    pub(crate) authenticator: Arc<Authenticator>,
    reflection: Reflection,
}

impl Gate {
    /// Checks tokens with this authenticator.
    pub(crate) fn new(authenticator: Arc<Authenticator>, reflection: Reflection) -> Self {
        Self { authenticator, reflection }
    }

    /// Whether calls with this path need no token. All others need one, also those to unknown services.
    fn is_open(&self, path: &str) -> bool {
        path.starts_with(HEALTH)
            || (self.reflection == Reflection::Public && path.starts_with(foreign::REFLECTION))
    }

    /// The session of a call's token; `None` if the call needs no token.
    ///
    /// # Errors
    /// The reason for the refusal, or that the key of the token must be fetched first.
    pub(crate) fn session(&self, path: &str, headers: &HeaderMap) -> Result<Option<Arc<Session>>, NoSession> {
        match self.is_open(path) {
            true => Ok(None),
            false => self.authenticator.session(headers),
        }
    }
}
