//! The one public error: a kind to act on, a message, and a cause.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

pub use polarway_model::ErrorKind;
use polarway_query::CatalogError;
use polarway_storage::{FailureKind, ReadFailure};

/// The result of an operation of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: a [kind](ErrorKind) to act on, a message that says what and what to do, and
/// the cause as [`source`](StdError::source).
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    cause: Option<Cause>,
}

#[derive(Debug)]
enum Cause {
    /// An error whose message is this error's message already: only its own causes are sources.
    Told(Box<dyn StdError + Send + Sync>),
    /// An error that this error's message does not include.
    Untold(Box<dyn StdError + Send + Sync>),
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: None }
    }

    pub(crate) fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.cause = Some(Cause::Untold(Box::new(source)));
        self
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn from_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self::new(ErrorKind::Internal, format!("a bug in Polarway: {}", text.unwrap_or("it panicked")))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.cause.as_ref()? {
            Cause::Told(error) => error.source(),
            Cause::Untold(error) => Some(error.as_ref()),
        }
    }
}

/// An error of a layer below, under a kind.
fn told(kind: ErrorKind, error: impl StdError + Send + Sync + 'static) -> Error {
    // Arrow's prefix for an error that it passes on, such as one of the caller's reader.
    const PASSED_ON: &str = "External error: ";

    let words = error.to_string();
    let message = words.strip_prefix(PASSED_ON).map(str::to_owned).unwrap_or(words);
    Error { kind, message, cause: Some(Cause::Told(Box::new(error))) }
}

impl From<polarway_ipc::Error> for Error {
    fn from(error: polarway_ipc::Error) -> Self {
        told(ErrorKind::InvalidInput, error)
    }
}

impl From<polarway_storage::InvalidName> for Error {
    fn from(error: polarway_storage::InvalidName) -> Self {
        told(ErrorKind::InvalidName, error)
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        told(ErrorKind::InvalidInput, error)
    }
}

impl From<polarway_handles::Error> for Error {
    fn from(error: polarway_handles::Error) -> Self {
        use polarway_handles::Error as Handles;

        let kind = match error {
            Handles::Storage(error) => return error.into(),
            Handles::Invalid(_) => ErrorKind::InvalidHandle,
            Handles::Unknown { .. } => ErrorKind::UnknownHandle,
            Handles::Expired { .. } => ErrorKind::HandleExpired,
            Handles::Dropped { .. } => ErrorKind::HandleDropped,
            Handles::Lost { .. } => ErrorKind::HandleLost,
            Handles::Full { .. } => ErrorKind::HandlesFull,
            Handles::NotForHandles { .. } => ErrorKind::Configuration,
            _ => ErrorKind::Internal,
        };
        told(kind, error)
    }
}

impl From<polarway_storage::Error> for Error {
    fn from(error: polarway_storage::Error) -> Self {
        told(storage_kind(&error), error)
    }
}

impl From<polarway_storage::BackendError> for Error {
    fn from(error: polarway_storage::BackendError) -> Self {
        told(failure_kind(error.kind), error)
    }
}

impl From<ReadFailure> for Error {
    fn from(failure: ReadFailure) -> Self {
        let kind = match &failure {
            ReadFailure::Cancelled => ErrorKind::Cancelled,
            ReadFailure::Failed(error) => failure_kind(error.kind),
        };
        told(kind, failure)
    }
}

fn storage_kind(error: &polarway_storage::Error) -> ErrorKind {
    use polarway_storage::Error as Storage;

    match error {
        Storage::InvalidName(_) => ErrorKind::InvalidName,
        Storage::UnknownDataset { .. } => ErrorKind::UnknownDataset,
        Storage::UnknownVersion { .. }
        | Storage::NoVersionThen { .. }
        | Storage::VersionVacuumed { .. }
        | Storage::VersionIsDeletion { .. } => ErrorKind::UnknownVersion,
        Storage::AlreadyExists { .. } => ErrorKind::AlreadyExists,
        Storage::VersionConflict { .. } => ErrorKind::VersionConflict,
        Storage::SchemaMismatch { .. } => ErrorKind::SchemaMismatch,
        Storage::RequestExpired { .. } => ErrorKind::RequestExpired,
        Storage::UnreadableCommit { .. }
        | Storage::DataFileMissing { .. }
        | Storage::AdoptedFilesDiffer { .. } => ErrorKind::Corrupt,
        Storage::ForeignTable { .. } => ErrorKind::Unsupported,
        Storage::AdoptedFileChanged { .. } => ErrorKind::Changed,
        Storage::OutcomeUnknown { .. } => ErrorKind::OutcomeUnknown,
        Storage::UploadExpired { .. }
        | Storage::StoodStill { .. }
        | Storage::ClockAhead { .. }
        | Storage::LoadAbandoned => ErrorKind::StorageFailed,
        Storage::Backend(error) => failure_kind(error.kind),
        Storage::Table(error) | Storage::UnreadableData { source: error, .. } => table_kind(error),
        Storage::UnknownColumn { .. } => ErrorKind::UnknownColumn,
        Storage::NoColumns
        | Storage::ColumnTwice { .. }
        | Storage::RowsBackwards { .. }
        | Storage::Chunks(_)
        | Storage::Arrow(_) => ErrorKind::InvalidInput,
        Storage::TooLarge { .. } => ErrorKind::QuotaExceeded,
        Storage::Thread(_) => ErrorKind::ResourceExhausted,
        Storage::SharedLoad(error) => storage_kind(error),
        _ => ErrorKind::Internal,
    }
}

fn failure_kind(failure: FailureKind) -> ErrorKind {
    match failure {
        FailureKind::Full => ErrorKind::StorageFull,
        FailureKind::Changed => ErrorKind::Changed,
        FailureKind::ReadOnly | FailureKind::WriteDenied => ErrorKind::ReadOnly,
        FailureKind::NotFound
        | FailureKind::Denied
        | FailureKind::Linked
        | FailureKind::NoBucket
        | FailureKind::Unauthenticated
        | FailureKind::Expired
        | FailureKind::WrongClock
        | FailureKind::WrongRegion
        | FailureKind::Unreachable
        | FailureKind::Busy
        | FailureKind::Unsuitable
        | FailureKind::Other => ErrorKind::StorageFailed,
    }
}

fn table_kind(error: &polarway_parquet::Error) -> ErrorKind {
    use polarway_parquet::Error as Parquet;

    match error {
        Parquet::Unsupported(_) | Parquet::CellTooLarge { .. } | Parquet::TimeOutOfRange { .. } => {
            ErrorKind::Unsupported
        }
        Parquet::BatchSchema { .. } | Parquet::DecimalOutOfRange { .. } => ErrorKind::InvalidInput,
        Parquet::Write(_) | Parquet::Read(_) => ErrorKind::StorageFailed,
        Parquet::InFile { source, .. } => table_kind(source),
        Parquet::NotParquet
        | Parquet::Encrypted
        | Parquet::Truncated
        | Parquet::Corrupt { .. }
        | Parquet::ColumnMissing { .. }
        | Parquet::ColumnType { .. } => ErrorKind::Corrupt,
        _ => ErrorKind::Internal,
    }
}

impl From<polarway_query::Error> for Error {
    fn from(error: polarway_query::Error) -> Self {
        use polarway_query::Error as Query;

        let kind = match error {
            // An error of our own catalog came back through the query engine.
            Query::Catalog(CatalogError::Failed { kind, source }) => {
                return Self { kind, message: source.to_string(), cause: Some(Cause::Told(source)) };
            }
            Query::Catalog(CatalogError::UnknownDataset { .. } | CatalogError::NoFiles { .. }) => {
                ErrorKind::UnknownDataset
            }
            Query::Catalog(CatalogError::UnknownVersion { .. }) => ErrorKind::UnknownVersion,
            Query::Catalog(CatalogError::FilesNotAllowed { .. }) | Query::NotAllowed(_) => {
                ErrorKind::QueryNotAllowed
            }
            Query::Catalog(CatalogError::Changed { .. }) => ErrorKind::Changed,
            Query::Syntax(_) | Query::Binder(_) | Query::Parameters(_) | Query::TooLarge(_) => {
                ErrorKind::InvalidQuery
            }
            Query::Execution(_) => ErrorKind::QueryFailed,
            Query::Unsupported(_) => ErrorKind::Unsupported,
            Query::DataFile(_) => ErrorKind::Corrupt,
            Query::OutOfMemory(_) | Query::Busy(_) | Query::Replaced(_) => ErrorKind::ResourceExhausted,
            Query::QueryTooLarge(_) => ErrorKind::QueryTooLarge,
            Query::ReaderTooSlow(_) => ErrorKind::ReaderTooSlow,
            Query::NotDistributable(_) => ErrorKind::NotDistributable,
            Query::WorkerLost(_) => ErrorKind::WorkerLost,
            Query::Interrupted => ErrorKind::Cancelled,
            Query::Deadline => ErrorKind::DeadlineExceeded,
            Query::Configuration(_) => ErrorKind::Configuration,
            _ => ErrorKind::Internal,
        };
        told(kind, error)
    }
}

impl From<Error> for CatalogError {
    fn from(error: Error) -> Self {
        Self::Failed { kind: error.kind, source: Box::new(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_went_through_the_query_engine_keeps_its_kind_its_words_and_its_causes() {
        let cause = std::io::Error::other("the disk is gone");
        let ours = Error::new(ErrorKind::StorageFailed, "the dataset can't be read").caused_by(cause);
        let back = Error::from(polarway_query::Error::from(CatalogError::from(ours)));
        assert_eq!(back.kind(), ErrorKind::StorageFailed);
        assert_eq!(back.to_string(), "the dataset can't be read");
        assert_eq!(back.source().map(ToString::to_string).as_deref(), Some("the disk is gone"));
    }
}
