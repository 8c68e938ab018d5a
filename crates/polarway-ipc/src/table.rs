//! A whole table as chunks.

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
        if row > self.rows {
            return Err(Error::RowOutOfRange { row, rows: self.rows });
        }
        // The chunk that holds the row; all before it end at the row or sooner.
        let holder = self.chunks.partition_point(|chunk| chunk.end_row() <= row);
        let (head, next) = if row == 0 {
            (Vec::new(), 0)
        } else if row == self.rows {
            (vec![encode_schema(&self.schema, row)?, encode_end(row)], self.chunks.len())
        } else {
            self.head(row, holder)?
        };
        let chunks = Arc::clone(&self.chunks);
        let tail = (next..chunks.len()).map(move |index| chunks[index].clone());
        Ok(head.into_iter().chain(tail))
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

    /// What a stream from `row` on has in front of the table's own chunks, and which of those is the
    /// first that it shares.
    fn head(&self, row: u64, holder: usize) -> Result<(Vec<Chunk>, usize)> {
        let at_row = |ipc| Chunk { ipc, first_row: row, rows: 0 };
        let mut head = vec![encode_schema(&self.schema, row)?];
        let mut dictionaries = DictionaryMessages::new(&self.schema);
        if dictionaries.needed {
            for chunk in &self.chunks[..holder] {
                dictionaries.gather(&chunk.ipc)?;
            }
        }
        let chunk = &self.chunks[holder];
        if chunk.first_row == row {
            head.extend(dictionaries.messages.into_iter().map(|(_, ipc)| at_row(ipc)));
            return Ok((head, holder));
        }

        let batch_message = dictionaries.gather(&chunk.ipc)?;
        head.extend(dictionaries.messages.into_iter().map(|(_, ipc)| at_row(ipc)));
        let mut decoder = ChunkDecoder::new(DecodeLimits::trusting());
        for chunk in &head {
            decoder.decode(chunk.ipc.clone())?;
        }
        let skipped = (row - chunk.first_row) as usize; // Less than the chunk's rows.
        for batch in decoder.decode(batch_message)? {
            let rest = batch.slice(skipped, batch.num_rows() - skipped);
            head.push(Chunk {
                ipc: encode_after_dictionaries(&rest)?,
                first_row: row,
                rows: rest.num_rows() as u64,
            });
        }
        Ok((head, holder + 1))
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

fn nests_dictionaries(data_type: &DataType) -> bool {
    let mut children = child_fields(data_type).into_iter();
    match data_type {
        DataType::Dictionary(_, _) => children.any(|child| path_to_dictionary(child).is_some()),
        _ => children.any(|child| nests_dictionaries(child.data_type())),
    }
}
