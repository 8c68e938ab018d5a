//! Where a query's result goes.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::Error;
use crate::queue::control::{Release, StopSignal};
use crate::status::Summary;

/// A step of a result. The end or a failure is the last one.
#[derive(Debug)]
pub enum ResultEvent {
    /// The query's columns: the first step, if it did not fail before.
    Columns(SchemaRef),
    /// The next rows.
    Rows(RecordBatch),
    /// All rows were given.
    End(Summary),
    /// The query failed; what it gave before is right.
    Failed(Error),
}

/// Nobody takes the result any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// Takes the result of a query, on the query's own thread.
pub trait ResultSink: Send + 'static {
    /// Takes the next step. While the reader is slow it waits, and so does the query; it gives up when `stop` is raised.
    ///
    /// # Errors
    /// [`Closed`] when nothing more is wanted. The query then ends.
    fn push(&mut self, event: ResultEvent, stop: &StopSignal) -> Result<(), Closed>;

    /// What releases the reader when the query is stopped while its thread is busy. Asked for once, before the first step.
    fn releaser(&mut self) -> Release;
}
