//! A storage whose clock a test sets: it stamps what is written with that time.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use polarway_storage::{Backend, BackendResult, Clock, Created, DataWriter, Entry, FileMeta, FileToOpen};

use super::forward::forward;

/// A storage with this clock.
#[derive(Debug)]
pub(crate) struct TimedBackend {
    inner: Arc<dyn Backend>,
    stamps: Arc<Stamps>,
}

#[derive(Debug)]
struct Stamps {
    clock: Arc<dyn Clock>,
    /// When each file was written. Those that are not here were not written through this.
    times_us: Mutex<HashMap<String, i64>>,
}

impl Stamps {
    fn stamp(&self, path: &str) {
        self.times_us.lock().unwrap().insert(path.to_owned(), self.clock.now_us());
    }

    fn stamped(&self, path: &str, meta: FileMeta) -> FileMeta {
        match self.times_us.lock().unwrap().get(path) {
            Some(time_us) => FileMeta { modified_us: *time_us, ..meta },
            None => meta,
        }
    }
}

impl TimedBackend {
    pub(crate) fn new(inner: Arc<dyn Backend>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let stamps = Stamps { clock, times_us: Mutex::default() };
        Arc::new(Self { inner, stamps: Arc::new(stamps) })
    }

    /// The same storage with the same times, reached in another way.
    #[allow(dead_code, reason = "not every target that has this file uses it")]
    pub(crate) fn reached_through(&self, inner: Arc<dyn Backend>) -> Arc<Self> {
        Arc::new(Self { inner, stamps: Arc::clone(&self.stamps) })
    }
}

#[deny(clippy::missing_trait_methods)]
impl Backend for TimedBackend {
    forward!(
        get,
        open,
        open_lazily,
        open_pinned,
        begin_to_open,
        settle_commit,
        remove,
        remove_all,
        remove_unfinished,
        remove_empty_folder,
        check_removable,
        check,
        probe,
        pause_before_retry,
        local_path
    );

    fn head(&self, path: &str) -> BackendResult<Option<FileMeta>> {
        Ok(self.inner.head(path)?.map(|meta| self.stamps.stamped(path, meta)))
    }

    fn list(&self, folder: &str) -> BackendResult<Vec<Entry>> {
        let stamped = |entry: Entry| {
            let path = format!("{folder}/{}", entry.name);
            Entry { file: entry.file.map(|meta| self.stamps.stamped(&path, meta)), ..entry }
        };
        Ok(self.inner.list(folder)?.into_iter().map(stamped).collect())
    }

    fn create_data(&self, path: &str) -> BackendResult<Box<dyn DataWriter>> {
        let inner = self.inner.create_data(path)?;
        self.stamps.stamp(path);
        Ok(Box::new(TimedWriter { inner, stamps: Arc::clone(&self.stamps), path: path.to_owned() }))
    }

    fn create_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        let created = self.inner.create_commit(path, contents)?;
        if created == Created::New {
            self.stamps.stamp(path);
        }
        Ok(created)
    }

    fn create_freeing_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        let created = self.inner.create_freeing_commit(path, contents)?;
        if created == Created::New {
            self.stamps.stamp(path);
        }
        Ok(created)
    }

    fn replace(&self, path: &str, contents: Bytes) -> BackendResult<()> {
        self.inner.replace(path, contents)?;
        self.stamps.stamp(path);
        Ok(())
    }

    fn copy_data(&self, from: &str, to: &str) -> BackendResult<()> {
        self.inner.copy_data(from, to)?;
        self.stamps.stamp(to);
        Ok(())
    }

    fn copy_pinned(&self, from: &FileToOpen<'_>, to: &str) -> BackendResult<()> {
        self.inner.copy_pinned(from, to)?;
        self.stamps.stamp(to);
        Ok(())
    }

    fn now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        self.inner.now_us(scratch_folder)?; // what it costs and how it fails
        Ok(self.stamps.clock.now_us())
    }

    fn about_now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        self.now_us(scratch_folder)
    }
}

struct TimedWriter {
    inner: Box<dyn DataWriter>,
    stamps: Arc<Stamps>,
    path: String,
}

impl Write for TimedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl DataWriter for TimedWriter {
    fn finish(self: Box<Self>) -> BackendResult<()> {
        let Self { inner, stamps, path } = *self;
        inner.finish()?;
        stamps.stamp(&path);
        Ok(())
    }
}
