//! The id of a call, to find it in the server's log.

use std::sync::Arc;

use tonic::metadata::{Ascii, MetadataValue};
use uuid::{Builder, Uuid};

/// The header with the id.
pub(crate) const ID_HEADER: &str = "x-request-id";

/// The id of a call. All of its tries have the same.
#[derive(Clone, Debug)]
pub(crate) struct CallId(Uuid);

impl CallId {
    /// A new one.
    pub(crate) fn fresh() -> Self {
        // It only has to differ from others in a log. It is not a secret.
        Self(Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid())
    }

    /// The value of the header.
    pub(crate) fn header(&self) -> Option<MetadataValue<Ascii>> {
        let mut buffer = Uuid::encode_buffer();
        let mut header = MetadataValue::try_from(&*self.0.hyphenated().encode_lower(&mut buffer)).ok()?;
        // It is rarely sent twice, so it should not fill the table of headers that both ends of a connection keep.
        header.set_sensitive(true);
        Some(header)
    }

    /// The text in errors.
    pub(crate) fn text(&self) -> Arc<str> {
        self.0.hyphenated().to_string().into()
    }
}
