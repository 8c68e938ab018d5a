//! Uploads that are wrong: each is refused for what is wrong with it, and what was stored stays.

use bytes::Bytes;
use polarway_client::Table;
use polarway_proto::Reason;
use polarway_proto::v1::store_request::Part;
use polarway_proto::v1::{Chunk, StoreHeader, StoreRequest, store_result};
use tokio::sync::mpsc;
use tonic::Request;

use crate::support::{Server, Upload, raw, reason_of, same, wide};

/// Sends an upload of `trades` that was spoiled, expects it refused for this reason, and what was stored to be there.
async fn check(reason: Reason, spoil: impl FnOnce(&mut Upload)) {
    let server = Server::start();
    let before = wide(10, 0);
    let client = server.client().await;
    client.store("trades", &before).await.unwrap();
    let mut upload = Upload::of("trades", &wide(30_000, 1));
    assert!(upload.parts.len() > 4, "the table should have several chunks");
    spoil(&mut upload);
    assert_eq!(upload.refused(&server).await, reason);
    assert_eq!(client.versions("trades").await.unwrap().len(), 1);
    assert!(same(&client.load("trades").await.unwrap(), &before));
}

#[tokio::test]
async fn an_upload_as_it_should_be_is_stored() {
    let server = Server::start();
    let table = wide(30_000, 1);
    let response = Upload::of("trades", &table).send(&server).await.unwrap();
    assert!(matches!(response.results[0].outcome, Some(store_result::Outcome::Published(_))));
    assert!(same(&server.client().await.load("trades").await.unwrap(), &table));
}

#[tokio::test]
async fn an_upload_that_ends_before_its_trailer_publishes_nothing() {
    check(Reason::UploadTruncated, |upload| upload.parts.truncate(3)).await;
    check(Reason::UploadTruncated, |upload| upload.parts.truncate(1)).await;
    check(Reason::UploadTruncated, |upload| drop(upload.parts.pop())).await;
}

#[tokio::test]
async fn a_trailer_that_counts_other_rows_is_refused() {
    check(Reason::RowCountMismatch, |upload| upload.trailer().rows += 1).await;
}

#[tokio::test]
async fn a_trailer_with_another_checksum_is_refused() {
    check(Reason::ChecksumMismatch, |upload| upload.trailer().crc32 ^= 1).await;
}

#[tokio::test]
async fn chunks_that_are_no_arrow_are_refused() {
    check(Reason::MalformedArrow, |upload| upload.chunk(0).ipc = Bytes::from_static(b"PAR1 and more")).await;
    check(Reason::MalformedArrow, |upload| upload.chunk(0).ipc = Bytes::new()).await;
}

#[tokio::test]
async fn a_table_without_a_schema_is_refused() {
    check(Reason::MalformedArrow, |upload| drop(upload.parts.drain(1..upload.parts.len() - 1))).await;
}

#[tokio::test]
async fn chunks_out_of_order_are_refused() {
    check(Reason::ChunkOutOfOrder, |upload| upload.parts.swap(1 + 1, 1 + 2)).await;
    check(Reason::ChunkOutOfOrder, |upload| upload.chunk(1).first_row += 1).await;
    check(Reason::ChunkOutOfOrder, |upload| upload.chunk(0).rows += 1).await;
    // A chunk that was cut short holds no whole message, and no rows.
    check(Reason::ChunkOutOfOrder, |upload| {
        let ipc = upload.chunk(1).ipc.clone();
        upload.chunk(1).ipc = ipc.slice(..ipc.len() - 8);
    })
    .await;
}

#[tokio::test]
async fn parts_out_of_turn_are_refused() {
    check(Reason::UnexpectedPart, |upload| drop(upload.parts.remove(0))).await;
    check(Reason::UnexpectedPart, |upload| drop(upload.parts.drain(..upload.parts.len() - 1))).await;
    check(Reason::UnexpectedPart, |upload| upload.parts.insert(2, Part::Header(StoreHeader::default())))
        .await;
}

#[tokio::test]
async fn a_header_that_does_not_say_what_to_do_is_refused() {
    check(Reason::InvalidRequest, |upload| upload.header().mode = 0).await;
    check(Reason::InvalidRequest, |upload| upload.header().mode = 99).await;
    check(Reason::InvalidRequest, |upload| upload.header().request_id = "42".to_owned()).await;
    check(Reason::InvalidName, |upload| upload.header().name = "../trades".to_owned()).await;
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused() {
    check(Reason::MessageTooLarge, |upload| {
        upload.chunk(1).ipc = Bytes::from(vec![0; 65 << 20]);
    })
    .await;
}

#[tokio::test]
async fn a_table_that_is_wrong_does_not_hold_up_those_beside_it() {
    let server = Server::start();
    let mut wrong = Upload::of("wrong", &wide(30_000, 1));
    wrong.trailer().crc32 ^= 1;
    let mut unknown = Upload::of("nowhere", &wide(30_000, 2));
    unknown.header().mode = polarway_proto::v1::WriteMode::Append.into();
    let right = Upload::of("right", &wide(30_000, 3));
    let last = Upload::of("last", &wide(3, 4));
    let response = wrong.then(unknown.then(right.then(last))).send(&server).await.unwrap();
    let reasons: Vec<_> = response
        .results
        .iter()
        .map(|result| match &result.outcome {
            Some(store_result::Outcome::Failure(failure)) => failure.reason.as_str(),
            Some(store_result::Outcome::Published(published)) => published.name.as_str(),
            None => "",
        })
        .collect();
    assert_eq!(reasons, ["CHECKSUM_MISMATCH", "UNKNOWN_DATASET", "right", "last"]);
    let names = server.client().await.datasets().await.unwrap();
    assert_eq!(names.iter().map(|dataset| dataset.name.as_str()).collect::<Vec<_>>(), ["last", "right"]);
}

#[tokio::test]
async fn an_upload_that_falls_silent_is_given_up() {
    let server = Server::start_with(&["--upload-silence", "300ms"]);
    let table: Table = wide(10, 0);
    let parts = Upload::of("trades", &table).parts;
    let (sender, receiver) = mpsc::channel(8);
    for part in parts.into_iter().take(2) {
        sender.send(StoreRequest { part: Some(part) }).await.unwrap();
    }
    // If its stream were closed, it would be truncated; this one stays open and sends nothing.
    let requests =
        futures::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let status = raw(&server).await.store(Request::new(requests)).await.unwrap_err();
    assert_eq!(reason_of(&status), Reason::UploadStalled);
    drop(sender);
    let client = server.client().await;
    assert!(client.datasets().await.unwrap().is_empty());
    client.store("trades", &table).await.unwrap();
}

#[tokio::test]
async fn garbage_in_thousand_forms_leaves_the_server_alive_and_the_data_whole() {
    let server = Server::start();
    let before = wide(10, 0);
    let client = server.client().await;
    client.store("trades", &before).await.unwrap();
    let mut noise = polarway_testing::Noise::new(11);
    for _ in 0..if polarway_testing::is_long() { 5_000 } else { 1_000 } {
        let mut upload = Upload::of("trades", &wide(50, 1));
        let chunk: &mut Chunk = upload.chunk(0);
        let mut bytes = chunk.ipc.to_vec();
        for _ in 0..1 + noise.below(4) {
            let at = noise.below(bytes.len());
            bytes[at] ^= 1 << noise.below(8);
        }
        chunk.ipc = bytes.into();
        // Whatever is wrong, the checksum is: it is that of the bytes before.
        upload.refused(&server).await;
    }
    assert_eq!(client.versions("trades").await.unwrap().len(), 1);
    assert!(same(&client.load("trades").await.unwrap(), &before));
}
