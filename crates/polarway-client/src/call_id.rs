//! The id of a call, by which it is found in the server's log.

use std::sync::Arc;

use tonic::metadata::{Ascii, MetadataValue};
use uuid::{Builder, Uuid};

/// The header with the id.
pub(crate) const ID_HEADER: &str = "x-request-id";

/// The id of a call. All of its tries have the same.
#[derive(Clone, Debug)]
pub(crate) struct CallId(Uuid);

impl CallId {
    pub(crate) fn fresh() -> Self {
        // It only has to differ from others in a log. It is no secret.
        Self(Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid())
    }

    /// As the header has it.
    pub(crate) fn header(&self) -> Option<MetadataValue<Ascii>> {
        let mut buffer = Uuid::encode_buffer();
        let mut header = MetadataValue::try_from(&*self.0.hyphenated().encode_lower(&mut buffer)).ok()?;
        // It is rarely sent twice, so it should not fill the table of headers that both ends of a connection keep.
        header.set_sensitive(true);
        Some(header)
    }

    /// As errors have it.
    pub(crate) fn text(&self) -> Arc<str> {
        self.0.hyphenated().to_string().into()
    }
}
