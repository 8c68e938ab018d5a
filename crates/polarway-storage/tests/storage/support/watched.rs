//! A storage whose reads a test watches, stops, or lets fail.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use polarway_storage::{Backend, BackendResult, FileToOpen, Opening, ReadAt};

use super::forward::forward;

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
    forward!(
        get,
        head,
        list,
        create_data,
        create_commit,
        create_freeing_commit,
        settle_commit,
        replace,
        copy_data,
        copy_pinned,
        remove,
        remove_all,
        remove_unfinished,
        remove_empty_folder,
        pause_before_retry,
        check_removable,
        check,
        probe,
        now_us,
        about_now_us
    );

    fn open(&self, path: &str, bytes: u64) -> BackendResult<Arc<dyn ReadAt>> {
        Ok(Arc::new(WatchedFile { inner: self.inner.open(path, bytes)?, on_read: Arc::clone(&self.on_read) }))
    }

    fn open_pinned(&self, path: &str, bytes: u64, identity: &str) -> BackendResult<Arc<dyn ReadAt>> {
        Ok(Arc::new(WatchedFile {
            inner: self.inner.open_pinned(path, bytes, identity)?,
            on_read: Arc::clone(&self.on_read),
        }))
    }

    fn open_lazily(&self, path: &str, bytes: u64) -> BackendResult<Arc<dyn ReadAt>> {
        Ok(Arc::new(WatchedFile {
            inner: self.inner.open_lazily(path, bytes)?,
            on_read: Arc::clone(&self.on_read),
        }))
    }

    fn begin_to_open(&self, _file: &FileToOpen<'_>) -> Option<Opening> {
        None // it is opened when it is read
    }

    fn local_path(&self, _path: &str) -> Option<PathBuf> {
        None
    }
}
