//! Files whose statistics would hide a NaN: those of before, and those of others.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Float64Array, RecordBatch};
use polarway_parquet::{EncodeOptions, TableEncoder};
use polarway_storage::{At, Compacted, Tables, WriteMode, WriteOptions};
use tempfile::TempDir;

use crate::support::{name, numbers, on_disk, open, store, write};

fn floats(values: &[f64]) -> RecordBatch {
    RecordBatch::try_from_iter([("c", Arc::new(Float64Array::from(values.to_vec())) as _)]).unwrap()
}

/// Makes the newest commit one from before it was written down that its files are safe.
fn forget(folder: &TempDir, dataset: &str, commit: u64) {
    let path = folder.path().join(format!("{dataset}/_polarway/commits/{commit:010}.json"));
    let text = fs::read_to_string(&path).unwrap();
    let older = text.replace(r#","nan_safe":true"#, "");
    assert_ne!(text, older);
    fs::write(&path, older).unwrap();
}

fn safe(tables: &Tables, dataset: &str) -> Vec<bool> {
    let snapshot = tables.snapshot(&name(dataset), At::Newest).unwrap();
    snapshot.files.iter().map(|file| file.nan_safe).collect()
}

#[test]
fn compaction_writes_files_anew_whose_bounds_may_hide_a_nan() {
    let (tables, folder) = on_disk();
    let rows = floats(&[1.0, f64::NAN, 2.0]);
    let overwrite = WriteOptions::new(WriteMode::Overwrite);
    write(&tables, &name("floats"), &rows, overwrite).unwrap();
    store(&tables, &name("numbers"), [1]).unwrap();
    assert_eq!((safe(&tables, "floats"), safe(&tables, "numbers")), (vec![true], vec![true]));
    assert_eq!(tables.compact(&name("floats")).unwrap(), Compacted::default());

    forget(&folder, "floats", 1);
    forget(&folder, "numbers", 1);
    let tables = open(&folder);
    assert_eq!(safe(&tables, "floats"), [false]);
    assert_eq!(tables.compact(&name("floats")).unwrap(), Compacted { inputs: 1, outputs: 1 });
    assert_eq!(safe(&tables, "floats"), [true]);
    assert_eq!(tables.compact(&name("floats")).unwrap(), Compacted::default(), "once is enough");
    assert_eq!(tables.snapshot(&name("floats"), At::Newest).unwrap().version, 1);
    let (_, loaded) = tables.load(&name("floats"), At::Newest).unwrap();
    assert_eq!(format!("{loaded:?}"), format!("{:?}", [rows]));
    // Whole numbers have no NaN: nothing to do.
    assert_eq!(tables.compact(&name("numbers")).unwrap(), Compacted::default());
}

#[test]
fn files_of_others_that_a_first_append_takes_in_are_not_relied_on() {
    let (tables, folder) = on_disk();
    adopt(&folder.path().join("floats.parquet"), &floats(&[1.0]));
    adopt(&folder.path().join("numbers.parquet"), &numbers([1]));
    assert_eq!(safe(&tables, "floats"), [false]);
    let append = WriteOptions::new(WriteMode::Append);
    write(&tables, &name("floats"), &floats(&[2.0]), append).unwrap();
    assert_eq!(safe(&tables, "floats"), [false, true]);
    assert_eq!(tables.compact(&name("floats")).unwrap(), Compacted { inputs: 1, outputs: 1 });
    assert_eq!(safe(&tables, "floats"), [true, true]);
    write(&tables, &name("numbers"), &numbers([2]), append).unwrap();
    assert_eq!(tables.compact(&name("numbers")).unwrap(), Compacted::default());
}

fn adopt(path: &Path, batch: &RecordBatch) {
    let file = fs::File::create(path).unwrap();
    let mut encoder = TableEncoder::new(file, batch.schema(), EncodeOptions::default()).unwrap();
    encoder.write(batch).unwrap();
    encoder.finish().unwrap();
}
