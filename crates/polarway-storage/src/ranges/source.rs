//! Where the bytes of a file come from.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use polarway_parquet::ReadAt;
use uuid::Uuid;

use super::flight::Flight;
use super::{BLOCK_BYTES, RangeCache};
use crate::backend::{Backend, BackendError, BackendResult, Operation, Outcome};
use crate::mirror::FileToRead;

/// A file in a storage, and the cache that keeps what comes from it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) cache: RangeCache,
    pub(super) id: Uuid,
    pub(super) path: String,
    pub(super) bytes: u64,
    backend: Arc<dyn Backend>,
    /// That of a file that others may change.
    identity: Option<String>,
    /// Opened at the first request.
    opened: Mutex<Option<Arc<dyn ReadAt>>>,
    /// The bytes that came from the storage since it was opened.
    fetched_bytes: AtomicU64,
}

impl Source {
    pub(super) fn new(
        cache: &RangeCache,
        id: Uuid,
        backend: &Arc<dyn Backend>,
        file: FileToRead<'_>,
    ) -> Self {
        Self {
            cache: cache.clone(),
            id,
            path: file.path.to_owned(),
            bytes: file.bytes,
            identity: file.adopted.map(|adopted| adopted.identity.to_owned()),
            backend: Arc::clone(backend),
            opened: Mutex::default(),
            fetched_bytes: AtomicU64::new(0),
        }
    }

    pub(super) fn fetched_bytes(&self) -> u64 {
        self.fetched_bytes.load(Ordering::Relaxed)
    }

    /// Has a flight carried out when its turn comes.
    pub(super) fn start(self: &Arc<Self>, flight: &Arc<Flight>) {
        let mut landing = Landing { source: Arc::clone(self), flight: Arc::clone(flight), answer: None };
        flight.queue(self.cache.0.threads.spawn_blocking(move || landing.carry_out()).abort_handle());
    }

    fn fetch(&self, offset: u64, length: usize) -> BackendResult<Bytes> {
        let counts = &self.cache.0.counts;
        counts.requests.fetch_add(1, Ordering::Relaxed);
        let fetched =
            self.open().and_then(|opened| opened.read_at(offset, length).map_err(|error| self.error(error)));
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

    fn open(&self) -> BackendResult<Arc<dyn ReadAt>> {
        let mut opened = self.opened.lock();
        if let Some(opened) = &*opened {
            return Ok(Arc::clone(opened));
        }
        let file = match &self.identity {
            Some(identity) => self.backend.open_pinned(&self.path, self.bytes, identity)?,
            None => self.backend.open_lazily(&self.path, self.bytes)?,
        };
        Ok(Arc::clone(opened.insert(file)))
    }

    pub(super) fn error(&self, error: io::Error) -> BackendError {
        BackendError::of_io(Operation::Read, &self.path, Outcome::NotDone, error)
    }
}

/// A flight that is carried out. It lands in any case.
struct Landing {
    source: Arc<Source>,
    flight: Arc<Flight>,
    answer: Option<BackendResult<Bytes>>,
}

impl Landing {
    fn carry_out(&mut self) {
        let Range { start, end } = self.flight.blocks;
        let offset = start * BLOCK_BYTES;
        let length = (end * BLOCK_BYTES).min(self.source.bytes) - offset;
        self.answer = Some(self.source.fetch(offset, length as usize));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let answer = self.answer.take().unwrap_or_else(|| {
            Err(self.source.error(io::Error::other("the request ended without an answer")))
        });
        self.source.cache.0.blocks.land(self.source.id, &self.flight, answer);
    }
}
