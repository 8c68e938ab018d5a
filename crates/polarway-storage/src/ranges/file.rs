//! A file that is read by ranges, and who waits for which of them.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use polarway_parquet::{FIRST_FETCH_BYTES, FileReader, ReadAt};
use uuid::Uuid;

use super::ahead::{Ahead, Layout};
use super::blocks::{BlockId, Place};
use super::flight::Flight;
use super::source::Source;
use super::{BLOCK_BYTES, MOST_BLOCKS, RANGE_PREFIX, RangeCache, ReadFailure};
use crate::backend::Backend;
use crate::mirror::FileToRead;

/// The bytes at the start of a Parquet file.
const MAGIC: &[u8] = b"PAR1";

/// The longest footer that is read to know what to fetch ahead, in bytes. A longer one takes too long.
const MOST_FOOTER_BYTES: u64 = 4 << 20;

/// A data file that is read by ranges.
pub struct RangeFile {
    source: Arc<Source>,
    tag: String,
    ahead: Mutex<ReadAhead>,
}

/// What a file's readers will need.
#[derive(Debug, Default)]
struct ReadAhead {
    /// Known once a reader has read the footer.
    expected: Option<Ahead>,
    /// The flights of what was fetched ahead.
    flights: Vec<Weak<Flight>>,
}

impl RangeFile {
    pub(super) fn new(
        cache: &RangeCache,
        id: Uuid,
        backend: &Arc<dyn Backend>,
        file: FileToRead<'_>,
    ) -> Self {
        let source = Arc::new(Source::new(cache, id, backend, file));
        Self { source, tag: id.simple().to_string(), ahead: Mutex::default() }
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.source.bytes
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
        let Source { cache, id, bytes, .. } = &*self.source;
        if end > *bytes {
            return Err(self.failure(io::ErrorKind::UnexpectedEof.into()));
        }
        // Who reads the end of a file reads the footer, and we do too.
        let tail = if end == *bytes { bytes.saturating_sub(FIRST_FETCH_BYTES) } else { offset };
        let numbers = offset.min(tail) / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES);
        let blocks = &cache.0.blocks;
        let wanted = blocks.want(*id, numbers.clone(), MOST_BLOCKS);
        let _waiting = Waiting { source: &self.source, places: &wanted.places };
        for flight in &wanted.to_start {
            self.source.start(flight);
        }
        self.fetch_ahead(offset..end, !wanted.to_start.is_empty());
        let read = numbers.zip(&wanted.places).filter(|(number, _)| (number + 1) * BLOCK_BYTES > offset);
        for (number, place) in read {
            let (within, target) = overlap(number, offset, into);
            let counts = &cache.0.counts;
            let count =
                if matches!(place, Place::Coming(_)) { &counts.missed_bytes } else { &counts.hit_bytes };
            count.fetch_add(target.len() as u64, Ordering::Relaxed);
            match place {
                Place::Memory(block) => copy(block, within, target).map_err(|error| self.failure(error))?,
                Place::Disk(slot) => {
                    if let Err(error) = blocks.read(slot, within, target) {
                        tracing::warn!(%error, "a cached block can't be read from disk");
                        blocks.forget(BlockId { file: *id, number });
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
        self.source.fetched_bytes()
    }

    /// The same file, of which only that can be read which is in the cache.
    pub fn cached(self: &Arc<Self>) -> CachedRanges {
        CachedRanges(Arc::clone(self))
    }

    /// Has fetched what its readers will need after this range. As long as nothing `is_missing`, there is no need to know that.
    fn fetch_ahead(self: &Arc<Self>, range: Range<u64>, is_missing: bool) {
        let Source { cache, id, .. } = &*self.source;
        let mut ahead = self.ahead.lock();
        if ahead.expected.is_none() && is_missing {
            ahead.expected = self.layout().map(Ahead::new);
        }
        let Some(expected) = &mut ahead.expected else { return };
        let ranges = expected.note(&range);
        for range in ranges {
            let numbers = range.start / BLOCK_BYTES..range.end.div_ceil(BLOCK_BYTES);
            for flight in cache.0.blocks.want_ahead(*id, numbers, MOST_BLOCKS) {
                self.source.start(&flight);
                ahead.flights.push(Arc::downgrade(&flight));
            }
        }
        ahead.flights.retain(|flight| flight.strong_count() > 0);
    }

    /// Where its columns are, if its footer is in the cache.
    fn layout(self: &Arc<Self>) -> Option<Layout> {
        let cached = self.cached();
        let mark = cached.read_at(self.bytes().checked_sub(8)?, 8).ok()?;
        let footer = u32::from_le_bytes(mark.first_chunk().copied()?);
        if u64::from(footer) > MOST_FOOTER_BYTES {
            return None;
        }
        Some(Layout::of(&FileReader::open(Arc::new(cached)).ok()?))
    }

    fn failure(&self, error: io::Error) -> ReadFailure {
        ReadFailure::Failed(Arc::new(self.source.error(error)))
    }
}

impl fmt::Debug for RangeFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RangeFile")
            .field("path", &self.source.path)
            .field("bytes", &self.source.bytes)
            .finish_non_exhaustive()
    }
}

impl Drop for RangeFile {
    fn drop(&mut self) {
        let Source { cache, id, .. } = &*self.source;
        for flight in self.ahead.get_mut().flights.drain(..).filter_map(|flight| flight.upgrade()) {
            cache.0.blocks.leave(*id, &flight);
        }
        let mut files = cache.0.files.lock();
        // Another one may have taken its place.
        if files.get(id).is_some_and(|file| file.strong_count() == 0) {
            files.remove(id);
        }
    }
}

/// Somebody who waits for flights. All are left when it is dropped.
struct Waiting<'w> {
    source: &'w Source,
    places: &'w [Place],
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut last: Option<&Arc<Flight>> = None;
        for place in self.places {
            if let Place::Coming(flight) = place
                && !last.is_some_and(|last| Arc::ptr_eq(last, flight))
            {
                self.source.cache.0.blocks.leave(self.source.id, flight);
                last = Some(flight);
            }
        }
    }
}

/// A file of which only that can be read which is in the cache. What is missing is [`io::ErrorKind::NotFound`], but for the first
/// bytes of a Parquet file, which nobody needs.
#[derive(Clone, Debug)]
pub struct CachedRanges(Arc<RangeFile>);

impl ReadAt for CachedRanges {
    fn len(&self) -> u64 {
        self.0.bytes()
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = offset.saturating_add(length as u64);
        let Source { cache, id, bytes, .. } = &*self.0.source;
        if end > *bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if offset == 0 && length == MAGIC.len() {
            return Ok(Bytes::from_static(MAGIC));
        }
        let blocks = &cache.0.blocks;
        let numbers = offset / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES);
        // Of what is not there whole, nothing is read.
        let places = blocks.peek(*id, numbers.clone()).ok_or(io::ErrorKind::NotFound)?;
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
