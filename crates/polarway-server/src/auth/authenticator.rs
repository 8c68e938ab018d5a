//! Decides whose a token is.

use std::sync::Arc;

use http::HeaderMap;
use polarway_core::Caller;
use polarway_proto::Reason;
use polarway_proto::v1::Failure;
use subtle::ConstantTimeEq as _;

use super::bearer;
use super::config::AuthConfig;
use super::digest::TokenDigest;
use super::file::AuthFileError;
use super::rights::Rights;
use super::session::Session;
use super::table::{TokenTable, tables};
use crate::reload::Reloaded;

/// The caller that has the token of `POLARWAY_AUTH_TOKEN`.
pub(super) const OWNER: &str = "owner";

/// What a server knows about tokens.
pub(crate) struct Authenticator {
    /// The token with all rights.
    owner: Option<(TokenDigest, Arc<Session>)>,
    /// The tokens of the file.
    file: Option<Reloaded<Arc<TokenTable>>>,
    /// Who calls where no token is needed.
    pub(super) anonymous: Caller,
}

impl Authenticator {
    /// What this configuration says. It must be called inside a tokio runtime.
    ///
    /// # Errors
    /// A file of tokens that can't be used.
    pub(crate) fn new(config: &AuthConfig) -> Result<Self, AuthFileError> {
        let owner = config.token.as_ref().map(|token| {
            let session = Session::lasting(OWNER, Rights::all());
            (TokenDigest::of(token.reveal().as_bytes()), Arc::new(session))
        });
        let file =
            config.file.clone().map(|path| Reloaded::start("the file of tokens", vec![path], tables()));
        Ok(Self { owner, file: file.transpose()?, anonymous: Caller::anonymous() })
    }

    /// Whose token a request with these headers has; `None` where none is needed.
    ///
    /// # Errors
    /// It has no token and needs one, or its token is not good.
    pub(super) fn session(&self, headers: &HeaderMap) -> Result<Option<Arc<Session>>, Failure> {
        if self.owner.is_none() && self.file.is_none() {
            return Ok(None);
        }
        let token = TokenDigest::of(bearer::token(headers)?);
        let session = self
            .known(token)
            .ok_or_else(|| Reason::InvalidToken.failure("the token is not one of this server"))?;
        session.check()?;
        Ok(Some(session))
    }

    fn known(&self, token: TokenDigest) -> Option<Arc<Session>> {
        let owner = self.owner.as_ref().filter(|(owner, _)| owner.ct_eq(&token).into());
        match (owner, &self.file) {
            (Some((_, session)), _) => Some(Arc::clone(session)),
            (None, Some(file)) => file.current().find(token).cloned(),
            (None, None) => None,
        }
    }
}
