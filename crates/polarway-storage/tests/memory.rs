//! Tables whose rows mean more than there is memory: they are stored and loaded in bounded memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int8Type;
use arrow_array::{
    Array as _, ArrayRef, BinaryViewArray, DictionaryArray, FixedSizeBinaryArray, Int8Array,
    LargeBinaryArray, LargeStringArray, ListArray, NullArray, RecordBatch, new_empty_array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Schema};
use object_store::memory::InMemory;
use polarway_parquet::EncodeOptions;
use polarway_storage::{At, Error, ObjectBackend, Result, Settings, Tables, WriteMode, WriteOptions};
use polarway_testing::CountedMemory;

/// Far below what the tables would take with every value written out.
#[global_allocator]
static MEMORY: CountedMemory = CountedMemory::limited_to(1 << 30);

const MIB: usize = 1 << 20;
/// Rows of a mebibyte each.
const ROWS: usize = 600;
/// What storing them may hold: a few parts and row groups, where every value written out takes 600 MiB. On two cores 342 MiB are
/// held at the most, more or less by which thread gets on first.
const ENOUGH: usize = 512 * MIB;

fn tables() -> Tables {
    let encode = EncodeOptions::default().with_row_group_bytes(8 * MIB as u64);
    let settings = Settings { encode, ..Settings::default() };
    Tables::new(Arc::new(ObjectBackend::new(Arc::new(InMemory::new())).unwrap()), settings)
}

fn batch(column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("column", column, true)]).unwrap()
}

/// A column that names two values of a mebibyte again and again.
fn named(values: ArrayRef) -> ArrayRef {
    let keys = Int8Array::from_iter((0..ROWS).map(|row| (row % 5 > 0).then_some((row % 2) as i8)));
    Arc::new(DictionaryArray::<Int8Type>::new(keys, values))
}

fn values() -> [Vec<u8>; 2] {
    [vec![b'a'; MIB], vec![b'b'; MIB]]
}

fn texts() -> ArrayRef {
    Arc::new(LargeStringArray::from_iter_values(values().map(|value| String::from_utf8(value).unwrap())))
}

fn wide() -> ArrayRef {
    Arc::new(FixedSizeBinaryArray::try_from_iter(values().into_iter()).unwrap())
}

/// Thirty rows with every value written out.
fn plain_wide() -> ArrayRef {
    arrow_select::concat::concat(&vec![wide().as_ref(); 30]).unwrap()
}

fn keyed(values: &DataType) -> DataType {
    DataType::Dictionary(Box::new(DataType::Int8), Box::new(values.clone()))
}

fn views() -> ArrayRef {
    let values = BinaryViewArray::from_iter_values(values());
    let indices = Int8Array::from_iter_values((0..ROWS).map(|row| (row % 2) as i8));
    arrow_select::take::take(&values, &indices, None).unwrap()
}

fn write(tables: &Tables, mode: WriteMode, batch: &RecordBatch) -> Result<u64> {
    let name = "t".parse().unwrap();
    let mut writer = tables.writer(&name, batch.schema(), WriteOptions::new(mode))?;
    writer.write(batch)?;
    Ok(writer.publish()?.rows)
}

/// Loads the table and counts its rows by the first byte of their values.
fn load(tables: &Tables) -> [usize; 2] {
    let snapshot = tables.snapshot(&"t".parse().unwrap(), At::Newest).unwrap();
    let mut counts = [0; 2];
    for batch in tables.read(&snapshot, 0).unwrap() {
        let batch = batch.unwrap();
        let (values, keys) = match batch.column(0).as_any_dictionary_opt() {
            Some(dictionary) => (Arc::clone(dictionary.values()), dictionary.normalized_keys()),
            None => (Arc::clone(batch.column(0)), (0..batch.num_rows()).collect()),
        };
        let plain = arrow_cast::cast(&values, &DataType::LargeBinary).unwrap();
        let plain: &LargeBinaryArray = plain.as_binary();
        for (row, key) in keys.into_iter().enumerate().filter(|(row, _)| batch.column(0).is_valid(*row)) {
            assert_eq!(plain.value(key).len(), MIB, "row {row}");
            counts[usize::from(plain.value(key)[0] == b'b')] += 1;
        }
    }
    counts
}

#[test]
fn a_column_that_means_gigabytes_is_stored_and_loaded_part_by_part() {
    let memory = MEMORY.alone();
    for (what, column) in [("texts", named(texts())), ("wide values", named(wide())), ("views", views())] {
        let batch = batch(column);
        let (counts, most_held) = memory.most_held_by(|| {
            let tables = tables();
            assert_eq!(write(&tables, WriteMode::Overwrite, &batch).unwrap(), ROWS as u64);
            load(&tables)
        });
        let expected = if what == "views" { [ROWS / 2; 2] } else { [ROWS * 2 / 5; 2] };
        assert_eq!(counts, expected, "{what}");
        assert!(most_held < ENOUGH, "{what}: {most_held}");
    }
}

#[test]
fn an_append_onto_a_plain_column_is_written_out_part_by_part() {
    let memory = MEMORY.alone();
    for (column, onto) in [
        (named(texts()), DataType::LargeUtf8),
        (named(wide()), DataType::LargeBinary),
        (named(wide()), DataType::FixedSizeBinary(MIB as i32)),
        (views(), DataType::LargeBinary),
        (plain_wide(), keyed(wide().data_type())),
    ] {
        let ((), most_held) = memory.most_held_by(|| {
            let tables = tables();
            write(&tables, WriteMode::Overwrite, &batch(new_empty_array(&onto))).unwrap();
            let rows = write(&tables, WriteMode::Append, &batch(Arc::clone(&column))).unwrap();
            assert_eq!(rows, column.len() as u64);
            assert_eq!(load(&tables).iter().sum::<usize>(), column.len() - column.logical_null_count());
        });
        assert!(most_held < ENOUGH, "{onto}: {most_held}");
    }
}

#[test]
fn nulls_without_a_type_become_wide_values_part_by_part_or_are_refused_by_name() {
    let memory = MEMORY.alone();
    let tables = tables();
    let wide = DataType::FixedSizeBinary(MIB as i32);
    write(&tables, WriteMode::Overwrite, &batch(new_empty_array(&wide))).unwrap();
    let nulls: ArrayRef = Arc::new(NullArray::new(ROWS));
    let (rows, most_held) =
        memory.most_held_by(|| write(&tables, WriteMode::Append, &batch(Arc::clone(&nulls))).unwrap());
    assert_eq!(rows, ROWS as u64);
    assert!(most_held < ENOUGH, "{most_held}");
    assert_eq!(load(&tables), [0, 0]);

    let list = |item: ArrayRef| -> ArrayRef {
        let field = Arc::new(Field::new_list_field(item.data_type().clone(), true));
        Arc::new(ListArray::new(field, OffsetBuffer::from_lengths([item.len()]), item, None))
    };
    write(&tables, WriteMode::Overwrite, &batch(list(new_empty_array(&wide)))).unwrap();
    let error = write(&tables, WriteMode::Append, &batch(list(nulls.clone()))).unwrap_err();
    assert!(error.to_string().contains("the NULLs of one row would take"), "{error}");

    let item = Arc::new(Field::new_list_field(DataType::Int64, true));
    for wider in [DataType::FixedSizeBinary(i32::MAX), DataType::FixedSizeList(item, i32::MAX)] {
        let schema = Arc::new(Schema::new(vec![Field::new("column", wider, true)]));
        write(&tables, WriteMode::Overwrite, &RecordBatch::new_empty(schema)).unwrap();
        let error = write(&tables, WriteMode::Append, &batch(nulls.slice(0, 1))).unwrap_err();
        assert!(matches!(error, Error::SchemaMismatch { .. }), "{error}");
        assert!(error.to_string().contains("column \"column\": the NULLs of one row would take"), "{error}");
    }
}

#[test]
fn a_value_that_is_too_large_for_a_cell_is_refused_by_its_row_however_it_is_named() {
    let _memory = MEMORY.alone();
    let tables = tables();
    let values: ArrayRef = Arc::new(LargeStringArray::from_iter_values([
        "x".repeat(100 * MIB), // nobody names it
        "y".to_owned(),
        "z".repeat(70 * MIB),
    ]));
    let keys = Int8Array::from_iter((0..100).map(|row| Some(if row == 42 { 2 } else { 1 })));
    let column: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::new(keys, values));
    let error = write(&tables, WriteMode::Overwrite, &batch(Arc::clone(&column))).unwrap_err();
    assert!(error.to_string().contains("`column`, row 42"), "{error}");
    write(&tables, WriteMode::Overwrite, &batch(column.slice(50, 50))).unwrap();
}
