//! Parquet files.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use polarway_parquet::{EncodeOptions, TableEncoder};
use polarway_table::{renamed, with_distinct_names};

use super::{OutputError, Sink};

/// A Parquet file that is being written.
pub(crate) struct Parquet {
    encoder: TableEncoder<Sink>,
    schema: SchemaRef,
}

impl Parquet {
    pub(super) fn new(schema: &SchemaRef, sink: Sink) -> Result<Self, OutputError> {
        // Readers of Parquet find columns by name: they would read only one of several with the same name.
        let schema = with_distinct_names(schema, str::to_owned);
        let encoder = TableEncoder::new(sink, Arc::clone(&schema), EncodeOptions::default());
        Ok(Self { encoder: encoder.map_err(OutputError::Parquet)?, schema })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        self.encoder.write(&renamed(batch, &self.schema)?).map_err(OutputError::Parquet)
    }

    pub(super) fn finish(self) -> Result<Sink, OutputError> {
        Ok(self.encoder.finish().map_err(OutputError::Parquet)?.0)
    }
}
