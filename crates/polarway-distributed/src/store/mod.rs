//! The only store that a plan can see: the pinned files of its query, by their numbers, to read.

mod registry;

pub(crate) use registry::{FILES_URL, OnlyPinnedFiles};

use std::fmt::{Display, Formatter};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures::StreamExt as _;
use futures::future::try_join_all;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;
use polarway_query::{CatalogError, RemoteFile, RemoteReadError};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::census::Census;
use crate::error::causes;
use polarway_query::{PinnedFile, PlanFiles};

const NAME: &str = "pinned files";

/// Reads for plans: what all queries of a worker share.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    pub(crate) files: Arc<dyn PlanFiles>,
    /// As many reads block a thread at once.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) census: Arc<Census>,
}

/// The pinned files of one query. Reads end when the query does.
#[derive(Debug)]
pub(crate) struct PinnedStore {
    readers: Readers,
    files: Vec<Slot>,
    stopped: CancellationToken,
    /// The first error of a storage: what DataFusion makes of it on its way has lost the kind.
    failure: Arc<Mutex<Option<CatalogError>>>,
}

#[derive(Debug)]
struct Slot {
    file: PinnedFile,
    open: Arc<OnceLock<Open>>,
}

/// An open file, counted while it is open.
struct Open {
    file: Arc<dyn RemoteFile>,
    _counted: crate::census::Counted,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Open").field("bytes", &self.file.bytes()).finish_non_exhaustive()
    }
}

/// The location of the file with this number.
pub(crate) fn location(number: usize) -> Path {
    Path::from(number.to_string())
}

impl PinnedStore {
    pub(crate) fn new(readers: Readers, files: &[PinnedFile], stopped: CancellationToken) -> Self {
        let slot = |file: &PinnedFile| Slot { file: file.clone(), open: Arc::default() };
        Self { readers, files: files.iter().map(slot).collect(), stopped, failure: Arc::default() }
    }

    /// The first error of a storage.
    pub(crate) fn failure(&self) -> Arc<Mutex<Option<CatalogError>>> {
        Arc::clone(&self.failure)
    }

    /// The file at a location: no plan can name another.
    pub(crate) fn pinned(&self, location: &Path) -> Option<&PinnedFile> {
        self.slot(location).ok().map(|slot| &slot.file)
    }

    fn slot(&self, location: &Path) -> Result<&Slot> {
        // A number has one form, so a file has one location.
        let number =
            location.as_ref().parse::<usize>().ok().filter(|number| number.to_string() == location.as_ref());
        number.and_then(|number| self.files.get(number)).ok_or_else(|| Error::NotFound {
            path: location.to_string(),
            source: "the query has no file with this number".into(),
        })
    }

    fn meta(location: &Path, file: &PinnedFile) -> ObjectMeta {
        ObjectMeta {
            location: location.clone(),
            last_modified: DateTime::UNIX_EPOCH,
            size: file.bytes,
            e_tag: file.identity.clone(),
            version: None,
        }
    }

    /// Reads a range on a thread that may block. Dropping the future gives the read up.
    async fn read(&self, slot: &Slot, range: Range<u64>) -> Result<Bytes> {
        let (given_up, readers) = (self.stopped.child_token(), &self.readers);
        let permit = tokio::select! {
            biased;
            () = self.stopped.cancelled() => return Err(stopped()),
            permit = Arc::clone(&readers.slots).acquire_owned() => permit.map_err(|_| stopped())?,
        };
        let _guard = given_up.clone().drop_guard();
        let counted = readers.census.read();
        let (open, file, files, census) = (
            Arc::clone(&slot.open),
            slot.file.clone(),
            Arc::clone(&readers.files),
            Arc::clone(&readers.census),
        );
        let reading = tokio::task::spawn_blocking(move || {
            let _held = (permit, counted);
            let opened = match open.get() {
                Some(open) => open,
                None => {
                    let opened = files.open(&file).map_err(RemoteReadError::Failed)?;
                    // Another read may have opened it meanwhile: then this one is dropped.
                    open.get_or_init(|| Open { file: opened, _counted: census.file() })
                }
            };
            let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
            opened.file.read(range.start, &mut bytes, &|| given_up.is_cancelled())?;
            Ok(Bytes::from(bytes))
        });
        match reading.await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(RemoteReadError::Cancelled)) => Err(stopped()),
            Ok(Err(RemoteReadError::Failed(error))) => {
                let source = causes(&error).into();
                self.failure.lock().get_or_insert(error);
                Err(Error::Generic { store: NAME, source })
            }
            Err(panic) => Err(Error::Generic { store: NAME, source: panic.into() }),
        }
    }

    fn wanted(file: &PinnedFile, options: &GetOptions) -> Result<Range<u64>> {
        let Some(range) = &options.range else { return Ok(0..file.bytes) };
        range.as_range(file.bytes).map_err(|error| Error::Generic { store: NAME, source: error.into() })
    }
}

/// The query has ended.
fn stopped() -> Error {
    Error::Generic { store: NAME, source: "the query was stopped".into() }
}

fn refused<T>(operation: &str) -> Result<T> {
    let source = format!("a query reads, it can't {operation} files").into();
    Err(Error::NotSupported { source })
}

impl Display for PinnedStore {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{NAME}")
    }
}

#[async_trait]
impl ObjectStore for PinnedStore {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let slot = self.slot(location)?;
        let meta = Self::meta(location, &slot.file);
        options.check_preconditions(&meta)?;
        let range = Self::wanted(&slot.file, &options)?;
        let payload = match options.head {
            true => futures::stream::empty().boxed(),
            false => {
                let bytes = self.read(slot, range.clone()).await?;
                futures::stream::iter([Ok(bytes)]).boxed()
            }
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(payload),
            meta,
            range,
            attributes: Default::default(),
        })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let slot = self.slot(location)?;
        // The storage's own cache joins what lies together; as many requests as there are slots go out at once.
        let reads = ranges.iter().map(|range| {
            let options = GetOptions::new().with_range(Some(range.clone()));
            async move { self.read(slot, Self::wanted(&slot.file, &options)?).await }
        });
        try_join_all(reads).await
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        refused("write")
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        refused("write")
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        futures::stream::iter([refused("delete")]).boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        futures::stream::iter([refused("list")]).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        refused("list")
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        refused("copy")
    }
}

#[cfg(test)]
pub(crate) mod tests;
