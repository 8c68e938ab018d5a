//! A file that is read by ranges, and who waits for which of them.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use polarway_parquet::ReadAt;
use uuid::Uuid;

use super::blocks::{BlockId, Place};
use super::flight::Flight;
use super::{BLOCK_BYTES, MOST_BLOCKS, RANGE_PREFIX, RangeCache, ReadFailure};
use crate::backend::{Backend, BackendError, BackendResult, Outcome};
use crate::mirror::FileToRead;

/// A data file that is read by ranges.
pub struct RangeFile {
    cache: RangeCache,
    id: Uuid,
    tag: String,
    backend: Arc<dyn Backend>,
    path: String,
    bytes: u64,
    /// That of a file that others may change.
    identity: Option<String>,
    /// Opened at the first request.
    source: Mutex<Option<Arc<dyn ReadAt>>>,
    /// The bytes that came from the storage since it was opened.
    fetched_bytes: AtomicU64,
}

impl RangeFile {
    pub(super) fn new(
        cache: &RangeCache,
        id: Uuid,
        backend: &Arc<dyn Backend>,
        file: FileToRead<'_>,
    ) -> Self {
        Self {
            cache: cache.clone(),
            id,
            tag: id.simple().to_string(),
            backend: Arc::clone(backend),
            path: file.path.to_owned(),
            bytes: file.bytes,
            identity: file.adopted.map(|adopted| adopted.identity.to_owned()),
            source: Mutex::default(),
            fetched_bytes: AtomicU64::new(0),
        }
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Another text for each file, and for each state of a file that may change.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The start of its URL. Folders and a name follow.
    pub(crate) fn root(&self) -> String {
        format!("{RANGE_PREFIX}{}", self.tag)
    }

    /// Fills `into` with the bytes from `offset` on. Blocks while they come; `is_cancelled` is asked meanwhile.
    ///
    /// # Errors
    /// The read was cancelled, or the storage failed.
    pub fn read(
        self: &Arc<Self>,
        offset: u64,
        into: &mut [u8],
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<(), ReadFailure> {
        if into.is_empty() {
            return Ok(());
        }
        let end = offset.saturating_add(into.len() as u64);
        if end > self.bytes {
            return Err(self.failure(io::ErrorKind::UnexpectedEof.into()));
        }
        let numbers = offset / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES);
        let blocks = &self.cache.0.blocks;
        let wanted = blocks.want(self.id, numbers.clone(), MOST_BLOCKS);
        let _waiting = Waiting { file: self, places: &wanted.places };
        for flight in &wanted.to_start {
            self.start(flight);
        }
        for (number, place) in numbers.zip(&wanted.places) {
            let (within, target) = overlap(number, offset, into);
            let counts = &self.cache.0.counts;
            let count =
                if matches!(place, Place::Coming(_)) { &counts.missed_bytes } else { &counts.hit_bytes };
            count.fetch_add(target.len() as u64, Ordering::Relaxed);
            match place {
                Place::Memory(block) => copy(block, within, target).map_err(|error| self.failure(error))?,
                Place::Disk(slot) => {
                    if let Err(error) = blocks.read(slot, within, target) {
                        tracing::warn!(%error, "a cached block can't be read from disk");
                        blocks.forget(BlockId { file: self.id, number });
                        self.read(number * BLOCK_BYTES + within, target, is_cancelled)?;
                    }
                }
                Place::Coming(flight) => {
                    let block = flight.part(number, &flight.wait(is_cancelled)?);
                    copy(&block, within, target).map_err(|error| self.failure(error))?;
                }
            }
        }
        Ok(())
    }

    /// The bytes that came from the storage since somebody holds the file.
    pub(crate) fn fetched_bytes(&self) -> u64 {
        self.fetched_bytes.load(Ordering::Relaxed)
    }

    /// The same file, of which only that can be read which is in the cache.
    pub fn cached(self: &Arc<Self>) -> CachedRanges {
        CachedRanges(Arc::clone(self))
    }

    fn start(self: &Arc<Self>, flight: &Arc<Flight>) {
        let mut landing = Landing { file: Arc::clone(self), flight: Arc::clone(flight), answer: None };
        flight.queue(self.cache.0.threads.spawn_blocking(move || landing.carry_out()).abort_handle());
    }

    fn fetch(&self, offset: u64, length: usize) -> BackendResult<Bytes> {
        let counts = &self.cache.0.counts;
        counts.requests.fetch_add(1, Ordering::Relaxed);
        let fetched = self
            .source()
            .and_then(|source| source.read_at(offset, length).map_err(|error| self.error(error)));
        match &fetched {
            Ok(bytes) => {
                counts.fetched_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                self.fetched_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
            Err(_) => {
                counts.failed_requests.fetch_add(1, Ordering::Relaxed);
            }
        }
        fetched
    }

    fn source(&self) -> BackendResult<Arc<dyn ReadAt>> {
        let mut source = self.source.lock();
        if let Some(source) = &*source {
            return Ok(Arc::clone(source));
        }
        let opened = match &self.identity {
            Some(identity) => self.backend.open_pinned(&self.path, self.bytes, identity)?,
            None => self.backend.open_lazily(&self.path, self.bytes)?,
        };
        *source = Some(Arc::clone(&opened));
        Ok(opened)
    }

    fn error(&self, error: io::Error) -> BackendError {
        BackendError::of_io("read", &self.path, Outcome::NotDone, error)
    }

    fn failure(&self, error: io::Error) -> ReadFailure {
        ReadFailure::Failed(Arc::new(self.error(error)))
    }
}

impl fmt::Debug for RangeFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RangeFile")
            .field("path", &self.path)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Drop for RangeFile {
    fn drop(&mut self) {
        let mut files = self.cache.0.files.lock();
        // Another one may have taken its place.
        if files.get(&self.id).is_some_and(|file| file.strong_count() == 0) {
            files.remove(&self.id);
        }
    }
}

/// Somebody who waits for flights. All are left when it is dropped.
struct Waiting<'w> {
    file: &'w RangeFile,
    places: &'w [Place],
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut last: Option<&Arc<Flight>> = None;
        for place in self.places {
            if let Place::Coming(flight) = place
                && !last.is_some_and(|last| Arc::ptr_eq(last, flight))
            {
                self.file.cache.0.blocks.leave(self.file.id, flight);
                last = Some(flight);
            }
        }
    }
}

/// A flight that is carried out. It lands in any case.
struct Landing {
    file: Arc<RangeFile>,
    flight: Arc<Flight>,
    answer: Option<BackendResult<Bytes>>,
}

impl Landing {
    fn carry_out(&mut self) {
        let Range { start, end } = self.flight.blocks;
        let offset = start * BLOCK_BYTES;
        let length = (end * BLOCK_BYTES).min(self.file.bytes) - offset;
        self.answer = Some(self.file.fetch(offset, length as usize));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let answer = self
            .answer
            .take()
            .unwrap_or_else(|| Err(self.file.error(io::Error::other("the request ended without an answer"))));
        self.file.cache.0.blocks.land(self.file.id, &self.flight, answer);
    }
}

/// A file of which only that can be read which is in the cache. What is missing is [`io::ErrorKind::NotFound`].
#[derive(Clone, Debug)]
pub struct CachedRanges(Arc<RangeFile>);

impl ReadAt for CachedRanges {
    fn len(&self) -> u64 {
        self.0.bytes
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = offset.saturating_add(length as u64);
        if end > self.0.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let blocks = &self.0.cache.0.blocks;
        let numbers = offset / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES);
        // Of what is not there whole, nothing is read.
        let places = blocks.peek(self.0.id, numbers.clone()).ok_or(io::ErrorKind::NotFound)?;
        let mut read = vec![0; length];
        for (number, place) in numbers.zip(places) {
            let (within, target) = overlap(number, offset, &mut read);
            match place {
                Place::Memory(block) => copy(&block, within, target)?,
                Place::Disk(slot) => blocks.read(&slot, within, target)?,
                Place::Coming(_) => return Err(io::ErrorKind::NotFound.into()),
            }
        }
        Ok(read.into())
    }
}

/// Where in a block the bytes begin that belong into `into`, and their place in it.
fn overlap(number: u64, offset: u64, into: &mut [u8]) -> (u64, &mut [u8]) {
    let block = number * BLOCK_BYTES;
    let within = offset.saturating_sub(block);
    let from = (block + within - offset) as usize;
    let length = (into.len() - from).min((BLOCK_BYTES - within) as usize);
    (within, &mut into[from..from + length])
}

fn copy(block: &[u8], within: u64, target: &mut [u8]) -> io::Result<()> {
    let within = within as usize;
    let bytes = block.get(within..within + target.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
    target.copy_from_slice(bytes);
    Ok(())
}
