//! Joining DuckDB's small batches into larger ones.

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

/// The target size of batches, in bytes, unless a query has another one.
pub(crate) const BATCH_BYTES: usize = 1 << 20;

/// Collects batches until they have the target size.
pub(crate) struct Joiner {
    schema: SchemaRef,
    target_bytes: usize,
    collected: Vec<RecordBatch>,
    collected_bytes: usize,
}

impl Joiner {
    pub(crate) fn new(schema: SchemaRef, target_bytes: usize) -> Self {
        Self { schema, target_bytes, collected: Vec::new(), collected_bytes: 0 }
    }

    /// Adds a batch; returns a joined one once there is enough.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ArrowError> {
        self.collected_bytes += bytes(&batch);
        self.collected.push(batch);
        if self.collected_bytes < self.target_bytes {
            return Ok(None);
        }
        self.finish()
    }

    /// Returns the remaining rows.
    pub(crate) fn finish(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
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
pub(crate) fn bytes(batch: &RecordBatch) -> usize {
    batch
        .columns()
        .iter()
        .map(|column| {
            column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
        })
        .sum()
}
