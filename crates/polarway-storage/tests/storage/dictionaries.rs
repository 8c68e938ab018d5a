//! Dictionaries over appends, compactions and restarts.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowDictionaryKeyType, Int8Type, Int16Type};
use arrow_array::{ArrayRef, DictionaryArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;
use polarway_parquet::{EncodeOptions, FileReader, LocalFile, TableEncoder};
use polarway_storage::{At, DatasetName, StagedFile, Tables, WriteMode, WriteOptions};
use uuid::Uuid;

use crate::support::{name, on_disk, open, write};

const APPEND: WriteMode = WriteMode::Append;
const OVERWRITE: WriteMode = WriteMode::Overwrite;

fn texts(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("text {number}")).collect()
}

/// One row for each of these texts, in reverse, with all of them in the dictionary.
fn coded<K: ArrowDictionaryKeyType>(texts: &[String]) -> RecordBatch {
    let keys = (0..texts.len()).rev().map(|place| K::Native::from_usize(place).unwrap());
    let keys = PrimitiveArray::<K>::from_iter_values(keys);
    batch(Arc::new(DictionaryArray::<K>::new(keys, Arc::new(StringArray::from(texts.to_vec())))))
}

fn batch(column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap()
}

fn put(tables: &Tables, name: &DatasetName, batch: &RecordBatch, mode: WriteMode) {
    write(tables, name, batch, WriteOptions::new(mode)).unwrap();
}

fn keys(tables: &Tables, name: &DatasetName, at: At) -> DataType {
    match tables.snapshot(name, at).unwrap().schema.field(0).data_type() {
        DataType::Dictionary(keys, _) => keys.as_ref().clone(),
        other => panic!("{other} is no dictionary"),
    }
}

fn rows(tables: &Tables, name: &DatasetName) -> Vec<String> {
    let (snapshot, batches) = tables.load(name, At::Newest).unwrap();
    let mut rows = Vec::new();
    for batch in batches {
        assert_eq!(batch.schema(), snapshot.schema);
        let plain = arrow_cast::cast(batch.column(0), &DataType::Utf8).unwrap();
        rows.extend(plain.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()));
    }
    rows
}

fn reversed(parts: &[Vec<String>]) -> Vec<String> {
    parts.iter().flat_map(|part| part.iter().rev().cloned()).collect()
}

#[test]
fn appends_that_grow_a_dictionary_over_its_keys_widen_them_from_that_version_on() {
    let (tables, folder) = on_disk();
    let words = name("words");
    let parts: Vec<Vec<String>> = (0..10).map(|place| texts(place * 60..place * 60 + 60)).collect();
    put(&tables, &words, &coded::<Int8Type>(&parts[0]), OVERWRITE);
    for part in &parts[1..] {
        put(&tables, &words, &coded::<Int8Type>(part), APPEND);
    }
    for again in [&tables, &open(&folder)] {
        for version in 1..=2 {
            assert_eq!(keys(again, &words, At::Version(version)), DataType::Int8);
        }
        for version in 3..=10 {
            assert_eq!(keys(again, &words, At::Version(version)), DataType::Int16);
        }
        assert_eq!(rows(again, &words), reversed(&parts));
    }
    assert_eq!(tables.compact(&words).unwrap().outputs, 1);
    assert_eq!(keys(&tables, &words, At::Newest), DataType::Int16);
    assert_eq!(rows(&tables, &words), reversed(&parts));
    // Each file by itself says so as well: other programs read it alone.
    for file in std::fs::read_dir(folder.path().join("words/_polarway/data")).unwrap() {
        let file = FileReader::open(Arc::new(LocalFile::open(file.unwrap().path()).unwrap())).unwrap();
        let narrow = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        assert!(file.rows() == 60 || *file.schema().field(0).data_type() != narrow);
    }
}

#[test]
fn appends_of_the_same_values_keep_the_keys_whoever_makes_them() {
    let (tables, folder) = on_disk();
    let words = name("words");
    let part = texts(0..100);
    put(&tables, &words, &coded::<Int8Type>(&part), OVERWRITE);
    for _ in 0..5 {
        put(&tables, &words, &coded::<Int8Type>(&part), APPEND);
        put(&open(&folder), &words, &coded::<Int8Type>(&part), APPEND);
    }
    assert_eq!(keys(&tables, &words, At::Newest), DataType::Int8);
    put(&open(&folder), &words, &coded::<Int8Type>(&texts(28..129)), APPEND);
    assert_eq!(keys(&tables, &words, At::Newest), DataType::Int16, "129 values are one too many");
}

#[test]
fn files_of_several_workers_have_keys_that_are_wide_enough_for_all_of_them() {
    let (tables, folder) = on_disk();
    let words = name("words");
    let parts: Vec<Vec<String>> = (0..3).map(|place| texts(place * 60..place * 60 + 60)).collect();
    let stage = |part: &Vec<String>| {
        let batch = coded::<Int8Type>(part);
        let mut writer = open(&folder).stage(&words, Uuid::now_v7(), batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish(|| true).unwrap().unwrap()
    };
    let files: Vec<StagedFile> = parts.iter().map(stage).collect();
    let schema = coded::<Int8Type>(&parts[0]).schema();
    tables.publish_staged(&words, &schema, Duration::MAX, "reports".into(), &files).unwrap();
    assert_eq!(keys(&tables, &words, At::Newest), DataType::Int16);
    assert_eq!(rows(&open(&folder), &words), reversed(&parts));
}

#[test]
fn one_store_of_many_dictionaries_widens_the_keys_of_its_version() {
    let (tables, _folder) = on_disk();
    let words = name("words");
    let parts: Vec<Vec<String>> = (0..3).map(|place| texts(place * 60..place * 60 + 60)).collect();
    let batches: Vec<RecordBatch> = parts.iter().map(|part| coded::<Int8Type>(part)).collect();
    let mut writer = tables.writer(&words, batches[0].schema(), WriteOptions::new(OVERWRITE)).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.publish().unwrap();
    assert_eq!(keys(&tables, &words, At::Newest), DataType::Int16);
    assert_eq!(rows(&tables, &words), reversed(&parts));
}

#[test]
fn rows_with_wider_keys_and_plain_texts_fit_a_dictionary_of_narrow_keys() {
    let (tables, _folder) = on_disk();
    let (wide, plain) = (name("wide"), name("plain"));
    let (few, many) = (texts(0..3), texts(0..200));
    put(&tables, &wide, &coded::<Int8Type>(&few), OVERWRITE);
    put(&tables, &wide, &coded::<Int16Type>(&few), APPEND);
    assert_eq!(keys(&tables, &wide, At::Newest), DataType::Int8, "three values need no more");
    put(&tables, &wide, &coded::<Int16Type>(&many), APPEND);
    assert_eq!(keys(&tables, &wide, At::Newest), DataType::Int16);
    assert_eq!(rows(&tables, &wide), reversed(&[few.clone(), few.clone(), many.clone()]));

    put(&tables, &plain, &coded::<Int8Type>(&few), OVERWRITE);
    put(&tables, &plain, &batch(Arc::new(StringArray::from(many.clone()))), APPEND);
    assert_eq!(keys(&tables, &plain, At::Newest), DataType::Int16);
    assert_eq!(rows(&tables, &plain), [reversed(&[few]), many].concat());
}

#[test]
fn of_two_appends_that_race_the_later_one_counts_what_the_earlier_brought() {
    let (tables, folder) = on_disk();
    let words = name("words");
    let parts = [texts(0..60), texts(100..160), texts(200..260)];
    put(&tables, &words, &coded::<Int8Type>(&parts[0]), OVERWRITE);
    let late = coded::<Int8Type>(&parts[2]);
    let mut writer = tables.writer(&words, late.schema(), WriteOptions::new(APPEND)).unwrap();
    writer.write(&late).unwrap();
    put(&open(&folder), &words, &coded::<Int8Type>(&parts[1]), APPEND);
    assert_eq!(keys(&tables, &words, At::Newest), DataType::Int8);
    writer.publish().unwrap();
    assert_eq!(keys(&tables, &words, At::Newest), DataType::Int16);
    assert_eq!(rows(&tables, &words), reversed(&parts));
}

#[test]
fn values_that_no_row_has_survive_appends_compaction_and_a_restart_in_their_order() {
    let (tables, folder) = on_disk();
    let sizes = name("sizes");
    let all = ["none", "small", "medium", "large", "giant"].map(str::to_owned).to_vec();
    let whole = coded::<Int8Type>(&all);
    put(&tables, &sizes, &whole.slice(1, 2), OVERWRITE); // large and medium
    for _ in 0..9 {
        put(&tables, &sizes, &whole.slice(3, 1), APPEND); // small
    }
    let check = |tables: &Tables| {
        let (_, batches) = tables.load(&sizes, At::Newest).unwrap();
        for batch in &batches {
            let values = batch.column(0).as_any_dictionary().values().clone();
            assert_eq!(values.as_string::<i32>(), &StringArray::from(all.clone()));
        }
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 11);
    };
    check(&tables);
    assert_eq!(tables.compact(&sizes).unwrap().outputs, 1);
    check(&tables);
    check(&open(&folder));
}

#[test]
fn the_dictionaries_of_adopted_files_count_too() {
    for (appended, expected) in [(0..100, DataType::Int8), (100..200, DataType::Int16)] {
        let (tables, folder) = on_disk();
        let words = name("words");
        let file = folder.path().join("words.parquet");
        let theirs = coded::<Int8Type>(&texts(0..100));
        let sink = std::fs::File::create(&file).unwrap();
        let mut encoder = TableEncoder::new(sink, theirs.schema(), EncodeOptions::default()).unwrap();
        encoder.write(&theirs).unwrap();
        encoder.finish().unwrap();
        let part = texts(appended);
        put(&tables, &words, &coded::<Int8Type>(&part), APPEND);
        assert_eq!(keys(&tables, &words, At::Newest), expected);
        assert_eq!(rows(&tables, &words), reversed(&[texts(0..100), part]));
    }
}

#[test]
fn a_file_that_is_gone_keeps_no_rows_from_being_added() {
    let (tables, folder) = on_disk();
    let words = name("words");
    put(&tables, &words, &coded::<Int8Type>(&texts(0..3)), OVERWRITE);
    for file in std::fs::read_dir(folder.path().join("words/_polarway/data")).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let tables = open(&folder);
    put(&tables, &words, &coded::<Int8Type>(&texts(0..3)), APPEND);
    assert_eq!(keys(&tables, &words, At::Newest), DataType::Int32, "wide enough for any file");
}
