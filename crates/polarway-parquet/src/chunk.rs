//! The bytes of one column chunk, fetched in windows and checked as they come.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use crc32fast::Hasher;
use parking_lot::Mutex;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use crate::ReadAt;
use crate::checksum::MISMATCH;
use crate::io_failure::IoFailure;
use crate::thrift::{Flaw, PageHead, page_head};

/// Bytes fetched at once. A chunk of a usual row group is one or two of these; a huge chunk is never held whole.
const WINDOW_BYTES: u64 = 4 << 20;

/// The header of a page is not longer.
const MOST_HEADER_BYTES: u64 = 16 << 20;

/// The most bytes that a page may be decompressed to.
const MOST_PAGE_BYTES: i64 = 1_280 << 20;

/// Some column chunks, addressed by the file's offsets as the page readers of the `parquet` crate do.
#[derive(Clone)]
pub(crate) struct ChunkSources {
    /// In the order of their offsets.
    chunks: Vec<ChunkSource>,
    file_bytes: u64,
}

impl ChunkSources {
    pub(crate) fn new(mut chunks: Vec<ChunkSource>, file_bytes: u64) -> Self {
        chunks.sort_unstable_by_key(|chunk| chunk.0.range.start);
        Self { chunks, file_bytes }
    }

    /// What the dictionary of the chunk at `start` takes, 0 where it has none.
    pub(crate) fn dictionary_bytes(&self, start: u64) -> Result<u64> {
        let head = self.chunk_at(start)?.check_page(start)?;
        let dictionary = head.filter(|head| head.dictionary_values.is_some());
        Ok(dictionary.and_then(|head| u64::try_from(head.uncompressed_bytes).ok()).unwrap_or(0))
    }

    fn chunk_at(&self, offset: u64) -> Result<&ChunkSource> {
        let after = self.chunks.partition_point(|chunk| chunk.0.range.start <= offset);
        let chunk = after.checked_sub(1).and_then(|last| self.chunks.get(last));
        chunk.ok_or_else(|| ParquetError::EOF("a page lies outside of its column chunk".to_owned()))
    }
}

impl Length for ChunkSources {
    fn len(&self) -> u64 {
        self.file_bytes
    }
}

impl ChunkReader for ChunkSources {
    type T = SequentialRead;

    fn get_read(&self, start: u64) -> Result<SequentialRead> {
        let source = self.chunk_at(start)?.clone();
        Ok(SequentialRead { source, at: start, bytes: Bytes::new(), was_looked_at: false })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        Ok(self.chunk_at(start)?.fetch(start, length)?.slice(..length))
    }
}

/// The bytes of one column chunk.
#[derive(Clone)]
pub(crate) struct ChunkSource(Arc<Inner>);

struct Inner {
    file: Arc<dyn ReadAt>,
    range: Range<u64>,
    checksum: Option<u32>,
    /// Whether a page may be encoded so that values stand behind their lengths.
    may_have_deltas: bool,
    failure: IoFailure,
    window: Mutex<Window>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.file.release(self.range.clone());
    }
}

struct Window {
    start: u64,
    bytes: Bytes,
    /// Everything before this offset went through `hasher`.
    hashed_to: u64,
    hasher: Hasher,
}

impl ChunkSource {
    pub(crate) fn new(
        file: Arc<dyn ReadAt>,
        range: Range<u64>,
        checksum: Option<u32>,
        may_have_deltas: bool,
        failure: IoFailure,
    ) -> Self {
        let window =
            Window { start: range.start, bytes: Bytes::new(), hashed_to: range.start, hasher: Hasher::new() };
        let window = Mutex::new(window);
        Self(Arc::new(Inner { file, range, checksum, may_have_deltas, failure, window }))
    }

    /// Holds what the header of the page at `start` declares against what there can be, before there is room for it.
    fn check_page(&self, start: u64) -> Result<Option<PageHead>> {
        let left = self.0.range.end.saturating_sub(start);
        if left == 0 {
            return Ok(None);
        }
        let malformed = |what: String| Err(ParquetError::General(what));
        let fetched = self.fetch(start, 1)?;
        let head = match page_head(&fetched) {
            Err(Flaw::Cut) if (fetched.len() as u64) < left => {
                page_head(&self.fetch(start, left.min(MOST_HEADER_BYTES) as usize)?)
            }
            head => head,
        };
        let head = match head {
            Ok(head) => head,
            Err(flaw) => return malformed(format!("the header of a page: {flaw:?}")),
        };
        if head.uncompressed_bytes > MOST_PAGE_BYTES {
            return malformed(format!(
                "a page of {} bytes, more than {MOST_PAGE_BYTES}",
                head.uncompressed_bytes
            ));
        }
        if head.dictionary_values.is_some_and(|values| values > head.uncompressed_bytes) {
            return malformed("a dictionary of more values than bytes".to_owned());
        }
        if head.dictionary_values.is_some() && start != self.0.range.start {
            return malformed("a dictionary behind other pages".to_owned());
        }
        if head.has_deltas && !self.0.may_have_deltas {
            return malformed("a page in an encoding that its column does not name".to_owned());
        }
        Ok(Some(head))
    }

    /// At least `wanted` bytes from the file's offset `at`: whatever the window that holds them has from there.
    fn fetch(&self, at: u64, wanted: usize) -> Result<Bytes> {
        let range = &self.0.range;
        let end = at.checked_add(wanted as u64);
        if at < range.start || end.is_none_or(|end| end > range.end) {
            return Err(ParquetError::EOF("a page reaches beyond its column chunk".to_owned()));
        }
        let mut window = self.0.window.lock();
        let inside = at.checked_sub(window.start).and_then(|skipped| usize::try_from(skipped).ok());
        if let Some(skipped) = inside
            && skipped <= window.bytes.len()
            && wanted <= window.bytes.len() - skipped
            && !window.bytes.is_empty()
        {
            return Ok(window.bytes.slice(skipped..));
        }
        let length = (wanted as u64).max(WINDOW_BYTES).min(range.end - at);
        let fetched = self.0.file.read_at(at, length as usize).and_then(|bytes| {
            let whole = bytes.len() as u64 == length;
            whole.then_some(bytes).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        });
        let bytes = fetched.map_err(|error| self.0.failure.keep(error))?;
        self.check(&mut window, at, &bytes)?;
        window.start = at;
        window.bytes = bytes.clone();
        Ok(bytes)
    }

    /// Hashes what is new in `bytes`; once pages were skipped, the rest of the chunk goes unchecked.
    fn check(&self, window: &mut Window, at: u64, bytes: &Bytes) -> Result<()> {
        let Some(expected) = self.0.checksum else { return Ok(()) };
        let end = at + bytes.len() as u64;
        if at > window.hashed_to || end <= window.hashed_to {
            return Ok(());
        }
        window.hasher.update(&bytes[(window.hashed_to - at) as usize..]);
        window.hashed_to = end;
        if end == self.0.range.end && window.hasher.clone().finalize() != expected {
            return Err(ParquetError::General(MISMATCH.to_owned()));
        }
        Ok(())
    }
}

/// Reads a page header, whose length is known only once it was read.
pub(crate) struct SequentialRead {
    source: ChunkSource,
    at: u64,
    bytes: Bytes,
    /// Whether the header was found to be one.
    was_looked_at: bool,
}

impl Read for SequentialRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            if self.at >= self.source.0.range.end {
                return Ok(0);
            }
            if !self.was_looked_at {
                self.source.check_page(self.at).map_err(io::Error::other)?;
                self.was_looked_at = true;
            }
            self.bytes = self.source.fetch(self.at, 1).map_err(io::Error::other)?;
        }
        let length = buffer.len().min(self.bytes.len());
        buffer[..length].copy_from_slice(&self.bytes.split_to(length));
        self.at += length as u64;
        Ok(length)
    }
}
