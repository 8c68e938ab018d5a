//! Ranges of data files that are in no directory, for a reader that asks for some columns of a file: what it asked for once is in
//! memory or on disk the next time.
//!
//! A file is cut into blocks. Blocks in a row that are missing come in one request, long ones in several at a time; a block that is
//! on its way is never asked for twice. Data files never change, so a block is never out of date: an adopted file that changes is
//! another file here.

mod ahead;
mod blocks;
mod file;
mod flight;
mod slots;
mod source;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use uuid::Uuid;

use crate::backend::{Backend, BackendError, BackendResult, Operation, Outcome};
use crate::mirror::FileToRead;
use crate::own_runtime::OwnRuntime;
use blocks::Blocks;

pub use file::{CachedRanges, RangeFile};

/// The bytes of a block: what is read at least, and kept or removed together.
const BLOCK_BYTES: u64 = 64 << 10;

/// The most blocks of one request. More are several requests at a time, since one stream of a service is slower than the network.
const MOST_BLOCKS: u64 = (4 << 20) / BLOCK_BYTES;

/// The most requests at a time.
const MOST_REQUESTS: usize = 32;

/// The bytes of blocks in memory. Those on disk are in the system's cache besides, as long as it has space.
const MEMORY_BYTES: u64 = 64 << 20;

/// How the URL of each file begins.
pub const RANGE_PREFIX: &str = "polarway://";

/// The file in the cache's folder.
const FILE_NAME: &str = "ranges";

/// A bounded cache of ranges of files. Clones are the same cache.
#[derive(Clone, Debug)]
pub struct RangeCache(Arc<Shared>);

struct Shared {
    blocks: Blocks,
    /// The files that somebody holds.
    files: Mutex<HashMap<Uuid, Weak<RangeFile>>>,
    counts: Counts,
    /// Has the threads that wait for requests.
    threads: OwnRuntime,
}

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    failed_requests: AtomicU64,
    fetched_bytes: AtomicU64,
    hit_bytes: AtomicU64,
    missed_bytes: AtomicU64,
}

/// What a cache of ranges did and has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RangeStats {
    /// Requests to the storage.
    pub requests: u64,
    /// Those of them that failed.
    pub failed_requests: u64,
    /// Bytes that came from the storage.
    pub fetched_bytes: u64,
    /// Bytes that readers found in memory or on disk.
    pub hit_bytes: u64,
    /// Bytes that readers had to wait for.
    pub missed_bytes: u64,
    /// Bytes in memory.
    pub memory_bytes: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
}

/// Why a range can't be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadFailure {
    /// Nobody waits for it any more.
    #[error("the read was cancelled")]
    Cancelled,
    /// The storage has failed.
    #[error(transparent)]
    Failed(Arc<BackendError>),
}

impl RangeCache {
    /// A cache with a file in this folder, which takes this many bytes at the most.
    ///
    /// # Errors
    /// The file can't be created, or the runtime for the requests.
    pub fn new(folder: &Path, disk_bytes: u64) -> BackendResult<Self> {
        Self::with_memory(folder, MEMORY_BYTES, disk_bytes)
    }

    /// The same with another limit for the blocks in memory.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_memory(folder: &Path, memory_bytes: u64, disk_bytes: u64) -> BackendResult<Self> {
        let failed = |error| {
            BackendError::of_io(Operation::Prepare, &folder.display().to_string(), Outcome::NotDone, error)
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let threads = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(MOST_REQUESTS)
            .thread_name("polarway-ranges")
            .build()
            .map_err(failed)?;
        let blocks = Blocks::new(&folder.join(FILE_NAME), memory_bytes, disk_bytes)?;
        let (files, counts) = (Mutex::default(), Counts::default());
        Ok(Self(Arc::new(Shared { blocks, files, counts, threads: threads.into() })))
    }

    /// A file of a storage. While it is held, it can be found by its URL.
    ///
    /// `id` is another one for each file, and for each state of a file that may change.
    pub(crate) fn file(&self, id: Uuid, backend: &Arc<dyn Backend>, file: FileToRead<'_>) -> Arc<RangeFile> {
        let mut files = self.0.files.lock();
        if let Some(file) = files.get(&id).and_then(Weak::upgrade) {
            return file;
        }
        let file = Arc::new(RangeFile::new(self, id, backend, file));
        files.insert(id, Arc::downgrade(&file));
        file
    }

    /// Whether the last block of a file of this length is in memory or on disk.
    pub(crate) fn has_end(&self, id: Uuid, bytes: u64) -> bool {
        let end = bytes.div_ceil(BLOCK_BYTES);
        self.0.blocks.peek(id, end.saturating_sub(1)..end).is_some()
    }

    /// The file with this URL, if somebody holds it.
    pub fn find(&self, url: &str) -> Option<Arc<RangeFile>> {
        let id = url.strip_prefix(RANGE_PREFIX)?.split('/').next()?;
        self.0.files.lock().get(&Uuid::try_parse(id).ok()?)?.upgrade()
    }

    /// What it did and has.
    pub fn stats(&self) -> RangeStats {
        let Counts { requests, failed_requests, fetched_bytes, hit_bytes, missed_bytes } = &self.0.counts;
        let [requests, failed_requests, fetched_bytes, hit_bytes, missed_bytes] =
            [requests, failed_requests, fetched_bytes, hit_bytes, missed_bytes]
                .map(|count| count.load(Ordering::Relaxed));
        let (memory_bytes, disk_bytes) = self.0.blocks.bytes();
        RangeStats {
            requests,
            failed_requests,
            fetched_bytes,
            hit_bytes,
            missed_bytes,
            memory_bytes,
            disk_bytes,
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RangeCache").field("counts", &self.counts).finish_non_exhaustive()
    }
}
