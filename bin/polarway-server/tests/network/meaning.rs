//! Uploads of few bytes that mean more than there is memory.

use std::sync::Arc;

use arrow_array::builder::BinaryViewBuilder;
use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, DictionaryArray, FixedSizeBinaryArray, Int8Array, LargeStringArray, RecordBatch,
};
use bytes::Bytes;
use polarway_client::Table;
use polarway_ipc::{Compression, EncodeOptions};
use polarway_proto::Reason;

use crate::support::{Server, Upload, numbers, same, until};

const MIB: usize = 1 << 20;

/// Messages that the client would not make.
fn uncut() -> EncodeOptions {
    EncodeOptions {
        target_bytes: usize::MAX,
        max_bytes: usize::MAX,
        max_plain_bytes: usize::MAX,
        compression: Compression::Zstd,
    }
}

fn one_column(column: ArrayRef) -> Table {
    RecordBatch::try_from_iter([("column", column)]).unwrap().into()
}

fn keyed(values: ArrayRef, rows: usize) -> Table {
    one_column(Arc::new(DictionaryArray::<Int8Type>::new(Int8Array::from(vec![0; rows]), values)))
}

fn long_text() -> ArrayRef {
    Arc::new(LargeStringArray::from(vec!["x".repeat(4 * MIB)]))
}

#[tokio::test(flavor = "multi_thread")]
async fn few_bytes_that_mean_terabytes_are_refused_and_the_worker_lives() {
    let server = Server::start();
    let client = server.client().await;
    client.store("numbers", numbers(0..10)).await.unwrap();
    let wide = FixedSizeBinaryArray::try_from_iter([vec![0u8; 40 * MIB]].into_iter()).unwrap();
    let mut views = BinaryViewBuilder::new();
    let block = views.append_block(vec![0u8; 16 * MIB].into());
    for _ in 0..1_300_000 {
        views.try_append_view(block, 0, 16 * MIB as u32).unwrap();
    }
    let before = server.resident_bytes();
    for (table, most_bytes) in [
        (keyed(Arc::new(wide), 1_000_000), 4_000),
        (keyed(long_text(), 1_000_000), 4_000),
        (one_column(Arc::new(views.finish())), 21_000_000),
    ] {
        let upload = Upload::cut("t", &table, uncut());
        assert!(upload.bytes() < most_bytes, "{}", upload.bytes());
        assert_eq!(upload.refused(&server).await, Reason::MessageTooLarge);
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 400 * MIB as u64, "it grew by {grown} bytes");
    // The same rows are stored when the client sends them.
    let few = keyed(long_text(), 150);
    client.store("texts", few.clone()).await.unwrap();
    assert!(same(&client.load("texts").await.unwrap(), &few));
    assert!(same(&client.load("numbers").await.unwrap(), &numbers(0..10)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writing_of_an_upload_ends_when_its_client_goes() {
    // Its client says nothing for as long as the first part of the file is made.
    let server = Server::start_with(&["--upload-silence", "10m"]);
    // Each message is fine, and the thousand of them that one chunk brings are hours of work.
    let batch = keyed(long_text(), 50).into_batches().remove(0);
    let table = Table::new(batch.schema(), vec![batch; 1_000]);
    let mut upload = Upload::cut("t", &table, uncut());
    let chunks: Vec<Bytes> = (0..1_001).map(|chunk| upload.chunk(chunk).ipc.clone()).collect();
    upload.parts.drain(2..1_002);
    upload.chunk(0).ipc = chunks.concat().into();
    upload.chunk(0).rows = table.num_rows() as u64;

    let has_files = || !server.data_files("t").is_empty();
    let is_written = async || has_files().then_some(());
    {
        let sending = upload.send_with_pause(&server, std::future::pending());
        tokio::select! {
            answer = sending => panic!("{answer:?}"),
            () = until("a file that is being written", is_written) => {}
        }
    }
    until("the end of the writing", async || (!has_files()).then_some(())).await;
    let client = server.client().await;
    client.store("t", numbers(0..10)).await.unwrap();
    assert!(same(&client.load("t").await.unwrap(), &numbers(0..10)));
}
