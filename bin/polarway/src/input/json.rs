//! JSON lines: columns and types are read off the first rows.

use std::io::{Cursor, Read};
use std::sync::Arc;

use arrow_array::RecordBatchReader;
use arrow_json::ReaderBuilder;
use arrow_json::reader::infer_json_schema;
use arrow_schema::{DataType, Field, Schema};

use super::error::{Advised, InputError};
use super::head::Head;
use super::{BATCH_ROWS, TextOptions};

pub(super) fn open(
    bytes: Box<dyn Read + Send>,
    options: &TextOptions,
) -> Result<Box<dyn RecordBatchReader + Send>, InputError> {
    let head = Head::read(bytes, options.infer_rows)?;
    match head.lines.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err(InputError::Empty),
        Some(b'[') => return Err(InputError::JsonArray),
        Some(_) => {}
    }
    let (inferred, _) =
        infer_json_schema(Cursor::new(&head.lines), Some(options.infer_rows)).map_err(InputError::Json)?;
    let fields: Vec<Field> = inferred.fields().iter().map(|field| without_null(field)).collect();
    let schema = Arc::new(Schema::new(fields));
    // A key that comes later must not be lost in silence.
    let builder = ReaderBuilder::new(Arc::clone(&schema)).with_strict_mode(true).with_batch_size(BATCH_ROWS);
    let rows = builder.build(head.whole()).map_err(InputError::Json)?;
    Ok(Box::new(Advised { schema, rows, advise: InputError::Json }))
}

/// Where no value came there is no telling, and text holds most of what may.
fn without_null(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::Null => DataType::Utf8,
        DataType::List(item) => DataType::List(Arc::new(without_null(item))),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| without_null(field)).collect())
        }
        other => other.clone(),
    };
    Field::new(field.name(), data_type, true)
}
