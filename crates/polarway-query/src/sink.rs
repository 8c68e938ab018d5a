//! Where a query's result goes.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::Error;
use crate::queue::control::{Release, StopSignal};
use crate::status::Summary;

/// A step of a result. The last one is the end or a failure.
#[derive(Debug)]
pub enum ResultEvent {
    /// The query's columns: the first step, unless the query failed before.
    Columns(SchemaRef),
    /// The next rows.
    Rows(RecordBatch),
    /// All rows were delivered.
    End(Summary),
    /// The query failed; the rows before it are correct.
    Failed(Error),
}

/// The reader wants no more of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// Receives the result of a query, on the query's own thread.
pub trait ResultSink: Send + 'static {
    /// Takes the next step. While the reader is slow, this blocks, and so does the query; it gives up when `stop` is raised.
    /// raised.
    ///
    /// # Errors
    /// [`Closed`] when nothing more is wanted. The query then ends.
    fn push(&mut self, event: ResultEvent, stop: &StopSignal) -> Result<(), Closed>;

    /// What releases the reader when the query is stopped while its thread is busy. Called once, before the first step.
    fn releaser(&mut self) -> Release;
}
