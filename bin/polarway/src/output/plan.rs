//! The answer of EXPLAIN, a drawing that would not fit into the cells of a table.

use std::io::Write as _;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_schema::{DataType, SchemaRef};

use super::table::{printable, seconds};
use super::{OutputError, Sink};

/// A plan, written as DuckDB drew it.
pub(crate) struct Plan {
    sink: Sink,
}

impl Plan {
    /// Whether the columns are those of EXPLAIN; hardly any other result has them.
    pub(super) fn has_columns(schema: &SchemaRef) -> bool {
        let names = schema.fields().iter().map(|field| (field.name().as_str(), field.data_type()));
        names.eq([("explain_key", &DataType::Utf8), ("explain_value", &DataType::Utf8)])
    }

    pub(super) fn new(sink: Sink) -> Self {
        Self { sink }
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        for text in batch.column(1).as_string::<i32>().iter().flatten() {
            for line in text.lines() {
                writeln!(self.sink, "{}", printable(line))?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self, took: Option<Duration>) -> Result<Sink, OutputError> {
        if let Some(took) = took {
            writeln!(self.sink, "in {}", seconds(took))?;
        }
        Ok(self.sink)
    }
}
