//! Decompression that can't write more than was declared.

use std::io::Read;

use arrow_buffer::{Buffer, MutableBuffer};
use arrow_ipc::{BodyCompressionMethod, CompressionType};
use lz4_flex::frame::FrameDecoder;
use zstd::bulk::Decompressor;

use crate::limits::within;
use crate::{Error, Result};

/// Each compressed buffer begins with its length without compression.
const LENGTH_BYTES: usize = 8;
/// The length that marks a buffer that is not compressed.
const NOT_COMPRESSED: i64 = -1;

/// How the buffers of one message are compressed.
pub(crate) enum Codec {
    Lz4,
    Zstd(Decompressor<'static>),
}

impl Codec {
    pub(crate) fn new(compression: arrow_ipc::BodyCompression<'_>) -> Result<Self> {
        if compression.method() != BodyCompressionMethod::BUFFER {
            return Err(Error::malformed("an unknown method of compression"));
        }
        match compression.codec() {
            CompressionType::LZ4_FRAME => Ok(Self::Lz4),
            CompressionType::ZSTD => Decompressor::new()
                .map(Self::Zstd)
                .map_err(|error| Error::Malformed(format!("zstd: {error}"))),
            codec => Err(Error::Malformed(format!("an unknown codec, {codec:?}"))),
        }
    }

    /// Decompresses one buffer into at most `limit` bytes.
    pub(crate) fn decompress(&mut self, buffer: &Buffer, limit: usize) -> Result<Buffer> {
        if buffer.is_empty() {
            return Ok(buffer.clone());
        }
        let Some((length, compressed)) = buffer.as_slice().split_first_chunk::<LENGTH_BYTES>() else {
            return Err(Error::malformed("a compressed buffer without a length"));
        };
        let length = i64::from_le_bytes(*length);
        if length == NOT_COMPRESSED {
            return Ok(buffer.slice(LENGTH_BYTES));
        }
        let length = within("a size of decompressed buffers", length, limit)?;
        let mut decompressed = MutableBuffer::from_len_zeroed(length);
        let written = match self {
            Self::Lz4 => decompress_lz4(compressed, &mut decompressed),
            Self::Zstd(decompressor) => {
                decompressor.decompress_to_buffer(compressed, decompressed.as_slice_mut())
            }
        };
        match written {
            Ok(written) if written == length => Ok(decompressed.into()),
            Ok(_) => Err(Error::malformed("a compressed buffer is not as long as it declares")),
            Err(error) => Err(Error::Malformed(format!("a compressed buffer: {error}"))),
        }
    }
}

/// Fills `target`; one byte more than it holds counts as written, but is dropped.
fn decompress_lz4(compressed: &[u8], target: &mut MutableBuffer) -> std::io::Result<usize> {
    let mut decoder = FrameDecoder::new(compressed);
    decoder.read_exact(target.as_slice_mut())?;
    Ok(target.len() + decoder.read(&mut [0])?)
}
