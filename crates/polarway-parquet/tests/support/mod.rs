//! From tables to files and back.
#![allow(dead_code, reason = "each test program uses its part of this")]

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use polarway_parquet::{EncodeOptions, Error, FileSummary, ReadAt, ReadOptions, TableEncoder, read};

pub(crate) fn encode(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    options: EncodeOptions,
) -> (Bytes, FileSummary) {
    let mut encoder = TableEncoder::new(Vec::new(), schema.clone(), options).unwrap();
    for batch in batches {
        encoder.write(batch).unwrap();
    }
    let (file, summary) = encoder.finish().unwrap();
    (Bytes::from(file), summary)
}

pub(crate) fn source(file: &Bytes) -> Arc<dyn ReadAt> {
    Arc::new(file.clone())
}

pub(crate) fn decode(
    files: &[Bytes],
    schema: &SchemaRef,
    options: ReadOptions,
) -> Result<Vec<RecordBatch>, Error> {
    read(files.iter().map(source).collect(), schema, options)?.collect()
}
