//! Parquet files.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use polarway_parquet::{EncodeOptions, TableEncoder};
use polarway_table::distinct_names;

use super::{OutputError, Sink};

/// A Parquet file that is being written.
pub(crate) struct Parquet {
    encoder: TableEncoder<Sink>,
    schema: SchemaRef,
}

impl Parquet {
    pub(super) fn new(schema: &SchemaRef, sink: Sink) -> Result<Self, OutputError> {
        let schema = with_distinct_names(schema);
        let encoder = TableEncoder::new(sink, Arc::clone(&schema), EncodeOptions::default());
        Ok(Self { encoder: encoder.map_err(OutputError::Parquet)?, schema })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns().to_vec();
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &rows)?;
        self.encoder.write(&batch).map_err(OutputError::Parquet)
    }

    pub(super) fn finish(self) -> Result<Sink, OutputError> {
        Ok(self.encoder.finish().map_err(OutputError::Parquet)?.0)
    }
}

/// Readers of Parquet find columns by name: they would read only one of several with the same name.
fn with_distinct_names(schema: &SchemaRef) -> SchemaRef {
    let names = distinct_names(schema.fields().iter().map(|field| field.name().as_str()), str::to_owned);
    let fields = schema.fields().iter().zip(names);
    let fields: Vec<Field> = fields.map(|(field, name)| field.as_ref().clone().with_name(name)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}
