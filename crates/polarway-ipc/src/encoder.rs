//! Record batches to chunks.

use std::fmt;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_ipc::writer::{CompressionContext, DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;

use crate::compact::compact_all;
use crate::framing::{END_OF_STREAM, MessageBytes};
use crate::schema::child_fields;
use crate::size::cut;
use crate::{Chunk, DecodeLimits, EncodeOptions, Error, Result};

/// Turns the record batches of one table, in order, into chunks.
///
/// The schema travels in front of the first chunk; [`finish`](Self::finish) makes the last one, which
/// ends the stream. See the [crate's documentation](crate) for an example.
pub struct ChunkEncoder {
    schema: SchemaRef,
    options: EncodeOptions,
    writer: MessageWriter,
    /// The schema's message, until it has gone out with the first chunk.
    schema_message: Option<MessageBytes>,
    next_row: u64,
}

impl fmt::Debug for ChunkEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkEncoder")
            .field("schema", &self.schema)
            .field("options", &self.options)
            .field("next_row", &self.next_row)
            .finish_non_exhaustive()
    }
}

impl ChunkEncoder {
    /// An encoder for a table of this schema.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedType`] and [`Error::TooDeep`], when Arrow IPC can't hold the schema.
    pub fn new(schema: &SchemaRef, options: EncodeOptions) -> Result<Self> {
        let mut writer = MessageWriter::new(&options)?;
        let schema_message = writer.schema(schema)?;
        Ok(Self {
            schema: Arc::clone(schema),
            options,
            writer,
            schema_message: Some(schema_message),
            next_row: 0,
        })
    }

    /// Counts rows from `first_row`: for a stream that carries on in the middle of a table.
    #[must_use]
    pub fn starting_at(mut self, first_row: u64) -> Self {
        self.next_row = first_row;
        self
    }

    /// The number of the row that comes next.
    pub fn next_row(&self) -> u64 {
        self.next_row
    }

    /// Encodes the next rows of the table. A batch without rows makes no chunk.
    ///
    /// # Errors
    ///
    /// [`Error::SchemaMismatch`] when the batch's fields are not the schema's, [`Error::RowTooLarge`]
    /// when a single row can't fit into a chunk. A batch that was refused has left no trace, except
    /// for [`Error::DictionaryTooLarge`] and [`Error::Encode`], after which the encoder can't be used.
    pub fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<Chunk>> {
        check_fields(&self.schema, batch)?;
        let ranges = cut(batch.columns(), batch.num_rows(), self.next_row, &self.options)?;
        let mut chunks = Vec::with_capacity(ranges.len());
        for range in ranges {
            let slice = compact_batch(&batch.slice(range.start, range.len()), &self.options)?;
            let mut messages = self.writer.batch(&slice)?;
            if let Some(schema) = self.schema_message.take() {
                messages.insert(0, schema);
            }
            self.emit(messages, slice.num_rows() as u64, &mut chunks);
        }
        Ok(chunks)
    }

    /// Ends the stream. The last chunk holds no rows; it holds the schema when no rows came before.
    pub fn finish(self) -> Chunk {
        let ipc = match self.schema_message {
            Some(schema) => MessageBytes::join(&[schema, MessageBytes::end_of_stream()]),
            None => Bytes::from_static(&END_OF_STREAM),
        };
        Chunk { ipc, first_row: self.next_row, rows: 0 }
    }

    /// Makes chunks of the messages for `rows` rows. Dictionaries in front of them that would make
    /// the chunk too large get chunks of their own.
    fn emit(&mut self, messages: Vec<MessageBytes>, rows: u64, chunks: &mut Vec<Chunk>) {
        let mut together = Vec::new();
        let mut bytes = 0;
        for message in messages {
            if !together.is_empty() && bytes + message.len() > self.options.max_bytes {
                chunks.push(Chunk { ipc: MessageBytes::join(&together), first_row: self.next_row, rows: 0 });
                together.clear();
                bytes = 0;
            }
            bytes += message.len();
            together.push(message);
        }
        chunks.push(Chunk { ipc: MessageBytes::join(&together), first_row: self.next_row, rows });
        self.next_row = self.next_row.saturating_add(rows);
    }
}

/// The first chunk of a table that is encoded piece by piece: its schema.
///
/// # Errors
///
/// As for [`ChunkEncoder::new`].
pub fn encode_schema(schema: &Schema, first_row: u64) -> Result<Chunk> {
    let message = MessageWriter::new(&EncodeOptions::default())?.schema(schema)?;
    Ok(Chunk { ipc: MessageBytes::join(&[message]), first_row, rows: 0 })
}

/// The chunks of some rows of a table that is encoded piece by piece, without the schema.
///
/// They are independent of all other rows, so that several threads can encode at the same time.
/// Joined in row order between [`encode_schema`] and [`encode_end`] they are one stream. The caller
/// makes sure that the batches are of that schema.
///
/// # Errors
///
/// [`Error::HasDictionaries`] when a column is dictionary encoded, at any depth: then batches share
/// dictionaries and need a [`ChunkEncoder`]. [`Error::RowTooLarge`] as there.
pub fn encode_batch(batch: &RecordBatch, first_row: u64, options: &EncodeOptions) -> Result<Vec<Chunk>> {
    for field in batch.schema_ref().fields() {
        if let Some(column) = path_to_dictionary(field) {
            return Err(Error::HasDictionaries { column });
        }
    }
    let mut writer = MessageWriter::new(options)?;
    let ranges = cut(batch.columns(), batch.num_rows(), first_row, options)?;
    let mut chunks = Vec::with_capacity(ranges.len());
    for range in ranges {
        let slice = compact_batch(&batch.slice(range.start, range.len()), options)?;
        chunks.push(Chunk {
            ipc: MessageBytes::join(&writer.batch(&slice)?),
            first_row: first_row.saturating_add(range.start as u64),
            rows: range.len() as u64,
        });
    }
    Ok(chunks)
}

/// The last chunk of a table of `rows` rows that is encoded piece by piece.
pub fn encode_end(rows: u64) -> Chunk {
    Chunk { ipc: Bytes::from_static(&END_OF_STREAM), first_row: rows, rows: 0 }
}

/// One batch as a message that refers to dictionaries sent before, which are not repeated.
pub(crate) fn encode_after_dictionaries(batch: &RecordBatch) -> Result<Bytes> {
    // Pruning would change the keys, which refer to the dictionaries as they were sent.
    let options =
        EncodeOptions { max_bytes: usize::MAX, max_plain_bytes: usize::MAX, ..EncodeOptions::default() };
    let mut writer = MessageWriter::new(&options)?;
    writer.schema(batch.schema_ref())?;
    let mut messages = writer.batch(&compact_batch(batch, &options)?)?;
    let last = messages.split_off(messages.len().saturating_sub(1));
    Ok(MessageBytes::join(&last))
}

/// The field, or the first one inside it, that is dictionary encoded.
pub(crate) fn path_to_dictionary(field: &Field) -> Option<String> {
    if matches!(field.data_type(), DataType::Dictionary(_, _)) {
        return Some(field.name().clone());
    }
    let below = child_fields(field.data_type()).into_iter().find_map(path_to_dictionary)?;
    Some(format!("{}.{below}", field.name()))
}

fn compact_batch(batch: &RecordBatch, options: &EncodeOptions) -> Result<RecordBatch> {
    let columns = compact_all(batch.columns(), options)?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &rows).map_err(Error::Encode)
}

/// Compares a batch with the table's schema: names, types, nullability and metadata of the fields.
/// Metadata of the batch as a whole may differ; the table's counts.
fn check_fields(schema: &SchemaRef, batch: &RecordBatch) -> Result<()> {
    let found = batch.schema_ref();
    if Arc::ptr_eq(schema, found) || schema.fields() == found.fields() {
        return Ok(());
    }
    if schema.fields().len() != found.fields().len() {
        return Err(Error::SchemaMismatch(format!(
            "it has {} columns instead of {}",
            found.fields().len(),
            schema.fields().len()
        )));
    }
    let pairs = schema.fields().iter().zip(found.fields());
    let different = pairs.into_iter().find(|(expected, found)| expected != found);
    Err(Error::SchemaMismatch(match different {
        Some((expected, found)) => format!("it has the column {found:?} instead of {expected:?}"),
        None => "its columns differ".to_owned(),
    }))
}

/// Writes messages, and remembers which dictionaries went out.
struct MessageWriter {
    options: IpcWriteOptions,
    max_bytes: usize,
    dictionaries: DictionaryTracker,
    compression: CompressionContext,
}

impl MessageWriter {
    fn new(options: &EncodeOptions) -> Result<Self> {
        Ok(Self {
            options: options.write_options()?,
            max_bytes: options.max_bytes,
            dictionaries: DictionaryTracker::new(false),
            compression: CompressionContext::default(),
        })
    }

    fn schema(&mut self, schema: &Schema) -> Result<MessageBytes> {
        for field in schema.fields() {
            check_writable(field, field, 1)?;
        }
        let message = IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(
            schema,
            &mut self.dictionaries,
            &self.options,
        );
        Ok(message.into())
    }

    /// The messages for a batch: the dictionaries it needs and that are not known yet, then the rows.
    fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<MessageBytes>> {
        let (dictionaries, rows) = IpcDataGenerator::default()
            .encode(batch, &mut self.dictionaries, &self.options, &mut self.compression)
            .map_err(Error::Encode)?;
        let mut messages = Vec::with_capacity(dictionaries.len() + 1);
        for dictionary in dictionaries {
            if dictionary.arrow_data.len() > self.max_bytes {
                return Err(Error::DictionaryTooLarge {
                    bytes: dictionary.arrow_data.len(),
                    max_bytes: self.max_bytes,
                });
            }
            messages.push(dictionary.into());
        }
        messages.push(rows.into());
        Ok(messages)
    }
}

/// Refuses what the writer would write wrong, or what no reader accepts.
fn check_writable(field: &Field, column: &Field, depth: usize) -> Result<()> {
    let max_depth = DecodeLimits::default().max_depth;
    if depth > max_depth {
        return Err(Error::TooDeep { column: column.name().clone(), max_depth });
    }
    // In a stream's schema a dictionary is a property of a field, and a dictionary's values have none.
    if let DataType::Dictionary(_, values) = field.data_type()
        && matches!(**values, DataType::Dictionary(_, _))
    {
        return Err(Error::UnsupportedType {
            column: column.name().clone(),
            data_type: field.data_type().clone(),
        });
    }
    let children = child_fields(field.data_type());
    children.into_iter().try_for_each(|child| check_writable(child, column, depth + 1))
}
