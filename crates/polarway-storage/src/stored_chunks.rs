//! Reads a version's chunks from the storage. The reader can give its memory back and go on later.

use std::sync::Arc;

use arrow_schema::{DataType, Schema};
use polarway_ipc::{Chunk, ChunkEncoder, EncodeOptions, encode_batch, encode_end, encode_schema};
use polarway_parquet::ReadOptions;

use crate::backend::FETCHED_AHEAD_BYTES;
use crate::budget::{MemoryBudget, Reservation};
use crate::error::Result;
use crate::openings::Openings;
use crate::part::Part;
use crate::read::{Make, TableReader};
use crate::snapshot::Snapshot;
use crate::tables::Tables;

/// How much is decoded in advance when memory is short, in bytes.
const LEAST_AHEAD_BYTES: u64 = 4 << 20;

/// The most bytes of a chunk when memory is short.
const SMALL_CHUNK_BYTES: usize = 128 << 10;

/// The most bytes of a column's file data that a reader holds: those that were fetched, and a page.
const COLUMN_BYTES: u64 = 5 << 20;

/// The number of chunks between this and the reader.
const CHUNKS_ON_THE_WAY: u64 = 4;

/// The chunks of a part of a version. Rows that are decoded in advance are counted in a budget.
pub(crate) struct StoredChunks {
    tables: Arc<Tables>,
    snapshot: Arc<Snapshot>,
    part: Part,
    budget: MemoryBudget,
    memory: Reservation,
    cut: EncodeOptions,
    /// The files that are being opened, until they are read.
    openings: Openings,
    /// The schema, until it was returned.
    start: Option<Chunk>,
    /// Until the end was returned.
    rows: Option<Rows>,
}

/// How rows become chunks. A reader is `None` while it rests.
enum Rows {
    /// Each chunk apart, on the threads that decode.
    Apart(Option<TableReader<Arc<Tables>, Vec<Chunk>>>),
    /// Each chunk builds on the dictionaries of those before: one after the other.
    InOrder(Box<ChunkEncoder>, Option<TableReader<Arc<Tables>>>),
}

impl StoredChunks {
    /// Opens the files. If memory is short, they are opened only for the first rows.
    pub(crate) fn open(
        tables: &Arc<Tables>,
        snapshot: &Arc<Snapshot>,
        part: Part,
        budget: &MemoryBudget,
        openings: Openings,
    ) -> Result<Self> {
        let first_row = part.rows.start;
        let schema = Arc::clone(&part.schema);
        let mut chunks = Self {
            tables: Arc::clone(tables),
            snapshot: Arc::clone(snapshot),
            part,
            budget: budget.clone(),
            memory: budget.nothing(),
            cut: EncodeOptions::default(),
            openings,
            start: None,
            rows: None,
        };
        let is_short = chunks.budget.try_reserve(chunks.least_bytes()).is_none();
        if is_short {
            chunks.openings = Openings::default();
        }
        let opened = if is_short { None } else { Some(chunks.reading_ahead()) };
        chunks.rows = Some(if has_dictionary(&schema) {
            let encoder = ChunkEncoder::new(&schema, chunks.cut.clone())?.starting_at(first_row);
            let reader = opened.map(|reading| chunks.read_batches(reading)).transpose()?;
            Rows::InOrder(Box::new(encoder), reader)
        } else {
            chunks.start = Some(encode_schema(&schema, first_row)?);
            Rows::Apart(opened.map(|reading| chunks.read_chunks(reading)).transpose()?)
        });
        Ok(chunks)
    }

    /// The next chunks; `None` after the end of the stream.
    pub(crate) fn next_chunks(&mut self) -> Option<Result<Vec<Chunk>>> {
        if let Some(start) = self.start.take() {
            return Some(Ok(vec![start]));
        }
        let rows = self.rows.take()?;
        let made = self.make_chunks(rows);
        if let Ok(chunks) = &made
            && let Some(last) = chunks.last()
        {
            self.part.rows.start = last.end_row();
        }
        Some(made)
    }

    fn make_chunks(&mut self, mut rows: Rows) -> Result<Vec<Chunk>> {
        let made = match &mut rows {
            Rows::Apart(reader) => {
                let reader = match reader {
                    Some(reader) => reader,
                    resting => {
                        let reading = self.reading_ahead();
                        resting.insert(self.read_chunks(reading)?)
                    }
                };
                reader.next().transpose()?
            }
            Rows::InOrder(encoder, reader) => {
                let reader = match reader {
                    Some(reader) => reader,
                    resting => {
                        let reading = self.reading_ahead();
                        resting.insert(self.read_batches(reading)?)
                    }
                };
                reader.next().transpose()?.map(|batch| encoder.encode(&batch)).transpose()?
            }
        };
        Ok(match (made, rows) {
            (Some(chunks), rows) => {
                self.rows = Some(rows);
                chunks
            }
            (None, Rows::InOrder(encoder, _)) => vec![encoder.finish()],
            (None, Rows::Apart(_)) => vec![encode_end(self.part.rows.end)],
        })
    }

    /// Drops rows that were decoded in advance; they are decoded again when the reader goes on. `waiting` are chunks that were
    /// made and not returned yet; returns those of them that must be kept.
    pub(crate) fn rest(&mut self, waiting: Vec<Chunk>) -> Vec<Chunk> {
        self.memory.resize(self.bytes_on_the_way(&self.cut));
        match &mut self.rows {
            Some(Rows::Apart(reader)) => {
                *reader = None;
                if let Some(first) = waiting.first() {
                    self.part.rows.start = first.first_row;
                }
                Vec::new()
            }
            Some(Rows::InOrder(_, reader)) => {
                *reader = None;
                waiting
            }
            None => waiting,
        }
    }

    /// The memory that a resting reader needs to go on. If it goes on without, it uses more than the budget has.
    pub(crate) fn wanted_bytes(&self) -> u64 {
        match &self.rows {
            Some(Rows::Apart(None) | Rows::InOrder(_, None)) => {
                self.least_bytes().saturating_sub(self.memory.bytes())
            }
            _ => 0,
        }
    }

    /// Takes memory that was reserved for it.
    pub(crate) fn take(&mut self, memory: Reservation) {
        self.memory.add(memory);
    }

    fn least_bytes(&self) -> u64 {
        LEAST_AHEAD_BYTES + self.reader_bytes() + self.bytes_on_the_way(&small_chunks())
    }

    /// The memory of an open reader that decodes nothing in advance.
    fn reader_bytes(&self) -> u64 {
        let columns = self.part.schema.flattened_fields().len() as u64;
        (columns * COLUMN_BYTES).min(self.snapshot.bytes)
    }

    /// The memory of what is fetched ahead, where files are in no directory.
    fn fetched_ahead_bytes(&self) -> u64 {
        match self.tables.backend().local_path("") {
            Some(_) => 0,
            None => FETCHED_AHEAD_BYTES.min(self.snapshot.bytes).saturating_sub(self.reader_bytes()),
        }
    }

    /// Reserves memory for decoding and fetching in advance, as much as is useful and free. If memory is short, nothing is fetched
    /// in advance.
    fn reading_ahead(&mut self) -> ReadOptions {
        let row_bytes = self.part.row_bytes(&self.snapshot);
        let arrow_bytes = row_bytes.saturating_mul(self.part.rows.end - self.part.rows.start);
        let most = ReadOptions::default();
        let free_bytes = self.budget.capacity().saturating_sub(self.budget.used());
        let useful_bytes = (arrow_bytes + arrow_bytes / 4 + LEAST_AHEAD_BYTES).min(most.buffered_bytes);
        // Only a part of the free memory, so that others get some as well.
        let bytes = useful_bytes.min(free_bytes / 8).max(LEAST_AHEAD_BYTES);
        let fetched_bytes = self.fetched_ahead_bytes();
        let fetched_bytes = (fetched_bytes <= free_bytes / 2).then_some(fetched_bytes);
        self.cut = EncodeOptions::default();
        let wanted_bytes = bytes
            + self.reader_bytes()
            + fetched_bytes.unwrap_or_default()
            + self.bytes_on_the_way(&self.cut);
        let missing_bytes = wanted_bytes.saturating_sub(self.memory.bytes());
        let (bytes, fetch_ahead) = match self.budget.try_reserve(missing_bytes) {
            Some(taken) => {
                self.memory.add(taken);
                (bytes, fetched_bytes.is_some())
            }
            None => {
                self.cut = small_chunks();
                self.memory.resize(self.least_bytes());
                (LEAST_AHEAD_BYTES, false)
            }
        };
        if !fetch_ahead {
            self.openings = Openings::default(); // they may have begun to fetch
        }
        let batch_rows =
            usize::try_from(bytes / 4 / row_bytes).unwrap_or(usize::MAX).clamp(1, most.batch_rows);
        let most = if fetch_ahead { most } else { most.without_fetching_ahead() };
        most.with_buffered_bytes(bytes).with_batch_rows(batch_rows)
    }

    /// What chunks may take until whoever reads has them.
    fn bytes_on_the_way(&self, cut: &EncodeOptions) -> u64 {
        let row_bytes = usize::try_from(self.part.row_bytes(&self.snapshot)).unwrap_or(usize::MAX);
        let chunk_bytes = cut.chunk_bytes(self.part.schema.fields().len(), row_bytes);
        CHUNKS_ON_THE_WAY * chunk_bytes as u64
    }

    fn read_chunks(&mut self, reading: ReadOptions) -> Result<TableReader<Arc<Tables>, Vec<Chunk>>> {
        let cut = self.cut.clone();
        self.read(Arc::new(move |batch, row| Ok(encode_batch(&batch, row, &cut)?)), reading)
    }

    fn read_batches(&mut self, reading: ReadOptions) -> Result<TableReader<Arc<Tables>>> {
        self.read(Arc::new(|batch, _| Ok(batch)), reading)
    }

    fn read<R: Send + 'static>(
        &mut self,
        make: Make<R>,
        reading: ReadOptions,
    ) -> Result<TableReader<Arc<Tables>, R>> {
        let (tables, openings) = (Arc::clone(&self.tables), std::mem::take(&mut self.openings));
        TableReader::open(tables, &self.snapshot, &self.part, make, reading, openings)
    }
}

/// How chunks are cut when memory is short.
fn small_chunks() -> EncodeOptions {
    EncodeOptions { target_bytes: SMALL_CHUNK_BYTES, ..EncodeOptions::default() }
}

fn has_dictionary(schema: &Schema) -> bool {
    schema.flattened_fields().iter().any(|field| matches!(field.data_type(), DataType::Dictionary(..)))
}
