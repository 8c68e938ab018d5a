//! A worker that is dead or stopped costs no more than a retry.

use polarway_client::DistributedClient;
use polarway_fleet::{Balancer, Spread};

use crate::support::{OwnFleet, client_of, has, numbers, sum_of};

#[tokio::test(flavor = "multi_thread")]
async fn calls_through_nginx_get_past_workers_that_are_dead_or_stopped() {
    calls_get_past(Balancer::Nginx, Spread::RoundRobin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_through_nginx_move_on_from_the_worker_of_their_address() {
    calls_get_past(Balancer::Nginx, Spread::Source).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_through_haproxy_get_past_workers_that_are_dead_or_stopped() {
    calls_get_past(Balancer::Haproxy, Spread::RoundRobin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_through_haproxy_move_on_from_the_worker_of_their_address() {
    calls_get_past(Balancer::Haproxy, Spread::Source).await;
}

/// Only the last worker is left: one of the others is dead, the other stopped.
async fn calls_get_past(balancer: Balancer, spread: Spread) {
    if !has(balancer) {
        return;
    }
    let mut fleet = OwnFleet::behind(balancer, spread);
    let client = fleet.client().await;
    client.store("numbers", numbers(0..1000)).await.unwrap();
    fleet.fleet.kill(0).unwrap();
    fleet.fleet.stop(1).unwrap();
    let calls = (0..6_i64).map(|call| {
        let url = fleet.fleet.url();
        tokio::spawn(async move {
            let client = client_of(url).await;
            assert_eq!(client.load("numbers").await.unwrap().num_rows(), 1000);
            assert_eq!(sum_of(&client.query("SELECT count(*) FROM numbers").await.unwrap()), 1000);
            client.store(&format!("own-{call}"), numbers(0..call)).await.unwrap();
            assert_eq!(client.versions(&format!("own-{call}")).await.unwrap().len(), 1);
            client.health_check().await.unwrap();
            results_are_kept(&client).await;
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    fleet.fleet.go_on(1).unwrap();
    fleet.fleet.restart(0).unwrap();
    fleet.fleet.wait_for(0).unwrap();
    assert_eq!(client.datasets().await.unwrap().len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_begin_to_answer_is_asked_for_elsewhere_however_patient_the_balancer_is() {
    if !has(Balancer::Nginx) {
        return;
    }
    let fleet = OwnFleet::behind_nginx_with("grpc_read_timeout 10s", "grpc_read_timeout 300s");
    let client = fleet.client().await;
    client.store("numbers", numbers(0..1000)).await.unwrap();
    fleet.fleet.stop(0).unwrap();
    // One after the other, so that each worker is the next in turn for some of them, and the other two for their retries.
    assert_eq!(client.load("numbers").await.unwrap().num_rows(), 1000);
    assert_eq!(sum_of(&client.query("SELECT count(*) FROM numbers").await.unwrap()), 1000);
    for _ in 0..3 {
        assert_eq!(client.versions("numbers").await.unwrap().len(), 1);
    }
    results_are_kept(&client).await;
}

/// Makes a handle, goes on from it, and drops both, in calls of which each may meet any worker.
async fn results_are_kept(client: &DistributedClient) {
    let kept = client.query_handle("FROM numbers").await.unwrap();
    assert_eq!((kept.rows(), kept.load().await.unwrap().num_rows()), (1000, 1000));
    let few = kept.filter("n < 10").await.unwrap();
    assert_eq!(few.rows(), 10);
    few.discard().await.unwrap();
    kept.discard().await.unwrap();
}
