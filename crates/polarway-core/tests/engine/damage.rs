//! A data file that is no longer what was written gives an error in SQL as it does in a load, and no other numbers.

use std::sync::Arc;

use polarway_core::arrow::array::{Int64Array, RecordBatch};
use polarway_core::{Config, ErrorKind, Polarway};
use tempfile::TempDir;

use crate::support::{config, lines};

/// Numbers that don't compress: a flipped bit is another number, and nothing else tells.
fn noise(rows: usize) -> RecordBatch {
    let mut noise = polarway_testing::Noise::new(11);
    let numbers = Int64Array::from_iter_values((0..rows).map(|_| noise.next() as i64));
    RecordBatch::try_from_iter([("n", Arc::new(numbers) as _)]).unwrap()
}

/// Flips a bit that many bytes from the start of the newest data file.
fn flip(folder: &TempDir, place: usize) {
    let files = std::fs::read_dir(folder.path().join("cold/t/_polarway/data")).unwrap();
    let newest = files.map(|entry| entry.unwrap().path()).max().unwrap(); // their names begin with a time
    let mut bytes = std::fs::read(&newest).unwrap();
    bytes[place] ^= 1;
    std::fs::write(&newest, bytes).unwrap();
}

async fn reopened(folder: &TempDir, change: impl FnOnce(&mut Config)) -> Polarway {
    let mut config = config(folder);
    config.cache_bytes = 0;
    change(&mut config);
    Polarway::open(config).await.unwrap()
}

const SUM: &str = "SELECT sum(n // 1024) FROM t";

#[tokio::test]
async fn sql_over_a_damaged_file_fails_as_a_load_does_and_other_tables_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let polarway = reopened(&folder, |_| {}).await;
    polarway.store("t", noise(100_000)).await.unwrap();
    polarway.store("fine", noise(10)).await.unwrap();
    let right = lines(&polarway.query(SUM).await.unwrap());
    assert_eq!(lines(&polarway.query(SUM).await.unwrap()), right, "a file that was checked stays right");
    drop(polarway);

    flip(&folder, 400_000);
    let polarway = reopened(&folder, |_| {}).await;
    for _ in 0..2 {
        let error = polarway.query(SUM).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("dataset t"), "{error}");
    }
    assert_eq!(polarway.load("t").await.unwrap_err().kind(), ErrorKind::Corrupt);
    polarway.query("SELECT sum(n // 1024) FROM fine").await.unwrap();
    drop(polarway);

    let unchecked = reopened(&folder, |config| config.check_bytes = 0).await;
    assert_ne!(lines(&unchecked.query(SUM).await.unwrap()), right, "without checks nothing tells");
}

#[tokio::test]
async fn a_large_table_is_checked_by_and_by() {
    let folder = tempfile::tempdir().unwrap();
    let polarway = reopened(&folder, |_| {}).await;
    polarway.store("t", noise(5_000)).await.unwrap();
    polarway.append("t", noise(5_000)).await.unwrap();
    polarway.append("t", noise(5_000)).await.unwrap();
    drop(polarway);
    flip(&folder, 20_000);
    let polarway = reopened(&folder, |config| config.check_bytes = 1).await;
    let mut answered = 0;
    let error = loop {
        match polarway.query(SUM).await {
            Ok(_) => answered += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((answered, error.kind()), (2, ErrorKind::Corrupt), "{error}");
}
