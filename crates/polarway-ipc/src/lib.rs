//! Tables as Arrow IPC chunks: encode, decode, limits, row offsets.
//!
//! A table on the wire, and in the cache, is an Arrow IPC *stream* cut at message borders: the bytes
//! of all chunks of one table, joined, are one valid stream that any Arrow library reads. This crate
//! owns that cut.
//!
//! - [`ChunkEncoder`] turns record batches into [`Chunk`]s of about 1 MiB that know which rows they
//!   hold. [`encode_schema`], [`encode_batch`] and [`encode_end`] make the same chunks piece by piece,
//!   so that row ranges can be encoded on several threads.
//! - [`EncodedTable`] holds a whole table as chunks, shares them by reference, and can begin a valid
//!   stream at any row: what a cache keeps, and what a reader that lost its connection resumes from.
//! - [`ChunkDecoder`] takes bytes as they arrive and gives record batches back. The bytes may come
//!   from anyone: what they declare is compared with [`DecodeLimits`] before memory is allocated for
//!   it, everything in them is validated, and whatever is wrong with them is an [`Error`].
//!
//! It knows no files, no sockets, no async runtime, and no names of tables.
//!
//! ```
//! use std::sync::Arc;
//! use arrow_array::{Int64Array, RecordBatch};
//! use polarway_ipc::{ChunkDecoder, ChunkEncoder, DecodeLimits, EncodeOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let numbers = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 2, 3])) as _)])?;
//!
//! let mut encoder = ChunkEncoder::new(&numbers.schema(), EncodeOptions::default())?;
//! let mut chunks = encoder.encode(&numbers)?;
//! chunks.push(encoder.finish());
//!
//! let mut decoder = ChunkDecoder::new(DecodeLimits::default());
//! let mut batches = Vec::new();
//! for chunk in chunks {
//!     batches.extend(decoder.decode(chunk.ipc)?);
//! }
//! decoder.finish()?;
//! assert_eq!(batches, [numbers]);
//! # Ok(())
//! # }
//! ```

mod chunk;
mod columns;
mod compact;
mod decoder;
mod decompress;
mod encoder;
mod error;
mod framing;
mod limits;
mod schema;
mod size;
mod table;
mod used;

pub use chunk::{Chunk, Compression, EncodeOptions};
pub use decoder::ChunkDecoder;
pub use encoder::{ChunkEncoder, encode_batch, encode_end, encode_schema};
pub use error::{Error, Result};
pub use limits::DecodeLimits;
pub use table::EncodedTable;
