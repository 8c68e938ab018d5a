//! A table in memory: a schema and batches of rows.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_cast::pretty::pretty_format_batches_with_options;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::concat::concat_batches;

use crate::size::arrow_bytes;
use crate::text::text_options;

/// The most rows that debug output shows.
const DEBUG_ROWS: usize = 10;

/// A table in memory: a schema, and batches of rows in order. It may have no rows, and no batches.
#[derive(Clone, PartialEq)]
pub struct Table {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Table {
    /// A table of these batches. Each must have this schema; storing one that differs is an error.
    pub fn new(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        Self { schema, batches }
    }

    /// Its columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Its rows.
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// Its rows, without the table.
    pub fn into_batches(self) -> Vec<RecordBatch> {
        self.batches
    }

    /// How many rows it has.
    pub fn num_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The size of its rows as Arrow, in bytes. Memory that they share with other tables counts for each of them.
    pub fn arrow_bytes(&self) -> u64 {
        self.batches.iter().map(arrow_bytes).sum()
    }

    /// All rows as one batch. They are copied.
    ///
    /// # Errors
    /// More than 2 GiB of text in a column with 32-bit offsets, and more dictionary values in all
    /// than the keys can number.
    pub fn to_batch(&self) -> Result<RecordBatch, ArrowError> {
        // Arrow panics where the keys of a nested dictionary run out.
        catch_unwind(AssertUnwindSafe(|| concat_batches(&self.schema, &self.batches)))
            .unwrap_or(Err(ArrowError::DictionaryKeyOverflowError))
    }

    /// A part of its rows, without a copy. Rows after the end are left out.
    #[must_use]
    pub fn slice(&self, first_row: usize, rows: usize) -> Self {
        let (mut skip, mut left) = (first_row, rows);
        let mut batches = Vec::new();
        for batch in &self.batches {
            let start = skip.min(batch.num_rows());
            let length = left.min(batch.num_rows() - start);
            skip -= start;
            left -= length;
            if length > 0 {
                batches.push(batch.slice(start, length));
            }
        }
        Self { schema: Arc::clone(&self.schema), batches }
    }
}

impl From<RecordBatch> for Table {
    fn from(batch: RecordBatch) -> Self {
        Self { schema: batch.schema(), batches: vec![batch] }
    }
}

impl From<&RecordBatch> for Table {
    fn from(batch: &RecordBatch) -> Self {
        batch.clone().into()
    }
}

impl From<&Table> for Table {
    fn from(table: &Table) -> Self {
        table.clone()
    }
}

/// Draws the complete table as text: use [`Table::slice`] for a long one.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = text_options("NULL");
        let empty = [RecordBatch::new_empty(Arc::clone(&self.schema))];
        let batches = if self.batches.is_empty() { &empty } else { &self.batches[..] };
        match pretty_format_batches_with_options(batches, &options) {
            Ok(drawn) => drawn.fmt(f),
            Err(error) => write!(f, "(a table that can't be drawn: {error})"),
        }
    }
}

/// Says how large the table is and draws its first rows.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, columns) = (self.num_rows(), self.schema.fields().len());
        write!(f, "{rows} rows × {columns} columns\n{}", self.slice(0, DEBUG_ROWS))?;
        match rows.saturating_sub(DEBUG_ROWS) {
            0 => Ok(()),
            hidden => write!(f, "\n… {hidden} more rows"),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;

    use super::*;

    fn numbers(rows: std::ops::Range<i64>) -> RecordBatch {
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from_iter_values(rows)) as _)]).unwrap()
    }

    #[test]
    fn a_slice_crosses_batches_and_ends_with_the_table() {
        let table = Table::new(numbers(0..0).schema(), vec![numbers(0..3), numbers(3..5)]);
        let rows = |first, rows| table.slice(first, rows).to_batch().unwrap();
        assert_eq!(rows(2, 2), numbers(2..4));
        assert_eq!(rows(4, 10), numbers(4..5));
        assert_eq!(rows(9, 1), numbers(0..0));
    }

    #[test]
    fn a_table_without_batches_shows_its_columns() {
        let table = Table::new(numbers(0..0).schema(), vec![]);
        assert!(table.to_string().contains("| n |"), "{table}");
    }

    #[test]
    fn debug_output_is_cut_and_says_how_much_is_hidden() {
        let text = format!("{:?}", Table::from(numbers(0..25)));
        assert!(text.starts_with("25 rows × 1 columns\n"), "{text}");
        assert!(text.contains("| 9 "), "{text}");
        assert!(!text.contains("| 10 "), "{text}");
        assert!(text.ends_with("… 15 more rows"), "{text}");
    }
}
