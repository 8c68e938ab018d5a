//! Data files are plain Parquet: pyarrow, polars and DuckDB read each of them.

use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{ArrayRef, DictionaryArray, Int8Array, Int64Array, RecordBatch, StringArray};
use polarway_storage::{At, WriteMode, WriteOptions};
use polarway_testing::{Peers, same_values};

use crate::support::{name, on_disk, write};

/// Rows with a dictionary of 60 values, of which 59 are in no other part, and with a list of such.
fn part(number: usize) -> RecordBatch {
    let texts =
        (0..60).map(|place| if place == 0 { "shared".to_owned() } else { format!("{number}/{place}") });
    let keys = Int8Array::from_iter((0..60).rev().map(|key| (key % 7 != 3).then_some(key)));
    let words: ArrayRef =
        Arc::new(DictionaryArray::<Int8Type>::new(keys, Arc::new(StringArray::from_iter_values(texts))));
    let numbers = Int64Array::from_iter_values((0..60).map(|row| (number * 60 + row) as i64));
    let lists = arrow_cast::cast(&words, &arrow_schema::DataType::new_list(words.data_type().clone(), true));
    let columns: Vec<(&str, ArrayRef)> = vec![("n", Arc::new(numbers)), ("c", words), ("l", lists.unwrap())];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .unwrap()
}

#[test]
fn pyarrow_polars_and_duckdb_read_the_files_of_a_dictionary_that_grows_over_its_keys() {
    let Some(peers) = Peers::find() else { return };
    let (tables, folder) = on_disk();
    let words = name("words");
    let parts: Vec<RecordBatch> = (0..10).map(part).collect();
    write(&tables, &words, &parts[0], WriteOptions::new(WriteMode::Overwrite)).unwrap();
    for part in &parts[1..] {
        write(&tables, &words, part, WriteOptions::new(WriteMode::Append)).unwrap();
    }
    assert_eq!(tables.compact(&words).unwrap().outputs, 1);
    let files = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path().join("words/_polarway/data")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), files.path().join(file.file_name())).unwrap();
    }
    peers.read_all(files.path());
    let compacted = &tables.snapshot(&words, At::Newest).unwrap().files[0];
    for version in 1..=10 {
        let file = tables.snapshot(&words, At::Version(version)).unwrap().files.last().unwrap().path.clone();
        let expected =
            if version == 10 { &parts[..] } else { &parts[version as usize - 1..version as usize] };
        assert_eq!(version == 10, file == compacted.path);
        let file = files.path().join(file.rsplit_once('/').unwrap().1);
        for peer in Peers::NAMES {
            let read =
                Peers::reading(&file, peer).unwrap_or_else(|why| panic!("{peer}, version {version}: {why}"));
            for place in 0..3 {
                let column = |batches: &[RecordBatch]| -> Vec<ArrayRef> {
                    batches.iter().map(|batch| batch.column(place).clone()).collect()
                };
                let verdict = same_values(&column(expected), &column(&read));
                assert_eq!(verdict, Ok(()), "{peer}, version {version}, column {place}");
            }
        }
    }
}
