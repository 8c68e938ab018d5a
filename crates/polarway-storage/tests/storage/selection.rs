//! Loads of some columns and some rows.

use std::fs;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use polarway_ipc::{ChunkDecoder, DecodeLimits};
use polarway_model::Selection;
use polarway_storage::{At, Error, Loader, Snapshot, Tables, WriteMode, WriteOptions};

use crate::support::{name, on_disk, store, write};

/// Rows with a number, its text, and one of three words in a dictionary.
fn rows(numbers: std::ops::Range<i64>) -> RecordBatch {
    let number = Int64Array::from_iter_values(numbers.clone());
    let text = StringArray::from_iter_values(numbers.clone().map(|number| format!("row {number}")));
    let words: DictionaryArray<Int32Type> =
        numbers.map(|number| Some(["a", "b", "c"][number as usize % 3])).collect();
    let columns: [(&str, ArrayRef); 3] =
        [("number", Arc::new(number)), ("text", Arc::new(text)), ("word", Arc::new(words))];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// A version of two files.
fn two_files(tables: &Tables) -> Arc<Snapshot> {
    let dataset = name("t");
    write(tables, &dataset, &rows(0..3_000), WriteOptions::new(WriteMode::Overwrite)).unwrap();
    write(tables, &dataset, &rows(3_000..5_000), WriteOptions::new(WriteMode::Append)).unwrap();
    let snapshot = tables.snapshot(&dataset, At::Newest).unwrap();
    assert_eq!(snapshot.files.len(), 2);
    snapshot
}

fn one_batch(schema: &SchemaRef, batches: &[RecordBatch]) -> RecordBatch {
    concat_batches(schema, batches).unwrap()
}

/// What is selected, as batches and as chunks, which must be the same.
fn selected(loader: &Loader, snapshot: &Arc<Snapshot>, selection: &Selection) -> RecordBatch {
    let reader = loader.batches_of(snapshot, selection).unwrap();
    let schema = Arc::clone(reader.schema());
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().unwrap();
    assert!(batches.iter().all(|batch| batch.schema().fields() == schema.fields()));
    let batch = one_batch(&schema, &batches);

    let mut decoder = ChunkDecoder::new(DecodeLimits::default());
    let (mut decoded, mut next_row) = (Vec::new(), selection.first_row);
    for chunk in loader.chunks_of(snapshot, selection).unwrap() {
        let chunk = chunk.unwrap();
        assert_eq!(chunk.first_row, next_row);
        next_row = chunk.end_row();
        decoded.extend(decoder.decode(chunk.ipc).unwrap());
    }
    assert_eq!(decoder.schema().unwrap().fields(), schema.fields());
    decoder.finish().unwrap();
    assert_eq!(one_batch(&schema, &decoded), batch);
    batch
}

fn selections() -> Vec<(Option<Vec<&'static str>>, std::ops::Range<u64>)> {
    let columns: [Option<Vec<&str>>; 6] = [
        None,
        Some(vec!["number"]),
        Some(vec!["word"]),
        Some(vec!["word", "number"]),
        Some(vec!["text", "word", "number"]),
        Some(vec!["number", "text", "word"]),
    ];
    let ranges =
        [0..5_000, 0..1, 10..20, 2_990..3_010, 2_999..3_000, 4_999..5_000, 4_000..9_000, 5_000..5_000, 7..7];
    columns.iter().flat_map(|columns| ranges.iter().map(|rows| (columns.clone(), rows.clone()))).collect()
}

#[test]
fn any_columns_and_rows_are_the_same_from_the_storage_and_from_the_cache() {
    let (tables, _folder) = on_disk();
    let tables = Arc::new(tables);
    let snapshot = two_files(&tables);
    let all = one_batch(&snapshot.schema, &[rows(0..3_000), rows(3_000..5_000)]);
    let stored = Loader::new(Arc::clone(&tables), 0);
    let cached = Loader::new(Arc::clone(&tables), 1 << 30);
    assert_eq!(
        cached.batches(&snapshot).unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>(),
        5_000
    );
    for (columns, range) in selections() {
        let mut selection = Selection::default().with_rows(range.clone());
        let end = range.end.min(5_000);
        let mut expected = all.slice(range.start as usize, (end - range.start) as usize);
        if let Some(columns) = &columns {
            let places: Vec<usize> =
                columns.iter().map(|column| all.schema().index_of(column).unwrap()).collect();
            expected = expected.project(&places).unwrap();
            selection = selection.with_columns(columns.iter().copied());
        }
        for loader in [&stored, &cached] {
            let found = selected(loader, &snapshot, &selection);
            assert_eq!(found.schema().fields(), expected.schema().fields());
            assert_eq!(found.num_rows(), expected.num_rows());
            for (found, expected) in found.columns().iter().zip(expected.columns()) {
                assert_eq!(found.as_ref(), expected.as_ref(), "{selection:?}");
            }
        }
    }
    assert_eq!(cached.cache_stats().tables, 1);
    // A part of a table is not worth that the cache takes the rest in.
    let unfilled = Loader::new(Arc::clone(&tables), 1 << 30);
    selected(&unfilled, &snapshot, &Selection::default().with_columns(["number"]));
    assert_eq!(unfilled.cache_stats().tables, 0);
}

#[test]
fn columns_and_rows_of_a_cached_table_are_views_of_the_cache() {
    let (tables, _folder) = on_disk();
    let tables = Arc::new(tables);
    let snapshot = two_files(&tables);
    let loader = Loader::new(tables, 1 << 30);
    let numbers = |selection: &Selection| -> Vec<(*const i64, i64)> {
        let batches = loader.batches_of(&snapshot, selection).unwrap().map(Result::unwrap);
        let values = batches.map(|batch| batch.column(0).as_primitive::<Int64Type>().clone());
        values.map(|values| (values.values().as_ptr(), values.value(0))).collect()
    };
    let all = numbers(&Selection::default()); // takes the table in
    assert_eq!(numbers(&Selection::default()), numbers(&Selection::default()));
    let some = Selection::default().with_columns(["number"]).with_rows(5..);
    let (start, first) = numbers(&some)[0];
    assert_eq!(first, 5);
    let (start_of_all, _) = numbers(&Selection::default())[0];
    assert_eq!(start, start_of_all.wrapping_add(5), "{all:?}");
}

#[test]
fn only_the_files_and_columns_that_are_wanted_are_read() {
    let (tables, folder) = on_disk();
    let tables = Arc::new(tables);
    let snapshot = two_files(&tables);
    let loader = Loader::new(Arc::clone(&tables), 0);
    let path = |file: usize| folder.path().join(&snapshot.files[file].path);
    fs::remove_file(path(1)).unwrap();
    assert!(loader.batches(&snapshot).is_err());
    let first_file = Selection::default().with_rows(..3_000);
    assert_eq!(selected(&loader, &snapshot, &first_file).num_rows(), 3_000);

    // The first column's values come first in the file.
    let mut bytes = fs::read(path(0)).unwrap();
    bytes[20] ^= 0x55;
    fs::write(path(0), bytes).unwrap();
    let failed =
        |selection: Selection| loader.batches_of(&snapshot, &selection).unwrap().any(|batch| batch.is_err());
    assert!(failed(first_file.clone()));
    assert!(failed(first_file.clone().with_columns(["word", "number"])));
    assert!(!failed(first_file.with_columns(["word", "text"])));
}

#[test]
fn what_is_not_there_is_refused_by_name() {
    let (tables, _folder) = on_disk();
    let tables = Arc::new(tables);
    let snapshot = two_files(&tables);
    let loader = Loader::new(tables, 1 << 30);
    let refused = |selection: Selection| {
        let error = loader.chunks_of(&snapshot, &selection).err().unwrap();
        assert_eq!(loader.batches_of(&snapshot, &selection).err().unwrap().to_string(), error.to_string());
        error
    };
    let all = Selection::default();
    let error = refused(all.clone().with_columns(["number", "wrod"]));
    assert!(matches!(&error, Error::UnknownColumn { nearest, .. } if nearest == &["word"]), "{error}");
    assert_eq!(error.to_string(), "there is no column \"wrod\"; near it: word");
    let error = refused(all.clone().with_columns(["Number"]));
    assert!(error.to_string().contains("near it: number"), "{error}");
    let error = refused(all.clone().with_columns(["quite another"]));
    assert_eq!(error.to_string(), "there is no column \"quite another\"");
    assert!(
        matches!(refused(all.clone().with_columns(["word", "text", "word"])), Error::ColumnTwice { column } if column == "word")
    );
    assert!(matches!(refused(all.clone().with_columns(Vec::<String>::new())), Error::NoColumns));
    let backwards = Selection { first_row: 7, end_row: Some(6), ..all.clone() };
    assert!(matches!(refused(backwards), Error::RowsBackwards { first_row: 7, end_row: 6 }));
    let behind = refused(all.clone().with_rows(5_001..6_000)).to_string();
    assert!(behind.contains("5001") && behind.contains("5000"), "{behind}");
    assert_eq!(selected(&loader, &snapshot, &all.with_rows(5_000..)).num_rows(), 0);
}

#[test]
fn chunks_of_wide_tables_have_about_a_thousand_rows_and_a_bound_in_bytes() {
    let (tables, _folder) = on_disk();
    let tables = Arc::new(tables);
    let wide = |columns: usize, rows: i64| {
        let columns = (0..columns).map(|column| {
            let values = Int64Array::from_iter_values((0..rows).map(|row| row * 31 + column as i64));
            (format!("c{column}"), Arc::new(values) as ArrayRef)
        });
        RecordBatch::try_from_iter(columns).unwrap()
    };
    for (columns, rows, least, most_bytes) in [(1_000, 6_000, 800, 16 << 20), (4_000, 1_500, 300, 21 << 20)] {
        let dataset = name(&format!("wide_{columns}"));
        write(&tables, &dataset, &wide(columns, rows), WriteOptions::new(WriteMode::Overwrite)).unwrap();
        let snapshot = tables.snapshot(&dataset, At::Newest).unwrap();
        let loader = Loader::new(Arc::clone(&tables), 0);
        let chunks: Vec<_> = loader.chunks(&snapshot, 0).unwrap().map(Result::unwrap).collect();
        let filled: Vec<_> = chunks.iter().filter(|chunk| chunk.rows > 0).collect();
        let count = filled.len() as u64;
        assert!(rows as u64 / count >= least, "{count} chunks of {rows} rows");
        assert!(filled.iter().all(|chunk| chunk.ipc.len() <= most_bytes));
    }
    // One of few columns is cut as before.
    store(&tables, &name("narrow"), 0..1_000_000).unwrap();
    let snapshot = tables.snapshot(&name("narrow"), At::Newest).unwrap();
    let loader = Loader::new(tables, 0);
    let largest = loader.chunks(&snapshot, 0).unwrap().map(|chunk| chunk.unwrap().ipc.len()).max();
    assert!(largest.unwrap() <= (5 << 20) / 4);
}
