//! Tables as plain Parquet files that any Parquet reader opens.
//!
//! This crate owns three things:
//! - **what fits**: [`check_schema`] says which Arrow schemas a Parquet file gives back exactly as they
//!   went in, and names the column of one that it would not;
//! - **encoding**: [`TableEncoder`] takes record batches and writes one file, its columns encoded on all
//!   cores, each with the encoding that a sample of its data asks for;
//! - **decoding**: [`read`] and [`read_map`] decode the row groups of any number of files on all cores and
//!   deliver the rows in their order, with a bounded amount decoded ahead of a slow consumer.
//!
//! It does not know what a dataset, a version or a folder is: bytes go out through [`std::io::Write`] and come in
//! through [`ReadAt`]. It is synchronous; a caller on an async runtime belongs on a blocking thread.
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow_array::{Int64Array, RecordBatch};
//! use bytes::Bytes;
//! use polarway_parquet::{EncodeOptions, ReadOptions, TableEncoder, read};
//!
//! let batch = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![1, 2, 3])) as _)])?;
//! let mut encoder = TableEncoder::new(Vec::new(), batch.schema(), EncodeOptions::default())?;
//! encoder.write(&batch)?;
//! let (file, summary) = encoder.finish()?;
//! assert_eq!(summary.rows, 3);
//!
//! let batches = read(vec![Arc::new(Bytes::from(file))], &batch.schema(), ReadOptions::default())?;
//! assert_eq!(batches.collect::<Result<Vec<_>, _>>()?, vec![batch]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assemble;
mod bounds;
mod categories;
mod checksum;
mod chunk;
mod decimal;
mod decode;
mod delta;
mod dictionary;
mod encode;
mod encoding;
mod error;
mod file;
mod first_row;
mod footer_shape;
mod int96;
mod io_failure;
mod kept;
mod leaves;
mod pages;
mod pipeline;
mod plan;
mod portable;
mod private_fields;
mod read;
mod read_at;
mod repair;
mod restore;
mod schema;
mod thrift;
mod times;
mod workers;

pub use bounds::holds_floats;
pub use categories::{Categories, read_categories};
pub use checksum::Checked;
pub use encode::{EncodeOptions, FileSummary, TableEncoder};
pub use error::{Error, Unsupported};
pub use file::{FIRST_FETCH_BYTES, FileReader};
pub use read::{BatchReader, ReadOptions, read, read_map};
pub use read_at::{LocalFile, ReadAt};
pub use schema::{check_schema, has_narrow_keys, with_wide_keys};
pub use workers::Workers;

/// What an operation of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
