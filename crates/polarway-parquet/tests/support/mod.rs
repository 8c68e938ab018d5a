//! Tables to test with: random schemas, random data, and what it takes to compare them.
#![allow(dead_code, reason = "each test program uses its part of this")]

pub(crate) mod data;
pub(crate) mod schema;

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

/// Asserts that both are the same rows, however they are cut into batches.
#[track_caller]
pub(crate) fn assert_same_rows(left: &[RecordBatch], right: &[RecordBatch]) {
    let rows = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    assert_eq!(rows(left), rows(right), "the number of rows");
    let (mut left, mut right) = (left.iter().cloned(), right.iter().cloned());
    let (mut one, mut other) = (None::<RecordBatch>, None::<RecordBatch>);
    loop {
        let filled = |batch: &RecordBatch| batch.num_rows() > 0;
        let a = one.take().filter(filled).or_else(|| left.find(filled));
        let b = other.take().filter(filled).or_else(|| right.find(filled));
        let (Some(a), Some(b)) = (a, b) else { return };
        let length = a.num_rows().min(b.num_rows());
        for (column, field) in a.schema().fields().iter().enumerate() {
            let (x, y) = (a.column(column).slice(0, length), b.column(column).slice(0, length));
            assert_eq!(x.data_type(), y.data_type(), "{field}");
            assert!(x.to_data() == y.to_data(), "column {field}\n{x:?}\n{y:?}");
        }
        one = Some(a.slice(length, a.num_rows() - length));
        other = Some(b.slice(length, b.num_rows() - length));
    }
}
