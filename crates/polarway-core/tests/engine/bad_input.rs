use std::error::Error as _;

use polarway_core::arrow::array::{RecordBatch, RecordBatchIterator};
use polarway_core::arrow::error::ArrowError;
use polarway_core::{Config, ErrorKind, Location, Polarway, WriteOptions};

use crate::support::{engine, lines, trades};

#[tokio::test]
async fn names_outside_the_grammar_are_refused_everywhere() {
    let (polarway, _folder) = engine().await;
    for name in ["", "../x", "a/b", ".x", "x.parquet", "a b", "ü"] {
        let errors = [
            polarway.store(name, trades(&[])).await.unwrap_err(),
            polarway.append(name, trades(&[])).await.unwrap_err(),
            polarway.load(name).await.unwrap_err(),
            polarway.describe(name).await.unwrap_err(),
            polarway.versions(name).await.unwrap_err(),
            polarway.delete(name).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::InvalidName, "{name:?}: {error}");
        }
    }
}

#[tokio::test]
async fn a_reader_that_fails_leaves_the_dataset_as_it_was() {
    let (polarway, _folder) = engine().await;
    polarway.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    let batches: Vec<Result<RecordBatch, ArrowError>> =
        vec![Ok(trades(&[("ETH", 2)])), Err(ArrowError::ParseError("the line ended early".into()))];
    let reader = RecordBatchIterator::new(batches, trades(&[]).schema());
    let error = polarway.store_reader("trades", reader, WriteOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("the line ended early"), "{error}");
    assert_eq!(lines(&polarway.load("trades").await.unwrap()), ["BTC,1"]);
}

#[tokio::test]
async fn a_reader_that_panics_is_an_error_and_the_engine_lives() {
    let (polarway, _folder) = engine().await;
    let batches =
        std::iter::from_fn(|| -> Option<Result<RecordBatch, ArrowError>> { panic!("a bug of the caller") });
    let reader = RecordBatchIterator::new(batches, trades(&[]).schema());
    let error = polarway.store_reader("trades", reader, WriteOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    polarway.store("trades", trades(&[("BTC", 1)])).await.unwrap();
}

#[tokio::test]
async fn an_error_tells_its_causes_once() {
    let (polarway, folder) = engine().await;
    polarway.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    std::fs::write(folder.path().join("cold/trades/_polarway/commits/0000000002.json"), "{}").unwrap();
    let error = polarway.load("trades").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let mut told = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        told.push(error.to_string());
        cause = error.source();
    }
    assert!(told.len() >= 2, "{told:?}");
    for (place, message) in told.iter().enumerate() {
        assert!(told[place + 1..].iter().all(|later| !message.contains(later)), "{told:?}");
    }
}

#[tokio::test]
async fn a_cold_tier_that_is_a_file_is_a_configuration_or_storage_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = Polarway::open(Config::new(&file)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let config = Config::new(folder.path()).with_cold_tier(&file);
    assert_eq!(Polarway::open(config).await.unwrap_err().kind(), ErrorKind::StorageFailed);
}

#[tokio::test]
async fn an_engine_in_memory_does_all_that_one_on_disk_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    config.cold_tier = Location::Memory;
    let polarway = Polarway::open(config).await.unwrap();
    polarway.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    polarway.append("trades", trades(&[("ETH", 2)])).await.unwrap();
    assert_eq!(lines(&polarway.load("trades").await.unwrap()), ["BTC,1", "ETH,2"]);
    let sum = polarway.query("SELECT sum(cents) FROM trades").await.unwrap();
    assert_eq!(lines(&sum), ["3"]);
}
