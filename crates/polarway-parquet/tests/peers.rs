//! pyarrow, polars and DuckDB read what is written, each type of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Int64Array, ListArray, MapArray, RecordBatch, StructArray,
    new_null_array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use polarway_parquet::EncodeOptions;
use polarway_testing::{Peers, same_values};
use support::encode;

/// Rows of each column: enough for encodings to be chosen, and for several row groups.
const ROWS: usize = 300;

fn leaf_types() -> Vec<DataType> {
    use DataType::*;
    use TimeUnit::*;
    let zone = || Some(Arc::from("UTC"));
    vec![
        Null,
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Utf8,
        LargeUtf8,
        Utf8View,
        Binary,
        LargeBinary,
        BinaryView,
        FixedSizeBinary(3),
        Date32,
        Date64,
        Time32(Second),
        Time32(Millisecond),
        Time64(Microsecond),
        Time64(Nanosecond),
        Timestamp(Second, None),
        Timestamp(Millisecond, None),
        Timestamp(Microsecond, None),
        Timestamp(Nanosecond, None),
        Timestamp(Second, zone()),
        Timestamp(Millisecond, zone()),
        Timestamp(Microsecond, zone()),
        Timestamp(Nanosecond, zone()),
        Duration(Second),
        Duration(Millisecond),
        Duration(Microsecond),
        Duration(Nanosecond),
        Decimal32(1, 0),
        Decimal32(7, 2),
        Decimal64(15, 3),
        Decimal128(9, 2),
        Decimal128(18, 2),
        Decimal128(38, 10),
        Decimal256(20, 2),
        Decimal256(50, 2),
    ]
}

/// Small numbers as values of a type, one in seven of them NULL.
fn leaf(data_type: &DataType) -> ArrayRef {
    use DataType::*;
    let number = |row: usize| (row % 7 != 3).then_some((row % 100) as i64);
    let numbers: ArrayRef = Arc::new((0..ROWS).map(number).collect::<Int64Array>());
    let strictly = CastOptions { safe: false, ..CastOptions::default() };
    let cast = |array: &ArrayRef, to: &DataType| cast_with_options(array, to, &strictly).unwrap();
    match data_type {
        Null => new_null_array(&Null, ROWS),
        // A hundred does not fit into a digit, and must be padded to three bytes.
        Decimal32(1, _) => {
            let digits = |row: usize| (row % 7 != 3).then_some((row % 10) as i64);
            cast(&(Arc::new((0..ROWS).map(digits).collect::<Int64Array>()) as ArrayRef), data_type)
        }
        FixedSizeBinary(_) => {
            let texts = (0..ROWS).map(|row| number(row).map(|number| format!("{number:03}").into_bytes()));
            Arc::new(arrow_array::FixedSizeBinaryArray::try_from_sparse_iter_with_size(texts, 3).unwrap())
        }
        Binary | LargeBinary | BinaryView => cast(&cast(&numbers, &Utf8), data_type),
        Date64 => cast(&cast(&cast(&numbers, &Int32), &Date32), data_type),
        Date32 | Time32(_) => cast(&cast(&numbers, &Int32), data_type),
        other => cast(&numbers, other),
    }
}

/// The leaf as a column, and inside of everything that can hold it.
fn forms(values: &ArrayRef) -> Vec<(String, ArrayRef)> {
    let name = values.data_type().to_string();
    let item = Arc::new(Field::new("item", values.data_type().clone(), true));
    let lengths = (0..ROWS).map(|row| row % 3).scan(0, |left, length| {
        let length = length.min(ROWS - *left);
        *left += length;
        Some(length)
    });
    let ends = OffsetBuffer::<i32>::from_lengths(lengths.collect::<Vec<_>>());
    let shown = values.slice(0, *ends.last().unwrap() as usize);
    let valid = NullBuffer::from_iter((0..ROWS).map(|row| row % 11 != 5));
    let list: ArrayRef =
        Arc::new(ListArray::new(item.clone(), ends.clone(), shown.clone(), Some(valid.clone())));
    let fields = Fields::from(vec![
        Field::new("number", DataType::Int64, false),
        Field::new("value", values.data_type().clone(), true),
    ]);
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS as i64));
    let structs =
        StructArray::new(fields.clone(), vec![numbers.clone(), values.clone()], Some(valid.clone()));
    let pairs = StructArray::new(fields.clone(), vec![numbers.slice(0, shown.len()), shown], None);
    let entries = Arc::new(Field::new_struct("key_value", fields, false));
    let map = MapArray::new(entries, ends, pairs, Some(valid), false);
    let large = arrow_cast::cast(&list, &DataType::LargeList(item.clone())).unwrap();
    let view = arrow_cast::cast(&list, &DataType::ListView(item.clone())).unwrap();
    let twice = arrow_select::concat::concat(&[values.as_ref(), values.as_ref()]).unwrap();
    let mut forms = vec![
        (name.clone(), values.clone()),
        (format!("list of {name}"), list),
        (format!("large list of {name}"), large),
        (format!("list view of {name}"), view),
        (format!("array of {name}"), Arc::new(FixedSizeListArray::new(item, 2, twice, None))),
        (format!("struct of {name}"), Arc::new(structs)),
        (format!("map of {name}"), Arc::new(map)),
    ];
    let coded = DataType::Dictionary(Box::new(DataType::Int8), Box::new(values.data_type().clone()));
    if polarway_parquet::check_schema(&arrow_schema::Schema::new(vec![Field::new("c", coded.clone(), true)]))
        .is_ok()
        && let Ok(coded) = arrow_cast::cast(values, &coded)
    {
        forms.push((format!("dictionary of {name}"), coded));
    }
    forms
}

/// Why a reader can't have the values of a type as they are.
fn exception(peer: &str, data_type: &DataType) -> Option<&'static str> {
    match (peer, data_type) {
        ("polars", DataType::Decimal256(39.., _)) => Some("polars has decimals of at most 38 digits"),
        ("duckdb", DataType::Decimal256(39.., _)) => Some("DuckDB reads more than 38 digits as a DOUBLE"),
        ("duckdb", DataType::Timestamp(TimeUnit::Nanosecond, Some(_))) => {
            Some("DuckDB has microseconds where there is a time zone")
        }
        _ => None,
    }
}

#[test]
fn every_type_is_read_back_by_pyarrow_polars_and_duckdb() {
    let Some(peers) = Peers::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut tables = Vec::new();
    for (place, data_type) in leaf_types().into_iter().enumerate() {
        let columns = forms(&leaf(&data_type)).into_iter().map(|(form, column)| (form, column, true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let options = EncodeOptions::default().with_row_group_rows(130);
        let (file, _) = encode(&batch.schema(), std::slice::from_ref(&batch), options);
        let path = folder.path().join(format!("{place}.parquet"));
        std::fs::write(&path, file).unwrap();
        tables.push((data_type, batch, path));
    }
    peers.read_all(folder.path());
    let mut wrong = Vec::new();
    for (data_type, batch, path) in &tables {
        for peer in Peers::NAMES {
            let read = Peers::reading(path, peer);
            for (place, field) in batch.schema().fields().iter().enumerate() {
                let verdict = read.as_ref().map_err(String::clone).and_then(|batches| {
                    let parts: Vec<ArrayRef> =
                        batches.iter().map(|batch| batch.column(place).clone()).collect();
                    same_values(std::slice::from_ref(batch.column(place)), &parts)
                });
                match (verdict, exception(peer, data_type)) {
                    (Ok(()), None) | (Err(_), Some(_)) => {}
                    (Err(why), None) => wrong.push(format!("{peer}, {}: {why}", field.name())),
                    (Ok(()), Some(why)) => {
                        wrong.push(format!("{peer}, {}: it can, though {why}", field.name()))
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
