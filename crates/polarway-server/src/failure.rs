//! The engine's errors as failures of calls.

use std::time::Duration;

use polarway_core::{Error, ErrorKind};
use polarway_proto::Reason;
use polarway_proto::v1::Failure;

/// The retry delay when other calls used up memory or threads: a typical query has ended by then.
const BUSY: Duration = Duration::from_millis(500);

/// The retry delay after a storage error.
const STORAGE_PAUSE: Duration = Duration::from_millis(100);

/// The failure that the client gets for an error. A bug is also logged, with its chain of causes.
pub(crate) fn failure(error: &Error) -> Failure {
    match error.kind() {
        ErrorKind::Internal | ErrorKind::Corrupt | ErrorKind::StorageFailed => {
            tracing::error!(error = chain(error), "a call failed");
        }
        _ => {}
    }
    let message = match error.kind() {
        // The cause says what is wrong with the file.
        ErrorKind::Corrupt | ErrorKind::Unsupported => chain(error),
        _ => error.to_string(),
    };
    let failure = reason(error.kind()).failure(message);
    match error.kind() {
        ErrorKind::ResourceExhausted => failure.with_retry_delay(BUSY),
        ErrorKind::StorageFailed | ErrorKind::OutcomeUnknown => failure.with_retry_delay(STORAGE_PAUSE),
        _ => failure,
    }
}

/// An error with all its causes, in one line. The errors of some libraries include their cause already.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

/// Each kind has its own reason, and with it a gRPC code.
fn reason(kind: ErrorKind) -> Reason {
    match kind {
        ErrorKind::InvalidName => Reason::InvalidName,
        ErrorKind::UnknownDataset => Reason::UnknownDataset,
        ErrorKind::UnknownVersion => Reason::UnknownVersion,
        ErrorKind::UnknownColumn => Reason::UnknownColumn,
        ErrorKind::AlreadyExists => Reason::AlreadyExists,
        ErrorKind::VersionConflict => Reason::VersionConflict,
        ErrorKind::SchemaMismatch => Reason::SchemaMismatch,
        ErrorKind::Unsupported => Reason::Unsupported,
        ErrorKind::InvalidInput => Reason::InvalidInput,
        ErrorKind::RequestExpired => Reason::RequestExpired,
        ErrorKind::InvalidQuery => Reason::InvalidQuery,
        ErrorKind::QueryNotAllowed => Reason::QueryNotAllowed,
        ErrorKind::PermissionDenied => Reason::PermissionDenied,
        ErrorKind::QueryFailed => Reason::QueryFailed,
        ErrorKind::ResourceExhausted => Reason::ResourceExhausted,
        ErrorKind::QueryTooLarge => Reason::QueryTooLarge,
        ErrorKind::ReaderTooSlow => Reason::ReaderTooSlow,
        ErrorKind::NotDistributable => Reason::NotDistributable,
        ErrorKind::WorkerLost => Reason::WorkerLost,
        ErrorKind::UnknownQuery => Reason::UnknownQuery,
        ErrorKind::InvalidHandle => Reason::InvalidHandle,
        ErrorKind::UnknownHandle => Reason::UnknownHandle,
        ErrorKind::HandleExpired => Reason::HandleExpired,
        ErrorKind::HandleDropped => Reason::HandleDropped,
        ErrorKind::HandleLost => Reason::HandleLost,
        ErrorKind::HandlesFull => Reason::HandlesFull,
        ErrorKind::QuotaExceeded => Reason::QuotaExceeded,
        ErrorKind::DeadlineExceeded => Reason::DeadlineExceeded,
        ErrorKind::Cancelled => Reason::Cancelled,
        ErrorKind::StorageFull => Reason::StorageFull,
        ErrorKind::ReadOnly => Reason::ReadOnly,
        ErrorKind::StorageFailed => Reason::StorageFailed,
        ErrorKind::OutcomeUnknown => Reason::OutcomeUnknown,
        ErrorKind::Changed => Reason::Changed,
        ErrorKind::Corrupt => Reason::Corrupt,
        ErrorKind::Configuration => Reason::Misconfigured,
        ErrorKind::Internal => Reason::Internal,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// The kind after this one. The `match` does not compile until a new kind is added.
    fn next(kind: ErrorKind) -> Option<ErrorKind> {
        use ErrorKind::*;
        match kind {
            InvalidName => Some(UnknownDataset),
            UnknownDataset => Some(UnknownVersion),
            UnknownVersion => Some(UnknownColumn),
            UnknownColumn => Some(AlreadyExists),
            AlreadyExists => Some(VersionConflict),
            VersionConflict => Some(SchemaMismatch),
            SchemaMismatch => Some(Unsupported),
            Unsupported => Some(InvalidInput),
            InvalidInput => Some(RequestExpired),
            RequestExpired => Some(InvalidQuery),
            InvalidQuery => Some(QueryNotAllowed),
            QueryNotAllowed => Some(PermissionDenied),
            PermissionDenied => Some(QueryFailed),
            QueryFailed => Some(ResourceExhausted),
            ResourceExhausted => Some(QueryTooLarge),
            QueryTooLarge => Some(ReaderTooSlow),
            ReaderTooSlow => Some(NotDistributable),
            NotDistributable => Some(WorkerLost),
            WorkerLost => Some(UnknownQuery),
            UnknownQuery => Some(InvalidHandle),
            InvalidHandle => Some(UnknownHandle),
            UnknownHandle => Some(HandleExpired),
            HandleExpired => Some(HandleDropped),
            HandleDropped => Some(HandleLost),
            HandleLost => Some(HandlesFull),
            HandlesFull => Some(QuotaExceeded),
            QuotaExceeded => Some(DeadlineExceeded),
            DeadlineExceeded => Some(Cancelled),
            Cancelled => Some(StorageFull),
            StorageFull => Some(ReadOnly),
            ReadOnly => Some(StorageFailed),
            StorageFailed => Some(OutcomeUnknown),
            OutcomeUnknown => Some(Changed),
            Changed => Some(Corrupt),
            Corrupt => Some(Configuration),
            Configuration => Some(Internal),
            Internal => None,
        }
    }

    /// Reasons that no kind of engine error maps to: they are about the protocol.
    const OF_THE_WIRE: &[Reason] = &[
        Reason::MissingToken,
        Reason::InvalidToken,
        Reason::TokenExpired,
        Reason::TokenWithdrawn,
        Reason::TokenUnchecked,
        Reason::InvalidRequest,
        Reason::MalformedMessage,
        Reason::MessageTooLarge,
        Reason::UnknownMethod,
        Reason::UnsupportedEncoding,
        Reason::UnexpectedPart,
        Reason::ChunkOutOfOrder,
        Reason::MalformedArrow,
        Reason::RowCountMismatch,
        Reason::ChecksumMismatch,
        Reason::UploadTruncated,
        Reason::UploadStalled,
        Reason::ShuttingDown,
    ];

    #[tokio::test]
    async fn a_file_that_can_not_be_read_is_told_with_its_cause() {
        let folder = tempfile::tempdir().unwrap();
        let polarway =
            polarway_core::Polarway::open(polarway_core::Config::new(folder.path())).await.unwrap();
        std::fs::write(folder.path().join("cold/trades.parquet"), "PAR1 and no more").unwrap();
        let failure = failure(&polarway.load("trades").await.unwrap_err());
        assert!(failure.message.contains("trades.parquet"), "{}", failure.message);
        assert!(failure.message.contains("truncated"), "{}", failure.message);
    }

    #[test]
    fn every_kind_has_a_reason_of_its_own_and_every_reason_comes_from_a_kind_or_the_wire() {
        let kinds = std::iter::successors(Some(ErrorKind::InvalidName), |kind| next(*kind));
        let mut kind_of: HashMap<Reason, ErrorKind> = HashMap::new();
        for kind in kinds {
            let other = kind_of.insert(reason(kind), kind);
            assert_eq!(other, None, "{kind:?} shares its reason");
        }
        for reason in Reason::ALL {
            let of_the_wire = OF_THE_WIRE.contains(reason);
            assert_ne!(kind_of.contains_key(reason), of_the_wire, "{reason}");
        }
    }
}
