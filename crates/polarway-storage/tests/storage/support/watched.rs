//! A storage whose reads a test watches, stops, or lets fail.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use polarway_storage::{Backend, BackendResult, Created, DataWriter, Entry, FileMeta, ReadAt};

/// Called before each read, with its place and length. An error takes the place of the bytes.
type OnRead = dyn Fn(u64, usize) -> io::Result<()> + Send + Sync;

/// A storage with watched reads. Its files are in no directory.
pub(crate) struct WatchedReads {
    inner: Arc<dyn Backend>,
    on_read: Arc<OnRead>,
}

impl WatchedReads {
    pub(crate) fn new(
        inner: Arc<dyn Backend>,
        on_read: impl Fn(u64, usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { inner, on_read: Arc::new(on_read) })
    }
}

impl fmt::Debug for WatchedReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedReads").field("inner", &self.inner).finish_non_exhaustive()
    }
}

struct WatchedFile {
    inner: Arc<dyn ReadAt>,
    on_read: Arc<OnRead>,
}

impl fmt::Debug for WatchedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedFile").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl ReadAt for WatchedFile {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        (self.on_read)(offset, length)?;
        self.inner.read_at(offset, length)
    }
}

#[deny(clippy::missing_trait_methods)]
impl Backend for WatchedReads {
    fn get(&self, path: &str) -> BackendResult<Option<Bytes>> {
        self.inner.get(path)
    }

    fn head(&self, path: &str) -> BackendResult<Option<FileMeta>> {
        self.inner.head(path)
    }

    fn list(&self, folder: &str) -> BackendResult<Vec<Entry>> {
        self.inner.list(folder)
    }

    fn open(&self, path: &str, bytes: u64) -> BackendResult<Arc<dyn ReadAt>> {
        Ok(Arc::new(WatchedFile { inner: self.inner.open(path, bytes)?, on_read: Arc::clone(&self.on_read) }))
    }

    fn open_lazily(&self, path: &str, bytes: u64) -> BackendResult<Arc<dyn ReadAt>> {
        Ok(Arc::new(WatchedFile {
            inner: self.inner.open_lazily(path, bytes)?,
            on_read: Arc::clone(&self.on_read),
        }))
    }

    fn create_data(&self, path: &str) -> BackendResult<Box<dyn DataWriter>> {
        self.inner.create_data(path)
    }

    fn create_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        self.inner.create_commit(path, contents)
    }

    fn create_freeing_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        self.inner.create_freeing_commit(path, contents)
    }

    fn settle_commit(&self, path: &str) -> BackendResult<()> {
        self.inner.settle_commit(path)
    }

    fn replace(&self, path: &str, contents: Bytes) -> BackendResult<()> {
        self.inner.replace(path, contents)
    }

    fn copy_data(&self, from: &str, to: &str) -> BackendResult<()> {
        self.inner.copy_data(from, to)
    }

    fn remove(&self, path: &str) -> BackendResult<()> {
        self.inner.remove(path)
    }

    fn remove_empty_folder(&self, folder: &str) -> BackendResult<bool> {
        self.inner.remove_empty_folder(folder)
    }

    fn pause_before_retry(&self, failures: u32) -> bool {
        self.inner.pause_before_retry(failures)
    }

    fn check_removable(&self, folder: &str) -> BackendResult<()> {
        self.inner.check_removable(folder)
    }

    fn check(&self) -> BackendResult<()> {
        self.inner.check()
    }

    fn probe(&self) -> BackendResult<()> {
        self.inner.probe()
    }

    fn local_path(&self, _path: &str) -> Option<PathBuf> {
        None
    }

    fn now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        self.inner.now_us(scratch_folder)
    }

    fn about_now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        self.inner.about_now_us(scratch_folder)
    }
}
