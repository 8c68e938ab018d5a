//! Finds the owner of a token.

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
use super::jwt::{JwtError, JwtVerifier, Verdict};
use super::requester::Requester;
use super::rights::Rights;
use super::session::Session;
use super::table::{TokenTable, tables};
use crate::reload::Reloaded;

/// The caller that has the token of `POLARWAY_AUTH_TOKEN`.
pub(super) const OWNER: &str = "owner";

/// The message for an unknown token.
pub(super) const UNKNOWN: &str = "the token is not one of this server";

/// Why a server can't check tokens with its settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The file of tokens can't be used.
    #[error(transparent)]
    File(#[from] AuthFileError),
    /// JWTs can't be checked.
    #[error(transparent)]
    Jwt(#[from] JwtError),
}

/// All tokens that a server accepts.
pub(crate) struct Authenticator {
    /// The token with all rights.
    owner: Option<(TokenDigest, Arc<Session>)>,
    /// The tokens of the file.
    file: Option<Reloaded<Arc<TokenTable>>>,
    /// The tokens of an issuer.
    jwt: Option<JwtVerifier>,
    /// The caller if no token is needed.
    pub(super) anonymous: Caller,
}

impl Authenticator {
    /// Accepts the tokens of this configuration. It must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Files of tokens or keys that can't be used, and settings that are missing.
    pub(crate) fn new(config: &AuthConfig) -> Result<Self, AuthError> {
        let owner = config.token.as_ref().map(|token| {
            let session = Session::lasting(OWNER, Rights::all());
            (TokenDigest::of(token.reveal().as_bytes()), Arc::new(session))
        });
        let file =
            config.file.clone().map(|path| Reloaded::start("the file of tokens", vec![path], tables()));
        let jwt = config.jwt.is_set().then(|| JwtVerifier::start(&config.jwt)).transpose()?;
        Ok(Self { owner, file: file.transpose()?, jwt, anonymous: Caller::anonymous() })
    }

    /// The session of the token in these headers; `None` if no token is needed.
    ///
    /// # Errors
    /// The reason for the refusal, or that the key of the token must be fetched first.
    pub(crate) fn session(&self, headers: &HeaderMap) -> Result<Option<Arc<Session>>, NoSession> {
        if !self.needs_token() {
            return Ok(None);
        }
        let token = bearer::token(headers)?;
        let digest = TokenDigest::of(token);
        if let Some(session) = self.known(digest) {
            session.check()?;
            return Ok(Some(session));
        }
        match self.jwt.as_ref().map(|jwt| jwt.check(token, digest)) {
            Some(Verdict::Good(session)) => Ok(Some(session)),
            Some(Verdict::Refused(failure)) => Err(failure.into()),
            Some(Verdict::UnknownKey) => Err(NoSession::Later),
            None => Err(Reason::InvalidToken.failure(UNKNOWN).into()),
        }
    }

    /// Whether a token is needed for calls.
    pub(crate) fn needs_token(&self) -> bool {
        self.owner.is_some() || self.file.is_some() || self.jwt.is_some()
    }

    /// Who makes a request with these headers.
    ///
    /// # Errors
    /// Why it is nobody's. The refusal is in the audit log.
    pub(crate) async fn requester(
        &self,
        headers: &HeaderMap,
        from: Option<SocketAddr>,
        id: Option<HeaderValue>,
        path: &str,
    ) -> Result<Requester, Failure> {
        let session = match self.session(headers) {
            Ok(session) => Ok(session),
            Err(NoSession::Refused(failure)) => Err(failure),
            Err(NoSession::Later) => self.session_later(headers).await,
        };
        self.introduce(session, from, id, path)
    }

    /// Who makes a request, from the result of the check of its token. A refusal is written to the audit log.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn introduce(
        &self,
        session: Result<Option<Arc<Session>>, Failure>,
        from: Option<SocketAddr>,
        id: Option<HeaderValue>,
        path: &str,
    ) -> Result<Requester, Failure> {
        let origin = |caller| Origin { caller, from, id };
        match session {
            Ok(Some(session)) => {
                let origin = origin(Arc::clone(&session.name));
                Ok(Requester::with_token(session, origin))
            }
            Ok(None) => {
                let origin = origin(self.anonymous.shared_name());
                Ok(Requester::anonymous(self.anonymous.clone(), origin))
            }
            Err(failure) => {
                origin(self.anonymous.shared_name()).turned_away(path, &failure);
                Err(failure)
            }
        }
    }

    /// The session of a token whose key has to be fetched first.
    ///
    /// # Errors
    /// Why it is nobody's.
    pub(crate) async fn session_later(&self, headers: &HeaderMap) -> Result<Option<Arc<Session>>, Failure> {
        let token = bearer::token(headers)?;
        match &self.jwt {
            Some(jwt) => jwt.check_again(token, TokenDigest::of(token)).await.map(Some),
            None => Err(Reason::InvalidToken.failure(UNKNOWN)),
        }
    }

    /// The session of a token that this server has a digest of.
    fn known(&self, token: TokenDigest) -> Option<Arc<Session>> {
        let owner = self.owner.as_ref().filter(|(owner, _)| owner.ct_eq(&token).into());
        match (owner, &self.file) {
            (Some((_, session)), _) => Some(Arc::clone(session)),
            (None, Some(file)) => file.current().find(token).cloned(),
            (None, None) => None,
        }
    }
}

/// Why a request has no session yet.
#[derive(Debug)]
pub(crate) enum NoSession {
    /// It is refused.
    Refused(Failure),
    /// The key of its token is not known, and may be fetched.
    Later,
}

impl From<Failure> for NoSession {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}
