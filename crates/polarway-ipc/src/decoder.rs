//! Bytes to record batches.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_buffer::Buffer;
use arrow_ipc::MessageHeader;
use arrow_schema::{DataType, Field, SchemaRef};
use bytes::Bytes;
use polarway_table::plain_bytes_over;

use crate::columns::{BodyReader, Context};
use crate::framing::{Framing, Message};
use crate::limits::within;
use crate::schema::{child_fields, parse_message, read_schema};
use crate::{DecodeLimits, Error, Result};

/// Takes the bytes of an Arrow IPC stream as they arrive, in pieces of any size, and gives the record
/// batches in them.
///
/// Batches point into the bytes they came from: nothing is copied but what is compressed, split
/// between two pieces, or misaligned for its type. Piece by piece is best when a piece is a
/// [`Chunk`](crate::Chunk).
///
/// The bytes may come from anyone. [`DecodeLimits`] says how much they may ask for. After an error
/// the decoder only answers [`Error::Failed`].
#[derive(Debug)]
pub struct ChunkDecoder {
    limits: DecodeLimits,
    framing: Framing,
    schema: Option<SchemaRef>,
    /// The type of each dictionary's values.
    dictionary_types: HashMap<i64, DataType>,
    dictionaries: HashMap<i64, ArrayRef>,
    dictionary_bytes: HashMap<i64, usize>,
    rows: u64,
    failed: bool,
}

impl ChunkDecoder {
    /// A decoder at the start of a stream.
    pub fn new(limits: DecodeLimits) -> Self {
        Self {
            limits,
            framing: Framing::default(),
            schema: None,
            dictionary_types: HashMap::new(),
            dictionaries: HashMap::new(),
            dictionary_bytes: HashMap::new(),
            rows: 0,
            failed: false,
        }
    }

    /// The stream's schema, once its message has come.
    pub fn schema(&self) -> Option<&SchemaRef> {
        self.schema.as_ref()
    }

    /// How many rows the batches so far have.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What it keeps between two pieces, in bytes: dictionaries, and the part of a message that has come.
    pub fn kept_bytes(&self) -> u64 {
        let dictionaries: usize = self.dictionary_bytes.values().sum();
        (dictionaries + self.framing.kept_bytes()) as u64
    }

    /// Whether the end of the stream has come. A stream may be cut off between two messages without
    /// any of them being damaged: a caller that must know that it is whole asks for this, or for the rows.
    pub fn ended(&self) -> bool {
        self.framing.ended()
    }

    /// Takes the next bytes of the stream, and gives the batches that they complete.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the bytes, or [`Error::LimitExceeded`].
    pub fn decode(&mut self, bytes: Bytes) -> Result<Vec<RecordBatch>> {
        if self.failed {
            return Err(Error::Failed);
        }
        // Everything that is known to make Arrow panic is refused before it gets there. The fence is
        // for the rest.
        let decoded = catch_unwind(AssertUnwindSafe(|| self.decode_messages(bytes.into())))
            .unwrap_or_else(|_| Err(Error::malformed("it made the decoder panic")));
        self.failed = decoded.is_err();
        decoded
    }

    /// Ends the stream.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] when it broke off inside a message, [`Error::NoSchema`] when it did before
    /// its schema, [`Error::Failed`] when it failed before. [`ended`](Self::ended) tells whether the
    /// mark that ends a stream has come: some streams have none.
    pub fn finish(self) -> Result<()> {
        match (self.failed, self.framing.at_border(), self.schema) {
            (true, _, _) => Err(Error::Failed),
            (_, false, _) => Err(Error::Truncated),
            (_, _, None) => Err(Error::NoSchema),
            _ => Ok(()),
        }
    }

    fn decode_messages(&mut self, mut input: Buffer) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        let mut allocation_left = self.limits.max_decoded_bytes;
        while let Some(message) = self.framing.next(&mut input, &self.limits)? {
            if let Some(batch) = self.decode_message(&message, &mut allocation_left)? {
                self.rows = self.rows.saturating_add(batch.num_rows() as u64);
                batches.push(batch);
            }
        }
        Ok(batches)
    }

    fn decode_message(
        &mut self,
        message: &Message,
        allocation_left: &mut usize,
    ) -> Result<Option<RecordBatch>> {
        let metadata = parse_message(&message.metadata, &self.limits)?;
        let context = Context {
            version: metadata.version(),
            limits: &self.limits,
            dictionaries: &self.dictionaries,
            allocation_left,
        };
        match (metadata.header_type(), &self.schema) {
            (MessageHeader::Schema, None) => {
                let schema = metadata.header_as_schema().ok_or_else(no_header)?;
                let read = read_schema(schema, &self.limits)?;
                self.dictionary_types = read.dictionaries;
                self.schema = Some(Arc::new(read.schema));
                Ok(None)
            }
            (MessageHeader::Schema, Some(_)) => Err(Error::malformed("a second schema")),
            (_, None) => Err(Error::malformed("the first message is not a schema")),
            (MessageHeader::RecordBatch, Some(schema)) => {
                let batch = metadata.header_as_record_batch().ok_or_else(no_header)?;
                read_batch(schema, batch, &message.body, context).map(Some)
            }
            (MessageHeader::DictionaryBatch, Some(_)) => {
                let dictionary = metadata.header_as_dictionary_batch().ok_or_else(no_header)?;
                let (values, bytes) =
                    read_dictionary(&self.dictionary_types, dictionary, &message.body, context)?;
                self.keep_dictionary(dictionary, values, bytes, allocation_left)?;
                Ok(None)
            }
            (header, Some(_)) => Err(Error::Malformed(format!("a message of the kind {header:?}"))),
        }
    }

    fn keep_dictionary(
        &mut self,
        dictionary: arrow_ipc::DictionaryBatch<'_>,
        mut values: ArrayRef,
        mut bytes: usize,
        allocation_left: &mut usize,
    ) -> Result<()> {
        let id = dictionary.id();
        let before = self.dictionary_bytes.remove(&id).unwrap_or_default();
        if dictionary.isDelta() {
            let known = self.dictionaries.get(&id).ok_or_else(|| {
                Error::Malformed(format!("an addition to dictionary {id}, which has not come"))
            })?;
            bytes = bytes.saturating_add(before);
            // Joining copies all of it, however small the addition is.
            *allocation_left -= within("a size of joined dictionaries", bytes as u64, *allocation_left)?;
            if holds_list_views(values.data_type()) {
                return Err(Error::malformed("an addition to a dictionary of list views"));
            }
            check_meaning(&[Arc::clone(known), Arc::clone(&values)], &self.limits, || {
                format!("dictionary {id}")
            })?;
            values = arrow_select::concat::concat(&[known.as_ref(), values.as_ref()])
                .map_err(Error::InvalidBatch)?;
        }
        let others: usize = self.dictionary_bytes.values().sum();
        let total = others.saturating_add(bytes);
        within("a size of dictionaries", total as u64, self.limits.max_dictionary_bytes)?;
        self.dictionary_bytes.insert(id, bytes);
        self.dictionaries.insert(id, values);
        Ok(())
    }
}

fn no_header() -> Error {
    Error::malformed("a message without contents")
}

fn read_batch(
    schema: &SchemaRef,
    batch: arrow_ipc::RecordBatch<'_>,
    body: &Buffer,
    mut context: Context<'_>,
) -> Result<RecordBatch> {
    let mut reader = BodyReader::new(batch, body, &mut context)?;
    let fields = schema.fields().iter();
    let columns = fields.map(|field| reader.column(field)).collect::<Result<Vec<_>>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(reader.rows()));
    let (row_count, limits) = (reader.rows(), reader.limits());
    reader.finish()?;
    check_meaning(&columns, limits, || format!("a batch of {row_count} rows"))?;
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows).map_err(Error::InvalidBatch)
}

/// The values that a dictionary message brings, and how many bytes they take.
fn read_dictionary(
    types: &HashMap<i64, DataType>,
    dictionary: arrow_ipc::DictionaryBatch<'_>,
    body: &Buffer,
    mut context: Context<'_>,
) -> Result<(ArrayRef, usize)> {
    let id = dictionary.id();
    let data_type =
        types.get(&id).ok_or_else(|| Error::Malformed(format!("dictionary {id}, which no field uses")))?;
    let batch = dictionary.data().ok_or_else(no_header)?;
    let mut reader = BodyReader::new(batch, body, &mut context)?;
    let values = reader.column(&Field::new(format!("dictionary {id}"), data_type.clone(), true))?;
    let (bytes, limits) = (reader.decoded_bytes(), reader.limits());
    reader.finish()?;
    check_meaning(std::slice::from_ref(&values), limits, || format!("dictionary {id}"))?;
    Ok((values, bytes))
}

/// Refuses what would grow beyond the limit if it were written out: later code may write it out.
fn check_meaning(arrays: &[ArrayRef], limits: &DecodeLimits, what: impl FnOnce() -> String) -> Result<()> {
    let limit = limits.max_plain_bytes as u64;
    match plain_bytes_over(arrays, limit) {
        Some(bytes) => Err(Error::MeansTooMuch { what: what(), bytes, limit }),
        None => Ok(()),
    }
}

/// Joining copies what list views point to once for each view, which no limit bounds.
fn holds_list_views(data_type: &DataType) -> bool {
    matches!(data_type, DataType::ListView(_) | DataType::LargeListView(_))
        || child_fields(data_type).iter().any(|child| holds_list_views(child.data_type()))
}
