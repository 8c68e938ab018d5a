//! A bucket, through the `object_store` crate.

use std::fmt;
use std::future::Future;
use std::io::{self, Write};
use std::ops::{Deref, Range};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload, WriteMultipart};
use polarway_parquet::ReadAt;
use tokio::runtime::Runtime;

use super::{
    Backend, BackendError, BackendResult, Created, DataWriter, Entry, FailureKind, FileMeta, Outcome,
    is_settled, join,
};

/// Size of one part of an upload, in bytes. Buckets take 10,000 parts of at least 5 MiB.
const PART_BYTES: usize = 16 << 20;

/// The most parts of one upload that are sent at a time.
const PARTS_IN_FLIGHT: usize = 4;

/// Any storage of the `object_store` crate that has put-if-absent.
///
/// Calls block, and use a small runtime of its own: they can come from any thread that may block.
pub struct ObjectBackend {
    store: Arc<dyn ObjectStore>,
    runtime: Arc<OwnRuntime>,
}

impl ObjectBackend {
    /// Wraps a store. Datasets are at its root; `object_store::prefix::PrefixStore` gives another place.
    ///
    /// # Errors
    /// The runtime's thread could not be started.
    pub fn new(store: Arc<dyn ObjectStore>) -> BackendResult<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("polarway-objects")
            .enable_all()
            .build()
            .map_err(|error| BackendError {
                operation: "start the thread for",
                path: store.to_string(),
                kind: FailureKind::Other,
                outcome: Outcome::NotDone,
                source: error.into(),
            })?;
        Ok(Self { store, runtime: Arc::new(OwnRuntime(Some(runtime))) })
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

/// A runtime that may be dropped anywhere, also in a task of another runtime.
struct OwnRuntime(Option<Runtime>);

impl Deref for OwnRuntime {
    type Target = Runtime;

    #[expect(clippy::expect_used, reason = "it is taken out by drop alone")]
    fn deref(&self) -> &Runtime {
        self.0.as_ref().expect("it was not dropped")
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background(); // waiting for its threads is not allowed everywhere
        }
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
        absent_as_none(self.wait(get), "read", path)
    }

    fn head(&self, path: &str) -> BackendResult<Option<FileMeta>> {
        let meta = absent_as_none(self.wait(self.store.head(&object_path(path))), "look at", path)?;
        Ok(meta.as_ref().map(file_meta))
    }

    fn list(&self, folder: &str) -> BackendResult<Vec<Entry>> {
        let prefix = (!folder.is_empty()).then(|| object_path(folder));
        let listed = self
            .wait(self.store.list_with_delimiter(prefix.as_ref()))
            .map_err(|error| failure("list", folder, Outcome::NotDone, error))?;
        let folders = listed.common_prefixes.iter().filter_map(ObjectPath::filename);
        let folders = folders.map(|name| Entry { name: name.to_owned(), file: None });
        let files = listed.objects.iter().filter_map(|object| {
            Some(Entry { name: object.location.filename()?.to_owned(), file: Some(file_meta(object)) })
        });
        let mut entries: Vec<Entry> = folders.chain(files).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn open(&self, path: &str) -> BackendResult<Arc<dyn ReadAt>> {
        let location = object_path(path);
        let meta = self
            .wait(self.store.head(&location))
            .map_err(|error| failure("open", path, Outcome::NotDone, error))?;
        Ok(Arc::new(ObjectSource {
            store: Arc::clone(&self.store),
            runtime: Arc::clone(&self.runtime),
            location,
            bytes: meta.size,
        }))
    }

    fn create_data(&self, path: &str) -> BackendResult<Box<dyn DataWriter>> {
        let upload = self
            .wait(self.store.put_multipart(&object_path(path)))
            .map_err(|error| failure("create", path, Outcome::NotDone, error))?;
        Ok(Box::new(ObjectWriter {
            upload: Some(WriteMultipart::new_with_chunk_size(upload, PART_BYTES)),
            runtime: Arc::clone(&self.runtime),
            path: path.to_owned(),
        }))
    }

    fn create_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        let location = object_path(path);
        let put = self.store.put_opts(&location, PutPayload::from(contents.clone()), PutMode::Create.into());
        match self.wait(put) {
            Ok(_) => Ok(Created::New),
            // It may be our own put whose answer was lost, another writer's file, or nobody's (some
            // stores answer so after a conflict of two puts): what is there decides.
            Err(
                error
                @ (object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }),
            ) => match self.get(path) {
                Ok(Some(there)) if there == contents => Ok(Created::New),
                Ok(Some(_)) => Ok(Created::Taken),
                Ok(None) => Err(failure("publish", path, Outcome::Unknown, error)),
                Err(unread) => Err(BackendError { outcome: Outcome::Unknown, ..unread }),
            },
            Err(
                error @ (object_store::Error::PermissionDenied { .. }
                | object_store::Error::Unauthenticated { .. }
                | object_store::Error::NotSupported { .. }),
            ) => Err(failure("publish", path, Outcome::NotDone, error)),
            Err(error) => Err(failure("publish", path, Outcome::Unknown, error)),
        }
    }

    fn settle_commit(&self, _path: &str) -> BackendResult<()> {
        Ok(()) // an object that can be read is stored
    }

    fn replace(&self, path: &str, contents: Bytes) -> BackendResult<()> {
        let put = self.wait(self.store.put(&object_path(path), PutPayload::from(contents)));
        put.map(|_| ()).map_err(|error| failure("replace", path, Outcome::Unknown, error))
    }

    fn copy_data(&self, from: &str, to: &str) -> BackendResult<()> {
        self.wait(self.store.copy(&object_path(from), &object_path(to)))
            .map_err(|error| failure("copy", from, Outcome::Unknown, error))
    }

    fn remove(&self, path: &str) -> BackendResult<()> {
        match self.wait(self.store.delete(&object_path(path))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failure("remove", path, Outcome::Unknown, error)),
        }
    }

    fn local_path(&self, _path: &str) -> Option<PathBuf> {
        None
    }

    fn now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        let path = join(scratch_folder, "clock");
        self.replace(&path, Bytes::new())?;
        let meta = self
            .wait(self.store.head(&object_path(&path)))
            .map_err(|error| failure("look at", &path, Outcome::NotDone, error))?;
        Ok(meta.last_modified.timestamp_micros())
    }
}

/// One object, read by ranges.
struct ObjectSource {
    store: Arc<dyn ObjectStore>,
    runtime: Arc<OwnRuntime>,
    location: ObjectPath,
    bytes: u64,
}

impl fmt::Debug for ObjectSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectSource").field("location", &self.location).finish_non_exhaustive()
    }
}

impl ReadAt for ObjectSource {
    fn len(&self) -> u64 {
        self.bytes
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let range: Range<u64> = offset..offset.saturating_add(length as u64);
        if range.end > self.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.runtime.block_on(self.store.get_range(&self.location, range))?)
    }
}

struct ObjectWriter {
    /// `None` after the upload was finished or aborted.
    upload: Option<WriteMultipart>,
    runtime: Arc<OwnRuntime>,
    path: String,
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let upload = self.upload.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let _inside_runtime = self.runtime.enter(); // parts are sent by tasks
        self.runtime.block_on(upload.wait_for_capacity(PARTS_IN_FLIGHT))?;
        upload.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DataWriter for ObjectWriter {
    fn finish(mut self: Box<Self>) -> BackendResult<()> {
        match self.upload.take() {
            Some(upload) => self.runtime.block_on(upload.finish()).map(|_| ()),
            None => Ok(()),
        }
        .map_err(|error| failure("write", &self.path, Outcome::Unknown, error))
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take()
            && let Err(error) = self.runtime.block_on(upload.abort())
        {
            tracing::warn!(path = self.path, %error, "an upload that was given up could not be aborted");
        }
    }
}

fn object_path(path: &str) -> ObjectPath {
    // A listed path has its escapes already; other text needs them.
    ObjectPath::parse(path).unwrap_or_else(|_| ObjectPath::from(path))
}

fn file_meta(object: &object_store::ObjectMeta) -> FileMeta {
    let modified_us = object.last_modified.timestamp_micros();
    let tag = object.e_tag.as_deref().unwrap_or_default();
    let identity = format!("{tag}-{}-{modified_us}", object.size);
    FileMeta { bytes: object.size, modified_us, identity, is_settled: is_settled(modified_us) }
}

fn absent_as_none<T>(
    result: object_store::Result<T>,
    operation: &'static str,
    path: &str,
) -> BackendResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(failure(operation, path, Outcome::NotDone, error)),
    }
}

fn failure(
    operation: &'static str,
    path: &str,
    outcome: Outcome,
    error: object_store::Error,
) -> BackendError {
    let kind = match &error {
        object_store::Error::NotFound { .. } => FailureKind::NotFound,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            FailureKind::Denied
        }
        _ => FailureKind::Other,
    };
    BackendError { operation, path: path.to_owned(), kind, outcome, source: error.into() }
}
