//! Decides whose a token is.

use http::HeaderMap;
use polarway_core::Caller;
use polarway_proto::Reason;
use polarway_proto::v1::Failure;
use subtle::ConstantTimeEq as _;

use super::bearer;
use super::config::AuthConfig;
use super::digest::TokenDigest;
use super::requester::Requester;

/// The caller that has the token of `POLARWAY_AUTH_TOKEN`.
const OWNER: &str = "owner";

/// What a server knows about tokens.
#[derive(Debug)]
pub(crate) struct Authenticator {
    /// The token with all rights.
    token: Option<TokenDigest>,
}

impl Authenticator {
    pub(crate) fn new(config: &AuthConfig) -> Self {
        Self { token: config.token.as_ref().map(|token| TokenDigest::of(token.reveal().as_bytes())) }
    }

    /// Who makes a request with these headers.
    ///
    /// # Errors
    /// It has no token and needs one, or its token is not one of this server.
    pub(crate) fn requester(&self, headers: &HeaderMap) -> Result<Requester, Failure> {
        let Some(expected) = &self.token else { return Ok(Requester::anonymous()) };
        let token = TokenDigest::of(bearer::token(headers)?);
        match expected.ct_eq(&token).into() {
            true => Ok(Requester { caller: Caller::named(OWNER) }),
            false => Err(Reason::InvalidToken.failure("the token is not one of this server")),
        }
    }
}
