//! Decides whose a token is.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use polarway_core::Caller;
use polarway_proto::Reason;
use polarway_proto::v1::Failure;
use subtle::ConstantTimeEq as _;

use super::audit::Origin;
use super::bearer;
use super::config::AuthConfig;
use super::digest::TokenDigest;
use super::file::AuthFileError;
use super::requester::Requester;
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
        if !self.needs_token() {
            return Ok(None);
        }
        let token = TokenDigest::of(bearer::token(headers)?);
        let session = self
            .known(token)
            .ok_or_else(|| Reason::InvalidToken.failure("the token is not one of this server"))?;
        session.check()?;
        Ok(Some(session))
    }

    /// Whether a token is needed for calls.
    pub(crate) fn needs_token(&self) -> bool {
        self.owner.is_some() || self.file.is_some()
    }

    /// Who makes a request with these headers, and the session of his token if he needs one.
    ///
    /// # Errors
    /// As [`session`](Self::session). The refusal is in the audit log.
    pub(crate) fn requester(
        &self,
        headers: &HeaderMap,
        from: Option<SocketAddr>,
        id: Option<HeaderValue>,
        path: &str,
    ) -> Result<(Option<Arc<Session>>, Requester), Failure> {
        let origin = |caller| Origin { caller, from, id };
        match self.session(headers) {
            Ok(Some(session)) => {
                let requester = Requester::with_token(&session, origin(Arc::clone(&session.name)));
                Ok((Some(session), requester))
            }
            Ok(None) => Ok((None, self.everybody(origin(self.anonymous.shared_name())))),
            Err(failure) => {
                origin(self.anonymous.shared_name()).turned_away(path, &failure);
                Err(failure)
            }
        }
    }

    /// Somebody who needs no token.
    pub(super) fn everybody(&self, origin: Origin) -> Requester {
        Requester::anonymous(self.anonymous.clone(), origin)
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
