//! Joining DuckDB's small batches into larger ones.

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

/// The target size of batches, in bytes, unless a query has another one.
pub const BATCH_BYTES: usize = 1 << 20;

/// Joins small batches of a result.
pub struct Joiner {
    schema: SchemaRef,
    target_bytes: usize,
    collected: Vec<RecordBatch>,
    collected_bytes: usize,
}

impl Joiner {
    /// Collects batches of these columns until they have the target size.
    #[must_use]
    pub fn new(schema: SchemaRef, target_bytes: usize) -> Self {
        Self { schema, target_bytes, collected: Vec::new(), collected_bytes: 0 }
    }

    /// Adds a batch; returns a joined one once there is enough.
    ///
    /// # Errors
    /// Batches that can't be joined: they have other columns, or too much text for 32-bit offsets.
    pub fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ArrowError> {
        self.collected_bytes += bytes(&batch);
        self.collected.push(batch);
        if self.collected_bytes < self.target_bytes {
            return Ok(None);
        }
        self.finish()
    }

    /// Returns the remaining rows.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        self.collected_bytes = 0;
        let collected = std::mem::take(&mut self.collected);
        match collected.as_slice() {
            [] => Ok(None),
            [_] => Ok(collected.into_iter().next()),
            several => concat_batches(&self.schema, several).map(Some),
        }
    }
}

/// The bytes that a batch's rows use, without unused space in its buffers.
#[must_use]
pub fn bytes(batch: &RecordBatch) -> usize {
    batch
        .columns()
        .iter()
        .map(|column| {
            column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
        })
        .sum()
}
