//! Reads an object by ranges.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};
use polarway_parquet::ReadAt;
use tokio::task::JoinSet;

use super::object::OwnRuntime;

/// What is asked for in one request where more is read, in bytes. One stream of a service is slower than the network.
const RANGE_BYTES: u64 = 8 << 20;

/// The most requests at a time for one read.
const RANGES_IN_FLIGHT: usize = 8;

/// One object, read by ranges.
pub(super) struct ObjectReader {
    store: Arc<dyn ObjectStore>,
    runtime: Arc<OwnRuntime>,
    location: ObjectPath,
    bytes: u64,
}

impl ObjectReader {
    pub(super) fn new(
        store: &Arc<dyn ObjectStore>,
        runtime: &Arc<OwnRuntime>,
        location: ObjectPath,
        bytes: u64,
    ) -> Self {
        Self { store: Arc::clone(store), runtime: Arc::clone(runtime), location, bytes }
    }

    /// Reads in several requests at a time.
    async fn read_in_parts(&self, offset: u64, end: u64) -> object_store::Result<Bytes> {
        let mut starts = (offset..end).step_by(RANGE_BYTES as usize);
        let mut parts: JoinSet<object_store::Result<(u64, Bytes)>> = JoinSet::new();
        let mut read = BytesMut::zeroed((end - offset) as usize);
        loop {
            for start in starts.by_ref().take(RANGES_IN_FLIGHT - parts.len()) {
                let (store, location) = (Arc::clone(&self.store), self.location.clone());
                let range = start..(start + RANGE_BYTES).min(end);
                parts.spawn(async move { Ok((start, store.get_range(&location, range).await?)) });
            }
            let Some(part) = parts.join_next().await else { return Ok(read.freeze()) };
            let part = part.map_err(|source| object_store::Error::JoinError { source })?;
            let (start, bytes) = part?;
            let from = (start - offset) as usize;
            read[from..from + bytes.len()].copy_from_slice(&bytes);
        }
    }
}

impl fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectReader").field("location", &self.location).finish_non_exhaustive()
    }
}

impl ReadAt for ObjectReader {
    fn len(&self) -> u64 {
        self.bytes
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = offset.saturating_add(length as u64);
        if end > self.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let read = if length as u64 <= 2 * RANGE_BYTES {
            self.runtime.block_on(self.store.get_range(&self.location, offset..end))?
        } else {
            self.runtime.block_on(self.read_in_parts(offset, end))?
        };
        // A service that gives less than it was asked for must not pass for the end of a file.
        if read.len() == length { Ok(read) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}
