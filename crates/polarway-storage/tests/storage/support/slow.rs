//! A storage that takes its time to remove things: what others do meanwhile falls in between.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use polarway_storage::{Backend, BackendResult, Created, DataWriter, Entry, FileMeta, ReadAt};

/// Longer than it takes to make a table.
const PAUSE: Duration = Duration::from_millis(3);

/// A storage with slow removals.
#[derive(Debug)]
pub(crate) struct SlowRemovals(pub(crate) Arc<dyn Backend>);

#[deny(clippy::missing_trait_methods)]
impl Backend for SlowRemovals {
    fn get(&self, path: &str) -> BackendResult<Option<Bytes>> {
        self.0.get(path)
    }

    fn head(&self, path: &str) -> BackendResult<Option<FileMeta>> {
        self.0.head(path)
    }

    fn list(&self, folder: &str) -> BackendResult<Vec<Entry>> {
        self.0.list(folder)
    }

    fn open(&self, path: &str, bytes: u64) -> BackendResult<Arc<dyn ReadAt>> {
        self.0.open(path, bytes)
    }

    fn open_lazily(&self, path: &str, bytes: u64) -> BackendResult<Arc<dyn ReadAt>> {
        self.0.open_lazily(path, bytes)
    }

    fn create_data(&self, path: &str) -> BackendResult<Box<dyn DataWriter>> {
        self.0.create_data(path)
    }

    fn create_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        self.0.create_commit(path, contents)
    }

    fn create_freeing_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        self.0.create_freeing_commit(path, contents)
    }

    fn settle_commit(&self, path: &str) -> BackendResult<()> {
        self.0.settle_commit(path)
    }

    fn replace(&self, path: &str, contents: Bytes) -> BackendResult<()> {
        self.0.replace(path, contents)
    }

    fn copy_data(&self, from: &str, to: &str) -> BackendResult<()> {
        self.0.copy_data(from, to)
    }

    fn remove(&self, path: &str) -> BackendResult<()> {
        std::thread::sleep(PAUSE);
        self.0.remove(path)
    }

    fn remove_empty_folder(&self, folder: &str) -> BackendResult<bool> {
        std::thread::sleep(PAUSE);
        self.0.remove_empty_folder(folder)
    }

    fn pause_before_retry(&self, failures: u32) -> bool {
        self.0.pause_before_retry(failures)
    }

    fn check_removable(&self, folder: &str) -> BackendResult<()> {
        self.0.check_removable(folder)
    }

    fn check(&self) -> BackendResult<()> {
        self.0.check()
    }

    fn probe(&self) -> BackendResult<()> {
        self.0.probe()
    }

    fn local_path(&self, path: &str) -> Option<PathBuf> {
        self.0.local_path(path)
    }

    fn now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        self.0.now_us(scratch_folder)
    }

    fn about_now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        self.0.about_now_us(scratch_folder)
    }
}
