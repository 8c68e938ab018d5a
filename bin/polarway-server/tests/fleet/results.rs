//! A result that outlives the worker that made it, and the one that sends it.

use futures::StreamExt as _;
use polarway_client::{DistributedClient, Handle, Table};
use polarway_fleet::{Balancer, Spread};
use polarway_testing::is_long;

use crate::support::{OwnFleet, has, same};

/// What is kept: numbers in an order of their own, and texts.
const KEPT: &str = "SELECT range AS n, hash(range) AS h, 'text ' || range AS t FROM range({rows}) ORDER BY h";

#[tokio::test(flavor = "multi_thread")]
async fn a_result_whose_workers_die_one_after_the_other_is_the_same_to_the_last_byte() {
    if !has(Balancer::Nginx) {
        return;
    }
    let rows = if is_long() { 20_000_000 } else { 5_000_000 };
    let sql = KEPT.replace("{rows}", &rows.to_string());
    let mut own = OwnFleet::behind(Balancer::Nginx, Spread::RoundRobin);

    let untroubled = own.client_of_worker(0).await.query_handle(&sql).await.unwrap();
    let untroubled = untroubled.filter("n % 2 = 0").await.unwrap().load().await.unwrap();

    let (first, second) = (own.client_of_worker(0).await, own.client_of_worker(1).await);
    let made = first.query_handle(&sql).await.unwrap();
    made.keep();
    assert_eq!(made.rows(), rows);
    own.fleet.kill(0).unwrap();
    let filtered = second.handle(made.id()).await.unwrap().filter("n % 2 = 0").await.unwrap();
    filtered.keep();
    let through_all = own.client().await;
    let streamed = stream_with_a_kill(&mut own, &through_all, &filtered).await;
    assert!(same(&streamed, &untroubled));
    own.fleet.restart(0).unwrap();
    own.fleet.wait_for(0).unwrap();
    assert!(own.client_of_worker(0).await.load(filtered.id()).await.is_ok());
}

/// Reads a result while the workers that can be sending it are killed, each once.
async fn stream_with_a_kill(own: &mut OwnFleet, client: &DistributedClient, result: &Handle) -> Table {
    let mut stream = client.load_stream(result.id()).await.unwrap();
    let schema = stream.schema().clone();
    let mut batches = Vec::new();
    let mut kills = [2, 1].into_iter();
    while let Some(batch) = stream.next().await {
        batches.push(batch.unwrap());
        if batches.len() % 20 == 10
            && let Some(worker) = kills.next()
        {
            own.fleet.kill(worker).unwrap();
            // One has to be left: first the worker that made the result comes back, then the one that was just killed.
            own.fleet.restart(3 - worker - 1).unwrap();
            own.fleet.wait_for(3 - worker - 1).unwrap();
        }
    }
    assert!(kills.next().is_none(), "{} batches came", batches.len());
    Table::new(schema, batches)
}
