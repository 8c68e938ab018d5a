//! JSON Web Tokens (RFC 7519) of another issuer: who has one, and what it allows.
//!
//! A token is checked by a key of the issuer's set ([`Keys`]), and what it claims becomes a [`Session`](super::session::Session),
//! which is remembered until the token expires or its key leaves the set.

mod claims;
mod config;
mod fetch;
mod key_set;
mod keys;
mod sessions;
mod verifier;

pub use config::{JwtConfig, KeySource};
pub use key_set::KeySetError;
pub(super) use verifier::{JwtVerifier, Verdict};

/// Why JWTs can't be checked with these settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JwtError {
    /// One of the settings that belong together is missing.
    #[error("--jwt-issuer, --jwt-audience and --jwt-keys go together, and {missing} is not set")]
    Incomplete {
        /// The flag.
        missing: &'static str,
    },
    /// The file of keys can't be used.
    #[error(transparent)]
    Keys(#[from] KeySetError),
    /// Keys can't be fetched from their URL.
    #[error("keys can't be fetched over HTTP")]
    Http(#[source] reqwest::Error),
}
