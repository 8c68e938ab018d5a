//! Joining DuckDB's small batches into larger ones.

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

/// Collects batches until they have the wanted size.
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

    /// Takes a batch; gives a joined one when enough is there.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ArrowError> {
        self.collected_bytes += bytes(&batch);
        self.collected.push(batch);
        if self.collected_bytes < self.target_bytes {
            return Ok(None);
        }
        self.finish()
    }

    /// What is left.
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

/// The bytes that a batch's rows take, without what its buffers have to spare.
pub(crate) fn bytes(batch: &RecordBatch) -> usize {
    batch
        .columns()
        .iter()
        .map(|column| {
            column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
        })
        .sum()
}
