//! Every kind of call, through every balancer in every mode.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use futures::{StreamExt as _, TryStreamExt as _};
use polarway_client::{At, DistributedClient, Reason, Table, WriteMode, WriteOptions, params};
use polarway_fleet::{Balancer, Spread};

use crate::support::{OwnFleet, has, numbers, refused, same, sum_of, wide};

/// Rows of a table that takes many chunks.
const MANY: i64 = 1_500_000;

#[tokio::test(flavor = "multi_thread")]
async fn every_call_goes_through_nginx_in_turns() {
    every_call_goes_through(Balancer::Nginx, Spread::RoundRobin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_goes_through_nginx_to_the_worker_with_the_fewest() {
    every_call_goes_through(Balancer::Nginx, Spread::LeastConnections).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_goes_through_nginx_to_the_worker_of_its_address() {
    every_call_goes_through(Balancer::Nginx, Spread::Source).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_goes_through_haproxy_in_turns() {
    every_call_goes_through(Balancer::Haproxy, Spread::RoundRobin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_goes_through_haproxy_to_the_worker_with_the_fewest() {
    every_call_goes_through(Balancer::Haproxy, Spread::LeastConnections).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_goes_through_haproxy_to_the_worker_of_its_address() {
    every_call_goes_through(Balancer::Haproxy, Spread::Source).await;
}

async fn every_call_goes_through(balancer: Balancer, spread: Spread) {
    if !has(balancer) {
        return;
    }
    let fleet = OwnFleet::behind(balancer, spread);
    let client = fleet.client().await;
    client.health_check().await.unwrap();
    calls_are_spread(&client, spread).await;
    tables_come_back(&client).await;
    streams_are_whole(&client).await;
    what_there_is_is_told(&client).await;
    errors_keep_their_reasons(&client).await;
    an_error_in_mid_stream_keeps_its_reason(&client).await;
    results_are_kept(&client).await;
}

async fn calls_are_spread(client: &DistributedClient, spread: Spread) {
    let mut workers = BTreeSet::new();
    for _ in 0..30 {
        workers.insert(client.server_info().await.unwrap().worker_id);
    }
    match spread {
        Spread::RoundRobin => assert_eq!(workers.len(), 3),
        // While they have nothing to do, each of them has the fewest connections.
        Spread::LeastConnections => {}
        Spread::Source => assert_eq!(workers.len(), 1),
    }
}

async fn tables_come_back(client: &DistributedClient) {
    let table = wide(5_000, 1);
    assert_eq!(client.store("flights", &table).await.unwrap().version, 1);
    assert!(same(&client.load("flights").await.unwrap(), &table));
    let refusal = client.store_with("flights", &table, WriteOptions::new(WriteMode::Create)).await;
    assert_eq!(refused(refusal), Reason::AlreadyExists);
    assert_eq!(client.append("flights", &table).await.unwrap().version, 2);
    assert_eq!(client.load("flights").await.unwrap().num_rows(), 10_000);
    assert!(same(&client.load_at("flights", At::Version(1)).await.unwrap(), &table));

    let stored =
        client.store_batch([("one", wide(10, 1)), ("two", wide(20, 2)), ("three", wide(0, 3))]).await;
    for result in stored.unwrap() {
        assert_eq!(result.unwrap().version, 1);
    }
    assert!(same(&client.load("two").await.unwrap(), &wide(20, 2)));
    assert!(same(&client.load("three").await.unwrap(), &wide(0, 3)));
}

async fn streams_are_whole(client: &DistributedClient) {
    client.store("many", numbers(0..MANY)).await.unwrap();
    let stream = client.load_stream("many").await.unwrap();
    assert_eq!(stream.rows(), MANY as u64);
    let schema = stream.schema().clone();
    let loaded = Table::new(schema, stream.try_collect::<Vec<_>>().await.unwrap());
    assert_eq!((loaded.num_rows() as i64, sum_of(&loaded)), (MANY, MANY * (MANY - 1) / 2));

    let sql = "SELECT n + $offset AS n FROM many WHERE n % 2 = 0";
    let mut stream = client.query_stream_with(sql, params![offset = 10]).await.unwrap();
    let (mut rows, mut sum) = (0, 0);
    while let Some(batch) = stream.next().await {
        let batch = batch.unwrap();
        rows += batch.num_rows() as i64;
        sum += batch.column(0).as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
    }
    assert_eq!((rows, sum), (MANY / 2, (MANY / 2) * (MANY / 2 - 1) + 10 * (MANY / 2)));
    assert_eq!(stream.summary().unwrap().rows, rows as u64);

    let counted = client.query_with("SELECT count(*) FROM many WHERE n < ?", params![1000]).await.unwrap();
    assert_eq!(sum_of(&counted), 1000);
}

async fn what_there_is_is_told(client: &DistributedClient) {
    let names: Vec<String> =
        client.datasets().await.unwrap().into_iter().map(|dataset| dataset.name.into()).collect();
    assert_eq!(names, ["flights", "many", "one", "three", "two"]);
    assert_eq!(client.versions("flights").await.unwrap().len(), 2);
    assert_eq!(client.describe("flights").await.unwrap().rows, 10_000);
    client.delete("one").await.unwrap();
    assert_eq!(refused(client.load("one").await), Reason::UnknownDataset);
    assert!(client.cache_stats().await.unwrap().capacity_bytes > 0);
    client.queries().await.unwrap();
}

async fn errors_keep_their_reasons(client: &DistributedClient) {
    assert_eq!(refused(client.load("nobody").await), Reason::UnknownDataset);
    assert_eq!(refused(client.append("nobody", numbers(0..1)).await), Reason::UnknownDataset);
    assert_eq!(refused(client.append("flights", numbers(0..1)).await), Reason::SchemaMismatch);
    assert_eq!(refused(client.load_at("flights", At::Version(99)).await), Reason::UnknownVersion);
    assert_eq!(refused(client.store("no/name", numbers(0..1)).await), Reason::InvalidName);
    assert_eq!(refused(client.query("SELEC 1").await), Reason::InvalidQuery);
    assert_eq!(refused(client.query("COPY many TO 'x'").await), Reason::QueryNotAllowed);
    assert_eq!(refused(client.query("SELECT 'x'::INTEGER").await), Reason::QueryFailed);
    let stale = WriteOptions::new(WriteMode::Overwrite).expecting(7);
    assert_eq!(refused(client.store_with("flights", wide(1, 1), stale).await), Reason::VersionConflict);
}

/// Each step may be another worker's.
async fn results_are_kept(client: &DistributedClient) {
    let kept = client.query_handle("SELECT n, n % 3 AS remainder FROM many").await.unwrap();
    assert_eq!(kept.rows() as i64, MANY);
    assert!(client.handles().await.unwrap().iter().any(|handle| handle.id == kept.id()));
    let few = kept.filter("n < 3000").await.unwrap();
    let counted = few.group_by(["remainder"]).agg(["count(*) AS n"]).await.unwrap();
    assert_eq!(sum_of(&counted.select(["n"]).await.unwrap().load().await.unwrap()), 3000);
    let sum = client.query(&format!("SELECT sum(n)::BIGINT FROM {}", few.id())).await.unwrap();
    assert_eq!(sum_of(&sum), 3000 * 2999 / 2);
    few.extend(None).await.unwrap();
    let id = few.id().to_owned();
    few.discard().await.unwrap();
    assert_eq!(refused(client.load(&id).await), Reason::HandleDropped);
    assert_eq!(client.load(kept.id()).await.unwrap().num_rows() as i64, MANY);
}

async fn an_error_in_mid_stream_keeps_its_reason(client: &DistributedClient) {
    let sql = "SELECT CASE WHEN n < 1400000 THEN n ELSE CAST('row ' || n AS BIGINT) END FROM many";
    let mut stream = client.query_stream(sql).await.unwrap();
    let mut rows = 0;
    let error = loop {
        match stream.next().await.expect("it ended without an error") {
            Ok(batch) => rows += batch.num_rows(),
            Err(error) => break error,
        }
    };
    assert!(rows > 0);
    assert_eq!(error.reason(), Some(Reason::QueryFailed), "{error:?}");
}
