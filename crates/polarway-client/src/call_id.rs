//! The id of a call, to find it in the server's log.

use std::fmt;

use http::{HeaderName, HeaderValue};
use uuid::{Builder, Uuid};

/// The header with the id.
pub(crate) const ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a call. All of its tries have the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallId(Uuid);

impl CallId {
    /// A new one.
    pub(crate) fn fresh() -> Self {
        // It only has to differ from others in a log. It is not a secret.
        Self(Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid())
    }

    /// The value of the header.
    pub(crate) fn header(self) -> Option<HeaderValue> {
        let mut buffer = Uuid::encode_buffer();
        let mut header = HeaderValue::try_from(&*self.0.hyphenated().encode_lower(&mut buffer)).ok()?;
        // It is rarely sent twice, so it should not fill the table of headers that both ends of a connection keep.
        header.set_sensitive(true);
        Some(header)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}
