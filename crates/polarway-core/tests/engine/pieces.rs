//! Tables that come in pieces.

use polarway_core::arrow::array::RecordBatch;
use polarway_core::arrow::datatypes::SchemaRef;
use polarway_core::arrow::error::ArrowError;
use polarway_core::{PieceReader, WriteOptions};

use crate::support::{engine, trades};

/// Batches as pieces; an empty one is the end.
struct Batches {
    schema: SchemaRef,
    has_ended: bool,
}

impl PieceReader for Batches {
    type Piece = RecordBatch;
    type Error = ArrowError;

    fn read(&mut self, piece: RecordBatch) -> Result<Vec<RecordBatch>, ArrowError> {
        self.has_ended = piece.num_rows() == 0;
        Ok(vec![piece])
    }

    fn schema(&self) -> Option<&SchemaRef> {
        Some(&self.schema)
    }

    fn finish(&mut self) -> Result<(), ArrowError> {
        if self.has_ended { Ok(()) } else { Err(ArrowError::InvalidArgumentError("cut short".to_owned())) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_come_in_pieces_hold_no_thread_between_them() {
    let (polarway, _folder) = engine().await;
    let rows = trades(&[("BTC", 5_000_000), ("ETH", 300_000)]);
    let end = rows.slice(0, 0);
    // More than a runtime has threads for work that blocks.
    let mut stores = Vec::new();
    for number in 0..600 {
        let (sender, receiver) = futures::channel::mpsc::unbounded();
        sender.unbounded_send((rows.clone(), polarway.memory().nothing())).unwrap();
        let (polarway, schema) = (polarway.clone(), rows.schema());
        let store = tokio::spawn(async move {
            let reader = Batches { schema, has_ended: false };
            polarway.store_pieces(&format!("t{number}"), receiver, reader, WriteOptions::default()).await
        });
        stores.push((sender, store));
    }
    polarway.store("other", &rows).await.unwrap();
    assert_eq!(polarway.load("other").await.unwrap().num_rows(), 2);
    assert_eq!(polarway.datasets().await.unwrap().len(), 1);
    for (index, (sender, store)) in stores.into_iter().enumerate() {
        let is_whole = index % 60 == 0;
        if is_whole {
            sender.unbounded_send((rows.clone(), polarway.memory().nothing())).unwrap();
            sender.unbounded_send((end.clone(), polarway.memory().nothing())).unwrap();
        }
        drop(sender);
        let stored = store.await.unwrap();
        assert_eq!(stored.ok().map(|published| published.rows), is_whole.then_some(4));
    }
    assert_eq!(polarway.datasets().await.unwrap().len(), 11);
}
