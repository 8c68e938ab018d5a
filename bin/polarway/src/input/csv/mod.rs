//! CSV: types are inferred from the first rows, and apply to the rest.

mod records;

use std::io::{BufRead, Read};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};

use self::records::Records;
use super::batches::{Batches, Rows};
use super::error::InputError;
use super::head::Head;
use super::value_type::{Candidates, ValueBuilder, ValueType};
use super::{FileRows, TextOptions};

pub(super) fn open(bytes: Box<dyn Read + Send>, options: &TextOptions) -> Result<FileRows, InputError> {
    let head = Head::read(bytes, options.infer_rows.saturating_add(1))?;
    if head.lines.iter().all(u8::is_ascii_whitespace) {
        return Err(InputError::Empty);
    }
    let columns = columns(&head.lines, options)?;
    let mut records = Records::new(head.whole(), options.delimiter);
    if options.has_header {
        records.read()?;
    }
    let fields = columns.iter().map(|(name, value_type)| Field::new(name, value_type.data_type(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let builders = columns.iter().map(|(_, value_type)| value_type.builder()).collect();
    let rows = CsvRows { records, schema: SchemaRef::clone(&schema), builders };
    Ok(FileRows { schema, batches: Box::new(Batches::new(rows)) })
}

/// The columns' names and types.
fn columns(lines: &[u8], options: &TextOptions) -> Result<Vec<(String, ValueType)>, InputError> {
    let mut records = Records::new(lines, options.delimiter);
    let mut candidates: Vec<Candidates> = Vec::new();
    let mut names = Vec::new();
    let mut rows = 0;
    // The lines may be cut off inside quotes. The actual read checks whether these are closed.
    while rows < options.infer_rows && records.read().unwrap_or(false) {
        if names.is_empty() {
            candidates = records.values().map(|_| Candidates::all()).collect();
            if options.has_header {
                let name = |bytes| text(bytes, records.line(), || "the header".to_owned()).map(str::to_owned);
                names = records.values().map(name).collect::<Result<_, _>>()?;
                continue;
            }
            names = (1..=candidates.len()).map(|number| format!("column_{number}")).collect();
        }
        rows += 1;
        // Ignore rows of a wrong length or that are not UTF-8: the actual read refuses them.
        for (candidates, value) in candidates.iter_mut().zip(records.values()) {
            if let Ok(value) = std::str::from_utf8(value)
                && !value.is_empty()
            {
                candidates.see(value);
            }
        }
    }
    options.check_names(names.iter())?;
    let columns = names.into_iter().zip(candidates).map(|(name, candidates)| {
        let found = if options.all_text { ValueType::Text } else { candidates.narrowest() };
        let value_type = options.named_type(&name).unwrap_or(found);
        (name, value_type)
    });
    Ok(columns.collect())
}

fn text(bytes: &[u8], line: u64, place: impl Fn() -> String) -> Result<&str, InputError> {
    std::str::from_utf8(bytes).map_err(|_| InputError::NoText { line, place: place() })
}

struct CsvRows<R> {
    records: Records<R>,
    schema: SchemaRef,
    builders: Vec<Box<dyn ValueBuilder>>,
}

impl<R: BufRead> Rows for CsvRows<R> {
    fn read(&mut self) -> Result<Option<usize>, InputError> {
        if self.records.read()? { self.append().map(Some) } else { Ok(None) }
    }

    fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns = self.builders.iter_mut().map(|builder| builder.finish()).collect();
        RecordBatch::try_new(SchemaRef::clone(&self.schema), columns)
    }
}

impl<R: BufRead> CsvRows<R> {
    /// Appends the record, and returns its size in bytes.
    fn append(&mut self) -> Result<usize, InputError> {
        let line = self.records.line();
        let values = self.records.values();
        let expected = self.builders.len();
        if values.len() != expected {
            return Err(InputError::Fields { line, found: values.len(), expected });
        }
        let mut bytes = 0;
        for ((value, builder), field) in values.zip(&mut self.builders).zip(self.schema.fields()) {
            bytes += value.len();
            if value.is_empty() {
                builder.append_null();
                continue;
            }
            let value = text(value, line, || format!("column {:?}", field.name()))?;
            if !builder.append(value) {
                return Err(InputError::value_of_csv(line, field, value));
            }
        }
        Ok(bytes)
    }
}
