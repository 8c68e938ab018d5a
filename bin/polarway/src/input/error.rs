//! What can be wrong with a file.

use std::io;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};

/// What is wrong with a file; its name is put before it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("can't be opened: {0}")]
    Open(io::Error),
    #[error("is a folder: name a file in it, or several with --each")]
    Directory,
    #[error("can't be read: {0}")]
    Read(#[from] io::Error),
    #[error("can't be written to a temporary file: {0}")]
    Spool(io::Error),
    #[error("is empty")]
    Empty,
    #[error("holds a JSON array, where one object a line is expected: `jq -c '.[]'` makes it so")]
    JsonArray,
    #[error("broke off with the connection and can't be read again: store from a file")]
    PipeIsGone,
    #[error("{0}; --infer-rows looks at more rows for the columns' types")]
    Json(ArrowError),
    #[error(
        "{0}; --infer-rows looks at more rows for the columns' types, and --all-text reads each column as text"
    )]
    Text(ArrowError),
    #[error("is no Arrow IPC: {0}")]
    Arrow(ArrowError),
    #[error("{0}")]
    Parquet(#[from] polarway_parquet::Error),
}

impl InputError {
    /// With the file's name, as the reader of rows hands it on.
    pub(crate) fn named(self, name: &str) -> ArrowError {
        ArrowError::ExternalError(format!("{name} {self}").into())
    }
}

/// Rows whose errors name the file.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) rows: Box<dyn RecordBatchReader + Send>,
}

impl Iterator for Named {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let named = |error| ArrowError::ExternalError(format!("{}: {error}", self.name).into());
        Some(self.rows.next()?.map_err(named))
    }
}

impl RecordBatchReader for Named {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }
}

/// Rows whose errors say what to do.
pub(super) struct Advised<I> {
    pub(super) schema: SchemaRef,
    pub(super) rows: I,
    pub(super) advise: fn(ArrowError) -> InputError,
}

impl<I: Iterator<Item = Result<RecordBatch, ArrowError>>> Iterator for Advised<I> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let advised = |error| ArrowError::ExternalError((self.advise)(error).to_string().into());
        Some(self.rows.next()?.map_err(advised))
    }
}

impl<I: Iterator<Item = Result<RecordBatch, ArrowError>>> RecordBatchReader for Advised<I> {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }
}
