//! CSV: types are read off the first rows.

use std::collections::HashSet;
use std::io::{Cursor, Read};
use std::sync::Arc;

use arrow_array::RecordBatchReader;
use arrow_array::cast::AsArray as _;
use arrow_csv::ReaderBuilder;
use arrow_csv::reader::Format;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use super::error::{Advised, InputError};
use super::head::Head;
use super::{BATCH_ROWS, TextOptions};

pub(super) fn open(
    bytes: Box<dyn Read + Send>,
    options: &TextOptions,
) -> Result<Box<dyn RecordBatchReader + Send>, InputError> {
    let head = Head::read(bytes, options.infer_rows.saturating_add(1))?;
    if head.lines.iter().all(u8::is_ascii_whitespace) {
        return Err(InputError::Empty);
    }
    let format = Format::default().with_header(options.has_header).with_delimiter(options.delimiter);
    let schema = infer(&head.lines, &format, options).map_err(InputError::Text)?;
    let builder = ReaderBuilder::new(Arc::clone(&schema)).with_format(format).with_batch_size(BATCH_ROWS);
    let rows = builder.build(head.whole()).map_err(InputError::Text)?;
    Ok(Box::new(Advised { schema, rows, advise: InputError::Text }))
}

fn infer(lines: &[u8], format: &Format, options: &TextOptions) -> Result<SchemaRef, ArrowError> {
    let (inferred, _) = format.infer_schema(Cursor::new(lines), Some(options.infer_rows))?;
    let texts: Vec<Field> =
        inferred.fields().iter().map(|field| Field::new(field.name(), DataType::Utf8, true)).collect();
    let texts: SchemaRef = Arc::new(Schema::new(texts));
    if options.all_text {
        return Ok(texts);
    }
    let codes = codes(lines, format, &texts)?;
    let fields = inferred.fields().iter().enumerate().map(|(index, field)| match field.data_type() {
        // Without a value there is no telling, and text holds all that may come.
        DataType::Null => Field::new(field.name(), DataType::Utf8, true),
        DataType::Int64 if codes.contains(&index) => Field::new(field.name(), DataType::Utf8, true),
        other => Field::new(field.name(), other.clone(), true),
    });
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

/// The columns that hold codes which only look like numbers: `01067` is a place and not a thousand and sixty-seven.
fn codes(lines: &[u8], format: &Format, texts: &SchemaRef) -> Result<HashSet<usize>, ArrowError> {
    let builder = ReaderBuilder::new(Arc::clone(texts)).with_format(format.clone());
    let mut codes = HashSet::new();
    for batch in builder.build(Cursor::new(lines))? {
        for (index, column) in batch?.columns().iter().enumerate() {
            let is_code = |text: &str| text.len() > 1 && text.starts_with('0');
            if column.as_string::<i32>().iter().flatten().any(is_code) {
                codes.insert(index);
            }
        }
    }
    Ok(codes)
}
