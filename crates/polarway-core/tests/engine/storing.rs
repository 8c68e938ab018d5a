use polarway_core::arrow::array::{RecordBatch, RecordBatchReader};
use polarway_core::arrow::datatypes::SchemaRef;
use polarway_core::arrow::error::ArrowError;
use polarway_core::{ErrorKind, RequestId, Table, WriteMode, WriteOptions};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::support::{engine, lines, trades};

#[tokio::test]
async fn a_stored_table_is_loaded_back_as_it_was() {
    let (polarway, _folder) = engine().await;
    let batch = trades(&[("BTC", 5_000_000), ("ETH", 300_000)]);
    let published = polarway.store("trades", &batch).await.unwrap();
    assert_eq!((published.version, published.rows), (1, 2));
    let loaded = polarway.load("trades").await.unwrap();
    assert_eq!(loaded.to_batch().unwrap(), batch);
}

#[tokio::test]
async fn a_table_without_batches_keeps_its_columns() {
    let (polarway, _folder) = engine().await;
    let schema = trades(&[]).schema();
    polarway.store("trades", Table::new(schema.clone(), vec![])).await.unwrap();
    let loaded = polarway.load("trades").await.unwrap();
    assert_eq!((loaded.schema(), loaded.num_rows()), (&schema, 0));
    assert!(lines(&polarway.query("SELECT * FROM trades").await.unwrap()).is_empty());
}

#[tokio::test]
async fn appended_rows_come_behind_those_there_are() {
    let (polarway, _folder) = engine().await;
    polarway.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    assert_eq!(polarway.append("trades", trades(&[("ETH", 2)])).await.unwrap().version, 2);
    assert_eq!(lines(&polarway.load("trades").await.unwrap()), ["BTC,1", "ETH,2"]);
}

#[tokio::test]
async fn a_batch_of_tables_gives_each_its_own_result() {
    let (polarway, _folder) = engine().await;
    let tables =
        [("trades", trades(&[("BTC", 1)])), ("no name!", trades(&[])), ("quotes", trades(&[("ETH", 2)]))];
    let results = polarway.store_batch(tables).await;
    assert_eq!(results[0].as_ref().unwrap().version, 1);
    assert_eq!(results[1].as_ref().unwrap_err().kind(), ErrorKind::InvalidName);
    assert_eq!(results[2].as_ref().unwrap().version, 1);
    let names: Vec<String> =
        polarway.datasets().await.unwrap().iter().map(|dataset| dataset.name.to_string()).collect();
    assert_eq!(names, ["quotes", "trades"]);
}

#[tokio::test]
async fn a_retry_with_the_same_request_id_is_answered_and_not_done_again() {
    let (polarway, _folder) = engine().await;
    polarway.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    let options = WriteOptions::new(WriteMode::Append).with_request(RequestId::fresh());
    for _ in 0..3 {
        let published = polarway.store_with("trades", trades(&[("ETH", 2)]), options).await.unwrap();
        assert_eq!(published.version, 2);
    }
    assert_eq!(polarway.load("trades").await.unwrap().num_rows(), 2);
}

#[tokio::test]
async fn a_write_that_expects_another_version_is_refused() {
    let (polarway, _folder) = engine().await;
    polarway.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    let stale = WriteOptions::default().expecting(0);
    let error = polarway.store_with("trades", trades(&[]), stale).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::VersionConflict);
    assert_eq!(error.to_string(), "dataset trades is at version 1, not 0: another writer was here");
}

#[tokio::test]
async fn a_deleted_dataset_is_gone_and_its_versions_are_listed() {
    let (polarway, _folder) = engine().await;
    polarway.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    polarway.delete("trades").await.unwrap();
    assert_eq!(polarway.load("trades").await.unwrap_err().kind(), ErrorKind::UnknownDataset);
    assert!(polarway.datasets().await.unwrap().is_empty());
    let versions = polarway.versions("trades").await.unwrap();
    assert_eq!(versions.iter().map(|version| version.version).collect::<Vec<_>>(), [1, 2]);
}

/// A table without an end, which says when it is asked for rows, and when it is not wanted any more.
struct Endless {
    rows: RecordBatch,
    said: UnboundedSender<&'static str>,
}

impl Iterator for Endless {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let _ = self.said.send("asked");
        Some(Ok(self.rows.clone()))
    }
}

impl RecordBatchReader for Endless {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        let _ = self.said.send("ended");
    }
}

#[tokio::test]
async fn a_write_ends_when_nobody_waits_for_it_any_more() {
    let (polarway, _folder) = engine().await;
    let (said, mut heard) = unbounded_channel();
    let reader = Endless { rows: trades(&[("BTC", 1)]), said };
    let mut writing = Box::pin(polarway.store_reader("trades", reader, WriteOptions::default()));
    tokio::select! {
        result = &mut writing => panic!("{result:?}"),
        first = heard.recv() => assert_eq!(first, Some("asked")),
    }
    drop(writing);
    // A write that went on would ask for ever.
    while let Some(word) = heard.recv().await {
        if word == "ended" {
            break;
        }
    }
    assert_eq!(polarway.load("trades").await.unwrap_err().kind(), ErrorKind::UnknownDataset);
}
