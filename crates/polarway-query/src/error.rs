//! What can go wrong with a query, by what its author can do about it.

use crate::catalog::CatalogError;

/// Why a query gave no result, or only part of one.
///
/// Messages are for the query's author: they contain no file paths and no internals of DuckDB. Positions have DuckDB's form: a
/// line of the author's own text with a caret under it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not valid SQL for DuckDB.
    #[error("{0}")]
    Syntax(String),
    /// The text is SQL, but does something that queries may not do here. The message says what is allowed.
    #[error("{0}")]
    NotAllowed(String),
    /// A name, version or file in the query can't be resolved.
    #[error(transparent)]
    Catalog(CatalogError),
    /// Columns, types or functions that don't match the tables.
    #[error("{0}")]
    Binder(String),
    /// The query failed on its data: a conversion, an overflow, `error(…)`.
    #[error("{0}")]
    Execution(String),
    /// The query, or a column it selects, needs something that SQL can't do correctly here.
    #[error("{0}")]
    Unsupported(String),
    /// A data file is missing, unreadable or no valid Parquet.
    #[error("{0}")]
    DataFile(String),
    /// The given values don't match the text's parameters.
    #[error("{0}")]
    Parameters(String),
    /// DuckDB's memory or temporary space was not enough while other queries used some of it: the same query may succeed when
    /// fewer run.
    #[error("{0}")]
    OutOfMemory(String),
    /// The query needs more memory or temporary space than there is, or its result is larger than allowed.
    #[error("{0}")]
    QueryTooLarge(String),
    /// Too many queries run and wait, or the query waited too long for them.
    #[error("{0}")]
    Busy(String),
    /// The reader took nothing for too long while other queries waited for the slot.
    #[error("{0}")]
    ReaderTooSlow(String),
    /// The query was to run on several workers, and can't.
    #[error("the query can't run on several workers: {0}")]
    NotDistributable(String),
    /// A worker that ran a part of the query was lost. The same query may succeed if it is run again.
    #[error("{0}")]
    WorkerLost(String),
    /// The text is longer or deeper than allowed.
    #[error("{0}")]
    TooLarge(String),
    /// Someone interrupted the query.
    #[error("the query was interrupted")]
    Interrupted,
    /// The query's deadline passed.
    #[error("the query did not end before its deadline")]
    Deadline,
    /// The engine can't be opened with this configuration.
    #[error("{0}")]
    Configuration(String),
    /// DuckDB failed at this query in such a way that it can't be trusted any more. The query ends; a new DuckDB is opened for
    /// later queries.
    #[error("the query engine failed at this query and was opened anew: {0}")]
    Broken(String),
    /// This query's DuckDB was replaced because another query had broken it. The same query may succeed if it is run again.
    #[error("{0}")]
    Replaced(String),
    /// A bug in this crate or in DuckDB.
    #[error("the query engine failed: {0}")]
    Internal(String),
}

impl Error {
    /// Whether files that are not as expected may be the cause, whatever else went wrong.
    pub(crate) fn may_come_of_wrong_files(&self) -> bool {
        matches!(
            self,
            Self::DataFile(_)
                | Self::Execution(_)
                | Self::Binder(_)
                | Self::Broken(_)
                | Self::Internal(_)
                | Self::Catalog(CatalogError::Failed { .. })
        )
    }
}

impl From<CatalogError> for Error {
    fn from(error: CatalogError) -> Self {
        Self::Catalog(error)
    }
}
