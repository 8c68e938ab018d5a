//! The tables of scenarios.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, FixedSizeListArray, Int64Array, ListArray, MapArray, RecordBatch,
    StringArray, StructArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};
use polarway_client::Table;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum TableSpec {
    Columns(Vec<Column>),
    Generated { rows: i64, columns: i64 },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Column {
    name: String,
    #[serde(rename = "type")]
    data_type: TypeSpec,
    #[serde(default = "yes")]
    nullable: bool,
    values: Vec<Value>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TypeSpec {
    Plain(String),
    Nested(Box<NestedSpec>),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum NestedSpec {
    List(TypeSpec),
    FixedSizeList { items: TypeSpec, size: i32 },
    Struct(Vec<FieldSpec>),
    Map { keys: TypeSpec, values: TypeSpec },
    Dictionary { keys: TypeSpec, values: TypeSpec },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldSpec {
    name: String,
    #[serde(rename = "type")]
    data_type: TypeSpec,
}

impl TableSpec {
    pub(super) fn build(&self) -> Table {
        let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = match self {
            Self::Columns(columns) => columns
                .iter()
                .map(|column| {
                    let data_type = column.data_type.build();
                    let values: Vec<&Value> = column.values.iter().collect();
                    let array = array(&data_type, &values);
                    (Field::new(&column.name, data_type, column.nullable), array)
                })
                .unzip(),
            Self::Generated { rows, columns } => (0..*columns)
                .map(|column| {
                    let value = |row: i64| (row * 2_654_435_761 + column * 40_503) % 4_294_967_296;
                    let array: ArrayRef = Arc::new(Int64Array::from_iter_values((0..*rows).map(value)));
                    (Field::new(format!("c{column}"), DataType::Int64, false), array)
                })
                .unzip(),
        };
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap().into()
    }
}

impl TypeSpec {
    fn build(&self) -> DataType {
        let nested = match self {
            Self::Plain(name) => return plain(name),
            Self::Nested(nested) => &**nested,
        };
        match nested {
            NestedSpec::List(items) => DataType::new_list(items.build(), true),
            NestedSpec::FixedSizeList { items, size } => {
                DataType::new_fixed_size_list(items.build(), *size, true)
            }
            NestedSpec::Struct(fields) => DataType::Struct(
                fields.iter().map(|field| Field::new(&field.name, field.data_type.build(), true)).collect(),
            ),
            NestedSpec::Map { keys, values } => {
                let fields =
                    vec![Field::new("key", keys.build(), false), Field::new("value", values.build(), true)];
                let entries = Field::new("entries", DataType::Struct(fields.into()), false);
                DataType::Map(Arc::new(entries), false)
            }
            NestedSpec::Dictionary { keys, values } => {
                DataType::Dictionary(Box::new(keys.build()), Box::new(values.build()))
            }
        }
    }
}

/// The type of this name, which may have numbers in parentheses or a unit in brackets behind it.
fn plain(name: &str) -> DataType {
    use DataType::*;
    let (base, detail) = match name.split_once(['(', '[']) {
        Some((base, rest)) => (base, rest.trim_end_matches([')', ']'])),
        None => (name, ""),
    };
    let (first, second) = detail.split_once(", ").unwrap_or((detail, ""));
    let unit = || match first {
        "s" => TimeUnit::Second,
        "ms" => TimeUnit::Millisecond,
        "us" => TimeUnit::Microsecond,
        "ns" => TimeUnit::Nanosecond,
        other => panic!("no unit is named {other}"),
    };
    match base {
        "bool" => Boolean,
        "int8" => Int8,
        "int16" => Int16,
        "int32" => Int32,
        "int64" => Int64,
        "uint8" => UInt8,
        "uint16" => UInt16,
        "uint32" => UInt32,
        "uint64" => UInt64,
        "float32" => Float32,
        "float64" => Float64,
        "decimal128" => Decimal128(first.parse().unwrap(), second.parse().unwrap()),
        "decimal256" => Decimal256(first.parse().unwrap(), second.parse().unwrap()),
        "utf8" => Utf8,
        "large_utf8" => LargeUtf8,
        "utf8_view" => Utf8View,
        "binary" => Binary,
        "large_binary" => LargeBinary,
        "fixed_size_binary" => FixedSizeBinary(first.parse().unwrap()),
        "date32" => Date32,
        "time32" => Time32(unit()),
        "time64" => Time64(unit()),
        "timestamp" => Timestamp(unit(), (!second.is_empty()).then(|| second.into())),
        "duration" => Duration(unit()),
        other => panic!("no type is named {other}"),
    }
}

fn array(data_type: &DataType, values: &[&Value]) -> ArrayRef {
    let is_valid = || values.iter().map(|value| !value.is_null());
    let nulls = || Some(is_valid().collect());
    match data_type {
        DataType::List(item) => {
            let lists: Vec<&[Value]> = values.iter().map(|value| items_of(value)).collect();
            let (items, offsets) = flattened(item, &lists);
            Arc::new(ListArray::new(FieldRef::clone(item), offsets, items, nulls()))
        }
        DataType::FixedSizeList(item, size) => {
            let nothing = vec![&Value::Null; *size as usize];
            let items = values.iter().flat_map(|value| match value {
                Value::Null => nothing.clone(),
                value => items_of(value).iter().collect(),
            });
            let items = array(item.data_type(), &items.collect::<Vec<_>>());
            Arc::new(FixedSizeListArray::new(FieldRef::clone(item), *size, items, nulls()))
        }
        DataType::Struct(fields) => Arc::new(StructArray::new(
            fields.clone(),
            fields.iter().map(|field| column_of(field, values)).collect(),
            nulls(),
        )),
        DataType::Map(entries, is_sorted) => {
            let DataType::Struct(fields) = entries.data_type() else { panic!("{entries}") };
            let maps: Vec<&[Value]> = values.iter().map(|value| items_of(value)).collect();
            let offsets = OffsetBuffer::from_lengths(maps.iter().map(|map| map.len()));
            let pairs = StructArray::new(fields.clone(), pairs_of(fields, &maps), None);
            Arc::new(MapArray::new(FieldRef::clone(entries), offsets, pairs, nulls(), *is_sorted))
        }
        DataType::Dictionary(_, of) => cast(&array(of, values), data_type),
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => {
            let bytes: BinaryArray =
                values.iter().map(|value| text_of(value).map(|text| bytes_of(&text))).collect();
            cast(&bytes, data_type)
        }
        DataType::Duration(_) => cast(&array(&DataType::Int64, values), data_type),
        _ => {
            let texts: StringArray = values.iter().map(|value| text_of(value)).collect();
            cast(&texts, data_type)
        }
    }
}

/// The items of all lists behind each other, and where each list begins.
fn flattened(item: &FieldRef, lists: &[&[Value]]) -> (ArrayRef, OffsetBuffer<i32>) {
    let items: Vec<&Value> = lists.iter().copied().flatten().collect();
    let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.len()));
    (array(item.data_type(), &items), offsets)
}

/// The values of a field of structs.
fn column_of(field: &FieldRef, structs: &[&Value]) -> ArrayRef {
    let values: Vec<&Value> =
        structs.iter().map(|value| value.get(field.name()).unwrap_or(&Value::Null)).collect();
    array(field.data_type(), &values)
}

/// The keys and the values of maps.
fn pairs_of(fields: &Fields, maps: &[&[Value]]) -> Vec<ArrayRef> {
    let of = |(place, field): (usize, &FieldRef)| {
        let values: Vec<&Value> = maps.iter().copied().flatten().map(|pair| &pair[place]).collect();
        array(field.data_type(), &values)
    };
    fields.iter().enumerate().map(of).collect()
}

fn items_of(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap();
    (0..hexadecimal.len()).step_by(2).map(digits).collect()
}

fn cast(array: &dyn Array, to: &DataType) -> ArrayRef {
    cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() }).unwrap()
}
