//! Reads an object by ranges.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetResult, ObjectStore, ObjectStoreExt as _};
use polarway_bucket::Refusal;
use polarway_parquet::ReadAt;
use tokio::task::JoinSet;

use super::object_ahead::Ahead;
use crate::own_runtime::OwnRuntime;

/// What is asked for in one request where more is read, in bytes. One stream of a service is slower than the network.
const RANGE_BYTES: u64 = 8 << 20;

/// The most requests at a time for one read.
const RANGES_IN_FLIGHT: usize = 8;

/// A file up to this size is read whole when it is opened, in bytes.
const WHOLE_BYTES: u64 = 1 << 20;

/// How much of the beginning of a larger file is read when it is opened, and of its end, in bytes. Parquet has its mark in the one
/// and its footer in the other.
const HEAD_BYTES: u64 = 8;
const TAIL_BYTES: u64 = 256 << 10;

/// One object, read by ranges.
pub(super) struct ObjectReader {
    requests: Requests,
    runtime: Arc<OwnRuntime>,
    ends: Ends,
    /// What is fetched before it is read, from when something is expected.
    ahead: OnceLock<Ahead>,
}

impl ObjectReader {
    pub(super) fn new(
        store: &Arc<dyn ObjectStore>,
        runtime: &Arc<OwnRuntime>,
        location: ObjectPath,
        bytes: u64,
    ) -> Self {
        let requests = Requests { store: Arc::clone(store), location, tag: None };
        let runtime = Arc::clone(runtime);
        Self { requests, runtime, ends: Ends { bytes, known: Vec::new() }, ahead: OnceLock::new() }
    }

    /// The same for the state of the object with this entity tag.
    pub(super) fn of_state(self, tag: Option<String>) -> Self {
        Self { requests: Requests { tag, ..self.requests }, ..self }
    }

    /// Asks for what is needed first, and for the real length with it. If all of the file is read, it begins to come as well.
    pub(super) fn begin(self, is_read_whole: bool) -> Beginning {
        let (requests, bytes) = (self.requests.clone(), self.ends.bytes);
        let mut ends = JoinSet::new();
        ends.spawn_on(async move { requests.read_ends(bytes).await }, self.runtime.handle());
        if is_read_whole && bytes > WHOLE_BYTES {
            self.ahead().begin(bytes - TAIL_BYTES);
        }
        Beginning { reader: self, ends }
    }

    fn ahead(&self) -> &Ahead {
        self.ahead.get_or_init(|| Ahead::new(&self.requests, &self.runtime))
    }

    /// These bytes, if they were read when it was opened.
    fn known(&self, offset: u64, length: usize) -> Option<Bytes> {
        self.ends.known.iter().find_map(|(start, bytes)| {
            let from = usize::try_from(offset.checked_sub(*start)?).ok()?;
            (from.checked_add(length)? <= bytes.len()).then(|| bytes.slice(from..from + length))
        })
    }
}

/// An object whose first requests are on their way. They end when it is dropped.
pub(super) struct Beginning {
    reader: ObjectReader,
    ends: JoinSet<object_store::Result<Ends>>,
}

impl Beginning {
    /// The object, when its ends are there.
    pub(super) fn wait(self) -> object_store::Result<ObjectReader> {
        let Self { reader, mut ends } = self;
        let came = reader.runtime.wait(async {
            let ends = ends.join_next().await.transpose();
            ends.map_err(|source| object_store::Error::JoinError { source })?.transpose()
        });
        match came? {
            Some(ends) => Ok(ObjectReader { ends, ..reader }),
            None => Ok(reader),
        }
    }
}

/// What is known of an object when it is open.
struct Ends {
    /// Its length.
    bytes: u64,
    /// Its beginning and its end, or all of it if it is small, each with where it begins.
    known: Vec<(u64, Bytes)>,
}

/// What requests for one object ask for.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) location: ObjectPath,
    /// The entity tag of the state that is read, if another one must not be.
    pub(super) tag: Option<String>,
}

impl Requests {
    /// Reads in several requests at a time.
    async fn read_in_parts(&self, offset: u64, end: u64) -> object_store::Result<Bytes> {
        let mut starts = (offset..end).step_by(RANGE_BYTES as usize);
        let mut parts: JoinSet<object_store::Result<(u64, Bytes)>> = JoinSet::new();
        let mut read = BytesMut::zeroed((end - offset) as usize);
        loop {
            for start in starts.by_ref().take(RANGES_IN_FLIGHT - parts.len()) {
                let requests = self.clone();
                let range = start..(start + RANGE_BYTES).min(end);
                parts.spawn(async move { Ok((start, requests.exactly(range).await?)) });
            }
            let Some(part) = parts.join_next().await else { return Ok(read.freeze()) };
            let part = part.map_err(|source| object_store::Error::JoinError { source })?;
            let (start, bytes) = part?;
            let from = (start - offset) as usize;
            read[from..from + bytes.len()].copy_from_slice(&bytes);
        }
    }

    async fn get(&self, range: Option<Range<u64>>) -> object_store::Result<GetResult> {
        let options = GetOptions::new().with_range(range).with_if_match(self.tag.clone());
        self.store.get_opts(&self.location, options).await
    }

    /// A range of the object, whole. What a service leaves out, or gives besides, must not pass for what the file has there.
    pub(super) async fn exactly(&self, range: Range<u64>) -> object_store::Result<Bytes> {
        let length = range.end - range.start;
        let read = self.get(Some(range)).await?.bytes().await?;
        if read.len() as u64 == length {
            return Ok(read);
        }
        let source = format!(
            "the service sent {} bytes of {} where {length} were asked for",
            read.len(),
            self.location
        );
        Err(object_store::Error::Generic { store: "bucket", source: source.into() })
    }

    /// The size of the object, and its beginning and end; all of it if it is small.
    async fn read_ends(&self, bytes: u64) -> object_store::Result<Ends> {
        use object_store::Error;

        if bytes <= WHOLE_BYTES {
            let whole = self.get(None).await?;
            let size = whole.meta.size;
            // The file is another one than was expected. Its reader says so.
            let known = if size == bytes { vec![(0, whole.bytes().await?)] } else { Vec::new() };
            return Ok(Ends { bytes: size, known });
        }
        let tail_start = bytes - TAIL_BYTES;
        let (head, tail) = tokio::join!(self.exactly(0..HEAD_BYTES), self.get(Some(tail_start..bytes)));
        let tail = match tail {
            Ok(tail) => tail,
            Err(error @ (Error::NotFound { .. } | Error::Precondition { .. })) => return Err(error),
            // The service refused for another reason, and would do so again.
            Err(error) if Refusal::among_causes(&error).is_some() => return Err(error),
            // The file may be too short for the range.
            Err(_) => {
                let bytes = self.store.head(&self.location).await?.size;
                return Ok(Ends { bytes, known: Vec::new() });
            }
        };
        let bytes = tail.meta.size;
        Ok(Ends { bytes, known: vec![(0, head?), (tail_start, tail.bytes().await?)] })
    }
}

impl fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectReader").field("location", &self.requests.location).finish_non_exhaustive()
    }
}

impl ReadAt for ObjectReader {
    fn len(&self) -> u64 {
        self.ends.bytes
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = offset.saturating_add(length as u64);
        if end > self.ends.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(known) = self.known(offset, length) {
            return Ok(known);
        }
        // If it did not come, the next try tells why.
        if let Some(read) = self.ahead.get().and_then(|ahead| ahead.read(&(offset..end))) {
            return Ok(read);
        }
        let read = if length as u64 <= 2 * RANGE_BYTES {
            self.runtime.wait(self.requests.exactly(offset..end))
        } else {
            self.runtime.wait(self.requests.read_in_parts(offset, end))
        };
        Ok(read?)
    }

    fn expect(&self, ranges: Vec<Range<u64>>) {
        let is_known =
            |range: &Range<u64>| self.known(range.start, (range.end - range.start) as usize).is_some();
        self.ahead().expect(ranges.into_iter().filter(|range| !is_known(range)));
    }

    fn release(&self, range: Range<u64>) {
        if let Some(ahead) = self.ahead.get() {
            ahead.release(&range);
        }
    }
}
