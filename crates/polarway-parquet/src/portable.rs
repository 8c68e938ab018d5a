//! The Arrow schema in a file's footer, for every reader and for us.
//!
//! Other readers take what `ARROW:schema` says of their types, and polars can't read a file at all that names a type which
//! it lacks. Where another type has the same values in the same place of the file, the footer names that one, and the exact
//! schema stands in an entry of its own.

use arrow_ipc::convert::try_schema_from_flatbuffer_bytes;
use arrow_schema::{DataType, Field, FieldRef, Schema};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, ArrowSchemaConverter, encode_arrow_schema};
use parquet::file::metadata::ParquetMetaData;

/// The footer's key-value entry with the exact schema, in the form of `ARROW:schema`.
const EXACT_KEY: &str = "polarway:schema";

/// The most digits that a decimal of 128 bits has.
const MOST_DIGITS_OF_128_BITS: u8 = 38;

/// The footer entries for a table of this schema.
pub(crate) fn footer_entries(schema: &Schema) -> Vec<(&'static str, String)> {
    let fields = schema.fields().iter().map(|field| portable_field(field));
    let portable = Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone());
    let mut entries = vec![(ARROW_SCHEMA_META_KEY, encode_arrow_schema(&portable))];
    if portable != *schema {
        entries.push((EXACT_KEY, encode_arrow_schema(schema)));
    }
    entries
}

/// The Arrow schema that the footer carries, if the file's columns are just what it is stored as.
pub(crate) fn of_footer(metadata: &ParquetMetaData) -> Option<Schema> {
    let entries = metadata.file_metadata().key_value_metadata()?;
    let entry = |key| entries.iter().find(|entry| entry.key == key)?.value.as_deref();
    let schema = entry(EXACT_KEY).and_then(parse).or_else(|| entry(ARROW_SCHEMA_META_KEY).and_then(parse))?;
    let stored_as = ArrowSchemaConverter::new().convert(&schema).ok()?;
    let found = metadata.file_metadata().schema_descr().root_schema();
    (stored_as.root_schema().get_fields() == found.get_fields()).then_some(schema)
}

fn parse(text: &str) -> Option<Schema> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    // An IPC message: a continuation marker and a length come first.
    let message =
        bytes.strip_prefix(&[0xff; 4]).map_or(bytes.as_slice(), |rest| rest.get(4..).unwrap_or(&[]));
    try_schema_from_flatbuffer_bytes(message).ok()
}

fn portable_field(field: &Field) -> FieldRef {
    FieldRef::new(field.clone().with_data_type(portable_type(field.data_type())))
}

/// A type that all readers have, and that is stored in the same way.
fn portable_type(data_type: &DataType) -> DataType {
    use DataType::*;
    match data_type {
        List(item) | ListView(item) => List(portable_field(item)),
        LargeList(item) | LargeListView(item) => LargeList(portable_field(item)),
        FixedSizeList(item, size) => FixedSizeList(portable_field(item), *size),
        Map(entries, sorted) => Map(portable_field(entries), *sorted),
        Struct(fields) => Struct(fields.iter().map(|field| portable_field(field)).collect()),
        Dictionary(keys, values) => Dictionary(keys.clone(), Box::new(portable_type(values))),
        Decimal256(digits, scale) if *digits <= MOST_DIGITS_OF_128_BITS => Decimal128(*digits, *scale),
        other => other.clone(),
    }
}
