//! JSON lines: keys and types are inferred from the first rows, and apply to the rest.

mod column;
mod misfit;
mod parse;
mod shape;

use std::io::{BufRead, Read};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Schema};

use self::column::{Accepts, Column, Struct};
use self::misfit::Misfit;
use self::parse::{Entries, Json, parse_line};
use self::shape::{Keys, see_row};
use super::batches::{Batches, Rows};
use super::error::InputError;
use super::head::Head;
use super::{FileRows, TextOptions};

pub(super) fn open(bytes: Box<dyn Read + Send>, options: &TextOptions) -> Result<FileRows, InputError> {
    let head = Head::read(bytes, options.infer_rows)?;
    match head.lines.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err(InputError::Empty),
        Some(b'[') => return Err(InputError::JsonArray),
        Some(_) => {}
    }
    let keys = keys(&head.lines, options.infer_rows)?;
    options.check_names(keys.iter().map(|(key, _)| key))?;
    let row = Struct::new(keys.into_iter().map(|(key, shape)| {
        let column = match options.named_type(&key) {
            Some(value_type) => Column::value(Accepts::Everything, value_type),
            None => Column::new(&shape),
        };
        (key, column)
    }));
    let schema = Arc::new(Schema::new(row.fields().clone()));
    let rows = JsonRows { lines: Lines::new(head.whole()), row };
    Ok(FileRows { schema, batches: Box::new(Batches::new(rows)) })
}

/// The keys of the rows, and the shape of each key's values.
fn keys(lines: &[u8], infer_rows: usize) -> Result<Keys, InputError> {
    let mut lines = Lines::new(lines);
    let mut keys = Keys::new();
    let mut rows = 0;
    while rows < infer_rows && lines.read()? {
        rows += 1;
        see_row(&mut keys, lines.entries()?).map_err(|misfit| lines.misfit(&misfit))?;
    }
    Ok(keys)
}

struct JsonRows<R> {
    lines: Lines<R>,
    row: Struct,
}

impl<R: BufRead> Rows for JsonRows<R> {
    fn read(&mut self) -> Result<Option<usize>, InputError> {
        if !self.lines.read()? {
            return Ok(None);
        }
        let entries = self.lines.entries()?;
        self.row.append(entries).map_err(|misfit| self.lines.misfit(&misfit))?;
        Ok(Some(self.lines.bytes.len()))
    }

    fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        Ok(RecordBatch::from(self.row.finish()?))
    }
}

/// The lines that are not empty.
struct Lines<R> {
    input: R,
    bytes: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        Self { input, bytes: Vec::new(), number: 0 }
    }

    /// Reads the next line; false at the end.
    fn read(&mut self) -> Result<bool, InputError> {
        loop {
            self.bytes.clear();
            if self.input.read_until(b'\n', &mut self.bytes)? == 0 {
                return Ok(false);
            }
            self.number += 1;
            if !self.bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(true);
            }
        }
    }

    /// The keys and values of the line's object.
    fn entries(&self) -> Result<Entries<'_>, InputError> {
        let line = self.number;
        let text = std::str::from_utf8(&self.bytes)
            .map_err(|_| InputError::NoText { line, place: "the row".to_owned() })?;
        match parse_line(text) {
            Ok(Json::Object(entries)) => Ok(entries),
            Ok(_) => Err(self.misfit(&Misfit::new(text.trim(), "an object"))),
            Err(error) => {
                Err(InputError::JsonLine { line, character: error.column(), problem: misfit::reason(&error) })
            }
        }
    }

    fn misfit(&self, misfit: &Misfit) -> InputError {
        InputError::value_of_json(self.number, misfit, misfit.column())
    }
}
