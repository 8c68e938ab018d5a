//! A client that reads slowly, writes slowly or is gone takes little memory, and not for long.

use futures::StreamExt as _;
use polarway_client::{QueryOptions, QueryPhase};
use polarway_proto::v1::{LoadRequest, StoreRequest};
use tokio::sync::mpsc;
use tonic::Request;

use crate::support::{
    ENDLESS_SUM, PATIENCE, Server, Upload, all_ended, in_background, numbers, query_in, raw, rows_of,
    scattered, until, wide,
};

const MIB: u64 = 1 << 20;

/// Rows of about 110 MB: many times more than what may wait for a reader.
const ROWS: i64 = 1_500_000;

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_stop_reading_hold_no_more_than_some_chunks_each() {
    let server = Server::start_with(&["--cache-size", "0", "--query-memory", "0.2"]);
    let client = server.client().await;
    client.store("flights", wide(ROWS, 1)).await.unwrap();
    let before = server.resident_bytes();
    // The cross join makes more rows than fit into any memory.
    let sql = "SELECT a.* FROM flights AS a, range(1000)";
    let mut readers = Vec::new();
    for _ in 0..4 {
        let mut stream = client.query_stream(sql).await.unwrap();
        stream.next().await.unwrap().unwrap();
        readers.push(stream);
    }
    let others: Vec<String> =
        client.queries().await.unwrap().into_iter().map(|query| query.query_id).collect();
    // While this reader gets so much, the server has the time to make as much for each of the others.
    let mut reading = client.query_stream(sql).await.unwrap();
    let mut read = 0;
    while read < 300 * MIB {
        read += reading.next().await.unwrap().unwrap().get_array_memory_size() as u64;
    }
    let queries = client.queries().await.unwrap();
    let made = queries.iter().filter(|query| others.contains(&query.query_id)).map(|query| query.bytes);
    let made: Vec<u64> = made.map(|bytes| bytes / MIB).collect();
    assert!(made.len() == 4 && made.iter().all(|mebibytes| *mebibytes < 64), "{made:?} MiB were made");
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 600 * MIB, "it grew by {} MiB", grown / MIB);
    drop(reading);
    drop(readers);
    client.health_check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_never_read_keep_nobody_from_running_a_query() {
    let server = Server::start_with(&["--queries-running", "2"]);
    let client = server.client().await;
    let mut readers = Vec::new();
    for _ in 0..4 {
        // Twice as many as run at once: each is begun, and then left alone.
        let mut stream = client.query_stream("SELECT range AS n FROM range(10000000000)").await.unwrap();
        stream.next().await.unwrap().unwrap();
        readers.push(stream);
    }
    for number in 0..3 {
        let rows = rows_of(&client.query(&format!("SELECT {number}")).await.unwrap());
        assert_eq!(rows, [number.to_string()]);
    }
    // A reader that was only slow reads on.
    readers.last_mut().unwrap().next().await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cached_table_that_is_read_slowly_is_not_copied() {
    let server = Server::start();
    let client = server.client().await;
    client.store("flights", wide(ROWS, 1)).await.unwrap();
    client.load("flights").await.unwrap();
    let before = server.resident_bytes();
    let mut readers = Vec::new();
    for _ in 0..4 {
        let request = LoadRequest { name: "flights".to_owned(), ..LoadRequest::default() };
        let mut stream = raw(&server).await.load(request).await.unwrap().into_inner();
        stream.next().await.unwrap().unwrap();
        readers.push(stream);
    }
    // While this reader gets the whole table, the server has the time to send it to the others.
    assert_eq!(client.load("flights").await.unwrap().num_rows() as i64, ROWS);
    assert_eq!(client.cache_stats().await.unwrap().misses, 1);
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 64 * MIB, "it grew by {} MiB", grown / MIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_stops_its_query() {
    let server = Server::start();
    let client = server.client().await;
    let running = in_background(&client, ENDLESS_SUM, QueryOptions::default());
    query_in(QueryPhase::Running, &client, ENDLESS_SUM).await;
    running.abort();
    // A query is listed for as long as a thread works for it.
    all_ended(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_client_vanishes_leaves_no_file_behind() {
    let server = Server::start();
    let client = server.client().await;
    client.store("trades", numbers(0..3)).await.unwrap();
    for _ in 0..5 {
        let (sender, receiver) = mpsc::channel(64);
        let requests =
            futures::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        let mut service = raw(&server).await;
        let call = tokio::spawn(async move { service.store(Request::new(requests)).await.map(drop) });
        let before = server.data_files("trades");
        // The file is made when its second row group is full; a row group has a million rows.
        let parts = Upload::of("trades", &scattered(2_100_000)).parts;
        let all_but_the_trailer = parts.len() - 1;
        for part in parts.into_iter().take(all_but_the_trailer) {
            sender.send(StoreRequest { part: Some(part) }).await.unwrap();
        }
        let is_begun = async || (!server.data_files("trades").is_subset(&before)).then_some(());
        until("a file that is being written", is_begun).await;
        call.abort();
        drop(call.await);
    }
    let is_tidy = async || (server.data_files("trades").len() == 1).then_some(());
    until("the end of the unfinished uploads", is_tidy).await;
    assert_eq!(client.versions("trades").await.unwrap().len(), 1);
    assert_eq!(client.load("trades").await.unwrap().num_rows(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_never_speaks_is_closed() {
    use tokio::io::AsyncReadExt as _;

    let server = Server::start();
    let mut silent = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let mut buffer = Vec::new();
    // The server may send its settings first; what matters is that it closes the connection.
    let closed = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut buffer)).await;
    assert!(closed.is_ok(), "it is still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_beyond_those_that_there_may_be_is_turned_away_and_the_others_go_on() {
    let server = Server::start_with(&["--connections", "3"]);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(server.client().await);
    }
    let endpoint = tonic::transport::Endpoint::new(server.url()).unwrap();
    let turned_away = async {
        let channel = endpoint.connect().await?;
        let mut service = polarway_proto::client::PolarwayServiceClient::new(channel);
        service.get_server_info(polarway_proto::v1::GetServerInfoRequest {}).await.map(drop)?;
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    let answer = tokio::time::timeout(PATIENCE, turned_away).await;
    assert!(answer.expect("it is turned away").is_err());
    server.logged("connections were turned away").await;
    clients[0].store("trades", numbers(0..3)).await.unwrap();
    drop(clients.pop());
    let again = until("a place that is free again", async || {
        polarway_client::DistributedClient::connect(server.url()).await.ok()
    });
    assert_eq!(again.await.load("trades").await.unwrap().num_rows(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_room_for_files_goes_on_accepting_once_it_has_some() {
    // Twenty files are open before the first connection.
    let server = Server::start_with_open_files(64);
    let client = server.client().await;
    let mut connections = Vec::new();
    for _ in 0..60 {
        connections.push(tokio::net::TcpStream::connect(server.address()).await.unwrap());
    }
    server.logged("connection").await;
    drop(connections);
    until("a connection", async || polarway_client::DistributedClient::connect(server.url()).await.ok())
        .await;
    client.health_check().await.unwrap();
}
