//! Order, budget, cancellation, and which columns of which files are read.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arrow_array::types::Int8Type;
use arrow_array::{Array, DictionaryArray, Int8Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use polarway_parquet::{EncodeOptions, Error, LocalFile, ReadAt, ReadOptions, read, read_map};
use polarway_table::arrow_bytes;
use polarway_testing::{Noise, assert_same_rows, batches};
use support::{decode, encode, source};

/// One column of numbers from `first` on.
fn numbers(first: i64, rows: i64, row_group_rows: usize) -> (SchemaRef, Bytes) {
    let column = Arc::new(Int64Array::from_iter_values(first..first + rows));
    let batch = RecordBatch::try_from_iter([("id", column as _)]).unwrap();
    let options = EncodeOptions::default().with_row_group_rows(row_group_rows);
    (batch.schema(), encode(&batch.schema(), &[batch], options).0)
}

fn ids(batches: &[RecordBatch]) -> Vec<i64> {
    let column = |batch: &RecordBatch| {
        batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec()
    };
    batches.iter().flat_map(column).collect()
}

#[test]
fn rows_come_in_order_from_any_row_over_many_files_and_row_groups() {
    let (schema, first) = numbers(0, 1_000, 70);
    let (_, empty) = numbers(0, 0, 70);
    let (_, second) = numbers(1_000, 500, 33);
    let files = [empty.clone(), first, empty, second];
    for first_row in [0, 1, 69, 70, 71, 999, 1_000, 1_001, 1_499, 1_500, 1_501, u64::MAX] {
        let options = ReadOptions::default().with_batch_rows(32).with_first_row(first_row);
        let read = decode(&files, &schema, options).unwrap();
        assert_eq!(ids(&read), (first_row.min(1_500) as i64..1_500).collect::<Vec<_>>(), "from {first_row}");
    }
}

#[test]
fn mapped_results_come_in_order_with_the_number_of_their_first_row() {
    let (schema, file) = numbers(0, 10_000, 900);
    let options = ReadOptions::default().with_batch_rows(64).with_first_row(123).with_buffered_bytes(4_096);
    let first_of =
        |batch: RecordBatch, row: u64| (ids(&[batch.slice(0, 1)])[0], row, batch.num_rows() as u64);
    let mut expected = 123;
    for mapped in read_map(vec![source(&file)], &schema, options, first_of).unwrap() {
        let (id, row, rows) = mapped.unwrap();
        assert_eq!((id as u64, row), (expected, expected));
        expected += rows;
    }
    assert_eq!(expected, 10_000);
}

#[test]
fn no_more_than_the_budget_waits_for_a_slow_reader() {
    const BUDGET: u64 = 64 << 10;
    let (schema, file) = numbers(0, 200_000, 20_000);
    let made = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&made);
    let options = ReadOptions::default().with_batch_rows(1_000).with_buffered_bytes(BUDGET);
    let measure = move |batch: RecordBatch, _| {
        let bytes = arrow_bytes(&batch);
        counter.fetch_add(bytes, Ordering::SeqCst);
        bytes
    };
    let mut taken = 0;
    for bytes in read_map(vec![source(&file)], &schema, options, measure).unwrap() {
        taken += bytes.unwrap();
        let waiting = made.load(Ordering::SeqCst) - taken;
        assert!(waiting <= BUDGET, "{waiting} bytes were waiting");
    }
    assert_eq!(taken, 200_000 * 8);
}

#[test]
fn dropping_the_reader_stops_the_work_and_lets_go_of_the_file() {
    let (schema, file) = numbers(0, 100_000, 1_000);
    let file: Arc<dyn ReadAt> = source(&file);
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    let options = ReadOptions::default().with_batch_rows(100).with_buffered_bytes(16 << 10);
    let count = move |_, _| counter.fetch_add(1, Ordering::SeqCst);
    let mut reader = read_map(vec![file.clone()], &schema, options, count).unwrap();
    reader.next().unwrap().unwrap();
    drop(reader);
    polarway_testing::wait_until(|| Arc::strong_count(&file) == 1);
    assert!(made.load(Ordering::SeqCst) < 1_000 / 2);
}

#[test]
#[should_panic(expected = "the caller's own")]
fn a_panic_in_the_map_reaches_whoever_asks_for_the_result() {
    let (schema, file) = numbers(0, 10, 10);
    let map = |_, _| panic!("the caller's own");
    let mut reader = read_map::<()>(vec![source(&file)], &schema, ReadOptions::default(), map).unwrap();
    reader.next();
}

#[test]
fn wanted_columns_are_found_by_name_whatever_the_order_in_each_file() {
    let column = |name: &str, data_type: &DataType| Field::new(name, data_type.clone(), true);
    let (a, b, c) =
        (column("a", &DataType::Utf8), column("b", &DataType::Int32), column("c", &DataType::Boolean));
    let mut files = Vec::new();
    let mut written = Vec::new();
    for (seed, order) in [[&a, &b, &c], [&c, &a, &b]].into_iter().enumerate() {
        let schema: SchemaRef = Arc::new(Schema::new(order.map(Clone::clone).to_vec()));
        let rows = batches(&mut Noise::new(seed as u64), &schema, &[50]).remove(0);
        files.push(encode(&schema, std::slice::from_ref(&rows), EncodeOptions::default()).0);
        let wanted = ["b", "a"].map(|name| schema.index_of(name).unwrap());
        written.push(rows.project(&wanted).unwrap());
    }
    let wanted: SchemaRef = Arc::new(Schema::new(vec![b, a]));
    assert_same_rows(&written, &decode(&files, &wanted, ReadOptions::default()).unwrap());
}

fn refusal(wanted: Field) -> Error {
    let (_, good) = numbers(0, 10, 10);
    let schema: SchemaRef = Arc::new(Schema::new(vec![wanted]));
    match decode(&[good], &schema, ReadOptions::default()).unwrap_err() {
        Error::InFile { index: 0, source } => *source,
        other => other,
    }
}

#[test]
fn a_file_without_a_wanted_column_is_refused_by_the_columns_name() {
    let error = refusal(Field::new("name", DataType::Utf8, true));
    assert_eq!(error.to_string(), "the file has no column `name`");
}

#[test]
fn a_file_whose_column_has_another_type_is_refused_by_name_and_types() {
    let list = DataType::new_list(DataType::Int64, true);
    for wanted in [DataType::Int32, DataType::Utf8, list, DataType::Decimal128(18, 2)] {
        let error = refusal(Field::new("id", wanted.clone(), true));
        let expected = format!("column `id` is Int64 in the file, not {wanted}");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_null_where_none_may_be_is_an_error() {
    let batch =
        RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![Some(1), None])) as _)]).unwrap();
    let (file, _) = encode(&batch.schema(), &[batch], EncodeOptions::default());
    let strict: SchemaRef = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false)]));
    let error = decode(&[file], &strict, ReadOptions::default()).unwrap_err();
    assert!(matches!(error, Error::InFile { source, .. } if matches!(*source, Error::Corrupt { .. })));
}

#[test]
fn dictionaries_of_many_batches_that_outgrow_their_keys_are_read_in_smaller_batches() {
    let batch = |first: i32| {
        let values = StringArray::from_iter_values((first..first + 100).map(|value| value.to_string()));
        let keys = Int8Array::from_iter_values((0..200).map(|row| (row % 100) as i8));
        let column = DictionaryArray::<Int8Type>::new(keys, Arc::new(values));
        RecordBatch::try_from_iter([("word", Arc::new(column) as _)]).unwrap()
    };
    let written: Vec<_> = (0..10).map(|number| batch(number * 100)).collect();
    let (file, summary) = encode(&written[0].schema(), &written, EncodeOptions::default());
    assert_eq!(summary.row_groups, 1);
    let read = decode(&[file], &written[0].schema(), ReadOptions::default()).unwrap();
    assert!(read.len() > 1);
    assert_same_rows(&written, &read);
}

#[test]
fn a_null_in_a_dictionarys_values_is_a_null() {
    let values = StringArray::from(vec![Some("a"), None]);
    let column =
        DictionaryArray::<Int8Type>::new(Int8Array::from(vec![Some(0), Some(1), None]), Arc::new(values));
    let batch = RecordBatch::try_from_iter_with_nullable([("word", Arc::new(column) as _, true)]).unwrap();
    let (file, _) = encode(&batch.schema(), std::slice::from_ref(&batch), EncodeOptions::default());
    let read = decode(&[file], &batch.schema(), ReadOptions::default()).unwrap();
    let plain = arrow_cast::cast(read[0].column(0), &DataType::Utf8).unwrap();
    assert_eq!(plain.to_data(), StringArray::from(vec![Some("a"), None, None]).to_data());
}

#[test]
fn a_file_on_disk_is_read_like_one_in_memory() {
    let (schema, bytes) = numbers(0, 1_000, 100);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let on_disk = LocalFile::open(file.path()).unwrap();
    assert_eq!(on_disk.read_at(10, 20).unwrap(), bytes.slice(10..30));
    assert!(on_disk.read_at(bytes.len() as u64 - 5, 6).is_err());
    assert!(on_disk.read_at(u64::MAX, usize::MAX).is_err());
    let read = read(vec![Arc::new(on_disk)], &schema, ReadOptions::default()).unwrap();
    assert_eq!(ids(&read.collect::<Result<Vec<_>, _>>().unwrap()), (0..1_000).collect::<Vec<_>>());
}

#[test]
fn no_files_are_no_rows() {
    let (schema, _) = numbers(0, 0, 1);
    assert!(decode(&[], &schema, ReadOptions::default()).unwrap().is_empty());
}

/// Counts the bytes that are read.
#[derive(Debug)]
struct Counted {
    file: Bytes,
    read: AtomicUsize,
}

impl ReadAt for Counted {
    fn len(&self) -> u64 {
        self.file.len() as u64
    }

    fn read_at(&self, offset: u64, length: usize) -> std::io::Result<Bytes> {
        self.read.fetch_add(length, Ordering::SeqCst);
        self.file.read_at(offset, length)
    }
}

#[test]
fn only_the_columns_and_row_groups_that_are_wanted_are_read() {
    let columns = (0..10).map(|column| {
        // So scattered that no encoding makes them smaller.
        let scattered = |row: i64| (row + column).wrapping_mul(0x1E37_79B9_7F4A_7C15).wrapping_mul(row | 1);
        let values = Int64Array::from_iter_values((0..200_000).map(scattered));
        (format!("c{column}"), Arc::new(values) as _)
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let options = EncodeOptions::default().with_row_group_rows(50_000);
    let (file, summary) = encode(&batch.schema(), std::slice::from_ref(&batch), options);
    assert_eq!(summary.row_groups, 4);
    let schema = Arc::new(batch.schema().project(&[7]).unwrap());
    for (rows, row_groups) in
        [(0..200_000, 4), (60_000..60_010, 1), (99_999..100_001, 2), (150_000..999_999, 1), (7..7, 0)]
    {
        let counted = Arc::new(Counted { file: file.clone(), read: AtomicUsize::new(0) });
        let options = ReadOptions::default().with_first_row(rows.start).with_end_row(rows.end);
        let reader = read(vec![counted.clone() as Arc<dyn ReadAt>], &schema, options).unwrap();
        let found: Vec<RecordBatch> = reader.collect::<Result<_, _>>().unwrap();
        let end = rows.end.min(200_000) as usize;
        let expected = batch.project(&[7]).unwrap().slice(rows.start as usize, end - rows.start as usize);
        assert_same_rows(&[expected], &found);
        // A chunk of one column has 400 kB, the footer is fetched with 64 KiB.
        let most = (65 << 10) + row_groups * 410_000;
        let read = counted.read.load(Ordering::SeqCst);
        assert!(read <= most, "{read} bytes were read for {rows:?}");
    }
}

#[test]
fn any_rows_are_the_same_however_many_batches_and_files_they_lie_in() {
    let files = [numbers(0, 1_000, 300).1, numbers(1_000, 500, 70).1, numbers(1_500, 300, 300).1];
    let (schema, all) = numbers(0, 1_800, 1_800);
    let all = decode(&[all], &schema, ReadOptions::default()).unwrap();
    for (first, end) in
        [(0, 1), (299, 301), (250, 1_650), (999, 1_001), (1_799, 1_800), (0, 1_800), (1_500, 9_999), (40, 40)]
    {
        for batch_rows in [1, 64, 4_096] {
            let options = ReadOptions::default().with_batch_rows(batch_rows).with_buffered_bytes(2_000);
            let options = options.with_first_row(first).with_end_row(end);
            let found = decode(&files, &schema, options).unwrap();
            let length = end.min(1_800) - first;
            assert_same_rows(&[all[0].slice(first as usize, length as usize)], &found);
        }
    }
}
