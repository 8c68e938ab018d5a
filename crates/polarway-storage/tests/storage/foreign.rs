//! Folders that are tables of another format.

use std::fs;

use polarway_storage::{At, Error, TableFormat};

use crate::adopted::put;
use crate::support::{append, load, name, newest, numbers, on_disk, store};

#[test]
fn a_table_of_another_format_is_refused_by_what_it_is_and_never_read_as_plain_files() {
    let (tables, folder) = on_disk();
    for (file, format) in [
        ("_delta_log/00000000000000000000.json", TableFormat::Delta),
        ("metadata/v1.metadata.json", TableFormat::Iceberg),
        ("metadata/00001-9f.gz.metadata.json", TableFormat::Iceberg),
        ("metadata/v2.metadata.json.gz", TableFormat::Iceberg),
        (".hoodie/hoodie.properties", TableFormat::Hudi),
        ("_versions/1.manifest", TableFormat::Lance),
        ("_spark_metadata/0", TableFormat::SparkStreaming),
        ("ducklake-0199.parquet", TableFormat::DuckLake),
        ("year=2024/_delta_log/0.json", TableFormat::Delta),
    ] {
        put(&folder, "lake/part-0.parquet", &numbers([1, 2]));
        put(&folder, "lake/year=2024/part-0.parquet", &numbers([3]));
        let file = folder.path().join("lake").join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "").unwrap();

        let refused = newest(&tables, &name("lake")).unwrap_err();
        assert!(
            matches!(&refused, Error::ForeignTable { format: found, .. } if *found == format),
            "{file:?}: {refused}"
        );
        let message = refused.to_string();
        assert!(message.contains("lake") && message.contains(&format.to_string()), "{message}");
        assert!(matches!(append(&tables, &name("lake"), [9]), Err(Error::ForeignTable { .. })));
        fs::remove_dir_all(folder.path().join("lake")).unwrap();
    }
}

#[test]
fn an_iceberg_table_whose_files_lie_deeper_is_named_too() {
    let (tables, folder) = on_disk();
    put(&folder, "lake/data/part-0.parquet", &numbers([1]));
    fs::create_dir_all(folder.path().join("lake/metadata")).unwrap();
    fs::write(folder.path().join("lake/metadata/version-hint.text"), "1").unwrap();
    assert!(matches!(newest(&tables, &name("lake")), Err(Error::ForeignTable { .. })));
}

#[test]
fn a_folder_that_only_sounds_like_another_format_is_read() {
    let (tables, folder) = on_disk();
    put(&folder, "plain/part-0.parquet", &numbers([1, 2]));
    for file in ["metadata/notes.json", "_metadata", "_common_metadata", "_SUCCESS", "schema/x.json"] {
        let file = folder.path().join("plain").join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    }
    assert_eq!(newest(&tables, &name("plain")).unwrap(), [1, 2]);
}

#[test]
fn what_was_stored_over_a_foreign_table_is_read_and_its_version_zero_is_refused() {
    let (tables, folder) = on_disk();
    put(&folder, "lake/part-0.parquet", &numbers([1]));
    fs::create_dir_all(folder.path().join("lake/_delta_log")).unwrap();
    store(&tables, &name("lake"), [5]).unwrap();
    assert_eq!(newest(&tables, &name("lake")).unwrap(), [5]);
    assert!(matches!(load(&tables, &name("lake"), At::Version(0)), Err(Error::ForeignTable { .. })));
}
