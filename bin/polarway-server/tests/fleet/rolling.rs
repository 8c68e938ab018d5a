//! Workers that are restarted one by one under load cost no client an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use polarway_client::DistributedClient;
use polarway_fleet::{Balancer, Spread};

use crate::support::{OwnFleet, client_of, has, numbers, sum_of, wide};

/// Clients that call at the same time.
const CLIENTS: u64 = 4;

/// The rows of the table that they load.
const ROWS: i64 = 30_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_behind_nginx_costs_no_client_an_error() {
    restart_all(Balancer::Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_behind_haproxy_costs_no_client_an_error() {
    restart_all(Balancer::Haproxy).await;
}

async fn restart_all(balancer: Balancer) {
    if !has(balancer) {
        return;
    }
    let mut fleet = OwnFleet::behind(balancer, Spread::RoundRobin);
    let client = fleet.client().await;
    client.store("flights", wide(ROWS, 1)).await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicU64::new(0));
    let clients = (0..CLIENTS).map(|number| {
        let (url, is_over, rounds) = (fleet.fleet.url(), Arc::clone(&is_over), Arc::clone(&rounds));
        tokio::spawn(async move {
            let client = client_of(url).await;
            while !is_over.load(Ordering::Relaxed) {
                call(&client, number).await;
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    for index in 0..fleet.fleet.worker_count() {
        let before = rounds.load(Ordering::Relaxed);
        // They are in the middle of something when the worker is told to end.
        while rounds.load(Ordering::Relaxed) < before + CLIENTS
            && !clients.iter().any(|one| one.is_finished())
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::task::block_in_place(|| {
            fleet.fleet.restart(index).unwrap();
            fleet.fleet.wait_for(index).unwrap();
        });
        let log = fleet.fleet.worker_log(index);
        assert!(log.contains("ended"), "it was killed, and did not end by itself:\n{log}");
    }
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
}

/// One of each kind of call. None may fail.
async fn call(client: &DistributedClient, number: u64) {
    assert_eq!(client.load("flights").await.unwrap().num_rows() as i64, ROWS);
    let mut rows = 0;
    let mut stream = client.load_stream("flights").await.unwrap();
    while let Some(batch) = stream.next().await {
        rows += batch.unwrap().num_rows() as i64;
    }
    assert_eq!(rows, ROWS);
    let count = client.query("SELECT count(*) FROM flights WHERE n % 2 = 0").await.unwrap();
    assert_eq!(sum_of(&count), ROWS / 2);
    let own = format!("own_{number}");
    client.store(&own, numbers(0..100)).await.unwrap();
    client.append(&own, numbers(100..200)).await.unwrap();
    assert_eq!(sum_of(&client.load(&own).await.unwrap()), 19_900);
    let handle = client.query_handle("FROM flights LIMIT 10").await.unwrap();
    assert_eq!(handle.load().await.unwrap().num_rows(), 10);
    handle.discard().await.unwrap();
    client.health_check().await.unwrap();
}
