//! What went wrong in an engine.

/// What a caller can do about an error. Code that maps kinds may match all of them without a wildcard, so that the compiler
/// reports a new kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The name is not allowed: use another one.
    InvalidName,
    /// No dataset has this name; the message has similar names.
    UnknownDataset,
    /// The dataset has no such version, or retention has removed its data.
    UnknownVersion,
    /// The table has no such column; the message has those near it.
    UnknownColumn,
    /// A dataset of this name exists already.
    AlreadyExists,
    /// Another writer was faster: read the dataset again and decide.
    VersionConflict,
    /// The rows don't fit the dataset: the message names each difference.
    SchemaMismatch,
    /// A column or a value can't be stored, or can't be used in SQL.
    Unsupported,
    /// The input is wrong: data that contradicts itself, or a reader that failed.
    InvalidInput,
    /// The request is too old to tell whether it was carried out.
    RequestExpired,
    /// The text is not valid SQL, or its names and types don't fit the tables.
    InvalidQuery,
    /// The query does something that is not allowed here.
    QueryNotAllowed,
    /// The caller may not do this.
    PermissionDenied,
    /// The query failed on its data.
    QueryFailed,
    /// Others use the memory, the threads or the slots for queries: try again.
    ResourceExhausted,
    /// The query needs more memory or temporary space than there is, or its result is too large: ask for less.
    QueryTooLarge,
    /// The result was not read for too long, while other queries waited: read it faster, or keep it under a handle.
    ReaderTooSlow,
    /// Several workers can't run the query as it was asked for: the message says why. Let one worker run it.
    NotDistributable,
    /// A worker that ran a part of the query was lost: run it again.
    WorkerLost,
    /// No query of this id runs.
    UnknownQuery,
    /// The text is not the id of a handle.
    InvalidHandle,
    /// There is no such handle here.
    UnknownHandle,
    /// The handle was not used for too long.
    HandleExpired,
    /// Somebody dropped the handle.
    HandleDropped,
    /// The handle was lost: a query broke the query engine that kept it in memory.
    HandleLost,
    /// The kept results use all of their memory: drop some.
    HandlesFull,
    /// The caller has as much as it may: drop or delete some.
    QuotaExceeded,
    /// The deadline passed.
    DeadlineExceeded,
    /// Somebody cancelled the operation.
    Cancelled,
    /// The storage has no space left.
    StorageFull,
    /// The storage takes no writes.
    ReadOnly,
    /// The storage failed: the same call may succeed later.
    StorageFailed,
    /// It is not known whether the write was made: send it again with the same request id.
    OutcomeUnknown,
    /// Files that Polarway did not write changed while they were read: read again.
    Changed,
    /// A file of a dataset is missing, corrupt, or of a newer format.
    Corrupt,
    /// The configuration is wrong.
    Configuration,
    /// A bug.
    Internal,
}
