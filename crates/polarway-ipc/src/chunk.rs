//! Chunks, and how a table is cut into them.

use arrow_ipc::CompressionType;
use arrow_ipc::writer::IpcWriteOptions;
use bytes::{Bytes, BytesMut};

use crate::{DecodeLimits, Error, Result};

/// One piece of a table: whole Arrow IPC messages, and which rows they hold.
///
/// Cloning one copies a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The messages. Joined with those of the table's other chunks they are one Arrow IPC stream.
    pub ipc: Bytes,
    /// The number of the chunk's first row, counted from the start of the table.
    pub first_row: u64,
    /// How many rows the chunk holds: 0 for one of nothing but a schema, dictionaries or the end.
    pub rows: u64,
}

impl Chunk {
    /// The number of the first row after this chunk.
    pub fn end_row(&self) -> u64 {
        self.first_row.saturating_add(self.rows)
    }

    /// Chunks that follow one another, as one. Without any, it is one of no bytes and no rows.
    #[must_use]
    pub fn joined(chunks: &[Self]) -> Self {
        let mut ipc = BytesMut::with_capacity(chunks.iter().map(|chunk| chunk.ipc.len()).sum());
        chunks.iter().for_each(|chunk| ipc.extend_from_slice(&chunk.ipc));
        Self {
            ipc: ipc.freeze(),
            first_row: chunks.first().map_or(0, |chunk| chunk.first_row),
            rows: chunks.iter().map(|chunk| chunk.rows).sum(),
        }
    }
}

/// How the buffers inside a chunk are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all: decoding copies nothing.
    #[default]
    None,
    /// LZ4 frames: light, for networks slower than about 1 GB/s.
    Lz4,
    /// Zstandard: smaller and slower than LZ4.
    Zstd,
}

/// How a table is cut into chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeOptions {
    /// How many bytes, before compression, a chunk aims at; one of a table of many columns at
    /// [more](Self::chunk_bytes). 1 MiB unless said otherwise.
    pub target_bytes: usize,
    /// The most bytes, before compression, that the body of one message may have; a single row that
    /// takes more is refused. 64 MiB unless said otherwise.
    pub max_bytes: usize,
    /// The most bytes that the rows of one message may take with every value written out, which for
    /// dictionaries, views and runs is more than they take in its body; a larger row is
    /// refused. 256 MiB unless said otherwise.
    pub max_plain_bytes: usize,
    /// How buffers are compressed: not at all unless said otherwise.
    pub compression: Compression,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self {
            target_bytes: 1 << 20,
            max_bytes: 64 << 20,
            max_plain_bytes: DecodeLimits::default().max_plain_bytes,
            compression: Compression::None,
        }
    }
}

/// How many rows a chunk of a table of many columns aims at: what a reader does once for each column and chunk would else take
/// longer than the rows.
const WIDE_ROWS: usize = 1_280;

/// Whatever that takes, a chunk aims at one target for so many columns at the most.
const COLUMNS_PER_TARGET: usize = 64;
const MOST_TARGETS: usize = 16;

impl EncodeOptions {
    /// How many bytes a chunk of a table aims at that has so many columns, and rows of so many bytes.
    pub fn chunk_bytes(&self, columns: usize, row_bytes: usize) -> usize {
        let most_bytes = self.target_bytes.saturating_mul(self.targets(columns)).min(self.max_bytes);
        self.target_bytes.max(row_bytes.saturating_mul(WIDE_ROWS).min(most_bytes))
    }

    /// How many targets a chunk may take where a table has so many columns.
    pub(crate) fn targets(&self, columns: usize) -> usize {
        (columns / COLUMNS_PER_TARGET).clamp(1, MOST_TARGETS)
    }

    /// A dictionary larger than this is cut down, in each chunk, to the values that the chunk uses;
    /// a smaller one is sent once and shared.
    pub(crate) fn shared_dictionary_bytes(&self) -> usize {
        self.max_bytes / 4
    }

    pub(crate) fn write_options(&self) -> Result<IpcWriteOptions> {
        IpcWriteOptions::default()
            .try_with_compression(match self.compression {
                Compression::None => None,
                Compression::Lz4 => Some(CompressionType::LZ4_FRAME),
                Compression::Zstd => Some(CompressionType::ZSTD),
            })
            .map_err(Error::Encode)
    }
}
