//! Connections that break anywhere cost a retry and nothing else.

use std::sync::Arc;

use polarway_client::{DistributedClient, Selection, Table, WriteMode, WriteOptions};
use polarway_testing::{Noise, is_long};

use crate::support::{Break, Nobody, Proxy, Server, client_of, same, wide};

/// Rows of the table that is sent around: about 4 MB, so four chunks.
const ROWS: i64 = 40_000;

const ALL: &str = "SELECT * FROM flights ORDER BY n";

async fn client_through(proxy: &Proxy) -> DistributedClient {
    client_of(proxy.url()).connect_lazily().unwrap()
}

/// The bytes that go over the network in one call whose connection does not break.
pub(crate) async fn bytes_of<R>(server: &Server, call: impl AsyncFnOnce(DistributedClient) -> R) -> usize {
    let proxy = Proxy::before(server.address(), Break::Close, 0, || 0).await;
    call(client_through(&proxy).await).await;
    proxy.passed_bytes() as usize
}

/// Breaks calls at random bytes, `cuts` times in all.
async fn cut<R>(
    server: &Server,
    seed: u64,
    cuts: usize,
    kind: Break,
    call: impl AsyncFn(DistributedClient, usize) -> R,
) {
    let bytes = bytes_of(server, async |client| call(client, usize::MAX).await).await;
    let (mut noise, mut broken) = (Noise::new(seed), 0);
    for round in 0..cuts {
        let after = noise.below(bytes) as u64;
        let proxy = Proxy::before(server.address(), kind, 1, move || after).await;
        call(client_through(&proxy).await, round).await;
        broken += u64::from(proxy.has_broken());
    }
    // Bytes that are not of the call, such as heartbeats, differ a little from call to call.
    assert!(broken * 10 >= cuts as u64 * 9, "{broken} of {cuts} calls were cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_whose_connection_is_cut_anywhere_gives_the_same_rows() {
    let server = Server::start();
    let table = wide(ROWS, 1);
    server.client().await.store("flights", &table).await.unwrap();
    cut(&server, 1, if is_long() { 300 } else { 70 }, Break::Close, async |client, round| {
        let loaded = client.load("flights").await.unwrap();
        assert!(same(&loaded, &table), "round {round}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_of_some_columns_and_rows_whose_connection_is_cut_anywhere_gives_the_same_rows() {
    let server = Server::start();
    let table = wide(ROWS, 6);
    let client = server.client().await;
    client.store("flights", &table).await.unwrap();
    let names: Vec<String> = table.schema().fields().iter().rev().map(|field| field.name().clone()).collect();
    let (first_row, end_row) = (ROWS as u64 / 10, ROWS as u64 - 7);
    let some = Selection::default().with_columns(&names[..names.len() - 1]).with_rows(first_row..end_row);
    let expected = client.load_with("flights", some.clone()).await.unwrap();
    assert_eq!(expected.num_rows(), (end_row - first_row) as usize);
    assert!(expected.schema().fields().iter().map(|field| field.name()).eq(&names[..names.len() - 1]));
    cut(&server, 6, if is_long() { 300 } else { 30 }, Break::Close, async |client, round| {
        assert!(same(&client.load_with("flights", some.clone()).await.unwrap(), &expected), "round {round}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_whose_connection_is_cut_anywhere_gives_the_same_rows() {
    let server = Server::start();
    let table = wide(ROWS, 2);
    server.client().await.store("flights", &table).await.unwrap();
    let expected: Table = server.client().await.query(ALL).await.unwrap();
    cut(&server, 2, if is_long() { 300 } else { 60 }, Break::Close, async |client, round| {
        assert!(same(&client.query(ALL).await.unwrap(), &expected), "round {round}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_connection_is_cut_anywhere_is_written_once() {
    let server = Server::start();
    let direct = server.client().await;
    let cuts = if is_long() { 300 } else { 70 };
    cut(&server, 3, cuts, Break::Close, async |client, round| {
        client.store("flights", wide(ROWS, round as i64)).await.unwrap();
    })
    .await;
    // The call that was measured, and one for each cut.
    let versions = direct.versions("flights").await.unwrap();
    assert_eq!(versions.len(), 1 + cuts);
    assert!(same(&direct.load("flights").await.unwrap(), &wide(ROWS, cuts as i64 - 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_connection_is_cut_anywhere_adds_its_rows_once() {
    let server = Server::start();
    let direct = server.client().await;
    direct.store("flights", wide(0, 0)).await.unwrap();
    let cuts = if is_long() { 100 } else { 30 };
    cut(&server, 4, cuts, Break::Close, async |client, _| {
        client.append("flights", wide(5_000, 4)).await.unwrap();
    })
    .await;
    let expected = 5_000 * (1 + cuts as u64);
    assert_eq!(direct.describe("flights").await.unwrap().rows, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_connection_is_cut_anywhere_writes_each_table_once() {
    let server = Server::start();
    let direct = server.client().await;
    let cuts = 20;
    cut(&server, 5, cuts, Break::Close, async |client, _| {
        let tables = ["one", "two", "three"].map(|name| (name, wide(5_000, 5)));
        for result in client.store_batch(tables).await.unwrap() {
            result.unwrap();
        }
    })
    .await;
    for name in ["one", "two", "three"] {
        assert_eq!(direct.versions(name).await.unwrap().len(), 1 + cuts, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_falls_silent_is_given_up_and_the_call_goes_on() {
    let server = Server::start();
    let table = wide(ROWS, 6);
    let direct = server.client().await;
    direct.store("flights", &table).await.unwrap();
    let bytes = bytes_of(&server, async |client| client.load("flights").await.unwrap()).await;
    let silent = async || Proxy::before(server.address(), Break::Silence, 1, move || bytes as u64 / 2).await;
    // Each takes some seconds of silence, so they wait together.
    let (load_proxy, query_proxy, store_proxy) = (silent().await, silent().await, silent().await);
    let loading = async {
        let client = client_through(&load_proxy).await;
        assert!(same(&client.load("flights").await.unwrap(), &table));
    };
    let querying = async {
        let client = client_through(&query_proxy).await;
        assert_eq!(client.query(ALL).await.unwrap().num_rows(), ROWS as usize);
    };
    let storing = async {
        let client = client_through(&store_proxy).await;
        let create = WriteOptions::new(WriteMode::Create);
        client.store_with("fresh", &table, create).await.unwrap();
    };
    tokio::join!(loading, querying, storing);
    assert!(load_proxy.has_broken() && query_proxy.has_broken() && store_proxy.has_broken());
    assert_eq!(direct.versions("fresh").await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_does_not_answer_is_passed_over_for_one_that_does() {
    let server = Server::start();
    let table = wide(100, 7);
    server.client().await.store("flights", &table).await.unwrap();
    let nobody = Nobody::new();
    for _ in 0..8 {
        let client = client_of(nobody.url()).url(server.url()).connect().await.unwrap();
        assert!(same(&client.load("flights").await.unwrap(), &table));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_handed_out_in_part_goes_on_at_the_next_row() {
    use futures::TryStreamExt as _;

    let server = Server::start();
    let table = wide(ROWS, 8);
    server.client().await.store("flights", &table).await.unwrap();
    let bytes = bytes_of(&server, async |client| client.load("flights").await.unwrap()).await;
    let proxy = Proxy::before(server.address(), Break::Close, 1, move || bytes as u64 / 2).await;
    let stream = client_through(&proxy).await.load_stream("flights").await.unwrap();
    // What is stored meanwhile is another version.
    server.client().await.store("flights", wide(3, 9)).await.unwrap();
    let schema = Arc::clone(stream.schema());
    let batches: Vec<_> = stream.try_collect().await.unwrap();
    assert!(proxy.has_broken());
    assert!(same(&Table::new(schema, batches), &table));
}
