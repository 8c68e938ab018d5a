//! How a server finds out who its callers are: plain data.

use std::path::PathBuf;

use super::{JwtConfig, Secret};

/// How a server finds out who its callers are. By default all callers are the same and may do everything.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AuthConfig {
    /// A token with all rights.
    pub token: Option<Secret>,
    /// A file of tokens with roles. It is read again when it changes.
    pub file: Option<PathBuf>,
    /// Which tokens of an issuer are accepted.
    pub jwt: JwtConfig,
    /// Who may ask for a description of the services.
    pub reflection: Reflection,
}

/// Who may ask for a description of the services (gRPC reflection).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reflection {
    /// Everybody.
    Public,
    /// Callers with a token; everybody if no token is needed.
    #[default]
    Authenticated,
    /// Nobody: the server does not have the service.
    Off,
}

impl AuthConfig {
    /// Whether calls need a token.
    pub fn needs_token(&self) -> bool {
        self.token.is_some() || self.file.is_some() || self.jwt.is_set()
    }
}
