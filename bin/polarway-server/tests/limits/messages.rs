//! Messages that are too long, and uploads beyond the memory limit of their caller.

use std::io::Write as _;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use bytes::Bytes;
use flate2::write::GzEncoder;
use polarway_client::Table;
use polarway_ipc::{Compression, EncodeOptions};
use polarway_proto::Reason;
use polarway_proto::v1::{GetServerInfoRequest, StoreRequest};
use tokio::net::TcpStream;
use tonic::{Request, Status};

use crate::others::{client_at, head_of_call, query};
use crate::support::{PATIENCE, Server, Upload, reason_of, until};

const MIB: usize = 1 << 20;

/// A table with this many rows, each a text of this many bytes.
fn texts(rows: usize, bytes: usize) -> Table {
    let texts = (0..rows).map(|row| row.to_string().repeat(bytes / row.to_string().len()));
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    Table::from(RecordBatch::try_from_iter([("text", column)]).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_is_as_large_as_the_server_lets_it() {
    let server = Server::start_with(&["--message-size", "2"]);
    let upload = Upload::of("t", &texts(1, 3 * MIB));
    assert_eq!(upload.refused(&server).await, Reason::MessageTooLarge);
    let upload = Upload::of("t", &texts(12, MIB));
    assert!(upload.bytes() > 10 * MIB);
    upload.send(&server).await.unwrap();
    assert_eq!(server.client().await.load("t").await.unwrap().num_rows(), 12);
}

/// Sends a message that says that it has this many bytes, as much of it as the server takes; returns how much that was, and the
/// status of the answer.
async fn send_message_of(server: &Server, length: usize) -> (usize, Option<String>) {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (requests, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut requests = requests.ready().await.unwrap();
    let request = head_of_call(server, "Store");
    let (mut response, mut body) = requests.send_request(request, false).unwrap();
    let mut header = vec![0];
    header.extend(u32::try_from(length).unwrap().to_be_bytes());
    body.send_data(header.into(), false).unwrap();
    let piece = Bytes::from(vec![0xff; 16 << 10]);
    let mut sent = 0;
    let answer = loop {
        tokio::select! {
            biased;
            answer = &mut response => break answer.ok(),
            capacity = async {
                body.reserve_capacity(piece.len());
                std::future::poll_fn(|context| body.poll_capacity(context)).await
            }, if sent < length => match capacity {
                Some(Ok(0)) => {}
                Some(Ok(room)) => {
                    let taken = room.min(piece.len());
                    sent += taken;
                    if body.send_data(piece.slice(..taken), false).is_err() {
                        break (&mut response).await.ok();
                    }
                }
                _ => break (&mut response).await.ok(),
            },
        }
    };
    connection.abort();
    let status =
        answer.and_then(|answer| answer.headers().get("grpc-status")?.to_str().ok().map(str::to_owned));
    (sent, status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_gibibyte_is_refused_before_it_has_come() {
    let server = Server::start_with_one_heap(&[]);
    let client = server.client().await;
    let before = server.resident_bytes();
    for _ in 0..8 {
        let answer = tokio::time::timeout(PATIENCE, send_message_of(&server, 1 << 30)).await;
        let (sent, status) = answer.expect("it is refused");
        // Only the bytes in flight when it is refused: the windows of HTTP/2 allow no more.
        assert!(sent < 64 * MIB, "{sent} bytes were taken");
        assert_eq!(status.as_deref(), Some("3"), "INVALID_ARGUMENT");
    }
    let grown = server.peak_bytes().saturating_sub(before);
    assert!(grown < 128 << 20, "it grew by {} MiB", grown >> 20);
    client.health_check().await.unwrap();
}

/// An upload of 4 MiB of zeros in one chunk, compressed as Arrow does it. Its only buffer says that it holds so many bytes.
fn bomb(compression: Compression, declared: u64) -> Upload {
    let bytes = 4 * MIB;
    let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; bytes / 8]));
    let table = Table::from(RecordBatch::try_from_iter([("zeros", zeros)]).unwrap());
    let options = EncodeOptions { compression, target_bytes: bytes, ..EncodeOptions::default() };
    let mut upload = Upload::cut("t", &table, options);
    let ipc = &mut upload.chunk(0).ipc;
    let mut changed = ipc.to_vec();
    // A compressed buffer begins with it.
    let place = changed.windows(8).rposition(|number| number == (bytes as u64).to_le_bytes()).unwrap();
    changed[place..place + 8].copy_from_slice(&declared.to_le_bytes());
    *ipc = changed.into();
    upload
}

#[tokio::test(flavor = "multi_thread")]
async fn arrow_buffers_that_declare_gigabytes_are_refused_before_memory_is_taken() {
    let server = Server::start_with_one_heap(&[]);
    let mut other = client_at(&server, 3).await;
    query(&mut other, "SELECT 1").await.unwrap();
    let before = server.resident_bytes();
    for compression in [Compression::Lz4, Compression::Zstd] {
        // The first one holds more than it declares.
        for declared in [8, 257 << 20, 3 << 30, u64::from(u32::MAX), 1 << 40, i64::MAX as u64, u64::MAX - 1] {
            assert_eq!(
                bomb(compression, declared).refused(&server).await,
                Reason::MalformedArrow,
                "{declared}"
            );
            query(&mut other, "SELECT 1").await.unwrap();
        }
    }
    let grown = server.peak_bytes().saturating_sub(before);
    assert!(grown < 128 << 20, "it grew by {} MiB", grown >> 20);
    assert!(server.client().await.datasets().await.unwrap().is_empty());
}

/// A message of so many zeros, as gzip makes it.
fn gzip_bomb(bytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0; MIB];
    for _ in 0..bytes / MIB {
        encoder.write_all(&zeros).unwrap();
    }
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gzip_bomb_is_refused_and_never_inflated() {
    let server = Server::start_with_one_heap(&[]);
    let mut other = client_at(&server, 3).await;
    query(&mut other, "SELECT 1").await.unwrap();
    let bomb = gzip_bomb(1024 * MIB);
    let length = u32::try_from(bomb.len()).unwrap().to_be_bytes();
    let framed = Bytes::from([&[1], &length[..], &bomb].concat());
    let before = server.resident_bytes();
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (requests, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    // UNIMPLEMENTED, as its headers say how it is compressed; INVALID_ARGUMENT, where only its flag does.
    for (encoding, expected) in [("gzip", "12"), ("identity", "3")] {
        for method in ["Store", "Query", "Load", "GetServerInfo"] {
            let mut request = head_of_call(&server, method);
            request.headers_mut().insert("grpc-encoding", encoding.parse().unwrap());
            let mut requests = requests.clone().ready().await.unwrap();
            let (answer, mut body) = requests.send_request(request, false).unwrap();
            // The server may have refused it for its headers.
            let _ = body.send_data(framed.clone(), true);
            let answer = answer.await.unwrap();
            let status = answer.headers().get("grpc-status").map(|status| status.to_str().unwrap());
            assert_eq!(status, Some(expected), "{method} with {encoding}");
            query(&mut other, "SELECT 1").await.unwrap();
        }
    }
    connection.abort();
    let grown = server.peak_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "it grew by {} MiB", grown >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_bring_more_than_their_caller_may_have_under_way_wait_or_are_told_to_come_back() {
    let server = Server::start_with(&["--uploads-per-caller", "0.004"]);
    let parts_of = |name: &str| -> Vec<StoreRequest> {
        let upload = Upload::of(name, &texts(3, 3 * MIB));
        upload.parts.into_iter().map(|part| StoreRequest { part: Some(part) }).collect()
    };
    // Alone, each of them needs less memory than all of them together.
    let mut greedy = Vec::new();
    for number in 0..6 {
        let mut client = client_at(&server, 2).await;
        let parts = parts_of(&format!("of_greedy_{number}"));
        greedy.push(tokio::spawn(async move {
            client.store(Request::new(futures::stream::iter(parts))).await.map(drop)
        }));
    }
    let mut modest = client_at(&server, 3).await;
    modest.store(Request::new(futures::stream::iter(parts_of("of_modest")))).await.unwrap();
    for call in greedy {
        match call.await.unwrap() {
            Ok(()) => {}
            Err(status) => is_for_now(&status),
        }
    }
    // All memory is free again.
    let parts = parts_of("of_greedy_in_the_end");
    let mut client = client_at(&server, 2).await;
    until("room again", async || client.store(Request::new(futures::stream::iter(parts.clone()))).await.ok())
        .await;
    client.get_server_info(GetServerInfoRequest {}).await.unwrap();
}

fn is_for_now(status: &Status) {
    assert!([Reason::ResourceExhausted, Reason::UploadStalled].contains(&reason_of(status)), "{status:?}");
}
