//! Loads versions as chunks or batches, through the cache if they fit.

use std::mem::take;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use polarway_ipc::{Chunk, ChunkDecoder, ChunkEncoder, DecodeLimits, EncodeOptions};
use polarway_model::{At, CacheStats, DatasetName, Selection};
use polarway_parquet::ReadOptions;

use crate::budget::{MemoryBudget, Reservation};
use crate::cache::{CacheKey, Cached, Feed, Filler, Kept, Lookup, TableCache};
use crate::error::{Error, Result};
use crate::openings::Openings;
use crate::part::Part;
use crate::read::TableReader;
use crate::snapshot::Snapshot;
use crate::stored_chunks::StoredChunks;
use crate::tables::Tables;

/// A version that is about to be loaded.
#[derive(Debug)]
pub struct Pinned {
    /// The version.
    pub snapshot: Arc<Snapshot>,
    openings: Openings,
}

impl From<&Arc<Snapshot>> for Pinned {
    fn from(snapshot: &Arc<Snapshot>) -> Self {
        Self { snapshot: Arc::clone(snapshot), openings: Openings::default() }
    }
}

/// Loads versions, through a cache.
#[derive(Clone, Debug)]
pub struct Loader {
    tables: Arc<Tables>,
    cache: Arc<TableCache>,
    memory: MemoryBudget,
}

impl Loader {
    /// A loader with a cache of this many bytes; 0 turns the cache off.
    pub fn new(tables: Arc<Tables>, cache_bytes: u64) -> Self {
        Self::sharing(tables, cache_bytes, MemoryBudget::new(u64::MAX))
    }

    /// A loader whose cache and decoded rows are counted in a budget that it shares with others. The cache gives memory back when
    /// others need it.
    pub fn sharing(tables: Arc<Tables>, cache_bytes: u64, memory: MemoryBudget) -> Self {
        Self { tables, cache: TableCache::new(cache_bytes, memory.clone()), memory }
    }

    /// Statistics of the cache.
    pub fn cache_stats(&self) -> CacheStats {
        self.cache.stats()
    }

    /// Pins a version of a dataset, to load what is selected of it. In a bucket, the files of the version that is most likely the
    /// newest are opened while the bucket is asked for a newer one.
    ///
    /// # Errors
    /// As [`Tables::snapshot`].
    pub fn pin(&self, name: &DatasetName, at: At, selection: &Selection) -> Result<Pinned> {
        let mut openings = Openings::default();
        let mut suppose = |snapshot: &Arc<Snapshot>| {
            let part = Part::of(&snapshot.schema, snapshot.rows, selection);
            if let Ok(part) = part
                && !self.cache.has(&key_of(snapshot))
            {
                openings = Openings::begin(&**self.tables.backend(), snapshot, &part);
            }
        };
        match self.tables.snapshot_supposing(name, at, Some(&mut suppose))? {
            Some(snapshot) => Ok(Pinned { snapshot, openings }),
            None => Err(self.tables.why_unknown(name)?),
        }
    }

    /// A version's rows from `first_row` on, as the chunks of one stream.
    ///
    /// # Errors
    /// As [`chunks_of`](Self::chunks_of).
    pub fn chunks(&self, snapshot: &Arc<Snapshot>, first_row: u64) -> Result<ChunkReader> {
        self.chunks_of(snapshot, &Selection::default().with_rows(first_row..))
    }

    /// What is selected of a version, as the chunks of one stream.
    ///
    /// The chunks of a cached table are at hand; others come as they are read, and of a part of a table only its columns and
    /// row groups are. Iterating blocks.
    ///
    /// # Errors
    /// A selection of columns and rows that the version does not have, and those of [`Tables::read`]; the chunks carry them too.
    pub fn chunks_of(&self, version: impl Into<Pinned>, selection: &Selection) -> Result<ChunkReader> {
        let Pinned { snapshot, openings } = &mut version.into();
        let part = Part::of(&snapshot.schema, snapshot.rows, selection)?;
        if !part.is_rest_of(snapshot) {
            return match self.kept(snapshot) {
                Some(table) if part.columns.is_none() => ChunkReader::whole(table, part.rows),
                Some(table) => ChunkReader::cut(PartBatches::new(table, part)?),
                None => self.uncached(snapshot, part, take(openings)),
            };
        }
        let first_row = part.rows.start;
        match self.look_up(snapshot) {
            Lookup::Hit(Cached::Whole(table)) => ChunkReader::whole(table, part.rows),
            Lookup::Hit(Cached::Coming(feed)) if first_row == 0 => Ok(ChunkReader::along(feed)),
            Lookup::Fill(filler) => {
                let feed = filler.feed();
                self.fill(snapshot, filler, take(openings))?;
                match first_row {
                    0 => Ok(ChunkReader::along(feed)),
                    _ => self.uncached(snapshot, part, Openings::default()),
                }
            }
            Lookup::Hit(Cached::Coming(_)) | Lookup::TooLarge => {
                self.uncached(snapshot, part, take(openings))
            }
        }
    }

    /// A version's rows as batches.
    ///
    /// # Errors
    /// As [`batches_of`](Self::batches_of).
    pub fn batches(&self, snapshot: &Arc<Snapshot>) -> Result<BatchReader> {
        self.batches_of(snapshot, &Selection::default())
    }

    /// What is selected of a version, as batches: those of a table that is kept point into the cache, others are decoded as
    /// they are asked for. Iterating blocks.
    ///
    /// # Errors
    /// As [`chunks_of`](Self::chunks_of).
    pub fn batches_of(&self, version: impl Into<Pinned>, selection: &Selection) -> Result<BatchReader> {
        let Pinned { snapshot, openings } = &mut version.into();
        let part = Part::of(&snapshot.schema, snapshot.rows, selection)?;
        let (table, part) = if part.is_rest_of(snapshot) && part.rows.start == 0 {
            match self.look_up(snapshot) {
                Lookup::Hit(Cached::Whole(table)) => (Some(table), part),
                Lookup::Hit(Cached::Coming(feed)) => return Ok(BatchReader::along(part.schema, feed)),
                Lookup::Fill(filler) => {
                    let feed = filler.feed();
                    self.fill(snapshot, filler, take(openings))?;
                    return Ok(BatchReader::along(part.schema, feed));
                }
                Lookup::TooLarge => (None, part),
            }
        } else {
            (self.kept(snapshot), part)
        };
        let schema = Arc::clone(&part.schema);
        let batches = match table {
            Some(table) => Batches::Kept(Box::new(PartBatches::new(table, part)?)),
            None => {
                let make = Arc::new(|batch, _| Ok(batch));
                let reading = ReadOptions::default();
                let (tables, openings) = (Arc::clone(&self.tables), take(openings));
                let reader = TableReader::open(tables, snapshot, &part, make, reading, openings)?;
                Batches::Stored(Box::new(reader))
            }
        };
        Ok(BatchReader { schema, batches })
    }

    /// The table, if all of it is in the cache. What is wanted of a part of a table is not worth that the rest is read.
    fn kept(&self, snapshot: &Snapshot) -> Option<Arc<Kept>> {
        self.cache.kept(&key_of(snapshot))
    }

    fn look_up(&self, snapshot: &Snapshot) -> Lookup {
        self.cache.look_up(&key_of(snapshot), snapshot.arrow_bytes)
    }

    fn uncached(&self, snapshot: &Arc<Snapshot>, part: Part, openings: Openings) -> Result<ChunkReader> {
        let stored = StoredChunks::open(&self.tables, snapshot, part, &self.memory, openings)?;
        Ok(ChunkReader(Chunks::Stored(Box::new(stored), Vec::new().into_iter())))
    }

    /// Reads a table into the cache on a thread of its own, as fast as the storage: a slow reader
    /// must not slow the others down.
    fn fill(&self, snapshot: &Arc<Snapshot>, mut filler: Filler, openings: Openings) -> Result<()> {
        let part = Part::from_row(snapshot, 0);
        let mut stored = match StoredChunks::open(&self.tables, snapshot, part, &self.memory, openings) {
            Ok(stored) => stored,
            Err(error) => {
                // This caller gets the precise error; other readers get one that says to try again.
                drop(filler);
                return Err(error);
            }
        };
        let schema = Arc::clone(&snapshot.schema);
        let work = move || {
            while let Some(chunks) = stored.next_chunks() {
                match chunks {
                    Ok(chunks) => {
                        if !filler.push(chunks) {
                            return;
                        }
                    }
                    Err(error) => return filler.fail(error),
                }
            }
            if let Err(error) = filler.finish(schema) {
                tracing::error!(%error, "a table could not be put into the cache");
            }
        };
        std::thread::Builder::new().name("polarway-fill".into()).spawn(work).map_err(Error::Thread)?;
        Ok(())
    }
}

fn key_of(snapshot: &Snapshot) -> CacheKey {
    (snapshot.name.clone(), snapshot.uuid)
}

/// A table's chunks, in order. Iterating blocks until the next one is there.
pub struct ChunkReader(Chunks);

enum Chunks {
    Whole {
        chunks: Box<dyn Iterator<Item = Chunk> + Send>,
        /// Its memory counts while somebody reads it.
        _table: Arc<Kept>,
    },
    Along {
        feed: Arc<Feed>,
        place: usize,
    },
    /// Some columns of a table in the cache, which are written anew.
    Cut(Box<PartBatches>, Box<Option<ChunkEncoder>>, std::vec::IntoIter<Chunk>),
    Stored(Box<StoredChunks>, std::vec::IntoIter<Chunk>),
}

impl ChunkReader {
    fn whole(table: Arc<Kept>, rows: Range<u64>) -> Result<Self> {
        let chunks = table.table.rows_in(rows)?;
        Ok(Self(Chunks::Whole { chunks: Box::new(chunks), _table: table }))
    }

    /// Whether all chunks are in memory already, so that iterating does not block.
    pub fn is_at_hand(&self) -> bool {
        matches!(self.0, Chunks::Whole { .. })
    }

    /// The memory that it still needs for the next chunk, in bytes.
    pub fn wanted_bytes(&self) -> u64 {
        match &self.0 {
            Chunks::Stored(stored, ready) if ready.len() == 0 => stored.wanted_bytes(),
            _ => 0,
        }
    }

    /// Takes the memory that it needs.
    pub fn provide(&mut self, memory: Reservation) {
        if let Chunks::Stored(stored, _) = &mut self.0 {
            stored.take(memory);
        }
    }

    /// Gives back the memory that it does not need until the next chunk.
    pub fn rest(&mut self) {
        if let Chunks::Stored(stored, ready) = &mut self.0 {
            *ready = stored.rest(ready.collect()).into_iter();
        }
    }

    fn cut(batches: PartBatches) -> Result<Self> {
        let first_row = batches.part().rows.start;
        let encoder = ChunkEncoder::new(&batches.part().schema, EncodeOptions::default())?;
        let encoder = Box::new(Some(encoder.starting_at(first_row)));
        Ok(Self(Chunks::Cut(Box::new(batches), encoder, Vec::new().into_iter())))
    }

    fn along(feed: Arc<Feed>) -> Self {
        Self(Chunks::Along { feed, place: 0 })
    }
}

impl Iterator for ChunkReader {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Chunks::Whole { chunks, .. } => chunks.next().map(Ok),
            Chunks::Along { feed, place } => {
                let chunk = feed.wait_for(*place);
                *place += 1;
                chunk.transpose()
            }
            Chunks::Cut(batches, encoder, ready) => loop {
                if let Some(chunk) = ready.next() {
                    return Some(Ok(chunk));
                }
                let made = match batches.next() {
                    Some(batch) => batch.and_then(|batch| match encoder.as_mut() {
                        Some(encoder) => Ok(encoder.encode(&batch)?),
                        None => Ok(Vec::new()),
                    }),
                    None => Ok(vec![encoder.take()?.finish()]),
                };
                match made {
                    Ok(chunks) => *ready = chunks.into_iter(),
                    Err(error) => {
                        **encoder = None;
                        return Some(Err(error));
                    }
                }
            },
            Chunks::Stored(stored, ready) => loop {
                if let Some(chunk) = ready.next() {
                    return Some(Ok(chunk));
                }
                match stored.next_chunks()? {
                    Ok(chunks) => *ready = chunks.into_iter(),
                    Err(error) => return Some(Err(error)),
                }
            },
        }
    }
}

/// A table's batches, in order. Iterating blocks until the next one is there.
pub struct BatchReader {
    schema: SchemaRef,
    batches: Batches,
}

enum Batches {
    Stored(Box<TableReader<Arc<Tables>>>),
    Kept(Box<PartBatches>),
    Along(Box<ChunkedBatches>),
}

impl BatchReader {
    fn along(schema: SchemaRef, feed: Arc<Feed>) -> Self {
        let decoder = ChunkDecoder::new(DecodeLimits::trusting());
        let chunks = ChunkReader::along(feed);
        let batches = ChunkedBatches { chunks, decoder, ready: Vec::new().into_iter() };
        Self { schema, batches: Batches::Along(Box::new(batches)) }
    }

    /// The columns of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

struct ChunkedBatches {
    chunks: ChunkReader,
    decoder: ChunkDecoder,
    ready: std::vec::IntoIter<RecordBatch>,
}

impl ChunkedBatches {
    fn next(&mut self) -> Option<Result<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.next() {
                return Some(Ok(batch));
            }
            match self.chunks.next()?.and_then(|chunk| Ok(self.decoder.decode(chunk.ipc)?)) {
                Ok(batches) => self.ready = batches.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Iterator for BatchReader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.batches {
            Batches::Stored(batches) => batches.next(),
            Batches::Kept(batches) => batches.next(),
            Batches::Along(batches) => batches.next(),
        }
    }
}

/// A part of a table in the cache, as views of what the cache holds.
struct PartBatches {
    batches: Box<dyn Iterator<Item = polarway_ipc::Result<RecordBatch>> + Send>,
    part: Part,
    /// Its memory counts while somebody reads it.
    _table: Arc<Kept>,
}

impl PartBatches {
    fn new(table: Arc<Kept>, part: Part) -> Result<Self> {
        let batches = Box::new(table.table.batches_in(part.rows.clone())?);
        Ok(Self { batches, part, _table: table })
    }

    fn part(&self) -> &Part {
        &self.part
    }

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        let batch = self.batches.next()?.map_err(Error::from);
        Some(batch.and_then(|batch| self.part.columns_of(&batch)))
    }
}
