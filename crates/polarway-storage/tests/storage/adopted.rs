//! Parquet files that Polarway did not write.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{RecordBatch, StringArray};
use polarway_parquet::{EncodeOptions, TableEncoder};
use polarway_storage::{At, Error, Loader};
use tempfile::TempDir;

use crate::support::{append, load, name, newest, numbers, on_disk, open, store};

/// Writes a Parquet file, as any other program might.
pub(crate) fn put(folder: &TempDir, path: &str, batch: &RecordBatch) {
    let path = folder.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = TableEncoder::new(Vec::new(), batch.schema(), EncodeOptions::default()).unwrap();
    encoder.write(batch).unwrap();
    fs::write(path, encoder.finish().unwrap().0).unwrap();
}

fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_parquet_file_is_a_dataset_at_version_zero() {
    let (tables, folder) = on_disk();
    put(&folder, "trades.parquet", &numbers([1, 2, 3]));
    let snapshot = tables.snapshot(&name("trades"), At::Newest).unwrap();
    assert_eq!((snapshot.version, snapshot.rows), (0, 3));
    assert_eq!(newest(&tables, &name("trades")).unwrap(), [1, 2, 3]);
    let listed = tables.datasets().unwrap();
    assert_eq!((listed[0].name.as_str(), listed[0].version, listed[0].rows), ("trades", 0, 3));
}

#[test]
fn a_folder_of_parquet_files_is_one_table_in_the_order_of_their_names() {
    let (tables, folder) = on_disk();
    put(&folder, "trades/b.parquet", &numbers([3]));
    put(&folder, "trades/a.parquet", &numbers([1, 2]));
    fs::write(folder.path().join("trades/README.txt"), "no table").unwrap();
    assert_eq!(newest(&tables, &name("trades")).unwrap(), [1, 2, 3]);
}

#[test]
fn partition_folders_become_columns() {
    let (tables, folder) = on_disk();
    put(&folder, "trades/year=2024/venue=NYSE/x.parquet", &numbers([1, 2]));
    put(&folder, "trades/year=2024/venue=__HIVE_DEFAULT_PARTITION__/x.parquet", &numbers([3]));
    put(&folder, "trades/year=2025/venue=LSE/x.parquet", &numbers([4]));
    let (snapshot, batches) = tables.load(&name("trades"), At::Newest).unwrap();
    let columns: Vec<String> = snapshot
        .schema
        .fields()
        .iter()
        .map(|field| format!("{} {}", field.name(), field.data_type()))
        .collect();
    assert_eq!(columns, ["n Int64", "year Int64", "venue Utf8"]);
    let mut rows = Vec::new();
    for batch in &batches {
        let [n, year] = [0, 1].map(|column| batch.column(column).as_primitive::<Int64Type>());
        let venue = batch.column(2).as_string::<i32>();
        for row in 0..batch.num_rows() {
            let venue = arrow_array::Array::is_valid(venue, row).then(|| venue.value(row).to_owned());
            rows.push((n.value(row), year.value(row), venue));
        }
    }
    rows.sort();
    let some = |venue: &str| Some(venue.to_owned());
    assert_eq!(
        rows,
        [(1, 2024, some("NYSE")), (2, 2024, some("NYSE")), (3, 2024, None), (4, 2025, some("LSE"))]
    );
    // The first append writes them into the dataset, partition columns and all.
    let mut writer = tables
        .writer(
            &name("trades"),
            snapshot.schema.clone(),
            polarway_storage::WriteOptions::new(polarway_storage::WriteMode::Append),
        )
        .unwrap();
    writer.write(&batches[0]).unwrap();
    assert_eq!(writer.publish().unwrap().rows, 4 + batches[0].num_rows() as u64);
}

#[test]
fn an_overwrite_leaves_adopted_files_and_they_stay_readable_as_version_zero() {
    let (tables, folder) = on_disk();
    put(&folder, "trades/a.parquet", &numbers([1, 2]));
    let before = contents(&folder.path().join("trades"));
    assert_eq!(store(&tables, &name("trades"), [9]).unwrap().version, 1);
    assert_eq!(newest(&tables, &name("trades")).unwrap(), [9]);
    assert_eq!(load(&tables, &name("trades"), At::Version(0)).unwrap(), [1, 2]);
    tables.delete(&name("trades"), None, None).unwrap();
    tables.vacuum(&name("trades")).unwrap();
    assert_eq!(contents(&folder.path().join("trades")), before);
}

#[test]
fn a_first_append_copies_adopted_files_and_changes_none() {
    let (tables, folder) = on_disk();
    put(&folder, "trades.parquet", &numbers([1, 2]));
    let before = contents(folder.path());
    assert_eq!(append(&tables, &name("trades"), [3]).unwrap().version, 1);
    assert_eq!(newest(&tables, &name("trades")).unwrap(), [1, 2, 3]);
    assert_eq!(contents(folder.path()), before);
    // The copy is no link: whoever writes to the file does not write to the version.
    put(&folder, "trades.parquet", &numbers([7]));
    assert_eq!(newest(&tables, &name("trades")).unwrap(), [1, 2, 3]);
}

#[test]
fn a_file_that_is_replaced_while_it_is_read_is_an_error_and_no_mixture() {
    let (tables, folder) = on_disk();
    put(&folder, "trades/a.parquet", &numbers(0..200_000));
    put(&folder, "trades/b.parquet", &numbers([1]));
    let snapshot = tables.snapshot(&name("trades"), At::Newest).unwrap();
    let reader = tables.read(&snapshot, 0).unwrap();
    put(&folder, "trades/a.parquet", &numbers(0..200_001));
    let failed = reader.filter_map(Result::err).next().expect("the change is noticed");
    assert!(matches!(failed, Error::AdoptedFileChanged { .. }), "{failed}");
    assert_eq!(newest(&tables, &name("trades")).unwrap().len(), 200_002, "reading again works");
}

#[test]
fn a_load_behind_the_end_of_an_adopted_file_or_a_version_is_told_how_many_rows_there_are() {
    let (tables, folder) = on_disk();
    put(&folder, "trades.parquet", &numbers(0..1_000));
    let tables = Arc::new(tables);
    let loader = Loader::new(Arc::clone(&tables), 1 << 20);
    let chunks = |first_row: u64| {
        let snapshot = tables.snapshot(&name("trades"), At::Newest).unwrap();
        loader.chunks(&snapshot, first_row).map(drop)
    };
    chunks(900).unwrap();
    let behind = |first_row: u64| chunks(first_row).unwrap_err();
    assert!(matches!(behind(1_001), Error::Chunks(_)), "{}", behind(1_001));
    put(&folder, "trades.parquet", &numbers(0..10));
    assert!(matches!(behind(900), Error::Chunks(_)), "{}", behind(900));
    assert!(behind(900).to_string().contains("10"), "{}", behind(900));
    store(&tables, &name("trades"), 0..10).unwrap();
    assert!(matches!(behind(900), Error::Chunks(_)), "{}", behind(900));
}

#[test]
fn whoever_waits_for_a_load_that_fails_is_told_its_cause() {
    let (tables, folder) = on_disk();
    put(&folder, "trades.parquet", &numbers(0..100_000));
    let path = folder.path().join("trades.parquet");
    let mut bytes = fs::read(&path).unwrap();
    let data = bytes.len() / 4..bytes.len() / 2;
    for byte in &mut bytes[data] {
        *byte ^= 0x55;
    }
    fs::write(&path, bytes).unwrap();
    let tables = Arc::new(tables);
    let snapshot = tables.snapshot(&name("trades"), At::Newest).unwrap();
    let loader = Loader::new(Arc::clone(&tables), 1 << 30);
    let failed = loader.chunks(&snapshot, 0).unwrap().filter_map(Result::err).next().unwrap();
    assert!(matches!(failed, Error::SharedLoad(_)), "{failed:?}");
    let cause = std::error::Error::source(&failed).expect("a cause").to_string();
    assert!(cause.contains("corrupt"), "{failed}: {cause}");
}

#[test]
fn files_that_are_not_one_table_are_refused_with_the_difference() {
    let (tables, folder) = on_disk();
    put(&folder, "trades/a.parquet", &numbers([1]));
    let text = RecordBatch::try_from_iter([("n", Arc::new(StringArray::from(vec!["x"])) as _)]).unwrap();
    put(&folder, "trades/b.parquet", &text);
    let refused = newest(&tables, &name("trades")).unwrap_err();
    let message = refused.to_string();
    assert!(
        message.contains("b.parquet") && message.contains("Utf8") && message.contains("\"n\""),
        "{message}"
    );
    // One bad folder does not hide the other datasets.
    store(&tables, &name("fine"), [1]).unwrap();
    assert_eq!(tables.names().unwrap(), [name("fine")]);
}

#[test]
fn a_file_that_is_no_parquet_is_an_error_that_names_it() {
    let (tables, folder) = on_disk();
    fs::write(folder.path().join("trades.parquet"), "PAR1 but not really").unwrap();
    let refused = newest(&tables, &name("trades")).unwrap_err();
    assert!(matches!(&refused, Error::UnreadableData { path, .. } if path == "trades.parquet"), "{refused}");
}

#[test]
fn names_that_no_dataset_may_have_are_not_adopted() {
    let (tables, folder) = on_disk();
    put(&folder, "with space.parquet", &numbers([1]));
    put(&folder, ".hidden.parquet", &numbers([1]));
    put(&folder, "fine.parquet", &numbers([1]));
    assert_eq!(open(&folder).names().unwrap(), [name("fine")]);
    assert_eq!(tables.names().unwrap(), [name("fine")]);
}
