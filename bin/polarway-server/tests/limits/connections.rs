//! Connections that do nothing, or nothing good: there are only so many of them, they end, and the others are served.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use futures::future::join_all;
use polarway_proto::v1::GetServerInfoRequest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::others::{client_at, head_of_call, query};
use crate::support::{PATIENCE, Server, until};

/// The bytes with which HTTP/2 begins, and an empty SETTINGS frame.
pub(crate) const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A connection from 127.0.0.`number`.
pub(crate) async fn connect_from(server: &Server, number: u8) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, number)), 0))?;
    socket.connect(server.address().parse().unwrap()).await
}

/// Waits until the server has closed a connection; returns what it sent.
async fn closed(mut stream: TcpStream) -> Vec<u8> {
    let mut sent = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut sent)).await;
    let _ = end.expect("it is closed"); // or reset, which ends it as well
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_connections_and_the_others_have_theirs() {
    let server = Server::start_with(&["--connections-per-address", "3"]);
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut client = client_at(&server, 2).await;
        client.get_server_info(GetServerInfoRequest {}).await.unwrap();
        open.push(client);
    }
    let told = closed(connect_from(&server, 2).await.unwrap()).await;
    assert!(String::from_utf8_lossy(&told).contains("too many connections from your address"), "{told:?}");
    let mut other = client_at(&server, 3).await;
    query(&mut other, "SELECT 1").await.unwrap();
    server.logged("3 from one address").await;
    open.pop();
    until("a place that is free again", async || {
        let mut stream = connect_from(&server, 2).await.ok()?;
        stream.write_all(BEGINNING).await.ok()?;
        let mut first = [0; 9];
        stream.read_exact(&mut first).await.ok()?;
        // Its own SETTINGS frame has something in it, that of a farewell has not.
        (first[..3] != [0, 0, 0]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_trickle_in_end_in_time_however_many_there_are() {
    let server = Server::start_with(&["--handshake-time", "1s", "--connections-per-address", "100"]);
    let slow = (0..100).map(|place| {
        let server = &server;
        async move {
            let mut stream = connect_from(server, 2).await.unwrap();
            // As much of the beginning as its place allows, one byte at a time.
            for byte in &BEGINNING[..place % 24] {
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            closed(stream).await
        }
    });
    let mut other = client_at(&server, 3).await;
    let (told, served) = tokio::join!(join_all(slow), query(&mut other, "SELECT 1"));
    served.unwrap();
    assert_eq!(told.len(), 100);
    // Their places are free again.
    let mut again = client_at(&server, 2).await;
    query(&mut again, "SELECT 1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_calls_is_closed_and_one_with_a_call_is_not() {
    let server = Server::start_with(&["--connection-idle", "500ms"]);
    let mut idle = connect_from(&server, 2).await.unwrap();
    idle.write_all(BEGINNING).await.unwrap();
    let mut busy = client_at(&server, 3).await;
    let request = polarway_proto::v1::QueryRequest {
        sql: crate::support::ENDLESS_SUM.to_owned(),
        ..Default::default()
    };
    let mut answer = busy.query(request).await.unwrap().into_inner();
    closed(idle).await;
    // A heartbeat comes each second.
    for _ in 0..3 {
        answer.message().await.unwrap().unwrap();
    }
    drop(answer);
    // A client that finds its connection closed connects again.
    let client = server.client().await;
    client.health_check().await.unwrap();
    until("a call on a fresh connection", async || client.datasets().await.ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_begun_and_reset_without_end_cost_their_connection_and_nobody_else() {
    let server = Server::start_with_one_heap(&[]);
    let mut other = client_at(&server, 3).await;
    query(&mut other, "SELECT 1").await.unwrap();
    let before = server.resident_bytes();
    for _ in 0..3 {
        let stream = connect_from(&server, 2).await.unwrap();
        let (mut requests, connection) = h2::client::handshake(stream).await.unwrap();
        let mut connection = tokio::spawn(connection);
        let mut begun = 0;
        // Many more than a client may give up.
        while begun < 20_000 && !connection.is_finished() {
            let request = head_of_call(&server, "GetServerInfo");
            let Ok(ready) = requests.clone().ready().await else { break };
            requests = ready;
            let Ok((answer, mut body)) = requests.send_request(request, false) else { break };
            body.send_reset(h2::Reason::CANCEL);
            drop(answer);
            begun += 1;
            if begun % 100 == 0 {
                tokio::task::yield_now().await;
                query(&mut other, "SELECT 1").await.unwrap();
            }
        }
        drop(requests);
        let ended = tokio::time::timeout(PATIENCE, &mut connection).await.expect("the connection ends");
        assert!(ended.unwrap().is_err(), "it was closed by the client's own end after {begun} calls");
        assert!(begun < 20_000);
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 128 << 20, "it grew by {} MiB", grown >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_streams_is_refused_by_http_2_and_the_others_are_served() {
    let server = Server::start_with_one_heap(&["--calls-per-caller", "64"]);
    let mut other = client_at(&server, 3).await;
    query(&mut other, "SELECT 1").await.unwrap();
    let before = server.resident_bytes();
    let stream = connect_from(&server, 2).await.unwrap();
    let (mut requests, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut begun = Vec::new();
    for number in 0..5_000 {
        let request = head_of_call(&server, "Query");
        // Beyond the streams that the server allows, HTTP/2 holds the request back here.
        let Some(Ok(ready)) = futures::FutureExt::now_or_never(requests.clone().ready()) else { break };
        requests = ready;
        let Ok(call) = requests.send_request(request, false) else { break };
        begun.push(call);
        if number % 500 == 0 {
            tokio::task::yield_now().await;
            query(&mut other, "SELECT 1").await.unwrap();
        }
    }
    query(&mut other, "SELECT 1").await.unwrap();
    other.get_server_info(GetServerInfoRequest {}).await.unwrap();
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 128 << 20, "it grew by {} MiB", grown >> 20);
    drop(begun);
    connection.abort();
}
