//! Random schemas of everything that can be stored.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) fn schemas() -> impl Strategy<Value = SchemaRef> {
    (vec(fields(), 1..7), metadata()).prop_map(|(fields, metadata)| {
        let fields: Vec<FieldRef> = distinct(fields);
        Arc::new(Schema::new_with_metadata(fields, metadata))
    })
}

/// Numbers the fields, so that no two have one name.
fn distinct(fields: Vec<Field>) -> Vec<FieldRef> {
    let number = |(place, field): (usize, Field)| {
        let name = format!("{}{place}", field.name());
        Arc::new(field.with_name(name))
    };
    fields.into_iter().enumerate().map(number).collect()
}

fn metadata() -> impl Strategy<Value = HashMap<String, String>> {
    prop_oneof![
        4 => Just(HashMap::new()),
        1 => ("[a-z:]{1,8}", ".{0,8}").prop_map(|(key, value)| HashMap::from([(key, value)])),
    ]
}

fn fields() -> impl Strategy<Value = Field> {
    (names(), types(), any::<bool>(), metadata()).prop_map(|(name, data_type, nullable, metadata)| {
        // An array of nulls has nothing else.
        let nullable = nullable || data_type == DataType::Null;
        Field::new(name, data_type, nullable).with_metadata(metadata)
    })
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z]{1,3}",
        1 => select(vec!["item", "element", "list", "array", "key", "entries", "a.b", "ü ", ""]).prop_map(String::from),
    ]
}

fn units() -> impl Strategy<Value = TimeUnit> {
    select(vec![TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond])
}

fn decimals() -> impl Strategy<Value = DataType> {
    let scaled = |most: u8| (1..=most).prop_flat_map(|precision| (Just(precision), 0..=precision as i8));
    prop_oneof![
        scaled(9).prop_map(|(precision, scale)| DataType::Decimal32(precision, scale)),
        scaled(18).prop_map(|(precision, scale)| DataType::Decimal64(precision, scale)),
        scaled(38).prop_map(|(precision, scale)| DataType::Decimal128(precision, scale)),
        scaled(76).prop_map(|(precision, scale)| DataType::Decimal256(precision, scale)),
    ]
}

/// What can be a column by itself and a dictionary's value.
fn values() -> impl Strategy<Value = DataType> {
    use DataType::*;
    let zones = select(vec![None, Some("UTC"), Some("+05:30"), Some("Europe/Berlin")]);
    prop_oneof![
        4 => select(vec![Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Float16, Float32, Float64]),
        4 => select(vec![Utf8, LargeUtf8, Utf8View, Binary, LargeBinary, BinaryView]),
        2 => select(vec![
            Date32,
            Date64,
            Time32(TimeUnit::Second),
            Time32(TimeUnit::Millisecond),
            Time64(TimeUnit::Microsecond),
            Time64(TimeUnit::Nanosecond),
        ]),
        2 => (units(), zones).prop_map(|(unit, zone)| Timestamp(unit, zone.map(Arc::from))),
        2 => decimals(),
        1 => (1..20i32).prop_map(FixedSizeBinary),
    ]
}

fn leaves() -> impl Strategy<Value = DataType> {
    let keys = || {
        use DataType::*;
        select(vec![Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64])
    };
    prop_oneof![
        6 => values(),
        1 => select(vec![DataType::Null, DataType::Boolean]),
        1 => units().prop_map(DataType::Duration),
        2 => (keys(), values()).prop_map(|(key, value)| DataType::Dictionary(Box::new(key), Box::new(value))),
    ]
}

fn types() -> impl Strategy<Value = DataType> {
    leaves().prop_recursive(3, 8, 3, |inner| {
        let child =
            (names(), inner, any::<bool>(), metadata()).prop_map(|(name, data_type, nullable, metadata)| {
                let nullable = nullable || data_type == DataType::Null;
                Field::new(name, data_type, nullable).with_metadata(metadata)
            });
        let child = child.boxed();
        let item = child.clone().prop_map(Arc::new).boxed();
        let key = (names(), values(), metadata());
        prop_oneof![
            item.clone().prop_map(DataType::List),
            item.clone().prop_map(DataType::LargeList),
            item.clone().prop_map(DataType::ListView),
            item.clone().prop_map(DataType::LargeListView),
            (item, 1..4i32).prop_map(|(item, size)| DataType::FixedSizeList(item, size)),
            vec(child.clone(), 1..4).prop_map(|fields| DataType::Struct(distinct(fields).into())),
            (names(), key, child, any::<bool>(), metadata()).prop_map(
                |(name, key, value, sorted, metadata)| {
                    let key = Field::new(key.0, key.1, false).with_metadata(key.2);
                    let pair = DataType::Struct(distinct(vec![key, value]).into());
                    DataType::Map(Arc::new(Field::new(name, pair, false).with_metadata(metadata)), sorted)
                }
            ),
        ]
    })
}
