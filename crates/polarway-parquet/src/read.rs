//! Reads the rows of many files in order, decoding ahead on all cores within a budget.

use std::iter::FusedIterator;
use std::panic::resume_unwind;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::pipeline::{Outcome, Pipeline};
use crate::plan::FilePlan;
use crate::{FileReader, ReadAt, Result, Workers};

/// From where and in what pieces to read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The first row to deliver, counted over all files from 0. Past the end there is nothing to read.
    pub first_row: u64,
    /// The row behind the last to deliver, counted likewise. Row groups that begin there or later are not read.
    pub end_row: u64,
    /// The most rows in a batch. Batches end at row groups, and earlier where rows are large or a dictionary's keys run out.
    pub batch_rows: usize,
    /// About how many bytes of decoded rows may wait for a slow consumer.
    pub buffered_bytes: u64,
    /// Whether files are told which of their column chunks will be read, so that they can fetch them ahead.
    pub fetch_ahead: bool,
    /// What decodes.
    pub workers: Workers,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            first_row: 0,
            end_row: u64::MAX,
            batch_rows: 65_536,
            buffered_bytes: 256 << 20,
            fetch_ahead: true,
            workers: Workers::default(),
        }
    }
}

impl ReadOptions {
    /// These options, starting at `first_row`.
    pub fn with_first_row(self, first_row: u64) -> Self {
        Self { first_row, ..self }
    }

    /// These options, ending before `end_row`.
    pub fn with_end_row(self, end_row: u64) -> Self {
        Self { end_row, ..self }
    }

    /// These options, with at most `batch_rows` rows in a batch.
    pub fn with_batch_rows(self, batch_rows: usize) -> Self {
        Self { batch_rows, ..self }
    }

    /// These options, with about `buffered_bytes` bytes decoded ahead at most.
    pub fn with_buffered_bytes(self, buffered_bytes: u64) -> Self {
        Self { buffered_bytes, ..self }
    }

    /// These options, with files that are only asked for what is decoded now.
    pub fn without_fetching_ahead(self) -> Self {
        Self { fetch_ahead: false, ..self }
    }

    /// These options, decoding on `workers`.
    pub fn with_workers(self, workers: Workers) -> Self {
        Self { workers, ..self }
    }
}

/// The rows of `files`, one file after the other, as batches that have exactly `schema`.
///
/// `schema` is the one that was stored, or some of its columns: a file's other columns are not read. All footers are
/// read before this returns.
///
/// # Errors
/// [`Error::InFile`](crate::Error::InFile) names the file whose footer can't be read or whose columns don't fit; the
/// iterator's items do likewise, and the first error ends it.
pub fn read(files: Vec<Arc<dyn ReadAt>>, schema: &SchemaRef, options: ReadOptions) -> Result<BatchReader> {
    read_map(files, schema, options, |batch, _| batch)
}

/// Like [`read`], with `map` applied to each batch and the number of its first row on the decoding threads.
///
/// Results come in the order of the rows. `map` must not wait for another read: that would hold a decoding thread.
/// A panic in it is passed on to whoever asks for its result.
///
/// # Errors
/// Like [`read`].
pub fn read_map<T: Send + 'static>(
    files: Vec<Arc<dyn ReadAt>>,
    schema: &SchemaRef,
    options: ReadOptions,
    map: impl Fn(RecordBatch, u64) -> T + Send + Sync + 'static,
) -> Result<BatchReader<T>> {
    // Enough tasks to keep all threads busy; more would make wide tables slow.
    let most_groups = 8 * options.workers.threads();
    let mut planned = Vec::with_capacity(files.len());
    for (index, bytes) in files.into_iter().enumerate() {
        let plan = FileReader::open(bytes).and_then(|file| FilePlan::new(file, schema, most_groups));
        planned.push(plan.map_err(|error| error.in_file(index))?);
    }
    let pipeline = Pipeline::start(planned, schema.clone(), &options, Box::new(map));
    Ok(BatchReader { pipeline, ended: false })
}

/// Delivers batches, or what was made of them, in the order of the rows.
///
/// Decoding goes on in the background within [`ReadOptions::buffered_bytes`]; dropping the reader ends it.
pub struct BatchReader<T = RecordBatch> {
    pipeline: Arc<Pipeline<T>>,
    ended: bool,
}

impl<T: Send + 'static> Iterator for BatchReader<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let outcome = self.pipeline.next_outcome();
        self.ended = !matches!(outcome, Some(Outcome::Item(_)));
        match outcome? {
            Outcome::Item(item) => Some(Ok(item)),
            Outcome::Failed(error) => Some(Err(error)),
            Outcome::Panicked(payload) => resume_unwind(payload),
        }
    }
}

impl<T: Send + 'static> FusedIterator for BatchReader<T> {}

impl<T> Drop for BatchReader<T> {
    fn drop(&mut self) {
        self.pipeline.cancel();
    }
}

impl<T> std::fmt::Debug for BatchReader<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("BatchReader").field("ended", &self.ended).finish_non_exhaustive()
    }
}
