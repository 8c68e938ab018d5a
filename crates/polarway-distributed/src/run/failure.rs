//! What an error of DataFusion means: a connection that failed, or the query.

use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;

use crate::error::Error;

/// Why a try failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// A connection, here or between two workers.
    Connection(String),
    /// The query itself.
    Query(Error),
}

impl Failure {
    /// What an error means, by its kind: only connections, and queries that were ended from outside, have errors that DataFusion
    /// does not know.
    pub(super) fn of(error: DataFusionError) -> Self {
        let text = error.strip_backtrace();
        Self::Query(match error.find_root() {
            DataFusionError::External(_) => return Self::Connection(text),
            DataFusionError::ResourcesExhausted(_) => Error::OutOfMemory(text),
            DataFusionError::NotImplemented(_) => Error::Unsupported(text),
            DataFusionError::Execution(_)
            | DataFusionError::ObjectStore(_)
            | DataFusionError::ParquetError(_)
            | DataFusionError::IoError(_) => Error::Execution(text),
            DataFusionError::ArrowError(error, _) if !matches!(**error, ArrowError::SchemaError(_)) => {
                Error::Execution(text)
            }
            _ => Error::Internal(text),
        })
    }

    /// The error of a try that used no connection yet.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Connection(why) => Error::Connection(why),
            Self::Query(error) => error,
        }
    }
}
