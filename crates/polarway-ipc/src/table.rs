//! A whole table as chunks.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::MessageHeader;
use arrow_schema::{DataType, SchemaRef};
use bytes::Bytes;

use crate::encoder::{encode_after_dictionaries, path_to_dictionary};
use crate::framing::split_messages;
use crate::schema::{child_fields, parse_message};
use crate::{
    Chunk, ChunkDecoder, ChunkEncoder, DecodeLimits, EncodeOptions, Error, Result, encode_end, encode_schema,
};

/// A table as the chunks that go on the wire: what a cache holds.
///
/// Cloning one copies pointers, and so does a stream from it.
#[derive(Clone, Debug)]
pub struct EncodedTable {
    schema: SchemaRef,
    chunks: Arc<[Chunk]>,
    rows: u64,
    bytes: u64,
}

impl EncodedTable {
    /// Encodes a table.
    ///
    /// # Errors
    ///
    /// As for [`ChunkEncoder`].
    pub fn encode<'a>(
        schema: &SchemaRef,
        batches: impl IntoIterator<Item = &'a RecordBatch>,
        options: EncodeOptions,
    ) -> Result<Self> {
        let mut encoder = ChunkEncoder::new(schema, options)?;
        let mut chunks = Vec::new();
        for batch in batches {
            chunks.extend(encoder.encode(batch)?);
        }
        chunks.push(encoder.finish());
        Self::from_chunks(Arc::clone(schema), chunks)
    }

    /// Takes the chunks of one stream, from the one with the schema to the one that ends it.
    ///
    /// They are the work of this crate's encoders: their rows are checked, their bytes are trusted.
    ///
    /// # Errors
    ///
    /// [`Error::NotContiguous`] when they do not start at row 0 and follow each other.
    pub fn from_chunks(schema: SchemaRef, chunks: impl Into<Arc<[Chunk]>>) -> Result<Self> {
        let chunks = chunks.into();
        let mut rows = 0;
        let mut bytes = 0;
        for chunk in chunks.iter() {
            if chunk.first_row != rows {
                return Err(Error::NotContiguous { expected: rows, found: chunk.first_row });
            }
            rows = chunk.end_row();
            bytes += chunk.ipc.len() as u64;
        }
        Ok(Self { schema, chunks, rows, bytes })
    }

    /// The table's schema.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// All chunks, which joined are the whole stream.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// How many rows the table has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many bytes the chunks take.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The table from `row` on, as a stream of its own: its schema, the dictionaries in use, then
    /// exactly the rows from `row` to the end. The number of rows is a valid `row`: it gives a stream
    /// without rows.
    ///
    /// Only the chunk that holds `row` is decoded, and written again without compression; the ones
    /// after it are the table's own.
    ///
    /// # Errors
    ///
    /// [`Error::RowOutOfRange`] when the table ends before `row`.
    pub fn from_row(&self, row: u64) -> Result<impl Iterator<Item = Chunk> + Send + use<>> {
        self.rows_in(row..self.rows)
    }

    /// Some rows as a stream of its own, like [`from_row`](Self::from_row): of the chunks in the range,
    /// those at its two ends are decoded and written again, the others are the table's own. Rows
    /// behind the table's end are none.
    ///
    /// # Errors
    ///
    /// [`Error::RowOutOfRange`] when the table ends before the range begins.
    pub fn rows_in(&self, rows: Range<u64>) -> Result<impl Iterator<Item = Chunk> + Send + use<>> {
        let rows = self.clip(rows)?;
        let (head, tail, shared) = self.ends(&rows)?;
        let chunks = Arc::clone(&self.chunks);
        let shared = shared.map(move |index| chunks[index].clone());
        Ok(head.into_iter().chain(shared).chain(tail))
    }

    /// Some rows as batches that point into the chunks, like [`rows_in`](Self::rows_in).
    ///
    /// # Errors
    ///
    /// [`Error::RowOutOfRange`] when the table ends before the range begins. The batches of a table that
    /// this crate encoded carry none.
    pub fn batches_in(
        &self,
        rows: Range<u64>,
    ) -> Result<impl Iterator<Item = Result<RecordBatch>> + Send + use<>> {
        let rows = self.clip(rows)?;
        let first = self.holder_of(rows.start);
        // The first chunk may bring the schema itself.
        let mut decoder = match first {
            0 => ChunkDecoder::new(DecodeLimits::trusting()),
            _ => self.decoder_before(first)?,
        };
        let last = if rows.is_empty() { first } else { self.holder_of(rows.end - 1) + 1 };
        let chunks = Arc::clone(&self.chunks);
        Ok((first..last).flat_map(move |index| {
            let chunk = &chunks[index];
            let in_chunk = rows.start.saturating_sub(chunk.first_row)
                ..rows.end.min(chunk.end_row()).saturating_sub(chunk.first_row);
            // The rows of a chunk are one batch.
            match decoder.decode(chunk.ipc.clone()) {
                Ok(batches) => batches.iter().map(|batch| Ok(slice_of(batch, &in_chunk))).collect(),
                Err(error) => vec![Err(error)],
            }
        }))
    }

    /// All rows as batches, which point into the chunks.
    ///
    /// # Errors
    ///
    /// None for a table that this crate encoded.
    pub fn decode(&self) -> Result<Vec<RecordBatch>> {
        let mut decoder = ChunkDecoder::new(DecodeLimits::trusting());
        let mut batches = Vec::with_capacity(self.chunks.len());
        for chunk in self.chunks.iter() {
            batches.extend(decoder.decode(chunk.ipc.clone())?);
        }
        decoder.finish()?;
        Ok(batches)
    }

    /// The rows of a range that there are.
    fn clip(&self, rows: Range<u64>) -> Result<Range<u64>> {
        if rows.start > self.rows {
            return Err(Error::RowOutOfRange { row: rows.start, rows: self.rows });
        }
        Ok(rows.start..rows.end.clamp(rows.start, self.rows))
    }

    /// The chunk that holds a row; all before it end at the row or sooner.
    fn holder_of(&self, row: u64) -> usize {
        self.chunks.partition_point(|chunk| chunk.end_row() <= row)
    }

    /// What a stream of some rows has in front of the table's own chunks, what it has behind them, and which those are.
    fn ends(&self, rows: &Range<u64>) -> Result<(Vec<Chunk>, Vec<Chunk>, Range<usize>)> {
        if *rows == (0..self.rows) {
            return Ok((Vec::new(), Vec::new(), 0..self.chunks.len()));
        }
        let schema = || encode_schema(&self.schema, rows.start);
        if rows.is_empty() {
            return Ok((vec![schema()?, encode_end(rows.end)], Vec::new(), 0..0));
        }
        let (first, last) = (self.holder_of(rows.start), self.holder_of(rows.end - 1));
        let is_cut = |index: usize| {
            let chunk = &self.chunks[index];
            chunk.first_row < rows.start || chunk.end_row() > rows.end
        };
        let mut head = Vec::new();
        // The first chunk brings the schema itself.
        if first > 0 || is_cut(first) {
            head.push(schema()?);
            let dictionaries = self.dictionaries_before(first)?.messages.into_iter();
            head.extend(dictionaries.map(|(_, ipc)| Chunk { ipc, first_row: rows.start, rows: 0 }));
        }
        let mut shared = first..last + 1;
        if is_cut(first) {
            head.extend(self.part_of(first, rows)?);
            shared.start = first + 1;
        }
        let mut tail = Vec::new();
        if last > first && is_cut(last) {
            tail = self.part_of(last, rows)?;
            shared.end = last;
        }
        if rows.end == self.rows {
            shared.end = self.chunks.len();
        } else {
            tail.push(encode_end(rows.end));
        }
        Ok((head, tail, shared))
    }

    /// The rows of a chunk that are in a range, written anew, behind the dictionaries that the chunk brings.
    fn part_of(&self, index: usize, rows: &Range<u64>) -> Result<Vec<Chunk>> {
        let chunk = &self.chunks[index];
        let first_row = rows.start.max(chunk.first_row);
        let in_chunk = first_row - chunk.first_row..rows.end.min(chunk.end_row()) - chunk.first_row;
        let mut own = DictionaryMessages::new(&self.schema);
        let batch_message = own.gather(&chunk.ipc)?;
        let mut decoder = self.decoder_before(index)?;
        let mut part = Vec::with_capacity(own.messages.len() + 1);
        for (_, dictionary) in own.messages {
            decoder.decode(dictionary.clone())?;
            part.push(Chunk { ipc: dictionary, first_row, rows: 0 });
        }
        for batch in decoder.decode(batch_message)? {
            let batch = slice_of(&batch, &in_chunk);
            let rows = batch.num_rows() as u64;
            part.push(Chunk { ipc: encode_after_dictionaries(&batch)?, first_row, rows });
        }
        Ok(part)
    }

    /// A decoder that knows the schema, and the dictionaries as they are in front of a chunk.
    fn decoder_before(&self, index: usize) -> Result<ChunkDecoder> {
        let mut decoder = ChunkDecoder::new(DecodeLimits::trusting());
        decoder.decode(encode_schema(&self.schema, 0)?.ipc)?;
        for (_, dictionary) in self.dictionaries_before(index)?.messages {
            decoder.decode(dictionary)?;
        }
        Ok(decoder)
    }

    /// The dictionaries as they are in front of a chunk.
    fn dictionaries_before(&self, index: usize) -> Result<DictionaryMessages> {
        let mut dictionaries = DictionaryMessages::new(&self.schema);
        if dictionaries.needed {
            for chunk in &self.chunks[..index] {
                dictionaries.gather(&chunk.ipc)?;
            }
        }
        Ok(dictionaries)
    }
}

/// The messages that bring dictionaries to the state they have at some place in a stream.
struct DictionaryMessages {
    needed: bool,
    /// Values of one dictionary may be encoded by another. Then a message only means something after
    /// all that came before it, and none can be left out.
    nested: bool,
    messages: Vec<(i64, Bytes)>,
}

impl DictionaryMessages {
    fn new(schema: &SchemaRef) -> Self {
        let mut fields = schema.fields().iter();
        Self {
            needed: fields.clone().any(|field| path_to_dictionary(field).is_some()),
            nested: fields.any(|field| nests_dictionaries(field.data_type())),
            messages: Vec::new(),
        }
    }

    /// Adds the dictionaries of a chunk, and returns its batch, which is the last message.
    fn gather(&mut self, ipc: &Bytes) -> Result<Bytes> {
        let mut batch = Bytes::new();
        for (message, bytes) in split_messages(ipc)? {
            let metadata = parse_message(&message.metadata, &DecodeLimits::trusting())?;
            match (metadata.header_type(), metadata.header_as_dictionary_batch()) {
                (MessageHeader::RecordBatch, _) => batch = bytes,
                (_, Some(dictionary)) => {
                    let id = dictionary.id();
                    if !dictionary.isDelta() && !self.nested {
                        self.messages.retain(|(other, _)| *other != id);
                    }
                    self.messages.push((id, bytes));
                }
                _ => {}
            }
        }
        Ok(batch)
    }
}

/// Some rows of a batch, as a view.
fn slice_of(batch: &RecordBatch, rows: &Range<u64>) -> RecordBatch {
    // A batch has no more rows than memory has bytes, or than 31 bits count.
    batch.slice(rows.start as usize, (rows.end - rows.start) as usize)
}

fn nests_dictionaries(data_type: &DataType) -> bool {
    let mut children = child_fields(data_type).into_iter();
    match data_type {
        DataType::Dictionary(_, _) => children.any(|child| path_to_dictionary(child).is_some()),
        _ => children.any(|child| nests_dictionaries(child.data_type())),
    }
}
