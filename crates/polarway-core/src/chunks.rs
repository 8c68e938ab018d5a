//! Rows as the chunks that go on the wire, encoded on a thread that may block.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::Stream;
use polarway_ipc::{Chunk, ChunkDecoder, ChunkEncoder, Compression, DecodeLimits, EncodeOptions};
use polarway_storage::{ChunkReader, Reservation};

use crate::error::{Error, Result};
use crate::polarway::EngineParts;
use crate::query_events::Form;
use crate::stream::{BlockingStream, Source};

fn encode_options(compression: Compression) -> EncodeOptions {
    EncodeOptions { compression, ..EncodeOptions::default() }
}

/// A smaller chunk waits for the next rows: copying it costs less than sending it alone.
const SMALL_BYTES: usize = 16 << 10;

/// A query's rows as chunks, with the end of the stream in the last one. A small result is one chunk.
pub(crate) struct ChunkForm {
    compression: Compression,
    first_row: u64,
    /// Between the columns and the end.
    encoder: Option<ChunkEncoder>,
    /// A small chunk that waits. DuckDB's batches are joined into larger ones, so it is nearly always the last.
    held: Option<Chunk>,
}

impl ChunkForm {
    pub(crate) fn new(compression: Compression) -> Self {
        Self { compression, first_row: 0, encoder: None, held: None }
    }

    /// The same for rows of which this is the number of the first.
    pub(crate) fn starting_at(self, first_row: u64) -> Self {
        Self { first_row, ..self }
    }
}

impl Form for ChunkForm {
    type Item = Chunk;

    const TELLS_COLUMNS: bool = false;

    fn begin(&mut self, schema: &SchemaRef) -> Result<()> {
        let encoder = ChunkEncoder::new(schema, encode_options(self.compression))?;
        self.encoder = Some(encoder.starting_at(self.first_row));
        Ok(())
    }

    fn rows(&mut self, batch: RecordBatch) -> Result<Vec<Chunk>> {
        let Some(encoder) = &mut self.encoder else { return Ok(Vec::new()) };
        let mut chunks: Vec<Chunk> = self.held.take().into_iter().collect();
        chunks.extend(encoder.encode(&batch)?);
        self.held = chunks.pop_if(|last| last.ipc.len() < SMALL_BYTES);
        Ok(chunks)
    }

    fn end(&mut self) -> Option<Chunk> {
        let end = self.encoder.take()?.finish();
        let Some(held) = self.held.take() else { return Some(end) };
        Some(Chunk::joined(&[held, end]))
    }
}

/// The chunks of a table.
pub(crate) enum Chunks {
    /// All are in memory: no thread is needed to wait for them.
    AtHand(ChunkReader),
    Coming(BlockingStream<Chunk>),
}

impl Chunks {
    /// What is read of a table, from this row on.
    pub(crate) fn of_table(
        chunks: ChunkReader,
        first_row: u64,
        compression: Compression,
        engine: &EngineParts,
    ) -> Self {
        let (memory, threads) = (engine.memory.clone(), &engine.threads.loads);
        match compression {
            Compression::None if chunks.is_at_hand() => Self::AtHand(chunks),
            Compression::None => Self::Coming(BlockingStream::sharing(chunks, memory, threads)),
            _ => {
                let compressed = Compressed::new(chunks, first_row, compression);
                Self::Coming(BlockingStream::sharing(compressed, memory, threads))
            }
        }
    }
}

impl Stream for Chunks {
    type Item = Result<Chunk>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut *self {
            Self::AtHand(chunks) => Poll::Ready(chunks.next().map(|chunk| chunk.map_err(Error::from))),
            Self::Coming(chunks) => Pin::new(chunks).poll_next(context),
        }
    }
}

impl Source for ChunkReader {
    type Item = Chunk;

    fn make_next(&mut self) -> Option<Result<Chunk>> {
        Some(self.next()?.map_err(Error::from))
    }

    fn wanted_bytes(&self) -> u64 {
        Self::wanted_bytes(self)
    }

    fn take(&mut self, memory: Reservation) {
        self.provide(memory);
    }

    fn rest(&mut self) {
        Self::rest(self);
    }
}

/// Compresses chunks.
struct Compressed<S> {
    chunks: S,
    decoder: ChunkDecoder,
    compression: Compression,
    first_row: u64,
    encoder: Encoder,
    ready: VecDeque<Chunk>,
}

enum Encoder {
    /// Until the columns are known.
    Waiting,
    Begun(Box<ChunkEncoder>),
    Over,
}

impl<S: Source<Item = Chunk>> Compressed<S> {
    fn new(chunks: S, first_row: u64, compression: Compression) -> Self {
        // The chunks are our own, so no limits apply.
        let decoder = ChunkDecoder::new(DecodeLimits::trusting());
        let encoder = Encoder::Waiting;
        Self { chunks, decoder, compression, first_row, encoder, ready: VecDeque::new() }
    }

    /// Takes the next chunk, or the end.
    fn advance(&mut self) -> Result<()> {
        let Some(chunk) = self.chunks.make_next() else {
            return match std::mem::replace(&mut self.encoder, Encoder::Over) {
                Encoder::Begun(encoder) => {
                    self.ready.push_back(encoder.finish());
                    Ok(())
                }
                Encoder::Waiting | Encoder::Over => Err(polarway_ipc::Error::NoSchema.into()),
            };
        };
        let batches = self.decoder.decode(chunk?.ipc)?;
        if let Encoder::Waiting = self.encoder
            && let Some(schema) = self.decoder.schema()
        {
            let encoder = ChunkEncoder::new(schema, encode_options(self.compression))?;
            self.encoder = Encoder::Begun(Box::new(encoder.starting_at(self.first_row)));
        }
        if let Encoder::Begun(encoder) = &mut self.encoder {
            for batch in batches {
                self.ready.extend(encoder.encode(&batch)?);
            }
        }
        Ok(())
    }
}

impl<S: Source<Item = Chunk>> Source for Compressed<S> {
    type Item = Chunk;

    fn make_next(&mut self) -> Option<Result<Chunk>> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Some(Ok(chunk));
            }
            if let Encoder::Over = self.encoder {
                return None;
            }
            if let Err(error) = self.advance() {
                self.encoder = Encoder::Over;
                return Some(Err(error));
            }
        }
    }

    fn wanted_bytes(&self) -> u64 {
        if self.ready.is_empty() { self.chunks.wanted_bytes() } else { 0 }
    }

    fn take(&mut self, memory: Reservation) {
        self.chunks.take(memory);
    }

    fn rest(&mut self) {
        self.chunks.rest();
    }
}
