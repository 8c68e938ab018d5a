//! Conversions between the types of `polarway-model` and messages. They are all here.

mod datasets;
mod handles;
mod load;
mod queries;
mod worker;
mod write;

use std::time::Duration;

use arrow_schema::SchemaRef;
use bytes::Bytes;
use polarway_ipc::{ChunkDecoder, ChunkEncoder, DecodeLimits, EncodeOptions};
use polarway_model::{At, DatasetName};

use crate::Reason;
use crate::v1::{self, Failure};

/// A field of a message has an invalid value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidMessage(String);

impl InvalidMessage {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// In a request, this is the caller's error.
impl From<InvalidMessage> for Failure {
    fn from(invalid: InvalidMessage) -> Self {
        Reason::InvalidRequest.failure(invalid.0)
    }
}

impl From<At> for v1::At {
    fn from(at: At) -> Self {
        let at = match at {
            At::Newest => None,
            At::Version(version) => Some(v1::at::At::Version(version)),
            At::TimeUs(time_us) => Some(v1::at::At::AsOfUs(time_us)),
        };
        Self { at }
    }
}

impl From<v1::At> for At {
    fn from(message: v1::At) -> Self {
        match message.at {
            None => Self::Newest,
            Some(v1::at::At::Version(version)) => Self::Version(version),
            Some(v1::at::At::AsOfUs(time_us)) => Self::TimeUs(time_us),
        }
    }
}

/// The name of a dataset in a message.
fn dataset_name(name: String) -> Result<DatasetName, InvalidMessage> {
    DatasetName::new(name).map_err(|error| InvalidMessage::new(error.to_string()))
}

/// A time in the protocol's microseconds; one that is too long becomes the longest.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A schema without rows: an Arrow IPC stream with no batches.
fn schema_to_ipc(schema: &SchemaRef) -> polarway_ipc::Result<Bytes> {
    Ok(ChunkEncoder::new(schema, EncodeOptions::default())?.finish().ipc)
}

fn schema_from_ipc(ipc: Bytes) -> Result<SchemaRef, InvalidMessage> {
    let mut decoder = ChunkDecoder::new(DecodeLimits::default());
    let decoded = decoder.decode(ipc);
    decoded.map_err(|error| InvalidMessage::new(format!("a schema can't be read: {error}")))?;
    decoder.schema().cloned().ok_or_else(|| InvalidMessage::new("a schema is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_meant_arrives_as_itself() {
        for at in [At::Newest, At::Version(0), At::Version(u64::MAX), At::TimeUs(i64::MIN)] {
            assert_eq!(At::from(v1::At::from(at)), at);
        }
    }

    #[test]
    fn a_time_that_is_too_long_is_sent_as_the_longest() {
        assert_eq!(micros(Duration::MAX), u64::MAX);
    }
}
