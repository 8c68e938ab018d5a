//! Dictionaries as they were stored: their values in the footer, and columns that get them back.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, ListArray, RecordBatch, new_null_array};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_ipc::reader::read_record_batch;
use arrow_ipc::root_as_message;
use arrow_ipc::writer::{CompressionContext, DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;
use parquet::file::metadata::ParquetMetaData;
use polarway_table::array_bytes;

use crate::categories::rows_of;
use crate::schema::dictionary_leaves;
use crate::workers;

/// The footer's key-value entry: the message of an Arrow IPC record batch, and behind a space its body, both in base64.
/// The batch has one row, and for each dictionary leaf a list of its values, or NULL where they are not kept.
pub(crate) const FOOTER_KEY: &str = "polarway:categories";

/// A dictionary larger than this is not kept. It would not travel whole either.
const MOST_BYTES: u64 = 256 << 10;

/// What all dictionaries of a file may take together: every reader fetches the footer first.
const MOST_BYTES_TOGETHER: u64 = 4 << 20;

/// The footer entry's value for the dictionaries of a file of this schema, those that are too large left out; `None`
/// where there is nothing to keep.
pub(crate) fn footer_value(
    schema: &Schema,
    leaves: &[Option<ArrayRef>],
) -> Result<Option<String>, ArrowError> {
    let lists = lists_of(schema);
    let mut left = MOST_BYTES_TOGETHER;
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(leaves.len());
    for (list, values) in lists.fields().iter().zip(leaves) {
        let bytes = values.as_ref().map_or(u64::MAX, |values| array_bytes(values));
        match (list.data_type(), values) {
            (DataType::List(item), Some(values)) if bytes <= MOST_BYTES.min(left) => {
                left -= bytes;
                let whole = OffsetBuffer::from_lengths([values.len()]);
                columns.push(Arc::new(ListArray::try_new(item.clone(), whole, values.clone(), None)?));
            }
            (not_kept, _) => columns.push(new_null_array(not_kept, 1)),
        }
    }
    if columns.iter().all(|column| column.is_null(0)) {
        return Ok(None);
    }
    let batch = RecordBatch::try_new(Arc::new(lists), columns)?;
    let options = IpcWriteOptions::default();
    let mut dictionaries = DictionaryTracker::new(false);
    let mut compression = CompressionContext::default();
    let (_, encoded) =
        IpcDataGenerator::default().encode(&batch, &mut dictionaries, &options, &mut compression)?;
    let [message, body] =
        [&encoded.ipc_message, &encoded.arrow_data].map(|part| BASE64_STANDARD.encode(part));
    Ok(Some(format!("{message} {body}")))
}

/// The values of the dictionaries of a file of this schema, as far as its footer has them. Nothing, where Polarway
/// did not write the footer.
pub(crate) fn of_footer(metadata: &ParquetMetaData, schema: &Schema) -> Vec<Option<ArrayRef>> {
    let entries = metadata.file_metadata().key_value_metadata();
    let entry = entries.and_then(|entries| entries.iter().find(|entry| entry.key == FOOTER_KEY));
    let text = entry.and_then(|entry| entry.value.as_deref());
    // Arrow panics on a message that contradicts itself. The rows can be read without it.
    let values = text.and_then(|text| workers::fence(|| parse(text, schema)).ok().flatten());
    values.unwrap_or_default()
}

/// The file may come from anybody: no memory is allocated by what the message declares.
fn parse(text: &str, schema: &Schema) -> Option<Vec<Option<ArrayRef>>> {
    let (message, body) = text.split_once(' ')?;
    let [message, body] = [message, body].map(|part| BASE64_STANDARD.decode(part).ok());
    let (message, body) = (message?, Buffer::from_vec(body?));
    let message = root_as_message(&message).ok()?;
    let batch = message.header_as_record_batch()?;
    let is_inside = |buffer: &arrow_ipc::Buffer| {
        let end = buffer.offset().checked_add(buffer.length()).and_then(|end| usize::try_from(end).ok());
        buffer.offset() >= 0 && buffer.length() >= 0 && end.is_some_and(|end| end <= body.len())
    };
    if batch.compression().is_some() || batch.length() != 1 || !batch.buffers()?.iter().all(is_inside) {
        return None;
    }
    let lists: SchemaRef = Arc::new(lists_of(schema));
    let batch = read_record_batch(&body, batch, lists, &HashMap::new(), None, &message.version()).ok()?;
    let values = |column: &ArrayRef| {
        let list = column.as_list_opt::<i32>()?;
        let values = list.is_valid(0).then(|| list.value(0))?;
        (values.null_count() == 0).then_some(values)
    };
    Some(batch.columns().iter().map(values).collect())
}

/// A column for each dictionary leaf: a list of its values.
fn lists_of(schema: &Schema) -> Schema {
    let list = |values: DataType| Field::new_list("", Field::new_list_field(values, true), true);
    Schema::new(dictionary_leaves(schema).into_iter().map(list).collect::<Vec<_>>())
}

/// The kept dictionaries inside of a column, in the shape of its type.
#[derive(Debug, Default)]
pub(crate) struct KeptDictionaries {
    own: Option<KeptDictionary>,
    children: Vec<Option<KeptDictionaries>>,
}

impl KeptDictionaries {
    /// Takes those of a column off the front of a file's; `None` where it has none.
    pub(crate) fn of_column(
        data_type: &DataType,
        leaves: &mut impl Iterator<Item = Option<ArrayRef>>,
    ) -> Option<Self> {
        use DataType::*;
        let children: Vec<_> = match data_type {
            Dictionary(_, _) => {
                let own = KeptDictionary::new(leaves.next()??)?;
                return Some(Self { own: Some(own), children: Vec::new() });
            }
            Struct(fields) => fields.iter().map(|field| Self::of_column(field.data_type(), leaves)).collect(),
            List(item)
            | LargeList(item)
            | ListView(item)
            | LargeListView(item)
            | FixedSizeList(item, _)
            | Map(item, _) => vec![Self::of_column(item.data_type(), leaves)],
            _ => Vec::new(),
        };
        children.iter().any(Option::is_some).then_some(Self { own: None, children })
    }

    /// The dictionary of a column that is one.
    pub(crate) fn own(&self) -> Option<&KeptDictionary> {
        self.own.as_ref()
    }

    /// Those inside of a child.
    pub(crate) fn child(&self, place: usize) -> Option<&Self> {
        self.children.get(place)?.as_ref()
    }
}

/// One dictionary as it was stored.
#[derive(Debug)]
pub(crate) struct KeptDictionary {
    values: ArrayRef,
    places: HashMap<Box<[u8]>, i32>,
    /// The dictionary that was translated last, and the place of each of its values: a row group's batches share it.
    translated: Mutex<Option<(ArrayRef, Arc<[i32]>)>>,
}

impl KeptDictionary {
    fn new(values: ArrayRef) -> Option<Self> {
        let rows = rows_of(&values).ok()?;
        let places = rows.iter().zip(0..).map(|(row, place)| (row.as_ref().into(), place)).collect();
        Some(Self { values, places, translated: Mutex::new(None) })
    }

    /// How many values it has.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The same rows with the stored dictionary; `None` when one of their values is not in it.
    pub(crate) fn give_back(
        &self,
        rows: &DictionaryArray<Int32Type>,
    ) -> Result<Option<(Int32Array, ArrayRef)>, ArrowError> {
        if rows.values().data_type() != self.values.data_type() {
            return Ok(None);
        }
        let Some(places) = self.places_of(rows.values())? else { return Ok(None) };
        // A key under a null may be anything.
        let keys =
            rows.keys().unary_opt::<_, Int32Type>(|key| places.get(usize::try_from(key).ok()?).copied());
        Ok(Some((keys, Arc::clone(&self.values))))
    }

    fn places_of(&self, values: &ArrayRef) -> Result<Option<Arc<[i32]>>, ArrowError> {
        if let Some((last, places)) = &*self.translated.lock()
            && last.to_data().ptr_eq(&values.to_data())
        {
            return Ok(Some(Arc::clone(places)));
        }
        let rows = rows_of(values)?;
        let places: Option<Arc<[i32]>> =
            rows.iter().map(|row| self.places.get(row.as_ref()).copied()).collect();
        if let Some(places) = &places {
            *self.translated.lock() = Some((Arc::clone(values), Arc::clone(places)));
        }
        Ok(places)
    }
}
