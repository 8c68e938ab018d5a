//! Rows of a text format as batches, up to the first that is wrong.

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use super::error::InputError;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// The bytes of text after which a batch is done, whatever rows it has.
const BATCH_BYTES: usize = 16 << 20;

/// Reads the rows of one format.
pub(super) trait Rows {
    /// Takes in the next row, and gives how many bytes it has; nothing at the end.
    ///
    /// # Errors
    /// A row that is wrong, and what the file says.
    fn read(&mut self) -> Result<Option<usize>, InputError>;

    /// The rows that were taken in since the last time.
    ///
    /// # Errors
    /// Rows that Arrow can't hold.
    fn finish(&mut self) -> Result<RecordBatch, ArrowError>;
}

/// The rows in batches. Behind an error there are none.
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
