//! How much a stream may ask for.

use crate::{Error, Result};

/// What a stream may declare before it is refused. The default suits what
/// [`ChunkEncoder`](crate::ChunkEncoder) writes by default, with room for other writers.
///
/// Each limit is compared with what the bytes *declare*, or what they mean, before memory is allocated
/// for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// The most bytes of one message, metadata and body together. 80 MiB by default.
    pub max_message_bytes: usize,
    /// The most bytes of one message's metadata: names and types of the schema, or the list of
    /// buffers of a batch. 16 MiB by default.
    pub max_metadata_bytes: usize,
    /// The most bytes that one message's buffers, and all that one call of
    /// [`ChunkDecoder::decode`](crate::ChunkDecoder::decode) has to allocate for decompressed buffers
    /// and joined dictionaries, may take. 256 MiB by default.
    pub max_decoded_bytes: usize,
    /// The most bytes that the rows of one message, or the values of one dictionary, may take with
    /// every value written out: many rows may name the same value of a dictionary or a view, so that
    /// few bytes mean many. 256 MiB by default.
    pub max_plain_bytes: usize,
    /// The most bytes of all dictionaries that the stream keeps in use at one time. 256 MiB by
    /// default.
    pub max_dictionary_bytes: usize,
    /// The most fields in a schema, nested ones too. 65,536 by default.
    pub max_fields: usize,
    /// How many fields deep types may be nested. 24 by default; the metadata's own limit allows no
    /// more than about 50.
    pub max_depth: usize,
    /// The most rows of one message, and the most values of one array inside it. Some columns take no
    /// bytes at all, so bytes alone don't bound it. 2³¹ − 1 by default.
    pub max_rows: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            max_message_bytes: 80 << 20,
            max_metadata_bytes: 16 << 20,
            max_decoded_bytes: 256 << 20,
            max_plain_bytes: 256 << 20,
            max_dictionary_bytes: 256 << 20,
            max_fields: 1 << 16,
            max_depth: 24,
            max_rows: i32::MAX as usize,
        }
    }
}

impl DecodeLimits {
    /// For bytes that this process made itself.
    pub fn trusting() -> Self {
        Self {
            max_message_bytes: usize::MAX,
            max_metadata_bytes: usize::MAX,
            max_decoded_bytes: usize::MAX,
            max_plain_bytes: usize::MAX,
            max_dictionary_bytes: usize::MAX,
            max_fields: usize::MAX,
            ..Self::default()
        }
    }
}

/// A declared number as a `usize` within a limit.
pub(crate) fn within(what: &'static str, declared: impl TryInto<u64>, limit: usize) -> Result<usize> {
    let Ok(declared) = declared.try_into() else {
        return Err(Error::malformed(format!("{what} is negative")));
    };
    match usize::try_from(declared) {
        Ok(size) if size <= limit => Ok(size),
        _ => Err(Error::LimitExceeded { what, declared, limit: limit as u64 }),
    }
}
