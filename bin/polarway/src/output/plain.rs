//! CSV and JSON lines, for tables of any types.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_json::writer::{LineDelimited, WriterBuilder};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use super::{OutputError, Sink};

/// Columns that a format can't write become text; the rest stay as they are.
struct Texts {
    schema: SchemaRef,
    becomes_text: Vec<bool>,
}

impl Texts {
    fn new(schema: &SchemaRef, can_write: impl Fn(&DataType) -> bool) -> Self {
        let becomes_text: Vec<bool> =
            schema.fields().iter().map(|field| !can_write(field.data_type())).collect();
        let fields = schema.fields().iter().zip(&becomes_text).map(|(field, becomes_text)| {
            let data_type = if *becomes_text { DataType::Utf8 } else { field.data_type().clone() };
            Field::new(field.name(), data_type, true)
        });
        Self { schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())), becomes_text }
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = batch.columns().iter().zip(&self.becomes_text);
        let columns = columns.map(
            |(column, becomes_text)| {
                if *becomes_text { text(column) } else { Ok(Arc::clone(column)) }
            },
        );
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &rows)
    }
}

fn text(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = FormatOptions::new();
    let formatter = ArrayFormatter::try_new(column, &options)?;
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

/// CSV as RFC 4180 has it, with a header; what is NULL is empty.
pub(crate) struct Csv {
    writer: arrow_csv::Writer<Sink>,
    texts: Texts,
}

impl Csv {
    pub(super) fn new(schema: &SchemaRef, sink: Sink) -> Result<Self, OutputError> {
        let mut csv = Self {
            writer: arrow_csv::WriterBuilder::new().with_header(true).build(sink),
            texts: Texts::new(schema, |data_type| !data_type.is_nested() && !is_binary(data_type)),
        };
        // The header is there even without rows.
        csv.write(&RecordBatch::new_empty(Arc::clone(schema)))?;
        Ok(csv)
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        Ok(self.writer.write(&self.texts.apply(batch)?)?)
    }

    pub(super) fn finish(self) -> Sink {
        self.writer.into_inner()
    }
}

fn is_binary(data_type: &DataType) -> bool {
    use DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary};
    matches!(data_type, Binary | BinaryView | FixedSizeBinary(_) | LargeBinary)
}

/// An object a row. Each has all keys, also those that are null.
pub(crate) struct JsonLines {
    writer: arrow_json::Writer<Sink, LineDelimited>,
    texts: Texts,
}

impl JsonLines {
    pub(super) fn new(schema: &SchemaRef, sink: Sink) -> Self {
        Self {
            writer: WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(sink),
            texts: Texts::new(schema, json_can_write),
        }
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        Ok(self.writer.write(&self.texts.apply(batch)?)?)
    }

    pub(super) fn finish(mut self) -> Result<Sink, OutputError> {
        self.writer.finish()?;
        Ok(self.writer.into_inner())
    }
}

/// Numbers, truths, texts, times, and nested ones of them. Decimals become text: a JSON number would lose their digits.
fn json_can_write(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => fields.iter().all(|field| json_can_write(field.data_type())),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            json_can_write(item.data_type())
        }
        DataType::Dictionary(_, values) => json_can_write(values),
        DataType::Boolean
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(..)
        | DataType::Null => true,
        other => other.is_numeric() && !other.is_decimal(),
    }
}
