//! A storage that fails when the test says so: before an operation, after it, or instead of
//! every one from then on.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use polarway_storage::{
    Backend, BackendError, BackendResult, Created, DataWriter, Entry, FailureKind, FileMeta, FileToOpen,
    Opening, Operation, Outcome, ReadAt,
};

use super::forward::forward;

/// When the storage fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The operation is not carried out.
    Before,
    /// The operation is carried out, and its answer is lost.
    After,
    /// This operation and all behind it are not carried out: the storage is gone.
    FromHereOn,
}

/// A storage whose `n`th operation fails.
#[derive(Debug)]
pub(crate) struct FailingBackend {
    inner: Arc<dyn Backend>,
    shared: Arc<Plan>,
}

#[derive(Debug)]
struct Plan {
    failure: Failure,
    /// Operations before the one that fails; `u64::MAX` is never.
    at: AtomicU64,
    done: AtomicU64,
}

impl FailingBackend {
    /// A storage that works until it is told otherwise.
    pub(crate) fn new(inner: Arc<dyn Backend>, failure: Failure) -> Arc<Self> {
        let plan = Plan { failure, at: AtomicU64::new(u64::MAX), done: AtomicU64::new(0) };
        Arc::new(Self { inner, shared: Arc::new(plan) })
    }

    /// Lets the next `operations` succeed and the one behind them fail.
    pub(crate) fn fail_after(&self, operations: u64) {
        self.shared.done.store(0, Ordering::SeqCst);
        self.shared.at.store(operations, Ordering::SeqCst);
    }

    /// Counts operations from here on.
    pub(crate) fn count(&self) {
        self.shared.done.store(0, Ordering::SeqCst);
    }

    /// Operations since it counts.
    pub(crate) fn counted(&self) -> u64 {
        self.shared.done.load(Ordering::SeqCst)
    }

    /// Works again from here on. Returns whether the failure had come.
    pub(crate) fn heal(&self) -> bool {
        let at = self.shared.at.swap(u64::MAX, Ordering::SeqCst);
        self.shared.done.load(Ordering::SeqCst) > at
    }
}

impl Plan {
    fn run<T>(&self, path: &str, operation: impl FnOnce() -> BackendResult<T>) -> BackendResult<T> {
        let number = self.done.fetch_add(1, Ordering::SeqCst);
        let at = self.at.load(Ordering::SeqCst);
        let is_due = match self.failure {
            Failure::FromHereOn => number >= at,
            Failure::Before | Failure::After => number == at,
        };
        if !is_due {
            return operation();
        }
        if self.failure == Failure::After {
            let _ = operation(); // its answer is lost
        }
        Err(BackendError {
            operation: Operation::Reach,
            path: path.to_owned(),
            kind: FailureKind::Other,
            outcome: Outcome::Unknown,
            source: "the test made it fail".into(),
        })
    }
}

#[deny(clippy::missing_trait_methods)]
impl Backend for FailingBackend {
    forward!(pause_before_retry, local_path);

    fn get(&self, path: &str) -> BackendResult<Option<Bytes>> {
        self.shared.run(path, || self.inner.get(path))
    }

    fn head(&self, path: &str) -> BackendResult<Option<FileMeta>> {
        self.shared.run(path, || self.inner.head(path))
    }

    fn list(&self, folder: &str) -> BackendResult<Vec<Entry>> {
        self.shared.run(folder, || self.inner.list(folder))
    }

    fn open(&self, path: &str, bytes: u64) -> BackendResult<Arc<dyn ReadAt>> {
        self.shared.run(path, || self.inner.open(path, bytes))
    }

    fn open_pinned(&self, path: &str, bytes: u64, identity: &str) -> BackendResult<Arc<dyn ReadAt>> {
        self.shared.run(path, || self.inner.open_pinned(path, bytes, identity))
    }

    fn open_lazily(&self, path: &str, bytes: u64) -> BackendResult<Arc<dyn ReadAt>> {
        self.shared.run(path, || self.inner.open_lazily(path, bytes))
    }

    fn create_data(&self, path: &str) -> BackendResult<Box<dyn DataWriter>> {
        let inner = self.shared.run(path, || self.inner.create_data(path))?;
        Ok(Box::new(FailingWriter { inner, plan: Arc::clone(&self.shared), path: path.to_owned() }))
    }

    fn create_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        self.shared.run(path, || self.inner.create_commit(path, contents))
    }

    fn create_freeing_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        self.shared.run(path, || self.inner.create_freeing_commit(path, contents))
    }

    fn settle_commit(&self, path: &str) -> BackendResult<()> {
        self.shared.run(path, || self.inner.settle_commit(path))
    }

    fn replace(&self, path: &str, contents: Bytes) -> BackendResult<()> {
        self.shared.run(path, || self.inner.replace(path, contents))
    }

    fn copy_data(&self, from: &str, to: &str) -> BackendResult<()> {
        self.shared.run(from, || self.inner.copy_data(from, to))
    }

    fn copy_pinned(&self, from: &FileToOpen<'_>, to: &str) -> BackendResult<()> {
        self.shared.run(from.path, || self.inner.copy_pinned(from, to))
    }

    fn begin_to_open(&self, _file: &FileToOpen<'_>) -> Option<Opening> {
        None // each file is opened by an operation that can fail
    }

    fn remove(&self, path: &str) -> BackendResult<()> {
        self.shared.run(path, || self.inner.remove(path))
    }

    fn remove_unfinished(
        &self,
        is_ours: &dyn Fn(&str) -> bool,
        age: std::time::Duration,
    ) -> BackendResult<usize> {
        self.shared.run("", || self.inner.remove_unfinished(is_ours, age))
    }

    fn remove_all(&self, paths: &[String]) -> BackendResult<()> {
        let removed: Vec<_> = paths.iter().map(|path| self.remove(path)).collect();
        removed.into_iter().collect()
    }

    fn remove_empty_folder(&self, folder: &str) -> BackendResult<bool> {
        self.shared.run(folder, || self.inner.remove_empty_folder(folder))
    }

    fn check_removable(&self, folder: &str) -> BackendResult<()> {
        self.shared.run(folder, || self.inner.check_removable(folder))
    }

    fn check(&self) -> BackendResult<()> {
        self.shared.run("", || self.inner.check())
    }

    fn probe(&self) -> BackendResult<()> {
        self.shared.run("", || self.inner.probe())
    }

    fn now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        self.shared.run(scratch_folder, || self.inner.now_us(scratch_folder))
    }

    fn about_now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        self.shared.run(scratch_folder, || self.inner.about_now_us(scratch_folder))
    }
}

struct FailingWriter {
    inner: Box<dyn DataWriter>,
    plan: Arc<Plan>,
    path: String,
}

impl Write for FailingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl DataWriter for FailingWriter {
    fn finish(self: Box<Self>) -> BackendResult<()> {
        let Self { inner, plan, path } = *self;
        plan.run(&path, || inner.finish())
    }
}
