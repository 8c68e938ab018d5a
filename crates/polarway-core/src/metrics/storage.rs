//! A storage whose operations are measured.

use std::io::{self, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use metrics::{Counter, Histogram, Recorder};
use polarway_bucket::Traffic;
use polarway_storage::{
    Backend, BackendResult, Created, DataWriter, Entry, FailureKind, FileMeta, FileToOpen, Opening, ReadAt,
};

use super::list;
use super::writes::RefusedWrites;

/// What an engine uses a storage for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StorageRole {
    /// It holds the datasets.
    Cold,
    /// It holds the handles.
    State,
}

impl StorageRole {
    /// Its name in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::State => "state",
        }
    }
}

/// What a storage sends to the service of a bucket, if it is one.
pub(crate) struct BucketMetrics {
    traffic: Option<Arc<Traffic>>,
    requests: Counter,
    busy: Counter,
}

impl BucketMetrics {
    pub(crate) fn new(
        role: StorageRole,
        backend: &str,
        recorder: &dyn Recorder,
        traffic: Option<Arc<Traffic>>,
    ) -> Self {
        let labels = [role.name(), backend];
        Self {
            traffic,
            requests: list::BUCKET_REQUESTS.register_counter(recorder, &labels),
            busy: list::BUCKET_BUSY.register_counter(recorder, &labels),
        }
    }

    pub(super) fn sample(&self) {
        if let Some(traffic) = &self.traffic {
            self.requests.absolute(traffic.requests());
            self.busy.absolute(traffic.busy());
        }
    }
}

/// The bytes read from and written to the storage of handles, under names of their own.
pub(crate) struct StateTraffic {
    read: Counter,
    written: Counter,
}

impl StateTraffic {
    pub(crate) fn new(recorder: &dyn Recorder) -> Self {
        Self {
            read: list::STATE_STORE_BYTES_READ.register_counter(recorder, &[]),
            written: list::STATE_STORE_BYTES_WRITTEN.register_counter(recorder, &[]),
        }
    }
}

/// The operations, as the label `operation` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Get,
    Head,
    List,
    Open,
    Read,
    Write,
    CreateCommit,
    SettleCommit,
    Replace,
    Copy,
    Remove,
    Check,
    Now,
}

const NAMES: [&str; 13] = [
    "get",
    "head",
    "list",
    "open",
    "read",
    "write",
    "create_commit",
    "settle_commit",
    "replace",
    "copy",
    "remove",
    "check",
    "now",
];

/// Those that write a file. To remove one, other rights are needed.
const WRITES: [Operation; 4] =
    [Operation::Write, Operation::CreateCommit, Operation::Replace, Operation::Copy];

#[derive(Debug)]
struct OperationMetrics {
    duration: Histogram,
    errors: Counter,
}

#[derive(Debug)]
struct StorageMetrics {
    operations: [OperationMetrics; NAMES.len()],
    /// For all storages, and for those of handles alone.
    read_bytes: [Counter; 2],
    written_bytes: [Counter; 2],
    refused_writes: Arc<RefusedWrites>,
}

impl StorageMetrics {
    fn record(&self, operation: Operation, began: Instant, has_failed: bool) {
        let OperationMetrics { duration, errors } = &self.operations[operation as usize];
        duration.record(began.elapsed());
        if has_failed {
            errors.increment(1);
        }
    }

    fn measure<T>(
        &self,
        operation: Operation,
        carry_out: impl FnOnce() -> BackendResult<T>,
    ) -> BackendResult<T> {
        let began = Instant::now();
        let result = carry_out();
        self.record_result(operation, began, &result);
        result
    }

    fn record_result<T>(&self, operation: Operation, began: Instant, result: &BackendResult<T>) {
        // A missing file is an answer and no error.
        let has_failed = result.as_ref().is_err_and(|error| error.kind != FailureKind::NotFound);
        self.record(operation, began, has_failed);
        if WRITES.contains(&operation) {
            self.refused_writes.note(result);
        }
    }

    fn measure_io<T>(
        &self,
        operation: Operation,
        carry_out: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let began = Instant::now();
        let result = carry_out();
        self.record(operation, began, result.is_err());
        result
    }

    fn count_read(&self, bytes: usize) {
        self.read_bytes.iter().for_each(|counter| counter.increment(bytes as u64));
    }

    fn count_written(&self, bytes: usize) {
        self.written_bytes.iter().for_each(|counter| counter.increment(bytes as u64));
    }
}

/// Measures each operation of the storage that it wraps.
#[derive(Debug)]
pub(crate) struct MeasuredStorage {
    storage: Arc<dyn Backend>,
    metrics: Arc<StorageMetrics>,
}

impl MeasuredStorage {
    /// Wraps a storage of this kind. The traffic is that of all storages of handles.
    pub(crate) fn over(
        storage: Arc<dyn Backend>,
        role: StorageRole,
        backend: &str,
        recorder: &dyn Recorder,
        traffic: &StateTraffic,
        refused_writes: Arc<RefusedWrites>,
    ) -> Self {
        let (read, written) = match role {
            StorageRole::Cold => (Counter::noop(), Counter::noop()),
            StorageRole::State => (traffic.read.clone(), traffic.written.clone()),
        };
        let role = role.name();
        let metrics = StorageMetrics {
            operations: NAMES.map(|operation| {
                let labels = [role, backend, operation];
                OperationMetrics {
                    duration: list::STORAGE_DURATION.register_histogram(recorder, &labels),
                    errors: list::STORAGE_ERRORS.register_counter(recorder, &labels),
                }
            }),
            read_bytes: [list::STORAGE_READ_BYTES.register_counter(recorder, &[role, backend]), read],
            written_bytes: [
                list::STORAGE_WRITTEN_BYTES.register_counter(recorder, &[role, backend]),
                written,
            ],
            refused_writes,
        };
        Self { storage, metrics: Arc::new(metrics) }
    }

    /// A new small file.
    fn create(
        &self,
        contents: Bytes,
        carry_out: impl FnOnce(Bytes) -> BackendResult<Created>,
    ) -> BackendResult<Created> {
        let bytes = contents.len();
        let created = self.metrics.measure(Operation::CreateCommit, || carry_out(contents));
        if let Ok(Created::New) = created {
            self.metrics.count_written(bytes);
        }
        created
    }
}

#[deny(clippy::missing_trait_methods, reason = "a wrapper must not inherit what its storage does otherwise")]
impl Backend for MeasuredStorage {
    fn get(&self, path: &str) -> BackendResult<Option<Bytes>> {
        let found = self.metrics.measure(Operation::Get, || self.storage.get(path));
        if let Ok(Some(contents)) = &found {
            self.metrics.count_read(contents.len());
        }
        found
    }

    fn head(&self, path: &str) -> BackendResult<Option<FileMeta>> {
        self.metrics.measure(Operation::Head, || self.storage.head(path))
    }

    fn list(&self, folder: &str) -> BackendResult<Vec<Entry>> {
        self.metrics.measure(Operation::List, || self.storage.list(folder))
    }

    fn open(&self, path: &str, bytes: u64) -> BackendResult<Arc<dyn ReadAt>> {
        let file = self.metrics.measure(Operation::Open, || self.storage.open(path, bytes))?;
        Ok(Arc::new(MeasuredFile { file, metrics: Arc::clone(&self.metrics) }))
    }

    fn open_lazily(&self, path: &str, bytes: u64) -> BackendResult<Arc<dyn ReadAt>> {
        let file = self.metrics.measure(Operation::Open, || self.storage.open_lazily(path, bytes))?;
        Ok(Arc::new(MeasuredFile { file, metrics: Arc::clone(&self.metrics) }))
    }

    fn open_pinned(&self, path: &str, bytes: u64, identity: &str) -> BackendResult<Arc<dyn ReadAt>> {
        let file =
            self.metrics.measure(Operation::Open, || self.storage.open_pinned(path, bytes, identity))?;
        Ok(Arc::new(MeasuredFile { file, metrics: Arc::clone(&self.metrics) }))
    }

    fn begin_to_open(&self, file: &FileToOpen<'_>) -> Option<Opening> {
        let began = Instant::now();
        let opening = self.storage.begin_to_open(file)?;
        let metrics = Arc::clone(&self.metrics);
        Some(Opening::new(move || {
            let opened = opening.wait();
            metrics.record_result(Operation::Open, began, &opened);
            Ok(Arc::new(MeasuredFile { file: opened?, metrics }))
        }))
    }

    fn create_data(&self, path: &str) -> BackendResult<Box<dyn DataWriter>> {
        let began = Instant::now();
        let created = self.storage.create_data(path);
        if created.is_err() {
            self.metrics.record_result(Operation::Write, began, &created);
        }
        Ok(Box::new(MeasuredWriter { writer: created?, began, metrics: Arc::clone(&self.metrics) }))
    }

    fn create_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        self.create(contents, |contents| self.storage.create_commit(path, contents))
    }

    fn create_freeing_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        self.create(contents, |contents| self.storage.create_freeing_commit(path, contents))
    }

    fn settle_commit(&self, path: &str) -> BackendResult<()> {
        self.metrics.measure(Operation::SettleCommit, || self.storage.settle_commit(path))
    }

    fn replace(&self, path: &str, contents: Bytes) -> BackendResult<()> {
        let bytes = contents.len();
        let replaced = self.metrics.measure(Operation::Replace, || self.storage.replace(path, contents));
        if replaced.is_ok() {
            self.metrics.count_written(bytes);
        }
        replaced
    }

    fn copy_data(&self, from: &str, to: &str) -> BackendResult<()> {
        self.metrics.measure(Operation::Copy, || self.storage.copy_data(from, to))
    }

    fn copy_pinned(&self, from: &FileToOpen<'_>, to: &str) -> BackendResult<()> {
        self.metrics.measure(Operation::Copy, || self.storage.copy_pinned(from, to))
    }

    fn remove(&self, path: &str) -> BackendResult<()> {
        self.metrics.measure(Operation::Remove, || self.storage.remove(path))
    }

    fn remove_all(&self, paths: &[String]) -> BackendResult<()> {
        self.metrics.measure(Operation::Remove, || self.storage.remove_all(paths))
    }

    fn remove_unfinished(&self, is_ours: &dyn Fn(&str) -> bool, age: Duration) -> BackendResult<usize> {
        self.metrics.measure(Operation::Remove, || self.storage.remove_unfinished(is_ours, age))
    }

    fn remove_empty_folder(&self, folder: &str) -> BackendResult<bool> {
        self.metrics.measure(Operation::Remove, || self.storage.remove_empty_folder(folder))
    }

    fn check_removable(&self, folder: &str) -> BackendResult<()> {
        self.metrics.measure(Operation::Check, || self.storage.check_removable(folder))
    }

    fn check(&self) -> BackendResult<()> {
        self.metrics.measure(Operation::Check, || self.storage.check())
    }

    fn probe(&self) -> BackendResult<()> {
        self.metrics.measure(Operation::Check, || self.storage.probe())
    }

    fn pause_before_retry(&self, failures: u32) -> bool {
        self.storage.pause_before_retry(failures)
    }

    fn local_path(&self, path: &str) -> Option<PathBuf> {
        self.storage.local_path(path)
    }

    fn now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        self.metrics.measure(Operation::Now, || self.storage.now_us(scratch_folder))
    }

    fn about_now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        self.metrics.measure(Operation::Now, || self.storage.about_now_us(scratch_folder))
    }
}

/// A file that is open for reading.
#[derive(Debug)]
struct MeasuredFile {
    file: Arc<dyn ReadAt>,
    metrics: Arc<StorageMetrics>,
}

#[deny(clippy::missing_trait_methods, reason = "a wrapper must not inherit what its file does otherwise")]
impl ReadAt for MeasuredFile {
    fn len(&self) -> u64 {
        self.file.len()
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let read = self.metrics.measure_io(Operation::Read, || self.file.read_at(offset, length));
        if let Ok(bytes) = &read {
            self.metrics.count_read(bytes.len());
        }
        read
    }

    fn expect(&self, ranges: Vec<Range<u64>>) {
        self.file.expect(ranges);
    }

    fn release(&self, range: Range<u64>) {
        self.file.release(range);
    }

    fn is_empty(&self) -> bool {
        self.file.is_empty()
    }
}

/// A data file that is being written.
struct MeasuredWriter {
    writer: Box<dyn DataWriter>,
    began: Instant,
    metrics: Arc<StorageMetrics>,
}

impl Write for MeasuredWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(buffer)?;
        self.metrics.count_written(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl DataWriter for MeasuredWriter {
    fn finish(self: Box<Self>) -> BackendResult<()> {
        let Self { writer, began, metrics } = *self;
        let finished = writer.finish();
        metrics.record_result(Operation::Write, began, &finished);
        finished
    }
}
