//! Wrong input from users and broken storages: a clear error, and nothing lost.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, UnionFields, UnionMode};
use polarway_storage::{At, Error, WriteMode, WriteOptions};
use tempfile::TempDir;

use crate::support::{append, load, name, newest, numbers, on_disk, open, store, write};

fn only_data_file(folder: &TempDir, dataset: &str) -> PathBuf {
    let data = folder.path().join(dataset).join("_polarway/data");
    let mut files: Vec<_> = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    files.remove(0)
}

#[test]
fn an_unknown_dataset_is_an_error_with_the_nearest_names() {
    let (tables, _folder) = on_disk();
    for dataset in ["flights", "airlines", "airports"] {
        store(&tables, &name(dataset), [1]).unwrap();
    }
    let error = newest(&tables, &name("fligts")).unwrap_err();
    assert_eq!(error.to_string(), "there is no dataset \"fligts\"; near it: flights");
    let error = append(&tables, &name("airport"), [1]).unwrap_err();
    assert!(matches!(&error, Error::UnknownDataset { nearest, .. } if nearest[0] == "airports"), "{error}");
    let error = tables.versions(&name("nothing_like_it")).unwrap_err();
    assert!(matches!(&error, Error::UnknownDataset { nearest, .. } if nearest.is_empty()), "{error}");
}

#[test]
fn an_unknown_version_is_an_error_with_the_nearest_ones() {
    let (tables, _folder) = on_disk();
    let trades = name("trades");
    store(&tables, &trades, [1]).unwrap();
    store(&tables, &trades, [2]).unwrap();
    let error = load(&tables, &trades, At::Version(7)).unwrap_err();
    assert_eq!(error.to_string(), "dataset trades has no version 7: near it are 1, 2");
    let error = load(&tables, &trades, At::Version(0)).unwrap_err();
    assert!(matches!(error, Error::UnknownVersion { version: 0, .. }));
    let error = load(&tables, &trades, At::Version(u64::MAX)).unwrap_err();
    assert!(matches!(error, Error::UnknownVersion { version: u64::MAX, .. }));
}

#[test]
fn an_append_that_does_not_fit_is_refused_with_the_differences() {
    let (tables, _folder) = on_disk();
    let trades = name("trades");
    store(&tables, &trades, [1]).unwrap();
    let other = RecordBatch::try_from_iter([
        ("n", Arc::new(StringArray::from(vec!["x"])) as _),
        ("m", Arc::new(Int64Array::from(vec![1])) as _),
    ]);
    let error = write(&tables, &trades, &other.unwrap(), WriteOptions::new(WriteMode::Append)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the rows don't fit dataset trades: column \"n\" is Utf8 and must be Int64; column \"m\" (Int64) is not in the dataset"
    );
    assert_eq!(newest(&tables, &trades).unwrap(), [1]);
    assert_eq!(tables.versions(&trades).unwrap().len(), 1);
}

#[test]
fn a_column_that_parquet_cannot_hold_is_refused_by_name_and_the_old_version_stays() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    store(&tables, &trades, [1]).unwrap();
    let fields = UnionFields::try_new([0], [Field::new("a", DataType::Int32, true)]).unwrap();
    let union = DataType::Union(fields, UnionMode::Sparse);
    let schema = Arc::new(Schema::new(vec![Field::new("either", union, true)]));
    let error = tables.writer(&trades, schema, WriteOptions::new(WriteMode::Overwrite)).err().unwrap();
    let message = error.to_string();
    assert!(message.contains("either") && message.contains("Union"), "{message}");
    assert_eq!(newest(&tables, &trades).unwrap(), [1]);
    only_data_file(&folder, "trades");
}

#[test]
fn an_input_that_ends_early_leaves_the_old_version_and_no_file() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    store(&tables, &trades, [1]).unwrap();
    let mut writer =
        tables.writer(&trades, numbers([]).schema(), WriteOptions::new(WriteMode::Overwrite)).unwrap();
    writer.write(&numbers(0..100_000)).unwrap();
    drop(writer); // its rows stopped coming
    assert_eq!(newest(&tables, &trades).unwrap(), [1]);
    only_data_file(&folder, "trades");
}

#[test]
fn a_batch_of_another_schema_ends_the_write() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    let mut writer =
        tables.writer(&trades, numbers([]).schema(), WriteOptions::new(WriteMode::Overwrite)).unwrap();
    writer.write(&numbers([1])).unwrap();
    let other = RecordBatch::try_from_iter([("m", Arc::new(Int64Array::from(vec![1])) as _)]).unwrap();
    assert!(matches!(writer.write(&other), Err(Error::Table(_))));
    assert!(writer.publish().is_err(), "half a table is never published");
    assert!(matches!(newest(&tables, &trades), Err(Error::UnknownDataset { .. })));
    let data = fs::read_dir(folder.path().join("trades/_polarway/data"));
    assert_eq!(data.map_or(0, |files| files.count()), 0);
}

#[test]
fn a_commit_that_cannot_be_read_is_an_error_that_names_it() {
    for (contents, reason) in [
        ("", "no commit file"),
        ("\0\0\0", "no commit file"),
        ("{\"format\": 9}", "newer Polarway"),
        ("{\"format\": 1, \"number\": 2}", "no commit file"),
    ] {
        let (tables, folder) = on_disk();
        let trades = name("trades");
        store(&tables, &trades, [1]).unwrap();
        fs::write(folder.path().join("trades/_polarway/commits/0000000002.json"), contents).unwrap();
        for tables in [&tables, &open(&folder)] {
            let error = newest(tables, &trades).unwrap_err();
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(
                error.to_string().contains("0000000002.json") && source.contains(reason),
                "{error}: {source}"
            );
            assert!(store(tables, &trades, [2]).is_err(), "nothing is written over what is not understood");
        }
        store(&tables, &name("other"), [3]).unwrap();
        assert_eq!(newest(&tables, &name("other")).unwrap(), [3]);
        assert_eq!(tables.names().unwrap(), [name("other")], "the others are still listed");
    }
}

#[test]
fn a_data_file_that_vanished_is_an_error_that_names_it() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    store(&tables, &trades, [1]).unwrap();
    fs::remove_file(only_data_file(&folder, "trades")).unwrap();
    let error = newest(&tables, &trades).unwrap_err();
    assert!(matches!(&error, Error::DataFileMissing { path, .. } if path.starts_with("trades/")), "{error}");
    store(&tables, &trades, [2]).unwrap();
    assert_eq!(newest(&tables, &trades).unwrap(), [2], "the dataset can be stored anew");
}

#[test]
fn a_corrupt_data_file_is_an_error_and_never_wrong_rows() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    store(&tables, &trades, 0..10_000).unwrap();
    let file = only_data_file(&folder, "trades");
    let good = fs::read(&file).unwrap();
    let check = |bytes: &[u8], what: &str| {
        fs::write(&file, bytes).unwrap();
        match newest(&tables, &trades) {
            Err(Error::UnreadableData { path, .. }) => assert!(path.ends_with(".parquet"), "{path}"),
            Err(other) => panic!("{what}: {other}"),
            Ok(rows) => assert!(rows.iter().copied().eq(0..10_000), "{what}: wrong rows"),
        }
    };
    for cut in [0, 3, 4, 11, good.len() / 2, good.len() - 1] {
        check(&good[..cut], &format!("cut at {cut}"));
    }
    for place in (0..good.len()).step_by(good.len() / 97) {
        let mut bad = good.clone();
        bad[place] ^= 0x10;
        check(&bad, &format!("bit flipped in byte {place}"));
    }
}

#[test]
fn a_commit_with_numbers_beyond_all_bounds_is_refused() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    store(&tables, &trades, [1]).unwrap();
    append(&tables, &trades, [1]).unwrap();
    let path = folder.path().join("trades/_polarway/commits/0000000002.json");
    let good = fs::read_to_string(&path).unwrap();
    for (from, to) in [("\"rows\":1", "\"rows\":18446744073709551615"), ("\"version\":2", "\"version\":99")] {
        fs::write(&path, good.replace(from, to)).unwrap();
        let error = newest(&open(&folder), &trades).unwrap_err();
        assert!(matches!(error, Error::UnreadableCommit { .. }), "{error}");
    }
}

#[test]
fn a_data_file_that_was_replaced_by_another_is_an_error() {
    let (tables, folder) = on_disk();
    store(&tables, &name("trades"), [1, 2, 3]).unwrap();
    store(&tables, &name("quotes"), 0..1_000).unwrap();
    fs::copy(only_data_file(&folder, "quotes"), only_data_file(&folder, "trades")).unwrap();
    let error = newest(&tables, &name("trades")).unwrap_err();
    assert!(matches!(error, Error::UnreadableData { .. }), "{error}");
}

#[test]
fn what_cannot_be_looked_at_in_the_root_hides_no_dataset() {
    let (tables, folder) = on_disk();
    store(&tables, &name("trades"), [1]).unwrap();
    std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
    assert_eq!(tables.names().unwrap(), [name("trades")]);
}

#[test]
fn a_dataset_that_was_removed_copied_or_renamed_by_hand_is_what_its_folder_says() {
    let (tables, folder) = on_disk();
    let at = |dataset: &str| folder.path().join(dataset);
    store(&tables, &name("a"), [1]).unwrap();
    newest(&tables, &name("a")).unwrap();
    fs::rename(at("a"), at("b")).unwrap();
    assert_eq!(newest(&tables, &name("b")).unwrap(), [1]);
    assert_eq!(tables.snapshot(&name("b"), At::Newest).unwrap().name, name("b"));
    assert_eq!(store(&tables, &name("a"), [2]).unwrap().version, 1, "the name is free again");
    assert_eq!(newest(&open(&folder), &name("a")).unwrap(), [2]);
}

#[test]
fn all_that_a_write_makes_lies_in_the_datasets_own_folder() {
    let (tables, folder) = on_disk();
    for dataset in ["my_polarway_x", "a_polarway", "_polarway"] {
        store(&tables, &name(dataset), [1]).unwrap();
        assert_eq!(newest(&tables, &name(dataset)).unwrap(), [1]);
    }
    let mut there: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    there.sort();
    assert_eq!(there, ["_polarway", "a_polarway", "my_polarway_x"]);
}
