//! Why calls fail: every reason, with its gRPC code and what a client can do.

use std::fmt;

use tonic::Code;

use crate::v1::Failure;

/// Makes the enum, its list and its properties from one table, so that no reason lacks one of them.
macro_rules! reasons {
    ($($variant:ident, $text:literal, $code:ident, $retry:ident, $about:literal;)*) => {
        /// Why a call failed, for programs: the `reason` of the `google.rpc.ErrorInfo` in the call's status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $(#[doc = $about] $variant,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The reason as it is sent, such as `UNKNOWN_DATASET`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The gRPC code that goes with it.
            pub fn code(self) -> Code {
                match self {
                    $(Self::$variant => Code::$code,)*
                }
            }

            /// Whether a retry of the same call may succeed.
            pub fn retry(self) -> Retry {
                match self {
                    $(Self::$variant => Retry::$retry,)*
                }
            }

            /// What it means and what to do, in one or two sentences.
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$variant => $about,)*
                }
            }
        }
    };
}

/// Whether a retry of the same call may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// It fails again until something is changed.
    No,
    /// It may succeed, at once or on another server.
    Yes,
    /// It may succeed when the server is less busy. Nothing broke, so only time limits how often the call is made again.
    WhenFree,
}

impl Retry {
    /// Whether there is any use in a retry.
    pub fn may_help(self) -> bool {
        match self {
            Self::No => false,
            Self::Yes | Self::WhenFree => true,
        }
    }
}

reasons! {
    InvalidName, "INVALID_NAME", InvalidArgument, No,
        "A dataset's name is outside the grammar. Use letters, digits, `_`, `.` and `-`, 128 at most.";
    UnknownDataset, "UNKNOWN_DATASET", NotFound, No,
        "No dataset has this name. The message has those near it.";
    UnknownVersion, "UNKNOWN_VERSION", NotFound, No,
        "The dataset has no such version, or retention has removed its data.";
    UnknownColumn, "UNKNOWN_COLUMN", NotFound, No,
        "The table has no such column. The message has those near it.";
    AlreadyExists, "ALREADY_EXISTS", AlreadyExists, No,
        "A dataset of this name exists, and the write asked for a new one.";
    VersionConflict, "VERSION_CONFLICT", Aborted, No,
        "The dataset is not at the version that the write expected. Look at what is there now and decide again.";
    SchemaMismatch, "SCHEMA_MISMATCH", FailedPrecondition, No,
        "The rows don't fit the dataset. The message names each difference.";
    Unsupported, "UNSUPPORTED", InvalidArgument, No,
        "A column or a value that can't be stored, or not be used in SQL. The message names it.";
    InvalidInput, "INVALID_INPUT", InvalidArgument, No,
        "What was sent contradicts itself, or asks for rows that are not there.";
    RequestExpired, "REQUEST_EXPIRED", FailedPrecondition, No,
        "The request id is too old to tell whether the write was carried out. Look at the dataset, then write under a new id.";
    InvalidQuery, "INVALID_QUERY", InvalidArgument, No,
        "The text is no SQL, or its names and types don't fit the tables.";
    QueryNotAllowed, "QUERY_NOT_ALLOWED", PermissionDenied, No,
        "The query does what queries may not do. The message says what would be allowed.";
    PermissionDenied, "PERMISSION_DENIED", PermissionDenied, No,
        "The caller may not do this. Whoever runs the server can allow it.";
    MissingToken, "MISSING_TOKEN", Unauthenticated, No,
        "The call has no token, and this server needs one: `authorization: Bearer …`.";
    InvalidToken, "INVALID_TOKEN", Unauthenticated, No,
        "The token is not one of this server, or is not sent as it should be.";
    TokenExpired, "TOKEN_EXPIRED", Unauthenticated, No,
        "The token was good up to a time that has passed. Call with a new one.";
    TokenWithdrawn, "TOKEN_WITHDRAWN", Unauthenticated, No,
        "While the call ran, the token was withdrawn or got other rights. If it is still one of this server, call again.";
    TokenUnchecked, "TOKEN_UNCHECKED", Unavailable, Yes,
        "The token can't be checked, since its issuer does not give the server its keys. Call again later.";
    QueryFailed, "QUERY_FAILED", FailedPrecondition, No,
        "The query failed on its data: a cast, a division, an overflow.";
    ResourceExhausted, "RESOURCE_EXHAUSTED", ResourceExhausted, WhenFree,
        "Others have the memory, the threads or the slots for queries. Try again later.";
    QueryTooLarge, "QUERY_TOO_LARGE", ResourceExhausted, No,
        "The query needs more memory or temporary space than the server has, or its result is larger than it may be. Ask \
         for less.";
    ReaderTooSlow, "READER_TOO_SLOW", ResourceExhausted, No,
        "The result was not read for too long while other queries waited for its place. Read it faster, select less, or keep it \
         under a handle and load that.";
    NotDistributable, "NOT_DISTRIBUTABLE", FailedPrecondition, No,
        "The query was to run on several workers and can't. The message says what stands against it: an operator, a function, a \
         type, a table, or missing workers. Let one worker run it (`engine` is `auto` or `local`).";
    WorkerLost, "WORKER_LOST", Aborted, No,
        "A worker that ran a part of the query was lost, and the query could not be run again on the others. Run it again.";
    UnknownQuery, "UNKNOWN_QUERY", NotFound, No,
        "No query of this id runs on the worker that answered.";
    InvalidHandle, "INVALID_HANDLE", InvalidArgument, No,
        "The text is no handle's id: `h_` and 26 characters, as the server gave it.";
    UnknownHandle, "UNKNOWN_HANDLE", NotFound, No,
        "There is no such handle where the call was answered. With the memory store, handles are on the worker that made \
         them alone.";
    HandleExpired, "HANDLE_EXPIRED", NotFound, No,
        "The handle was not used for too long. Run its query again.";
    HandleDropped, "HANDLE_DROPPED", NotFound, No,
        "Somebody dropped the handle. Run its query again.";
    HandleLost, "HANDLE_LOST", NotFound, No,
        "A query broke the engine that kept the handle in memory. Run its query again; `--handle-store external` keeps handles \
         outside of it.";
    HandlesFull, "HANDLES_FULL", ResourceExhausted, No,
        "The results that are kept take all the room there is for them. Drop some, or keep a smaller one.";
    QuotaExceeded, "QUOTA_EXCEEDED", ResourceExhausted, No,
        "The caller has as much as its quota allows, of handles or of stored data. Drop or delete some.";
    DeadlineExceeded, "DEADLINE_EXCEEDED", DeadlineExceeded, No,
        "The call's deadline passed.";
    Cancelled, "CANCELLED", Cancelled, No,
        "Somebody cancelled the work.";
    StorageFull, "STORAGE_FULL", ResourceExhausted, No,
        "The storage has no space left. Nothing was published.";
    ReadOnly, "READ_ONLY", FailedPrecondition, No,
        "The storage takes no writes.";
    StorageFailed, "STORAGE_FAILED", Unavailable, Yes,
        "The storage failed. The same call may work when made again.";
    OutcomeUnknown, "OUTCOME_UNKNOWN", Unavailable, Yes,
        "Whether the write took place is not known. Send it again with the same request id: it is not written twice.";
    Changed, "CHANGED", Aborted, Yes,
        "Parquet files that Polarway did not write changed while they were read. Read again.";
    Corrupt, "CORRUPT", DataLoss, No,
        "A file of the dataset is missing, damaged, or of a newer format.";
    Misconfigured, "MISCONFIGURED", FailedPrecondition, No,
        "The worker's configuration can't work. Whoever runs it has to change it.";
    Internal, "INTERNAL", Internal, No,
        "A bug in Polarway.";
    InvalidRequest, "INVALID_REQUEST", InvalidArgument, No,
        "A field of the request has a value that it can't have. The message names it.";
    MalformedMessage, "MALFORMED_MESSAGE", InvalidArgument, No,
        "The bytes are no message of this protocol.";
    MessageTooLarge, "MESSAGE_TOO_LARGE", InvalidArgument, No,
        "A message is over its limit (64 MiB with a chunk of a table, 16 MiB with a query, 64 KiB without either), or its rows \
         would take more than 256 MiB with every value written out. Cut the table into smaller chunks.";
    UnknownMethod, "UNKNOWN_METHOD", Unimplemented, No,
        "The server has no such service or method: the client speaks another version of the protocol.";
    UnsupportedEncoding, "UNSUPPORTED_ENCODING", Unimplemented, No,
        "The call's messages are compressed (`grpc-encoding`), and the server takes them as they are. Turn gRPC's compression off; \
         chunks of a table can be compressed inside.";
    UnexpectedPart, "UNEXPECTED_PART", InvalidArgument, No,
        "An upload's parts came out of turn: a chunk without a header, two headers without a trailer.";
    ChunkOutOfOrder, "CHUNK_OUT_OF_ORDER", InvalidArgument, No,
        "A chunk does not start at the row that comes next, or holds another number of rows than it says.";
    MalformedArrow, "MALFORMED_ARROW", InvalidArgument, No,
        "A chunk is no Arrow IPC, or breaks its rules.";
    RowCountMismatch, "ROW_COUNT_MISMATCH", InvalidArgument, No,
        "The trailer counts other rows than arrived. Nothing was published.";
    ChecksumMismatch, "CHECKSUM_MISMATCH", Aborted, Yes,
        "The trailer's checksum is not that of what arrived. Nothing was published; send the table again.";
    UploadTruncated, "UPLOAD_TRUNCATED", Aborted, Yes,
        "The upload ended before a table's trailer. Nothing of that table was published; send it again.";
    UploadStalled, "UPLOAD_STALLED", Aborted, Yes,
        "Nothing arrived for too long, not even a heartbeat, or a request did not become whole in time. Nothing of the table \
         was published; send it again.";
    ShuttingDown, "SHUTTING_DOWN", Unavailable, Yes,
        "The worker is about to end. Another one, or the same after its restart, answers.";
}

impl Reason {
    /// The reason that is sent as this text; `None` if this version does not know it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == text)
    }

    /// A failure with this reason, and a message for people.
    pub fn failure(self, message: impl Into<String>) -> Failure {
        Failure::new(self.code(), self.as_str(), message)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_text_and_no_two_share_one() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
        }
        assert_eq!(Reason::parse("UNHEARD_OF"), None);
        assert_eq!(Reason::parse(""), None);
    }

    #[test]
    fn texts_are_in_screaming_snake_case() {
        for reason in Reason::ALL {
            let text = reason.as_str();
            assert!(text.bytes().all(|byte| byte == b'_' || byte.is_ascii_uppercase()), "{text}");
        }
    }

    #[test]
    fn no_reason_has_a_code_that_means_success_or_nothing() {
        for reason in Reason::ALL {
            assert!(!matches!(reason.code(), Code::Ok | Code::Unknown), "{reason}");
        }
    }
}
