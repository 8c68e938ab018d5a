//! What the statistics of a file say of its columns: what is passed over by them must not be missed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use arrow_array::types::{Float16Type, Float32Type, Float64Type, Int8Type};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, DictionaryArray, FixedSizeListArray, Float16Array, Float32Array,
    Float64Array, Int8Array, Int64Array, LargeListViewArray, ListArray, MapArray, PrimitiveArray,
    RecordBatch, StructArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use polarway_parquet::{EncodeOptions, holds_floats};
use support::encode;

type F16 = <Float16Type as ArrowPrimitiveType>::Native;

fn metadata(columns: Vec<(&str, ArrayRef)>, row_group_rows: usize) -> ParquetMetaData {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let options = EncodeOptions::default().with_row_group_rows(row_group_rows);
    let (file, _) = encode(&batch.schema(), &[batch], options);
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    reader.parse_and_finish(&file).unwrap()
}

fn statistics(metadata: &ParquetMetaData, row_group: usize, leaf: usize) -> &Statistics {
    metadata.row_group(row_group).column(leaf).statistics().unwrap()
}

fn has_bounds(metadata: &ParquetMetaData, row_group: usize, leaf: usize) -> bool {
    let statistics = statistics(metadata, row_group, leaf);
    assert_eq!(statistics.min_bytes_opt().is_some(), statistics.max_bytes_opt().is_some());
    let pages = &metadata.column_index().unwrap()[row_group][leaf];
    let pages_have = !matches!(pages, ColumnIndexMetaData::NONE);
    assert_eq!(pages_have, statistics.min_bytes_opt().is_some(), "pages and chunk say the same");
    pages_have
}

/// Every way in which floats are stored, with these values among others: one leaf each.
fn floats<T: ArrowPrimitiveType>(values: Vec<Option<T::Native>>) -> Vec<(&'static str, ArrayRef)> {
    let flat: ArrayRef = Arc::new(PrimitiveArray::<T>::from_iter(values.clone()));
    let rows = flat.len();
    let item = Arc::new(Field::new("item", T::DATA_TYPE, true));
    let ends = OffsetBuffer::<i32>::from_lengths(vec![1; rows]);
    let pair = Fields::from(vec![
        Field::new("key", DataType::Int64, false),
        Field::new("value", T::DATA_TYPE, true),
    ]);
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows as i64));
    let pairs = StructArray::new(pair.clone(), vec![keys, flat.clone()], None);
    let fields = Fields::from(vec![Field::new("f", T::DATA_TYPE, true)]);
    let coded = Int8Array::from_iter_values(0..rows as i8);
    let views = (0..rows as i64).collect::<Vec<_>>();
    vec![
        ("flat", flat.clone()),
        ("struct", Arc::new(StructArray::new(fields, vec![flat.clone()], None))),
        ("list", Arc::new(ListArray::new(item.clone(), ends.clone(), flat.clone(), None))),
        (
            "views",
            Arc::new(LargeListViewArray::new(
                item.clone(),
                views.into(),
                vec![1; rows].into(),
                flat.clone(),
                None,
            )),
        ),
        ("array", Arc::new(FixedSizeListArray::new(item, 1, flat.clone(), None))),
        (
            "map",
            Arc::new(MapArray::new(
                Arc::new(Field::new_struct("entries", pair, false)),
                ends,
                pairs,
                None,
                false,
            )),
        ),
        ("coded", Arc::new(DictionaryArray::<Int8Type>::new(coded, flat))),
    ]
}

/// Where the leaves are that hold the floats: a map's keys come before its values.
const FLOAT_LEAVES: [usize; 7] = [0, 1, 2, 3, 4, 6, 7];

fn check<T: ArrowPrimitiveType>(nan: T::Native, one: T::Native, two: T::Native) {
    let with_nan = metadata(floats::<T>(vec![Some(one), Some(nan), None, Some(two)]), 4);
    let without = metadata(floats::<T>(vec![Some(one), None, Some(two)]), 4);
    for leaf in FLOAT_LEAVES {
        assert!(!has_bounds(&with_nan, 0, leaf), "{} {leaf}", T::DATA_TYPE);
        assert_eq!(statistics(&with_nan, 0, leaf).null_count_opt(), Some(1), "{} {leaf}", T::DATA_TYPE);
        assert!(has_bounds(&without, 0, leaf), "{} {leaf}", T::DATA_TYPE);
    }
    assert!(has_bounds(&with_nan, 0, 5), "the keys of a map are no floats");
}

#[test]
fn a_chunk_with_a_nan_has_no_bounds_at_any_depth_and_keeps_its_count_of_nulls() {
    check::<Float16Type>(F16::NAN, F16::ONE, F16::from_f32(2.0));
    check::<Float32Type>(f32::NAN, 1.0, 2.0);
    check::<Float64Type>(f64::NAN, 1.0, 2.0);
    // With a sign, and with a payload.
    check::<Float64Type>(f64::from_bits(0xfff8_0000_0000_0001), 1.0, 2.0);
}

#[test]
fn a_row_group_without_a_nan_keeps_its_bounds_beside_one_with_it() {
    let column = Float64Array::from(vec![1.0, f64::NAN, 2.0, 3.0, f64::NAN, f64::NAN]);
    let metadata = metadata(vec![("c", Arc::new(column))], 2);
    let bounds: Vec<bool> = (0..3).map(|group| has_bounds(&metadata, group, 0)).collect();
    assert_eq!(bounds, [false, true, false]);
    let Statistics::Double(kept) = statistics(&metadata, 1, 0) else { panic!("no doubles") };
    assert_eq!((kept.min_opt(), kept.max_opt()), (Some(&2.0), Some(&3.0)));
}

#[test]
fn a_nan_under_a_null_is_none() {
    let column =
        Float64Array::new(vec![1.0, f64::NAN, 2.0].into(), Some(NullBuffer::from(vec![true, false, true])));
    assert!(has_bounds(&metadata(vec![("c", Arc::new(column))], 10), 0, 0));
}

#[test]
fn bounds_that_are_zero_take_in_both_zeros() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("half", Arc::new(Float16Array::from(vec![F16::from_f32(0.0)]))),
        ("single", Arc::new(Float32Array::from(vec![0.0]))),
        ("negative", Arc::new(Float64Array::from(vec![-0.0]))),
    ];
    let metadata = metadata(columns, 10);
    let signs = |leaf| {
        let statistics = statistics(&metadata, 0, leaf);
        let is_negative = |bytes: Option<&[u8]>| bytes.unwrap().last().unwrap() & 0x80 != 0;
        (is_negative(statistics.min_bytes_opt()), is_negative(statistics.max_bytes_opt()))
    };
    for leaf in 0..3 {
        assert_eq!(signs(leaf), (true, false), "leaf {leaf} is from -0 to +0");
    }
}

#[test]
fn floats_are_found_at_any_depth() {
    let batch = RecordBatch::try_from_iter(floats::<Float32Type>(vec![Some(1.0)])).unwrap();
    for place in 0..batch.num_columns() {
        assert!(holds_floats(&batch.project(&[place]).unwrap().schema()), "{place}");
    }
    let none = RecordBatch::try_from_iter([("c", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap();
    assert!(!holds_floats(&none.schema()));
}
