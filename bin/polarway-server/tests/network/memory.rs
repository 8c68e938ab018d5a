//! What a worker holds for clients that wait, read slowly or lie stays within its memory, and others are served meanwhile.

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::{join_all, select_all};
use http_body::Frame;
use http_body_util::StreamBody;
use polarway_client::Table;
use polarway_proto::Reason;
use polarway_proto::client::PolarwayServiceClient;
use polarway_proto::v1::LoadRequest;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Endpoint;

use crate::idle::{IdleUpload, answers, idle_uploads};
use crate::stalled::send;
use crate::support::{Server, Upload, channel, reason_of, same, wide};

const MIB: u64 = 1 << 20;

/// The memory that the process may have, and the flags of such a server; some 330 MB of it are for uploads, loads and the cache.
const PROCESS: u64 = 600_000_000;
const SMALL: [&str; 6] = ["--process-memory", "0.6", "--query-memory", "0.1", "--cache-size", "0.1"];

/// Rows of a table of some 24 MB.
const ROWS: i64 = 300_000;

/// Of what a process takes, the pages of the program and of DuckDB's library are 60 MB here, and nobody counts them; nor what the
/// allocator keeps of what was given back. With one heap, uploads that stop take 570 MB at the most and loads that nobody reads
/// 400 MB; with a heap for each thread, as usual, 650 MB and 530 MB were seen.
fn check_peak(server: &Server) {
    let peak = server.peak_bytes();
    assert!(peak < PROCESS * 9 / 8, "it had {} MiB", peak / MIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_uploads_of_which_little_has_come_hold_little() {
    let server = Server::start_with_one_heap(&[]);
    answers(&server.client().await).await;
    let before = server.resident_bytes();
    let uploads = idle_uploads(&server, 600, 2).await;
    answers(&server.client().await).await;
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 100 * MIB, "it grew by {} MiB", grown / MIB);
    assert!(uploads.iter().all(IdleUpload::is_open));
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_stop_in_the_middle_give_their_memory_to_others_and_go_on_later() {
    let server = Server::start_with_one_heap(&SMALL);
    let table = wide(ROWS, 1);
    let mut upload = Upload::of("table", &table);
    let trailer = upload.parts.pop().unwrap();
    let connection = channel(&server).await;
    // Together they bring twice as much as there is memory.
    let uploads: Vec<IdleUpload> = join_all((0..32).map(|number| {
        let mut upload = upload.clone();
        upload.header().name = format!("table_{number}");
        let parts = upload.parts.len();
        IdleUpload::begin(&connection, upload, parts)
    }))
    .await;
    let client = server.client().await;
    answers(&client).await;
    client.store("large", &table).await.unwrap();
    assert!(same(&client.load("large").await.unwrap(), &table));
    for upload in uploads {
        upload.end([trailer.clone()]).await.unwrap();
    }
    assert!(same(&client.load("table_31").await.unwrap(), &table));
    check_peak(&server);
}

/// The bytes in front of those of a chunk, in a message of an upload.
fn start_of_chunk(ipc_bytes: u64) -> Bytes {
    let field = |number: u8, content: &[u8], bytes: u64| {
        let mut field = vec![number << 3 | 2];
        prost::encoding::encode_varint(content.len() as u64 + bytes, &mut field);
        [field.as_slice(), content].concat()
    };
    let ipc = field(1, &[], ipc_bytes);
    let chunk = field(2, &ipc, ipc_bytes);
    let length = u32::try_from(chunk.len() as u64 + ipc_bytes).unwrap();
    [&[0], &length.to_be_bytes()[..], &chunk].concat().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_messages_that_never_end_are_given_up_when_others_need_the_memory() {
    let server = Server::start_with_one_heap(&SMALL);
    let connection = channel(&server).await;
    // Half of it comes.
    let start = start_of_chunk(60 << 20);
    let rest = Bytes::from(vec![0; 30 << 20]);
    let stalled: Vec<_> = (0..30)
        .map(|_| {
            let pieces: Vec<Bytes> = rest.chunks(1 << 16).map(|piece| rest.slice_ref(piece)).collect();
            let frames =
                [start.clone()].into_iter().chain(pieces).map(|piece| Ok::<_, Status>(Frame::data(piece)));
            let frames = futures::stream::iter(frames.collect::<Vec<_>>()).chain(futures::stream::pending());
            let (connection, body) = (connection.clone(), Body::new(StreamBody::new(frames)));
            tokio::spawn(async move { send(&connection, "/polarway.v1.PolarwayService/Store", body).await })
        })
        .collect();
    // It takes its turn behind all of them.
    let client = server.client().await;
    answers(&client).await;
    let table: Table = wide(ROWS, 2);
    client.store("large", &table).await.unwrap();
    assert!(same(&client.load("large").await.unwrap(), &table));
    let (first, _, others) = select_all(stalled).await;
    let reason = reason_of(&first.unwrap());
    assert!(matches!(reason, Reason::UploadStalled | Reason::ResourceExhausted), "{reason}");
    check_peak(&server);
    others.iter().for_each(|call| call.abort());
}

#[tokio::test(flavor = "multi_thread")]
async fn loads_that_nobody_reads_stay_within_the_memory_and_can_be_gone_on_with() {
    let server = Server::start_with_one_heap(&SMALL);
    let client = server.client().await;
    let table = wide(4 * ROWS, 1);
    client.store("flights", &table).await.unwrap();
    let endpoint = Endpoint::new(server.url()).unwrap().initial_connection_window_size(i32::MAX as u32);
    let mut service = PolarwayServiceClient::new(endpoint.connect().await.unwrap());
    let request = LoadRequest { name: "flights".to_owned(), ..LoadRequest::default() };
    let mut readers = Vec::new();
    for compression in [0, 1] {
        for _ in 0..20 {
            let request = LoadRequest { compression, ..request.clone() };
            let mut stream = service.load(request).await.unwrap().into_inner();
            let first = stream.next().await.unwrap().unwrap();
            readers.push((first.chunk.map_or(0, |chunk| chunk.rows), stream));
        }
    }
    answers(&client).await;
    assert!(same(&client.load("flights").await.unwrap(), &table));
    for (mut next_row, mut rest) in readers.into_iter().step_by(7) {
        let ended = loop {
            match rest.next().await {
                Some(Ok(response)) => next_row += response.chunk.map_or(0, |chunk| chunk.rows),
                Some(Err(status)) => break Some(reason_of(&status)),
                None => break None,
            }
        };
        match ended {
            None => assert_eq!(next_row, 4 * ROWS as u64),
            Some(reason) => assert_eq!(reason, Reason::ResourceExhausted),
        }
    }
    check_peak(&server);
}
