//! A result that several workers write as files, each its part, where its rows would all have to pass one of them.

use std::fmt::Debug;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use polarway_model::HandleId;
use uuid::Uuid;

use crate::catalog::CatalogError;

/// A file that a worker has written for a result: it is on stable storage, and nobody sees it before its keeper publishes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its name.
    pub name: Uuid,
    /// The rows in it, one at least.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// What its rows take as Arrow in memory.
    pub arrow_bytes: u64,
}

/// Who keeps the result of one query, on the worker that was asked. An executor over several workers may have it written by them
/// where its order is nobody's matter; any other executor delivers its rows.
///
/// What it does may block. It is dropped when neither the query nor its caller needs it any more: then it removes the files that
/// it was told to expect and did not publish.
pub trait ResultKeeper: Debug + Send + Sync {
    /// The handle that the files become.
    fn handle(&self) -> HandleId;

    /// The columns of the files, for a result with these.
    ///
    /// # Errors
    /// A column that can't be kept.
    fn columns(&self, result: &SchemaRef) -> Result<SchemaRef, CatalogError>;

    /// Files of these names may be written from now on.
    fn expect(&self, names: &[Uuid]);

    /// Whether a result may be kept that takes so many bytes as Arrow. It is asked while the files are written.
    ///
    /// # Errors
    /// It is larger than allowed.
    fn check(&self, arrow_bytes: u64) -> Result<(), CatalogError>;

    /// The whole result is in these files, whose rows follow each other. The query delivers no rows.
    fn written(&self, files: Vec<WrittenFile>);
}

/// Writes files of kept results on this worker, for queries that it takes part in.
pub trait ResultFiles: Debug + Send + Sync {
    /// Begins a file of a result that is to become this handle.
    ///
    /// # Errors
    /// A column that can't be stored.
    fn create(
        &self,
        handle: HandleId,
        name: Uuid,
        columns: SchemaRef,
    ) -> Result<Box<dyn ResultFile>, CatalogError>;
}

/// A file of a kept result that is being written. All methods may block. Dropped before it is finished, it leaves nothing.
pub trait ResultFile: Send {
    /// Adds rows.
    ///
    /// # Errors
    /// The storage fails, or takes no writes.
    fn write(&mut self, rows: &RecordBatch) -> Result<(), CatalogError>;

    /// About what the rows that are not in the file yet take in memory.
    fn held_bytes(&self) -> u64;

    /// Puts all rows into the file, where memory is short.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn flush(&mut self) -> Result<(), CatalogError>;

    /// Waits until it is on stable storage. `None` if it has no rows: then there is no file. Nothing is left of it if `is_wanted`
    /// says in the end that its query is over.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn finish(self: Box<Self>, is_wanted: &dyn Fn() -> bool) -> Result<Option<WrittenFile>, CatalogError>;
}
