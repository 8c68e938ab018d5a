//! Storages: the few operations that versioned tables need.
//!
//! Paths are relative to the root of the storage, with `/` between their parts, as in
//! `flights/_polarway/commits/0000000001.json`. All calls block.

mod disk;
mod object;
mod object_ahead;
mod object_reader;
mod object_writer;
mod operation;

use std::fmt::{self, Debug};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use polarway_parquet::ReadAt;

use crate::environment::micros_since_epoch;

pub use disk::DiskBackend;
pub use object::ObjectBackend;
pub(crate) use object_ahead::MOST_BYTES as FETCHED_AHEAD_BYTES;
pub use operation::Operation;

/// A directory or a bucket. One conformance suite tests all implementations.
pub trait Backend: Send + Sync + Debug {
    /// The contents of a small file, or `None` if there is none.
    fn get(&self, path: &str) -> BackendResult<Option<Bytes>>;

    /// The metadata of a file, or `None` if there is none.
    fn head(&self, path: &str) -> BackendResult<Option<FileMeta>>;

    /// The entries of a folder, ordered by name. A folder that does not exist is empty.
    fn list(&self, folder: &str) -> BackendResult<Vec<Entry>>;

    /// Opens a file that should have this length, for reading at any place. A file that was opened stays readable as it was, as
    /// far as the storage can promise it.
    ///
    /// A bucket is asked for the beginning and the end of the file: they come with its real length, and a reader of Parquet needs
    /// them first.
    ///
    /// # Errors
    /// [`FailureKind::NotFound`] if there is none.
    fn open(&self, path: &str, bytes: u64) -> BackendResult<Arc<dyn ReadAt>>;

    /// The same for a file that is known to have this length. A bucket is asked for nothing before the file is read, so there an
    /// absent file is an error of the first read.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    fn open_lazily(&self, path: &str, bytes: u64) -> BackendResult<Arc<dyn ReadAt>> {
        self.open(path, bytes)
    }

    /// The same as [`open`](Self::open) for a file that others may change, as it was when it had this identity. A bucket gives
    /// nothing of another state, not even if the file has become what it was again when it is looked at next.
    ///
    /// # Errors
    /// As [`open`](Self::open). [`FailureKind::Changed`] if the file has changed, also from reading it.
    fn open_pinned(&self, path: &str, bytes: u64, _identity: &str) -> BackendResult<Arc<dyn ReadAt>> {
        self.open(path, bytes)
    }

    /// Begins to open a file, and does not wait for it. `None` where a file is open in no time: such files are opened when they
    /// are needed.
    fn begin_to_open(&self, _file: &FileToOpen<'_>) -> Option<Opening> {
        None
    }

    /// Begins a data file. It is on stable storage when [`DataWriter::finish`] returns, and
    /// removed if the writer is dropped before.
    fn create_data(&self, path: &str) -> BackendResult<Box<dyn DataWriter>>;

    /// Creates a small file with these contents, exclusively and durably: of all calls for one
    /// path, one returns [`Created::New`] and the others [`Created::Taken`].
    ///
    /// # Errors
    /// The failure's [`Outcome`] says whether the file may exist nevertheless.
    fn create_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created>;

    /// As [`create_commit`](Self::create_commit), for a commit after which data can be removed: on a full disk it may use reserved
    /// space.
    ///
    /// # Errors
    /// As [`create_commit`](Self::create_commit).
    fn create_freeing_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        self.create_commit(path, contents)
    }

    /// Ensures that a file made by `create_commit`, in any process, is on stable storage.
    fn settle_commit(&self, path: &str) -> BackendResult<()>;

    /// Sets a small file's contents, atomically: after a crash, the file has the old ones or the new ones.
    fn replace(&self, path: &str, contents: Bytes) -> BackendResult<()>;

    /// Copies a file to a new data file, durably, if possible without copying its bytes.
    fn copy_data(&self, from: &str, to: &str) -> BackendResult<()>;

    /// The same for the state of a file that others may change. A bucket gives nothing of another state, not even if the file has
    /// become what it was again when it is looked at next.
    ///
    /// # Errors
    /// [`FailureKind::Changed`] if the file has changed.
    fn copy_pinned(&self, from: &FileToOpen<'_>, to: &str) -> BackendResult<()> {
        self.copy_data(from.path, to)
    }

    /// Removes a file. It is no error if there is none. A file that is reached through a symbolic link is not removed, which is
    /// an error.
    fn remove(&self, path: &str) -> BackendResult<()>;

    /// Removes files, in no order: all that it can. It is no error if one of them is not there.
    ///
    /// # Errors
    /// As [`remove`](Self::remove), of the first file that could not be removed.
    fn remove_all(&self, paths: &[String]) -> BackendResult<()> {
        one_by_one(paths, |path| self.remove(path))
    }

    /// Removes uploads that were begun longer ago than this, by the storage's clock, and not completed: those to paths that are
    /// ours. Returns how many. They are in buckets only, and no other operation shows them.
    ///
    /// # Errors
    /// They can't be listed or removed.
    fn remove_unfinished(&self, _is_ours: &dyn Fn(&str) -> bool, _age: Duration) -> BackendResult<usize> {
        Ok(0)
    }

    /// Removes a folder if it is empty, and returns whether it is gone. A storage without folders has none.
    fn remove_empty_folder(&self, folder: &str) -> BackendResult<bool> {
        Ok(self.list(folder)?.is_empty())
    }

    /// Waits before an operation is tried again that has failed this often, as long as the storage needs to recover. Returns
    /// whether it should be tried again.
    fn pause_before_retry(&self, failures: u32) -> bool {
        failures < 4
    }

    /// Whether files of this folder could be removed.
    ///
    /// # Errors
    /// They could not: the folder is reached through a symbolic link.
    fn check_removable(&self, _folder: &str) -> BackendResult<()> {
        Ok(())
    }

    /// Checks that the storage can be reached, since without it no file is found either.
    ///
    /// # Errors
    /// It can't be reached.
    fn check(&self) -> BackendResult<()> {
        Ok(())
    }

    /// Checks that commits can be written, by making and removing a file in the root.
    ///
    /// # Errors
    /// The reason why they can't.
    fn probe(&self) -> BackendResult<()> {
        const PROBE: &str = ".polarway-probe";
        self.replace(PROBE, Bytes::new())?;
        self.remove(PROBE)
    }

    /// The path at which other programs on this machine can read the file, if they can do so without waiting for a network.
    fn local_path(&self, path: &str) -> Option<PathBuf>;

    /// The storage's own time, of the same clock as [`FileMeta::modified_us`].
    fn now_us(&self, scratch_folder: &str) -> BackendResult<i64>;

    /// The same within two seconds, without a request where that is possible.
    ///
    /// # Errors
    /// As [`now_us`](Self::now_us).
    fn about_now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        self.now_us(scratch_folder)
    }
}

/// A file that will be read.
#[derive(Clone, Copy, Debug)]
pub struct FileToOpen<'f> {
    /// Its path.
    pub path: &'f str,
    /// The length that it should have.
    pub bytes: u64,
    /// That of the state that is read, of a file that others may change.
    pub identity: Option<&'f str>,
    /// Whether all of it will be read, from the beginning on.
    pub is_read_whole: bool,
}

impl<'f> FileToOpen<'f> {
    /// A file that nobody changes. Some of it will be read.
    pub const fn new(path: &'f str, bytes: u64) -> Self {
        Self { path, bytes, identity: None, is_read_whole: false }
    }
}

/// A file that is being opened. Dropping it ends that.
pub struct Opening(Box<dyn FnOnce() -> BackendResult<Arc<dyn ReadAt>> + Send>);

impl Opening {
    /// The rest of what opens the file.
    pub fn new(rest: impl FnOnce() -> BackendResult<Arc<dyn ReadAt>> + Send + 'static) -> Self {
        Self(Box::new(rest))
    }

    /// Waits for the file.
    ///
    /// # Errors
    /// As [`Backend::open`], or as [`Backend::open_pinned`] for a file with an identity.
    pub fn wait(self) -> BackendResult<Arc<dyn ReadAt>> {
        let Self(rest) = self;
        rest()
    }
}

impl Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}

/// A data file that is being written.
pub trait DataWriter: Write + Send {
    /// Returns once the file and its name are on stable storage.
    fn finish(self: Box<Self>) -> BackendResult<()>;
}

/// The metadata of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMeta {
    /// Length in bytes.
    pub bytes: u64,
    /// When it was last written, by the storage's clock: microseconds since 1970-01-01 UTC.
    pub modified_us: i64,
    /// Differs when the contents differ: inode, size and times on disk, the entity tag in a bucket.
    pub identity: String,
    /// Whether the last change is so long ago that another one would change the identity. Clocks of storages are coarse: a file
    /// can be written twice with the same time.
    pub is_settled: bool,
}

/// The coarsest tick that storages have: two seconds, in microseconds.
const TICK_US: i64 = 2_000_000;

/// Whether a change at this time is older than the storage's tick.
pub(crate) fn is_settled(changed_us: i64) -> bool {
    micros_since_epoch(SystemTime::now()).saturating_sub(changed_us) > TICK_US
}

/// An entry of a folder.
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
#[error("can't {operation} {}{}", place(path), kind.explanation())]
pub struct BackendError {
    /// The operation.
    pub operation: Operation,
    /// The path.
    pub path: String,
    /// Why it failed, as far as a caller can act on it.
    pub kind: FailureKind,
    /// Whether it may have happened nevertheless.
    pub outcome: Outcome,
    /// The storage's own error.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A path as messages name it: that of the root is empty.
fn place(path: &str) -> String {
    if path.is_empty() { "the storage".to_owned() } else { format!("{path:?}") }
}

impl BackendError {
    /// A failure that the operating system reported, or the client of a bucket by way of an open file.
    pub(crate) fn of_io(operation: Operation, path: &str, outcome: Outcome, error: io::Error) -> Self {
        // A file of a bucket passes on what its client said.
        let error = match error.downcast::<object_store::Error>() {
            Ok(error) => return object::failure(operation, path, outcome, error),
            Err(error) => error,
        };
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

/// Whether reading an open file failed because the file had changed since it was pinned.
pub(crate) fn is_of_change(error: &io::Error) -> bool {
    let client = error.get_ref().and_then(|error| error.downcast_ref::<object_store::Error>());
    matches!(client, Some(object_store::Error::Precondition { .. }))
}

/// Why an operation failed, as far as a caller can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// There is no such file.
    NotFound,
    /// The file has changed since it was pinned.
    Changed,
    /// The storage takes no writes.
    ReadOnly,
    /// No space, no inodes or no quota is left.
    Full,
    /// The rights are missing.
    Denied,
    /// The path leads through a symbolic link, and nothing is removed there.
    Linked,
    /// There is no such bucket.
    NoBucket,
    /// The bucket can be read, and these credentials may not write to it.
    WriteDenied,
    /// The credentials are missing or wrong.
    Unauthenticated,
    /// The credentials were valid once.
    Expired,
    /// This machine's clock is too far from the service's, so that signatures are refused.
    WrongClock,
    /// The bucket is in another region.
    WrongRegion,
    /// No connection could be made, or no answer came.
    Unreachable,
    /// The storage is busy. It may work when tried again.
    Busy,
    /// The storage can't do what commits need.
    Unsuitable,
    /// Anything else: it may work when tried again.
    Other,
}

impl FailureKind {
    /// Whether the same operation may work a moment later.
    pub(crate) fn may_pass(self) -> bool {
        matches!(self, Self::Unreachable | Self::Busy)
    }

    fn explanation(self) -> &'static str {
        match self {
            Self::NotFound => ": it does not exist",
            Self::Changed => ": it has changed",
            Self::ReadOnly => ": the storage is read-only",
            Self::Full => ": no space is left",
            Self::Denied => ": permission denied",
            Self::Linked => ": a symbolic link leads there, and nothing is removed behind one",
            Self::NoBucket => ": there is no such bucket",
            Self::WriteDenied => ": permission denied: these credentials may not write there",
            Self::Unauthenticated => ": the credentials are missing or wrong",
            Self::Expired => ": the credentials have expired",
            Self::WrongClock => ": this machine's clock is too far from the service's",
            Self::WrongRegion => ": the bucket is in another region",
            Self::Unreachable => ": the service does not answer",
            Self::Busy => ": the service is busy",
            Self::Unsuitable => {
                ": the storage does not refuse to create a file that exists, so several writers would overwrite each other"
            }
            Self::Other => "",
        }
    }
}

/// Whether a failed operation took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing changed.
    NotDone,
    /// It may have been carried out, or may be later.
    Unknown,
}

/// Removes each of these files, and gives the first failure.
fn one_by_one(paths: &[String], remove: impl Fn(&str) -> BackendResult<()>) -> BackendResult<()> {
    let mut failed = None;
    for path in paths {
        failed = failed.or(remove(path).err());
    }
    failed.map_or(Ok(()), Err)
}

/// Joins a folder and a name. The root is the empty path.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The folder of a path, and the name in it.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_of_a_bucket_said_is_not_lost_on_its_way_through_an_open_file() {
        let denied = || object_store::Error::PermissionDenied { path: "a".into(), source: "no".into() };
        let of_io = |error: io::Error| BackendError::of_io(Operation::Read, "a", Outcome::NotDone, error);
        assert_eq!(of_io(denied().into()).kind, FailureKind::Denied);
        assert_eq!(of_io(io::ErrorKind::UnexpectedEof.into()).kind, FailureKind::Other);
        assert_eq!(of_io(io::ErrorKind::StorageFull.into()).kind, FailureKind::Full);
    }
}
