//! A version's chunks as they are read from the storage, by a reader that can rest.

use std::sync::Arc;

use arrow_schema::{DataType, Schema};
use polarway_ipc::{Chunk, ChunkEncoder, EncodeOptions, encode_batch, encode_end, encode_schema};
use polarway_parquet::ReadOptions;

use crate::budget::{MemoryBudget, Reservation};
use crate::error::Result;
use crate::read::TableReader;
use crate::snapshot::Snapshot;
use crate::tables::Tables;

/// What is decoded ahead of a reader when memory is short, in bytes.
const LEAST_AHEAD_BYTES: u64 = 4 << 20;

/// The most bytes of a chunk when memory is short.
const SMALL_CHUNK_BYTES: usize = 128 << 10;

/// Chunks that are on their way to whoever reads.
const CHUNKS_ON_THE_WAY: u64 = 4;

/// The chunks of a version from a row on. What is decoded ahead is counted in a budget.
pub(crate) struct StoredChunks {
    tables: Arc<Tables>,
    snapshot: Arc<Snapshot>,
    budget: MemoryBudget,
    memory: Reservation,
    cut: EncodeOptions,
    /// The schema, until it was given.
    start: Option<Chunk>,
    /// Until the end was given.
    rows: Option<Rows>,
    /// The row that the next batch begins with.
    next_row: u64,
}

/// How rows become chunks; the readers are absent while they rest.
enum Rows {
    /// Each chunk apart, on the threads that decode.
    Apart(Option<TableReader<Arc<Tables>, Vec<Chunk>>>),
    /// Each chunk builds on the dictionaries of those before: one after the other.
    InOrder(Box<ChunkEncoder>, Option<TableReader<Arc<Tables>>>),
}

impl StoredChunks {
    pub(crate) fn open(
        tables: &Arc<Tables>,
        snapshot: &Arc<Snapshot>,
        first_row: u64,
        budget: &MemoryBudget,
    ) -> Result<Self> {
        let mut chunks = Self {
            tables: Arc::clone(tables),
            snapshot: Arc::clone(snapshot),
            budget: budget.clone(),
            memory: budget.nothing(),
            cut: EncodeOptions::default(),
            start: None,
            rows: None,
            next_row: first_row,
        };
        let reading = chunks.reading_ahead();
        chunks.rows = Some(if has_dictionary(&snapshot.schema) {
            let encoder = ChunkEncoder::new(&snapshot.schema, chunks.cut.clone())?.starting_at(first_row);
            Rows::InOrder(Box::new(encoder), Some(chunks.read_batches(reading)?))
        } else {
            chunks.start = Some(encode_schema(&snapshot.schema, first_row)?);
            Rows::Apart(Some(chunks.read_chunks(reading)?))
        });
        Ok(chunks)
    }

    /// The next chunks; `None` behind the end of the stream.
    pub(crate) fn next_chunks(&mut self) -> Option<Result<Vec<Chunk>>> {
        if let Some(start) = self.start.take() {
            return Some(Ok(vec![start]));
        }
        let rows = self.rows.take()?;
        let made = self.make_chunks(rows);
        if let Ok(chunks) = &made
            && let Some(last) = chunks.last()
        {
            self.next_row = last.first_row + last.rows;
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
            (None, Rows::Apart(_)) => vec![encode_end(self.snapshot.rows)],
        })
    }

    /// Gives back what was decoded ahead: it is decoded again when somebody goes on reading. These chunks were made and not
    /// given to anybody; what is left of them has to be.
    pub(crate) fn rest(&mut self, waiting: Vec<Chunk>) -> Vec<Chunk> {
        self.memory.resize(self.bytes_on_the_way());
        match &mut self.rows {
            Some(Rows::Apart(reader)) => {
                *reader = None;
                if let Some(first) = waiting.first() {
                    self.next_row = first.first_row;
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

    /// Takes memory to decode into ahead of whoever reads, as much as pays or as there is.
    fn reading_ahead(&mut self) -> ReadOptions {
        let Snapshot { rows, arrow_bytes, .. } = *self.snapshot;
        let most = ReadOptions::default();
        let mut bytes = (arrow_bytes + arrow_bytes / 4 + LEAST_AHEAD_BYTES).min(most.buffered_bytes);
        self.cut = EncodeOptions::default();
        self.memory = loop {
            if let Some(taken) = self.budget.try_reserve(bytes + self.bytes_on_the_way()) {
                break taken;
            }
            bytes /= 4;
            if bytes < LEAST_AHEAD_BYTES {
                bytes = LEAST_AHEAD_BYTES;
                self.cut.target_bytes = SMALL_CHUNK_BYTES;
                let mut least = self.budget.nothing();
                least.resize(bytes + self.bytes_on_the_way());
                break least;
            }
        };
        let row_bytes = (arrow_bytes / rows.max(1)).max(1);
        let batch_rows =
            usize::try_from(bytes / 4 / row_bytes).unwrap_or(usize::MAX).clamp(1, most.batch_rows);
        most.with_buffered_bytes(bytes).with_batch_rows(batch_rows)
    }

    fn bytes_on_the_way(&self) -> u64 {
        CHUNKS_ON_THE_WAY * self.cut.target_bytes as u64
    }

    fn read_chunks(&self, reading: ReadOptions) -> Result<TableReader<Arc<Tables>, Vec<Chunk>>> {
        let cut = self.cut.clone();
        let make = Arc::new(move |batch, row| Ok(encode_batch(&batch, row, &cut)?));
        TableReader::open(Arc::clone(&self.tables), &self.snapshot, self.next_row, make, reading)
    }

    fn read_batches(&self, reading: ReadOptions) -> Result<TableReader<Arc<Tables>>> {
        let make = Arc::new(|batch, _| Ok(batch));
        TableReader::open(Arc::clone(&self.tables), &self.snapshot, self.next_row, make, reading)
    }
}

fn has_dictionary(schema: &Schema) -> bool {
    schema.flattened_fields().iter().any(|field| matches!(field.data_type(), DataType::Dictionary(..)))
}
