//! CSV, for tables of any types.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{Array as _, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use polarway_table::{text_options, texts};

use super::{OutputError, Sink};

/// CSV after RFC 4180, with a header; NULL is empty.
pub(crate) struct Csv {
    writer: arrow_csv::Writer<Sink>,
    /// The columns as they are written: those that Arrow's CSV writer can't write completely are text.
    written: SchemaRef,
}

impl Csv {
    pub(super) fn new(schema: &SchemaRef, sink: Sink) -> Result<Self, OutputError> {
        let written = schema.fields().iter().map(|field| {
            let data_type =
                if is_written_whole(field.data_type()) { field.data_type().clone() } else { DataType::Utf8 };
            Field::new(field.name(), data_type, true)
        });
        let mut csv = Self {
            writer: arrow_csv::WriterBuilder::new().with_header(true).build(sink),
            written: Arc::new(Schema::new(written.collect::<Vec<_>>())),
        };
        // The header is written even without rows.
        csv.write(&RecordBatch::new_empty(Arc::clone(schema)))?;
        Ok(csv)
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        let columns = batch.columns().iter().zip(batch.schema_ref().fields());
        let columns = columns.map(|(column, field)| {
            if is_written_whole(field.data_type()) { Ok(Arc::clone(column)) } else { text(column, field) }
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let written = RecordBatch::try_new_with_options(Arc::clone(&self.written), columns, &rows)?;
        Ok(self.writer.write(&written)?)
    }

    pub(super) fn finish(self) -> Sink {
        self.writer.into_inner()
    }
}

/// Numbers, booleans and texts.
fn is_written_whole(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_written_whole(values),
        DataType::Boolean | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => {
            true
        }
        other => other.is_integer() || other.is_floating(),
    }
}

fn text(column: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    let options = text_options("");
    let formatter = texts(column.as_ref(), field, &options)?;
    let mut texts = StringBuilder::new();
    for row in 0..column.len() {
        if column.is_null(row) {
            texts.append_null();
        } else {
            texts.append_value(formatter.value(row).try_to_string()?);
        }
    }
    Ok(Arc::new(texts.finish()))
}
