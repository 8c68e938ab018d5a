//! What an encoder takes, refuses, and how it lays out the file.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, Decimal128Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields, IntervalUnit, Schema, SchemaRef, UnionFields, UnionMode};
use polarway_parquet::{
    EncodeOptions, Error, FileReader, ReadOptions, TableEncoder, Unsupported, check_schema,
};
use polarway_testing::{Noise, assert_same_rows, batches};
use support::{decode, encode, source};

fn batch(name: &str, column: impl Array + 'static) -> RecordBatch {
    RecordBatch::try_from_iter([(name, Arc::new(column) as _)]).unwrap()
}

#[test]
fn tables_without_rows_keep_their_schema() {
    let item =
        Field::new("item", DataType::Utf8View, true).with_metadata([("unit".into(), "m".into())].into());
    let schema: SchemaRef =
        Arc::new(Schema::new(vec![Field::new("a", DataType::List(Arc::new(item)), true)]));
    for batches in [vec![], vec![RecordBatch::new_empty(schema.clone()); 3]] {
        let (file, summary) = encode(&schema, &batches, EncodeOptions::default());
        assert_eq!((summary.rows, summary.row_groups, summary.arrow_bytes), (0, 0, 0));
        assert_eq!(FileReader::open(source(&file)).unwrap().schema(), &schema);
        assert!(decode(&[file], &schema, ReadOptions::default()).unwrap().is_empty());
    }
}

#[test]
fn a_thousand_columns_make_row_groups_no_larger_than_allowed() {
    let fields: Vec<_> =
        (0..1_000).map(|number| Field::new(format!("c{number}"), DataType::Int64, true)).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let written = batches(&mut Noise::new(3), &schema, &[400, 100]);
    let (file, summary) = encode(&schema, &written, EncodeOptions::default().with_row_group_bytes(1 << 20));
    assert!(summary.arrow_bytes >= 500 * 1_000 * 8);
    assert!(summary.row_groups >= 4, "{}", summary.row_groups);
    assert_same_rows(&written, &decode(&[file], &schema, ReadOptions::default()).unwrap());
}

#[test]
fn row_groups_end_at_the_row_limit() {
    let rows = batch("id", Int64Array::from_iter_values(0..1_050));
    let options = EncodeOptions::default().with_row_group_rows(100);
    let (_, summary) = encode(&rows.schema(), &[rows.slice(0, 30), rows.slice(30, 1_020)], options);
    assert_eq!((summary.rows, summary.row_groups, summary.arrow_bytes), (1_050, 11, 1_050 * 8));
}

#[test]
fn a_row_larger_than_a_row_group_gets_one_of_its_own() {
    let rows = batch("text", StringArray::from(vec!["x".repeat(1_000); 5]));
    let options = EncodeOptions::default().with_row_group_bytes(100);
    let (file, summary) = encode(&rows.schema(), std::slice::from_ref(&rows), options);
    assert_eq!(summary.row_groups, 5);
    assert_same_rows(
        std::slice::from_ref(&rows),
        &decode(&[file], &rows.schema(), ReadOptions::default()).unwrap(),
    );
}

#[test]
fn an_oversized_value_is_refused_by_column_and_row_and_the_encoder_goes_on() {
    let good = batch("text", StringArray::from(vec!["fine"; 7]));
    let mut texts = vec!["fine".to_owned(); 20];
    texts[13] = "x".repeat(2_000);
    let bad = batch("text", StringArray::from(texts));
    let options = EncodeOptions::default().with_max_cell_bytes(1_000);
    let mut encoder = TableEncoder::new(Vec::new(), good.schema(), options).unwrap();
    encoder.write(&good).unwrap();
    let error = encoder.write(&bad).unwrap_err();
    assert_eq!(error.to_string(), "the value in column `text`, row 20, is larger than 1000 bytes");
    encoder.write(&good).unwrap();
    assert_eq!(encoder.finish().unwrap().1.rows, 14);
}

#[test]
fn a_nested_value_is_measured_with_all_it_holds() {
    let rows = [vec![Some(1); 10], vec![Some(2); 400]].map(Some);
    let bad = batch("list", ListArray::from_iter_primitive::<Int32Type, _, _>(rows));
    let options = EncodeOptions::default().with_max_cell_bytes(1_000);
    let error = TableEncoder::new(Vec::new(), bad.schema(), options).unwrap().write(&bad).unwrap_err();
    assert!(matches!(error, Error::CellTooLarge { column, row: 1, .. } if column == "list"));
}

#[test]
fn a_decimal_with_too_many_digits_is_refused_and_not_cut() {
    let values =
        || Decimal128Array::from(vec![1, 99_999, 100_000]).with_data_type(DataType::Decimal128(5, 2));
    let field = Arc::new(Field::new("amount", values().data_type().clone(), true));
    let nested = StructArray::from(vec![(field, Arc::new(values()) as _)]);
    for bad in [batch("amount", values()), batch("order", nested)] {
        let mut encoder = TableEncoder::new(Vec::new(), bad.schema(), EncodeOptions::default()).unwrap();
        let error = encoder.write(&bad).unwrap_err();
        assert!(matches!(error, Error::DecimalOutOfRange { row: 2, .. }), "{error}");
    }
}

#[test]
fn a_batch_of_another_schema_is_refused_with_the_difference() {
    let table = batch("id", Int64Array::from(vec![1]));
    let mut encoder = TableEncoder::new(Vec::new(), table.schema(), EncodeOptions::default()).unwrap();
    let mut check = |other: RecordBatch, difference: &str| {
        let error = encoder.write(&other).unwrap_err();
        assert_eq!(error.to_string(), format!("the batch does not fit the table: {difference}"));
    };
    check(batch("number", Int64Array::from(vec![1])), "column `number` stands where `id` should");
    check(batch("id", StringArray::from(vec!["1"])), "column `id` is Utf8 instead of Int64");
    check(batch("id", Int64Array::from(vec![None])), "column `id` may be null");
    check(RecordBatch::new_empty(Arc::new(Schema::empty())), "0 columns instead of 1");
    encoder.write(&table).unwrap();
}

/// A disk that is full after some bytes.
struct FullDisk(usize);

impl Write for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.checked_sub(bytes.len()) {
            Some(left) => self.0 = left,
            None => return Err(io::ErrorKind::StorageFull.into()),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_a_write_error_and_the_encoder_is_spent() {
    let schema: SchemaRef =
        Arc::new(Schema::new(vec![Field::new("noise", DataType::FixedSizeBinary(16), false)]));
    let rows = batches(&mut Noise::new(5), &schema, &[100_000]).remove(0);
    let options = EncodeOptions::default().with_row_group_rows(20_000);
    let mut encoder = TableEncoder::new(FullDisk(100_000), schema.clone(), options.clone()).unwrap();
    let first = (0..10).find_map(|_| encoder.write(&rows).err()).unwrap();
    assert!(matches!(first, Error::Write(error) if error.kind() == io::ErrorKind::StorageFull));
    assert!(matches!(encoder.write(&rows), Err(Error::EncoderFailed)));
    assert!(matches!(encoder.finish(), Err(Error::EncoderFailed)));

    // The end of a small file is still in a buffer when the table is finished.
    let mut encoder = TableEncoder::new(FullDisk(100), schema, options).unwrap();
    encoder.write(&rows.slice(0, 100)).unwrap();
    assert!(matches!(encoder.finish(), Err(Error::Write(_))));
}

#[test]
fn equal_tables_make_equal_files() {
    let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, true)]));
    let rows = batches(&mut Noise::new(11), &schema, &[500, 500]);
    let file = || encode(&schema, &rows, EncodeOptions::default()).0;
    assert_eq!(file(), file());
}

#[track_caller]
fn refused(field: Field, path: &str) {
    let schema = Schema::new(vec![Field::new("fine", DataType::Int8, true), field]);
    match check_schema(&schema).unwrap_err() {
        Unsupported::Type { column, .. } | Unsupported::DuplicateColumn { column } => {
            assert_eq!(column, path)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn what_parquet_cannot_hold_is_refused_by_path() {
    use DataType::*;
    let variants = UnionFields::from_fields(vec![Field::new("a", Int32, true)]);
    let union = Union(variants, UnionMode::Dense);
    let run = |name: &str, data_type| Arc::new(Field::new(name, data_type, name == "values"));
    let dictionary = |values: DataType| Dictionary(Box::new(Int32), Box::new(values));
    let pair = |nullable_key| {
        Fields::from(vec![Field::new("k", Utf8, nullable_key), Field::new("v", union.clone(), true)])
    };
    let map = |pair, nullable| Map(Arc::new(Field::new("e", Struct(pair), nullable)), false);
    for data_type in [
        union.clone(),
        Interval(IntervalUnit::MonthDayNano),
        Interval(IntervalUnit::DayTime),
        Interval(IntervalUnit::YearMonth),
        Struct(Fields::empty()),
        FixedSizeBinary(0),
        FixedSizeList(run("values", Int8), 0),
        Decimal128(5, -2),
        Decimal64(3, 4),
        RunEndEncoded(run("run_ends", Int32), run("values", Utf8)),
        dictionary(Boolean),
        dictionary(DataType::new_list(Int32, true)),
        map(pair(true), false),
        map(pair(false), true),
    ] {
        refused(Field::new("x", data_type, true), "x");
    }
    refused(Field::new("x", map(pair(false), false), true), "x.e.v");
    refused(
        Field::new_struct("a", vec![Field::new_list("b", Field::new("c", union, true), true)], true),
        "a.b.c",
    );
    refused(Field::new("fine", Int8, true), "fine");
    let twins = vec![Field::new("t", Int8, true), Field::new("t", Int8, true)];
    refused(Field::new_struct("s", twins, true), "s.t");
    assert_eq!(check_schema(&Schema::empty()), Err(Unsupported::NoColumns));
}

#[test]
fn a_compression_level_that_does_not_exist_is_an_error() {
    let schema = batch("id", Int64Array::from(vec![1])).schema();
    let made = TableEncoder::new(Vec::new(), schema, EncodeOptions::default().with_zstd_level(99));
    assert!(matches!(made, Err(Error::Encode(_))));
}
