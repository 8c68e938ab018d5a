//! Versioned tables on plain files.
//!
//! This crate owns how datasets lie in a directory or a bucket: commits and the versions they
//! make, the data files, retention, compaction, adopted files, the RAM cache, and the mirror
//! that gives DuckDB local files. All shared state is in those files, so any number of
//! processes may work on one storage at once, without a leader and without locks.
//!
//! It knows nothing of SQL or gRPC, and nothing of async: all calls block.
//!
//! A version exists when its commit exists. Commit n+1 is created exclusively, so writers never
//! share a number; numbers have no holes and commits are never removed, so the newest one is
//! found by asking for single files. `ARCHITECTURE.md` has the whole protocol.

mod adopt;
mod backend;
mod budget;
mod cache;
mod callers;
mod change;
mod change_counts;
mod checks;
mod commit;
mod common;
mod compact;
mod conform;
mod delete;
mod dictionaries;
mod environment;
mod error;
mod foreign;
mod history;
mod layout;
mod lease;
mod leased;
mod links;
mod listing;
mod loader;
mod log;
mod mirror;
mod near;
mod openings;
mod own_runtime;
mod part;
mod partition;
mod placed;
mod publication;
mod ranges;
mod read;
mod retry;
mod snapshot;
mod sources;
mod staged;
mod standstill;
mod storage_clock;
mod stored_chunks;
mod tables;
mod tidy;
mod time_travel;
mod unfinished;
mod upload;
mod vacuum;
mod widening;
mod writer;

pub use backend::{
    Backend, BackendError, BackendResult, Created, DataWriter, DiskBackend, Entry, FailureKind, FileMeta,
    FileToOpen, ObjectBackend, Opening, Operation, Outcome,
};
pub use budget::{MemoryBudget, Reservation};
pub use callers::{Callers, ServedCaller, WaitingCaller};
pub use change_counts::ChangeCounts;
pub use checks::{FileChecks, FileToCheck};
pub use commit::{CommitKind, NotACommit};
pub use compact::Compacted;
pub use environment::{
    Clock, Environment, IdSource, ManualClock, RandomIds, Rounds, Sleeper, Stopping, SystemClock,
};
pub use error::{Error, Result};
pub use foreign::TableFormat;
pub use lease::Lease;
pub use leased::Leased;
pub use loader::{BatchReader, ChunkReader, Loader, Pinned};
pub use mirror::{AdoptedState, FileToRead, LocalFile, LocalPin, Mirror, Places};
pub use part::Part;
pub use partition::partition_key;
pub use placed::{PlacedFile, is_place_of_data};
pub use polarway_model::{
    At, CacheStats, Dataset, DatasetName, InvalidName, InvalidRequestId, Published, RequestId, Version,
    VersionKind, WriteMode, WriteOptions,
};
pub use polarway_parquet::ReadAt;
pub use ranges::{CachedRanges, RANGE_PREFIX, RangeCache, RangeFile, RangeStats, ReadFailure};
pub use read::TableReader;
pub use retry::REQUEST_WINDOW_US;
pub use snapshot::{AdoptedFile, Snapshot, SnapshotFile};
pub use staged::{StagedFile, StagedWriter};
pub use standstill::StandstillGuard;
pub use tables::{Settings, Tables};
pub use vacuum::Vacuumed;
pub use writer::{TableWriter, Write};
