//! Rows as the chunks that go on the wire, made on a thread that blocks.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::BytesMut;
use polarway_ipc::{Chunk, ChunkDecoder, ChunkEncoder, Compression, DecodeLimits, EncodeOptions};

use crate::error::Result;
use crate::query_events::Form;

fn encode_options(compression: Compression) -> EncodeOptions {
    EncodeOptions { compression, ..EncodeOptions::default() }
}

/// A chunk below this size is held back for what may come behind it: copying it costs less than sending it alone.
const SMALL_BYTES: usize = 16 << 10;

/// A query's rows as chunks, with the end of the stream in the last one. A small result is one chunk.
pub(crate) struct ChunkForm {
    compression: Compression,
    /// Between the columns and the end.
    encoder: Option<ChunkEncoder>,
    /// A small chunk. DuckDB's batches are joined to larger ones, so it is nearly always the last.
    held: Option<Chunk>,
}

impl ChunkForm {
    pub(crate) fn new(compression: Compression) -> Self {
        Self { compression, encoder: None, held: None }
    }
}

impl Form for ChunkForm {
    type Item = Chunk;

    const TELLS_COLUMNS: bool = false;

    fn begin(&mut self, schema: &SchemaRef) -> Result<()> {
        self.encoder = Some(ChunkEncoder::new(schema, encode_options(self.compression))?);
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
        let mut ipc = BytesMut::with_capacity(held.ipc.len() + end.ipc.len());
        ipc.extend_from_slice(&held.ipc);
        ipc.extend_from_slice(&end.ipc);
        Some(Chunk { ipc: ipc.freeze(), rows: held.rows + end.rows, first_row: held.first_row })
    }
}

struct Encoded<I> {
    /// Until it has ended the stream.
    encoder: Option<ChunkEncoder>,
    batches: I,
    ready: std::vec::IntoIter<Chunk>,
}

impl<I: Iterator<Item = Result<RecordBatch>>> Iterator for Encoded<I> {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(chunk) = self.ready.next() {
                return Some(Ok(chunk));
            }
            let encoder = self.encoder.as_mut()?;
            match self.batches.next() {
                Some(Ok(batch)) => match encoder.encode(&batch) {
                    Ok(chunks) => self.ready = chunks.into_iter(),
                    Err(error) => return self.fail(error.into()),
                },
                Some(Err(error)) => return self.fail(error),
                None => return self.encoder.take().map(|encoder| Ok(encoder.finish())),
            }
        }
    }
}

impl<I> Encoded<I> {
    fn fail(&mut self, error: crate::Error) -> Option<Result<Chunk>> {
        self.encoder = None;
        Some(Err(error))
    }
}

/// The same rows in chunks that are compressed.
pub(crate) fn compressed(
    mut chunks: impl Iterator<Item = Result<Chunk>>,
    first_row: u64,
    compression: Compression,
) -> Result<impl Iterator<Item = Result<Chunk>>> {
    // The chunks are our own, so nothing in them is held against limits.
    let mut decoder = ChunkDecoder::new(DecodeLimits::trusting());
    let mut waiting = Vec::new();
    while decoder.schema().is_none() {
        match chunks.next() {
            Some(chunk) => waiting.extend(decoder.decode(chunk?.ipc)?),
            None => break,
        }
    }
    let schema = decoder.schema().cloned().ok_or(polarway_ipc::Error::NoSchema)?;
    let encoder = ChunkEncoder::new(&schema, encode_options(compression))?.starting_at(first_row);
    let rest = chunks.flat_map(move |chunk| match decode(&mut decoder, chunk) {
        Ok(batches) => batches.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    });
    let batches = waiting.into_iter().map(Ok).chain(rest);
    Ok(Encoded { encoder: Some(encoder), batches, ready: Vec::new().into_iter() })
}

fn decode(decoder: &mut ChunkDecoder, chunk: Result<Chunk>) -> Result<Vec<RecordBatch>> {
    Ok(decoder.decode(chunk?.ipc)?)
}
