//! Where the bytes live: the few operations that versioned tables need of a storage.
//!
//! Paths are relative to the root of the storage, with `/` between their parts, as in
//! `flights/_polarway/commits/0000000001.json`. All calls block.

mod disk;
mod object;

use std::fmt::Debug;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use polarway_parquet::ReadAt;

use crate::environment::micros_since_epoch;

pub use disk::DiskBackend;
pub use object::ObjectBackend;

/// A directory or a bucket. One conformance suite holds all implementations to these words.
pub trait Backend: Send + Sync + Debug {
    /// The whole of a small file, or `None` where there is none.
    fn get(&self, path: &str) -> BackendResult<Option<Bytes>>;

    /// What is known of a file without reading it, or `None` where there is none.
    fn head(&self, path: &str) -> BackendResult<Option<FileMeta>>;

    /// What lies directly in a folder, in the order of the names. A folder that is not there is empty.
    fn list(&self, folder: &str) -> BackendResult<Vec<Entry>>;

    /// Opens a file for reading at any place. A file that was opened stays readable as it was,
    /// as far as the storage can promise it.
    ///
    /// # Errors
    /// [`FailureKind::NotFound`] where there is none.
    fn open(&self, path: &str) -> BackendResult<Arc<dyn ReadAt>>;

    /// Begins a data file. It is on stable storage once [`DataWriter::finish`] returned, and
    /// gone if the writer is dropped before.
    fn create_data(&self, path: &str) -> BackendResult<Box<dyn DataWriter>>;

    /// Creates a small file with these contents, exclusively and durably: of all that try one
    /// path, one is told [`Created::New`] and the others [`Created::Taken`].
    ///
    /// # Errors
    /// The failure's [`Outcome`] tells whether the file may exist now all the same.
    fn create_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created>;

    /// As [`create_commit`](Self::create_commit), for one after which something can be removed: it may use room that is kept
    /// for this when there is no other.
    ///
    /// # Errors
    /// As [`create_commit`](Self::create_commit).
    fn create_freeing_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        self.create_commit(path, contents)
    }

    /// Makes sure that a file made by `create_commit`, by whomever, is on stable storage.
    fn settle_commit(&self, path: &str) -> BackendResult<()>;

    /// Sets a small file's contents, atomically: after a crash, the file has the old ones or the new ones.
    fn replace(&self, path: &str, contents: Bytes) -> BackendResult<()>;

    /// Copies a file to a new data file, durably, without moving bytes where the storage can.
    fn copy_data(&self, from: &str, to: &str) -> BackendResult<()>;

    /// Removes a file. One that is not there is removed already. A file that is reached over a symbolic link is another
    /// place's: it stays, and that is an error.
    fn remove(&self, path: &str) -> BackendResult<()>;

    /// Removes a folder if nothing lies in it, and tells whether it is gone. A storage that knows files only has none.
    fn remove_empty_folder(&self, folder: &str) -> BackendResult<bool> {
        Ok(self.list(folder)?.is_empty())
    }

    /// Whether files of this folder could be removed.
    ///
    /// # Errors
    /// They could not: it is reached over a symbolic link.
    fn check_removable(&self, _folder: &str) -> BackendResult<()> {
        Ok(())
    }

    /// Whether the storage is there at all: without it, no file is either, and that would say nothing.
    ///
    /// # Errors
    /// It is not.
    fn check(&self) -> BackendResult<()> {
        Ok(())
    }

    /// Whether the storage takes what a commit needs, proved by making something in its root and removing it.
    ///
    /// # Errors
    /// The reason why it does not.
    fn probe(&self) -> BackendResult<()> {
        const PROBE: &str = ".polarway-probe";
        self.replace(PROBE, Bytes::new())?;
        self.remove(PROBE)
    }

    /// Where other programs on this machine can read the file, if they can.
    fn local_path(&self, path: &str) -> Option<PathBuf>;

    /// The storage's own time, in the terms of [`FileMeta::modified_us`].
    fn now_us(&self, scratch_folder: &str) -> BackendResult<i64>;
}

/// A data file in the making.
pub trait DataWriter: Write + Send {
    /// Returns once the file and its name are on stable storage.
    fn finish(self: Box<Self>) -> BackendResult<()>;
}

/// What a storage says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMeta {
    /// Length in bytes.
    pub bytes: u64,
    /// When it was last written, by the storage's clock: microseconds since 1970-01-01 UTC.
    pub modified_us: i64,
    /// Differs when the contents do: inode, size and times on disk, the entity tag in a bucket.
    pub identity: String,
    /// Whether the last change is long enough ago that another one would show in the identity. Clocks of storages tick
    /// coarsely: a file that was written just now may be written again within the tick.
    pub is_settled: bool,
}

/// The coarsest tick that storages have: two seconds, in microseconds.
const TICK_US: i64 = 2_000_000;

/// Whether a change at this time lies behind the storage's tick.
pub(crate) fn is_settled(changed_us: i64) -> bool {
    micros_since_epoch(SystemTime::now()).saturating_sub(changed_us) > TICK_US
}

/// One thing in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, without the folder's.
    pub name: String,
    /// `None` for a folder.
    pub file: Option<FileMeta>,
}

/// How an exclusive creation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The file is there with these contents.
    New,
    /// The path was taken by other contents.
    Taken,
}

/// The result of a storage operation.
pub type BackendResult<T> = Result<T, BackendError>;

/// A storage operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("can't {operation} {path:?}{}", kind.explanation())]
pub struct BackendError {
    /// What was tried, as a verb.
    pub operation: &'static str,
    /// On what.
    pub path: String,
    /// Why it failed, as far as a caller can act on it.
    pub kind: FailureKind,
    /// Whether it may have happened all the same.
    pub outcome: Outcome,
    /// The storage's own words.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl BackendError {
    /// A failure that the operating system reported.
    pub(crate) fn of_io(operation: &'static str, path: &str, outcome: Outcome, error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => FailureKind::NotFound,
            io::ErrorKind::ReadOnlyFilesystem => FailureKind::ReadOnly,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FailureKind::Full,
            io::ErrorKind::PermissionDenied => FailureKind::Denied,
            _ => FailureKind::Other,
        };
        Self { operation, path: path.to_owned(), kind, outcome, source: error.into() }
    }
}

/// Why an operation failed, as far as a caller can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// There is no such file.
    NotFound,
    /// The storage takes no writes.
    ReadOnly,
    /// No space, no inodes or no quota is left.
    Full,
    /// Not with these rights.
    Denied,
    /// A symbolic link leads there, and nothing is removed behind one.
    Linked,
    /// Anything else: it may work when tried again.
    Other,
}

impl FailureKind {
    fn explanation(self) -> &'static str {
        match self {
            Self::NotFound => ": it does not exist",
            Self::ReadOnly => ": the storage is read-only",
            Self::Full => ": no space is left",
            Self::Denied => ": permission denied",
            Self::Linked => ": a symbolic link leads there, and nothing is removed behind one",
            Self::Other => "",
        }
    }
}

/// Whether a failed operation took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing changed.
    NotDone,
    /// It may have been carried out, or may yet be.
    Unknown,
}

/// Joins a folder and a name. The root is the empty path.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The folder of a path, and the name in it.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}
