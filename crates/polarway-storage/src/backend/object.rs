//! A bucket, through the `object_store` crate.

use std::fmt;
use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use polarway_bucket::{Bucket, Refusal, RefusalKind, Unfinished};
use polarway_parquet::ReadAt;

use super::object_reader::ObjectReader;
use super::object_writer::ObjectWriter;
use super::{
    Backend, BackendError, BackendResult, Created, DataWriter, Entry, FailureKind, FileMeta, FileToOpen,
    Opening, Operation, Outcome, is_settled, join, one_by_one,
};
use crate::callers::Callers;
use crate::environment::micros;
use crate::own_runtime::OwnRuntime;

/// The largest object that every service copies in one request, in bytes. S3 takes 5 GiB.
const MOST_COPIED_AT_ONCE: u64 = 5 << 30;

/// How much of a larger object is read at a time, to write it to another.
const COPY_BYTES: u64 = 64 << 20;

/// Where files are made that test the storage.
const PROBE_FOLDER: &str = ".polarway-probe";

/// How often a commit is tried while the service is busy or does not answer.
const MOST_TRIES: u32 = 7;

/// The pause before the second try. It doubles from try to try.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How the identity of a file begins whose storage gives no entity tags. No tag has spaces.
const WITHOUT_TAG: &str = "(no tag) ";

/// Any storage of the `object_store` crate that has put-if-absent.
///
/// Calls block, and use a small runtime of its own: they can come from any thread that may block.
pub struct ObjectBackend {
    store: Arc<dyn ObjectStore>,
    /// For commits. It sends each request once, so that none is carried out after the call returned.
    commits: Arc<dyn ObjectStore>,
    /// The bucket, if it is one. It is reached over a network, so a failure may pass.
    bucket: Option<Bucket>,
    runtime: Arc<OwnRuntime>,
}

impl ObjectBackend {
    /// Wraps a store. Datasets are at its root; `object_store::prefix::PrefixStore` gives another place.
    ///
    /// # Errors
    /// The runtime's thread could not be started.
    pub fn new(store: Arc<dyn ObjectStore>) -> BackendResult<Self> {
        Self::over(Arc::clone(&store), store, None, Callers::default())
    }

    /// A bucket. No request is made before it is used.
    ///
    /// # Errors
    /// The runtime's thread could not be started.
    pub fn of_bucket(bucket: Bucket) -> BackendResult<Self> {
        Self::of_bucket_for(bucket, Callers::default())
    }

    /// The same for threads that work for callers: a request that a caller waited for is dropped when the caller is gone.
    ///
    /// # Errors
    /// As [`of_bucket`](Self::of_bucket).
    pub fn of_bucket_for(bucket: Bucket, callers: Callers) -> BackendResult<Self> {
        Self::over(Arc::clone(bucket.retrying()), Arc::clone(bucket.single()), Some(bucket), callers)
    }

    fn over(
        store: Arc<dyn ObjectStore>,
        commits: Arc<dyn ObjectStore>,
        bucket: Option<Bucket>,
        callers: Callers,
    ) -> BackendResult<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("polarway-objects")
            .enable_all()
            .build()
            .map_err(|error| BackendError {
                operation: Operation::StartThread,
                path: store.to_string(),
                kind: FailureKind::Other,
                outcome: Outcome::NotDone,
                source: error.into(),
            })?;
        Ok(Self { store, commits, bucket, runtime: Arc::new(OwnRuntime::serving(runtime, callers)) })
    }

    /// Waits for a request that only reads, or whose effect nobody needs to know if the caller is gone.
    fn wait<T>(&self, work: impl Future<Output = object_store::Result<T>>) -> object_store::Result<T> {
        self.runtime.wait(work)
    }

    /// Waits for a request whatever the caller does: after it has returned, nothing is carried out later.
    fn wait_to_the_end<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

impl fmt::Debug for ObjectBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBackend").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Backend for ObjectBackend {
    fn get(&self, path: &str) -> BackendResult<Option<Bytes>> {
        let get = async { self.store.get(&object_path(path)).await?.bytes().await };
        absent_as_none(self.wait(get), Operation::Read, path)
    }

    fn head(&self, path: &str) -> BackendResult<Option<FileMeta>> {
        let meta = absent_as_none(self.wait(self.store.head(&object_path(path))), Operation::LookAt, path)?;
        Ok(meta.as_ref().map(file_meta))
    }

    fn list(&self, folder: &str) -> BackendResult<Vec<Entry>> {
        let prefix = (!folder.is_empty()).then(|| object_path(folder));
        let listed = self
            .wait(self.store.list_with_delimiter(prefix.as_ref()))
            .map_err(|error| failure(Operation::List, folder, Outcome::NotDone, error))?;
        let folders = listed.common_prefixes.iter().filter_map(ObjectPath::filename);
        let folders = folders.map(|name| Entry { name: name.to_owned(), file: None });
        let files = listed.objects.iter().filter_map(|object| {
            Some(Entry { name: object.location.filename()?.to_owned(), file: Some(file_meta(object)) })
        });
        let mut entries: Vec<Entry> = folders.chain(files).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn open(&self, path: &str, bytes: u64) -> BackendResult<Arc<dyn ReadAt>> {
        self.opening(&FileToOpen::new(path, bytes)).wait()
    }

    fn open_lazily(&self, path: &str, bytes: u64) -> BackendResult<Arc<dyn ReadAt>> {
        Ok(Arc::new(ObjectReader::new(&self.store, &self.runtime, object_path(path), bytes)))
    }

    fn open_pinned(&self, path: &str, bytes: u64, identity: &str) -> BackendResult<Arc<dyn ReadAt>> {
        self.opening(&FileToOpen { identity: Some(identity), ..FileToOpen::new(path, bytes) }).wait()
    }

    fn begin_to_open(&self, file: &FileToOpen<'_>) -> Option<Opening> {
        Some(self.opening(file))
    }

    fn create_data(&self, path: &str) -> BackendResult<Box<dyn DataWriter>> {
        Ok(Box::new(ObjectWriter::new(&self.store, &self.runtime, path)))
    }

    fn create_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        match self.create_exclusively(path, contents.clone()) {
            Ok(_) => Ok(Created::New),
            // It may be our own put whose answer was lost, another writer's file, or nobody's (some
            // stores answer so after a conflict of two puts): what is there decides.
            Err(error) if is_taken(&error) => match self.get(path) {
                Ok(Some(there)) if there == contents => Ok(Created::New),
                Ok(Some(_)) => Ok(Created::Taken),
                Ok(None) => Err(failure(Operation::Publish, path, Outcome::Unknown, error)),
                Err(unread) => Err(BackendError { outcome: Outcome::Unknown, ..unread }),
            },
            Err(error) => {
                let outcome = if had_no_effect(&error) { Outcome::NotDone } else { Outcome::Unknown };
                Err(failure(Operation::Publish, path, outcome, error))
            }
        }
    }

    fn settle_commit(&self, _path: &str) -> BackendResult<()> {
        Ok(()) // an object that can be read is stored
    }

    fn replace(&self, path: &str, contents: Bytes) -> BackendResult<()> {
        let put = self.wait(self.store.put(&object_path(path), PutPayload::from(contents)));
        put.map(|_| ()).map_err(|error| failure(Operation::Replace, path, Outcome::Unknown, error))
    }

    fn copy_data(&self, from: &str, to: &str) -> BackendResult<()> {
        if self.bucket.is_some()
            && let Some(meta) = self.head(from)?
            && meta.bytes > MOST_COPIED_AT_ONCE
        {
            return self.copy_in_parts(&FileToOpen::new(from, meta.bytes), to);
        }
        self.wait(self.store.copy(&object_path(from), &object_path(to)))
            .map_err(|error| failure(Operation::Copy, from, Outcome::Unknown, error))
    }

    fn copy_pinned(&self, from: &FileToOpen<'_>, to: &str) -> BackendResult<()> {
        match self.bucket {
            // The clients have no copy with a condition. Each part is read with one.
            Some(_) => self.copy_in_parts(from, to),
            None => self.copy_data(from.path, to),
        }
    }

    fn remove(&self, path: &str) -> BackendResult<()> {
        if self.bucket.is_some() {
            return self.remove_all(&[path.to_owned()]);
        }
        match self.wait_to_the_end(self.store.delete(&object_path(path))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failure(Operation::Remove, path, Outcome::Unknown, error)),
        }
    }

    fn remove_all(&self, paths: &[String]) -> BackendResult<()> {
        let Some(bucket) = &self.bucket else { return one_by_one(paths, |path| self.remove(path)) };
        let paths: Vec<ObjectPath> = paths.iter().map(|path| object_path(path)).collect();
        self.wait_to_the_end(bucket.delete(&paths)).map_err(|failed| {
            failure(Operation::Remove, failed.path.as_ref(), Outcome::Unknown, failed.error)
        })
    }

    fn remove_unfinished(&self, is_ours: &dyn Fn(&str) -> bool, age: Duration) -> BackendResult<usize> {
        let Some(bucket) = &self.bucket else { return Ok(0) };
        let Some(uploads) = bucket.uploads() else { return Ok(0) };
        let listed = self.wait(uploads.list());
        let listed = listed.map_err(|error| failure(Operation::ListUploads, "", Outcome::NotDone, error))?;
        // The answer with the list said the service's time.
        let Some(now_us) = bucket.traffic().service_now_us() else { return Ok(0) };
        let begun_before_us = now_us.saturating_sub(micros(age));
        let is_left = |upload: &Unfinished| upload.begun_us <= begun_before_us && is_ours(&upload.path);
        let mut removed = 0;
        for upload in listed.into_iter().filter(is_left) {
            self.wait(uploads.abort(&upload))
                .map_err(|error| failure(Operation::Remove, &upload.path, Outcome::Unknown, error))?;
            removed += 1;
        }
        Ok(removed)
    }

    fn pause_before_retry(&self, failures: u32) -> bool {
        let is_worth_it = failures < MOST_TRIES && !self.runtime.caller_is_gone();
        if self.bucket.is_some() && is_worth_it {
            std::thread::sleep(FIRST_PAUSE * 2_u32.pow(failures.saturating_sub(1)));
        }
        is_worth_it
    }

    /// A request for a prefix where nothing is: it needs the bucket, the credentials and the right to list.
    fn check(&self) -> BackendResult<()> {
        let nothing = ObjectPath::from(PROBE_FOLDER);
        let listed = self.wait(self.commits.list_with_delimiter(Some(&nothing)));
        listed.map(drop).map_err(|error| failure(Operation::List, "", Outcome::NotDone, error))
    }

    fn probe(&self) -> BackendResult<()> {
        let path = probe_path();
        let created = self.create_surely(&path, "probe").map(drop);
        let removed = self.remove(&path);
        created.and(removed)
    }

    fn local_path(&self, _path: &str) -> Option<PathBuf> {
        None
    }

    fn now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        let path = join(scratch_folder, "clock");
        self.replace(&path, Bytes::new())?;
        let meta = self
            .wait(self.store.head(&object_path(&path)))
            .map_err(|error| failure(Operation::LookAt, &path, Outcome::NotDone, error))?;
        Ok(meta.last_modified.timestamp_micros())
    }

    fn about_now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        // A service says its time in each answer, in whole seconds.
        let said_us = self.bucket.as_ref().and_then(|bucket| bucket.traffic().service_now_us());
        said_us.map_or_else(|| self.now_us(scratch_folder), Ok)
    }
}

impl ObjectBackend {
    /// Checks that several writers can share the storage: creates a file twice, and fails if the second time is not refused. A
    /// service that looks for the file first and then writes it passes all the same: only a race shows that.
    ///
    /// # Errors
    /// [`FailureKind::Unsuitable`] if it was not refused, or the reason why no file can be made.
    pub fn prove_exclusive(&self) -> BackendResult<()> {
        let path = probe_path();
        let first = self.create_surely(&path, "first");
        let second = first.and_then(|_| match self.create_surely(&path, "second")? {
            Created::Taken => Ok(()),
            Created::New => Err(BackendError {
                operation: Operation::Use,
                path: path.clone(),
                kind: FailureKind::Unsuitable,
                outcome: Outcome::NotDone,
                source: "a file was created a second time".into(),
            }),
        });
        let removed = self.remove(&path);
        second.and(removed)
    }

    /// Creates a file, and tries again as long as it is not known how that ended.
    fn create_surely(&self, path: &str, contents: &'static str) -> BackendResult<Created> {
        let mut failures = 0;
        loop {
            match self.create_commit(path, contents.into()) {
                Err(error) if error.outcome == Outcome::Unknown => {
                    failures += 1;
                    if !self.pause_before_retry(failures) {
                        return Err(error);
                    }
                }
                result => return result,
            }
        }
    }

    /// Sends the first requests for a file.
    fn opening(&self, file: &FileToOpen<'_>) -> Opening {
        let (path, first) = (file.path.to_owned(), self.reader(file).begin(file.is_read_whole));
        Opening::new(move || match first.wait() {
            Ok(reader) => Ok(Arc::new(reader)),
            Err(error) => Err(failure(Operation::Open, &path, Outcome::NotDone, error)),
        })
    }

    /// Reads a file, in the state that it should have.
    fn reader(&self, file: &FileToOpen<'_>) -> ObjectReader {
        let tag = match file.identity {
            None => None,
            Some(identity) if identity.starts_with(WITHOUT_TAG) => None,
            // Services want it in quotes; other stores compare the text.
            Some(identity) if self.bucket.is_some() => Some(format!("\"{identity}\"")),
            Some(identity) => Some(identity.to_owned()),
        };
        let reader = ObjectReader::new(&self.store, &self.runtime, object_path(file.path), file.bytes);
        reader.of_state(tag)
    }

    fn create_exclusively(
        &self,
        path: &str,
        contents: Bytes,
    ) -> object_store::Result<object_store::PutResult> {
        let path = object_path(path);
        self.wait_to_the_end(self.commits.put_opts(&path, contents.into(), PutMode::Create.into()))
    }

    /// Copies an object by way of this machine.
    fn copy_in_parts(&self, from: &FileToOpen<'_>, to: &str) -> BackendResult<()> {
        let failed = |error| BackendError::of_io(Operation::Copy, from.path, Outcome::NotDone, error);
        let source = self.reader(from);
        let mut target = self.create_data(to)?;
        let mut offset = 0;
        while offset < from.bytes {
            let length = (from.bytes - offset).min(COPY_BYTES);
            let part = source.read_at(offset, length as usize).map_err(failed)?;
            target.write_all(&part).map_err(failed)?;
            offset += length;
        }
        target.finish()
    }
}

/// A path that nobody else uses.
fn probe_path() -> String {
    format!("{PROBE_FOLDER}/{}", uuid::Uuid::now_v7())
}

pub(super) fn object_path(path: &str) -> ObjectPath {
    // A listed path has its escapes already; other text needs them.
    ObjectPath::parse(path).unwrap_or_else(|_| ObjectPath::from(path))
}

fn file_meta(object: &object_store::ObjectMeta) -> FileMeta {
    let modified_us = object.last_modified.timestamp_micros();
    // Services write a tag with quotes in one answer and without in another, and times with different precision.
    let tag = object.e_tag.as_deref().map(|tag| tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"'));
    let identity = match tag.filter(|tag| !tag.is_empty()) {
        Some(tag) => tag.to_owned(),
        None => format!("{WITHOUT_TAG}{}-{modified_us}", object.size),
    };
    FileMeta { bytes: object.size, modified_us, identity, is_settled: is_settled(modified_us) }
}

/// Whether a file was not created because its name is taken.
fn is_taken(error: &object_store::Error) -> bool {
    use object_store::Error;

    matches!(error, Error::AlreadyExists { .. } | Error::Precondition { .. })
}

/// Whether a request certainly changed nothing.
fn had_no_effect(error: &object_store::Error) -> bool {
    use object_store::Error;

    match Refusal::among_causes(error) {
        Some(refusal) => refusal.kind.had_no_effect(),
        None => matches!(
            error,
            Error::PermissionDenied { .. }
                | Error::Unauthenticated { .. }
                | Error::NotSupported { .. }
                | Error::NotImplemented { .. }
        ),
    }
}

fn absent_as_none<T>(
    result: object_store::Result<T>,
    operation: Operation,
    path: &str,
) -> BackendResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(failure(operation, path, Outcome::NotDone, error)),
    }
}

pub(super) fn failure(
    operation: Operation,
    path: &str,
    outcome: Outcome,
    error: object_store::Error,
) -> BackendError {
    use object_store::Error;

    let refusal = Refusal::among_causes(&error).cloned();
    let kind = match (&refusal, &error) {
        (Some(refusal), _) => meaning(&refusal.kind),
        (_, Error::NotFound { .. }) => FailureKind::NotFound,
        (_, Error::Precondition { .. }) => FailureKind::Changed,
        (_, Error::PermissionDenied { .. }) => FailureKind::Denied,
        (_, Error::Unauthenticated { .. }) => FailureKind::Unauthenticated,
        (_, Error::NotImplemented { .. } | Error::NotSupported { .. }) => FailureKind::Unsuitable,
        _ => FailureKind::Other,
    };
    let kind =
        if kind == FailureKind::Denied && operation.is_write() { FailureKind::WriteDenied } else { kind };
    // The client's own error has the request's address in it; the refusal says what matters.
    let source = match refusal {
        Some(refusal) => refusal.into(),
        None => error.into(),
    };
    BackendError { operation, path: path.to_owned(), kind, outcome, source }
}

fn meaning(refusal: &RefusalKind) -> FailureKind {
    match refusal {
        RefusalKind::NoSuchBucket => FailureKind::NoBucket,
        RefusalKind::WrongKey | RefusalKind::NoCredentials => FailureKind::Unauthenticated,
        RefusalKind::ExpiredKey => FailureKind::Expired,
        RefusalKind::WrongClock => FailureKind::WrongClock,
        RefusalKind::MissingRight => FailureKind::Denied,
        RefusalKind::WrongRegion(_) => FailureKind::WrongRegion,
        RefusalKind::Unreachable | RefusalKind::NoAnswer => FailureKind::Unreachable,
        RefusalKind::Busy => FailureKind::Busy,
        RefusalKind::Unsupported => FailureKind::Unsuitable,
        _ => FailureKind::Other,
    }
}
