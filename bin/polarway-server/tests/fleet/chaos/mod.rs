//! Clients at work while workers die and stop: no wrong answer, no lost write, and nothing that a client notices.

mod actions;
mod actor;
mod handles;
mod model;
mod questions;
mod report;
mod shared;
mod table;
mod together;
mod trouble;

use std::sync::Arc;
use std::time::{Duration, Instant};

use polarway_cloud::Given;
use polarway_fleet::{Balancer, Spread};
use polarway_testing::{is_long, not_run};

use self::actor::Actor;
use self::report::Report;
use self::shared::World;
use self::trouble::Trouble;
use crate::support::{OwnFleet, client_of, has};

const CLIENTS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_die_and_stop_behind_nginx_cost_no_client_anything() {
    if has(Balancer::Nginx) {
        let own = OwnFleet::behind(Balancer::Nginx, Spread::RoundRobin);
        chaos(own, "nginx", if is_long() { 600 } else { 60 }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_die_and_stop_behind_haproxy_cost_no_client_anything() {
    if has(Balancer::Haproxy) {
        let own = OwnFleet::behind(Balancer::Haproxy, Spread::RoundRobin);
        chaos(own, "HAProxy", if is_long() { 300 } else { 20 }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_die_and_stop_over_buckets_cost_no_client_anything() {
    if !has(Balancer::Nginx) {
        return;
    }
    // The front of Google is before the server of S3.
    let given = Given::all().into_iter().filter(|given| given.scheme() != "gs");
    let given: Vec<Given> = given.take(if is_long() { usize::MAX } else { 1 }).collect();
    if given.is_empty() {
        not_run("there are no servers of buckets: `cargo xtask test` starts them");
    }
    for given in given {
        let own = OwnFleet::over_bucket(Balancer::Nginx, &given);
        chaos(own, &format!("nginx, over {}", given.url), if is_long() { 60 } else { 12 }).await;
    }
}

/// Random numbers, whose seed is printed and can be given.
fn noise(what: &str, time: Duration) -> fastrand::Rng {
    let seed = match std::env::var("POLARWAY_CHAOS_SEED") {
        Ok(seed) => seed.parse().expect("POLARWAY_CHAOS_SEED is no number"),
        Err(_) => fastrand::u64(..),
    };
    println!("chaos: {what} for {time:?}, POLARWAY_CHAOS_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

async fn chaos(own: OwnFleet, behind: &str, seconds: u64) {
    let time = Duration::from_secs(seconds);
    let mut noise = noise(&format!("behind {behind}"), time);
    let report = Arc::new(Report::default());
    let world = Arc::new(World::prepare(&own.client().await).await);

    let end = Instant::now() + time;
    let mut actors = Vec::new();
    for number in 0..CLIENTS {
        let client = client_of(own.fleet.url()).await;
        let actor = Actor::new(number, client, noise.fork(), Arc::clone(&world), Arc::clone(&report));
        actors.push(tokio::spawn(actor.act_until(end)));
    }
    let trouble = Trouble::begin(own, noise.fork(), Arc::clone(&report));
    let mut finished = Vec::new();
    for actor in actors {
        finished.push(actor.await.expect("an actor panicked"));
    }
    let own = trouble.end();
    println!("{report}");
    report.assert_nothing_went_wrong();

    // All that was acknowledged is there, on every worker.
    for index in 0..own.fleet.worker_count() {
        let client = own.client_of_worker(index).await;
        for actor in &finished {
            actor.check_all(&client).await;
        }
        for shared in &world.shared {
            shared.check_all(&client).await;
        }
    }
}
