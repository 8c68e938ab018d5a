//! Rows as the chunks that go on the wire, made on a thread that blocks.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use polarway_ipc::{Chunk, ChunkDecoder, ChunkEncoder, Compression, DecodeLimits, EncodeOptions};

use crate::error::Result;

fn encode_options(compression: Compression) -> EncodeOptions {
    EncodeOptions { compression, ..EncodeOptions::default() }
}

/// The chunks of some batches, the one that ends the stream included.
pub(crate) fn encoded<I: Iterator<Item = Result<RecordBatch>>>(
    schema: &SchemaRef,
    batches: I,
    compression: Compression,
) -> Result<impl Iterator<Item = Result<Chunk>> + use<I>> {
    let encoder = ChunkEncoder::new(schema, encode_options(compression))?;
    Ok(Encoded { encoder: Some(encoder), batches, ready: Vec::new().into_iter() })
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
