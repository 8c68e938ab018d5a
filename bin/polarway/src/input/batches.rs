//! Rows of a text format as batches, up to the first invalid row.

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use super::error::InputError;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// The bytes of text that complete a batch, however many rows it has.
const BATCH_BYTES: usize = 16 << 20;

/// Reads the rows of one format.
pub(super) trait Rows {
    /// Reads the next row, and returns its size in bytes; `None` at the end.
    ///
    /// # Errors
    /// If a row is invalid, or the file can't be read.
    fn read(&mut self) -> Result<Option<usize>, InputError>;

    /// The rows that were read since the last call.
    ///
    /// # Errors
    /// If Arrow can't hold the rows.
    fn finish(&mut self) -> Result<RecordBatch, ArrowError>;
}

/// The rows in batches. They end after an error.
pub(super) struct Batches<R> {
    rows: R,
    has_failed: bool,
}

impl<R: Rows> Batches<R> {
    pub(super) fn new(rows: R) -> Self {
        Self { rows, has_failed: false }
    }

    fn read(&mut self) -> Result<Option<RecordBatch>, InputError> {
        let (mut rows, mut bytes) = (0, 0);
        while rows < BATCH_ROWS
            && bytes < BATCH_BYTES
            && let Some(row_bytes) = self.rows.read()?
        {
            rows += 1;
            bytes += row_bytes;
        }
        if rows == 0 {
            return Ok(None);
        }
        self.rows.finish().map(Some).map_err(InputError::Rows)
    }
}

impl<R: Rows> Iterator for Batches<R> {
    type Item = Result<RecordBatch, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let batch = self.read();
        self.has_failed = batch.is_err();
        batch.transpose()
    }
}
