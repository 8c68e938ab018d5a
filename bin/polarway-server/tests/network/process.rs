//! The process: how it starts, what it says, how it ends.

use futures::StreamExt as _;
use polarway_client::{QueryOptions, QueryPhase};
use tokio::net::TcpStream;

use crate::support::{ENDLESS_SUM, Server, in_background, numbers, query_in, sum_of, until, wide};

#[tokio::test]
async fn a_taken_port_is_said_with_what_to_do() {
    let server = Server::start();
    let (code, said) = Server::fails(&["--bind", server.address()], &[]);
    assert_eq!(code, 1);
    let expect = format!("error: can't listen on {}: another program does.", server.address());
    assert!(said.contains(&expect) && said.contains("--grpc-port"), "{said}");
    server.client().await.health_check().await.unwrap();
}

#[test]
fn settings_that_are_wrong_end_it_with_one_line() {
    let (code, said) = Server::fails(&["--cache-size", "lots"], &[]);
    assert_eq!((code, said.lines().count()), (1, 1), "{said}");
    assert!(said.contains("--cache-size is \"lots\""), "{said}");
    let (code, said) =
        Server::fails(&[], &[("POLARWAY_GRACE", "1s"), ("POLARWAY_BIND_ADDRESS", "127.0.0.1:0")]);
    assert_eq!(code, 1);
    assert!(said.contains("grace must be ten minutes at least"), "{said}");
}

#[test]
fn usage_that_is_wrong_exits_with_2() {
    assert_eq!(Server::fails(&["--no-such-flag"], &[]).0, 2);
    let (code, said) = Server::fails(&["--bind", "127.0.0.1:0", "--grpc-port", "1"], &[]);
    assert_eq!(code, 2);
    assert!(said.contains("--grpc-port"), "{said}");
}

#[tokio::test]
async fn a_signal_lets_what_runs_finish_and_takes_nothing_new() {
    let mut server = Server::start();
    let client = server.client().await;
    client.store("flights", wide(600_000, 1)).await.unwrap();
    let mut stream = client.load_stream("flights").await.unwrap();
    let mut rows = stream.next().await.unwrap().unwrap().num_rows();
    server.signal("-TERM");
    server.logged("shutting down").await;
    until("a closed port", async || TcpStream::connect(server.address()).await.err()).await;
    while let Some(batch) = stream.next().await {
        rows += batch.unwrap().num_rows();
    }
    assert_eq!(rows, 600_000);
    drop(stream);
    drop(client);
    assert!(server.ended().await.success());
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut_off() {
    let mut server = Server::start_with(&["--shutdown-grace", "200ms"]);
    let client = server.client().await;
    let running = in_background(&client, ENDLESS_SUM, QueryOptions::default());
    query_in(QueryPhase::Running, &client, ENDLESS_SUM).await;
    server.signal("-TERM");
    assert!(server.ended().await.success());
    running.abort();
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::over(folder.path(), "127.0.0.1:0");
    server.client().await.store("numbers", numbers(0..100)).await.unwrap();
    server.signal("-TERM");
    assert!(server.ended().await.success());
    let again = Server::over(folder.path(), "127.0.0.1:0");
    assert_eq!(sum_of(&again.client().await.load("numbers").await.unwrap()), 4950);
}
