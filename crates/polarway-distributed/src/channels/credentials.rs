//! How workers prove to each other that they belong together: by a token, by certificates, or by both.

use std::fmt::Debug;
use std::sync::Arc;

use http::HeaderValue;
use subtle::ConstantTimeEq as _;

use crate::error::Error;

/// What a worker shows to others when it calls them.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// A token that all workers know.
    pub token: Option<Token>,
    /// The CAs of the others' certificates, and a certificate of this worker's own. Without, calls are not encrypted.
    pub tls: Option<Arc<dyn PeerTls>>,
}

/// TLS between workers. It is asked for each connection, so certificates can be renewed meanwhile.
pub trait PeerTls: Debug + Send + Sync {
    /// For calls that come: it must ask for a certificate.
    fn server(&self) -> Arc<rustls::ServerConfig>;

    /// For calls that go.
    fn client(&self) -> Arc<rustls::ClientConfig>;

    /// The name in the certificates of all workers; `None` if each has that of its address.
    fn name(&self) -> Option<&str>;
}

/// A secret that all workers know. It is never shown.
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// A token of at least 16 characters.
    ///
    /// # Errors
    /// A token that is shorter, or that no header can have.
    pub fn new(token: &str) -> Result<Self, Error> {
        let is_writable = token.bytes().all(|byte| byte.is_ascii_graphic());
        match token.len() >= 16 && is_writable {
            true => Ok(Self(token.into())),
            false => Err(Error::Configuration(
                "the token of workers must have 16 characters or more, all of them visible ASCII".to_owned(),
            )),
        }
    }

    pub(super) fn header(&self) -> Result<HeaderValue, Error> {
        let unusable = |_| Error::Configuration("the token of workers can't be sent".to_owned());
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0)).map_err(unusable)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Whether a header has this token. It takes the same time for all headers of a length.
    pub(crate) fn is_in(&self, header: Option<&HeaderValue>) -> bool {
        let shown = header.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        shown.is_some_and(|shown| bool::from(shown.ct_eq(self.0.as_bytes())))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_and_is_not_shown() {
        assert!(Token::new("short").is_err());
        assert!(Token::new("with a space in it, and long").is_err());
        let token = Token::new("0123456789abcdef").unwrap();
        assert!(!format!("{token:?}").contains("0123"));
        assert!(token.is_in(Some(&token.header().unwrap())));
        for other in ["Bearer 0123456789abcdeg", "Bearer ", "0123456789abcdef", "bearer 0123456789abcdef"] {
            assert!(!token.is_in(Some(&HeaderValue::from_static(other))), "{other}");
        }
        assert!(!token.is_in(None));
    }
}
