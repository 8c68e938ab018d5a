//! Results that the workers of a query write, while workers die.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use polarway_client::{DistributedClient, EngineChoice, Error, Handle, HandleOptions, PeerState, Reason};
use polarway_cloud::Given;
use polarway_testing::not_run;
use serde_json::Value;

use crate::support::{OwnFleet, same, wide};
use crate::together::{PATIENCE, THREE, run, until_peers_are};

/// Pairs of this many rows with all others: with thousands, seconds of writing for three workers. Their sums are scattered, so that
/// what is written is in the files soon.
fn pairs(rows: usize) -> String {
    format!(
        "SELECT a.n, b.name, a.a + b.b AS m FROM wide AS a JOIN wide AS b ON a.n % 50 = b.n % 50 WHERE a.n < {rows}"
    )
}

/// What is compared of a table, instead of all its rows.
fn summed(table: &str) -> String {
    format!("SELECT count(*), sum(n), sum(m), max(name) FROM {table}")
}

async fn keep(client: &DistributedClient, sql: &str) -> Result<Handle, Error> {
    let options = HandleOptions { engine: EngineChoice::Distributed, ..HandleOptions::default() };
    client.query_handle_with(sql, options).await
}

/// A client of the first worker, and a table in several files.
async fn begin(fleet: &OwnFleet) -> DistributedClient {
    let client = fleet.client_of_worker(0).await;
    client.store("wide", wide(5_000, 0)).await.unwrap();
    // A file of few rows is read by one task.
    for seed in 1..9 {
        client.append("wide", wide(5_000, seed)).await.unwrap();
    }
    until_peers_are(&client, &THREE).await;
    client
}

/// What a folder has, as paths.
fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

/// The names of all data files of handles.
fn data_files(fleet: &OwnFleet) -> BTreeSet<String> {
    let handles = entries(&fleet.fleet.config().state_folder()).into_iter();
    let files = handles.flat_map(|handle| entries(&handle.join("_polarway/data")));
    files.map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// The data files that the commits of handles name.
fn published(fleet: &OwnFleet) -> BTreeSet<String> {
    let handles = entries(&fleet.fleet.config().state_folder()).into_iter();
    let commits = handles.flat_map(|handle| entries(&handle.join("_polarway/commits")));
    let named = commits.flat_map(|commit| {
        let commit: Value = serde_json::from_slice(&fs::read(commit).unwrap()).unwrap();
        commit["files"].as_array().unwrap().clone()
    });
    named.map(|file| file["name"].as_str().unwrap().to_owned()).collect()
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_three_processes_become_one_handle_that_each_of_them_reads() {
    let fleet = OwnFleet::of_peers();
    let client = begin(&fleet).await;
    let sql = pairs(50);
    let kept = keep(&client, &sql).await.unwrap();
    assert_eq!(data_files(&fleet).len(), 3);
    assert_eq!(data_files(&fleet), published(&fleet));
    every_worker_reads(&fleet, &kept, &sql).await;
}

/// Each worker reads the rows of this query in a handle.
async fn every_worker_reads(fleet: &OwnFleet, kept: &Handle, sql: &str) {
    for worker in 0..3 {
        let client = fleet.client_of_worker(worker).await;
        let (expect, _) = run(&client, &summed(&format!("({sql})")), EngineChoice::Local).await;
        let (rows, _) = run(&client, &summed(&format!("\"{}\"", kept.id())), EngineChoice::Auto).await;
        assert!(same(&rows, &expect), "{rows}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_write_a_result_into_a_bucket_and_one_that_is_given_up_is_no_handle() {
    let given = Given::all();
    if given.is_empty() {
        not_run("there are no servers of buckets: `cargo xtask test` starts them");
    }
    for given in given {
        let fleet = OwnFleet::of_peers_over_bucket(&given);
        let client = begin(&fleet).await;
        let sql = pairs(200);
        let kept = keep(&client, &sql).await.unwrap();
        every_worker_reads(&fleet, &kept, &sql).await;
        let keeping = tokio::spawn({
            let client = client.clone();
            async move { keep(&client, &pairs(3_000)).await }
        });
        let begin = Instant::now();
        // The workers have written rows.
        while client.queries().await.unwrap().iter().all(|query| query.rows == 0) {
            assert!(begin.elapsed() < PATIENCE, "{}", given.url);
        }
        keeping.abort();
        while !client.queries().await.unwrap().is_empty() {
            assert!(begin.elapsed() < PATIENCE, "{}", given.url);
        }
        let handles = client.handles().await.unwrap();
        assert_eq!(handles.iter().map(|handle| handle.id.as_str()).collect::<Vec<_>>(), [kept.id()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_in_mid_write_leaves_no_file_and_the_others_write_the_result() {
    let mut fleet = OwnFleet::of_peers();
    let client = begin(&fleet).await;
    let sql = pairs(3_000);
    let keeping = tokio::spawn({
        let (client, sql) = (client.clone(), sql.clone());
        async move { keep(&client, &sql).await }
    });
    until("no worker writes", || data_files(&fleet).len() == 3).await;
    fleet.fleet.kill(2).unwrap();
    assert!(published(&fleet).is_empty(), "it was in mid write");
    match keeping.await.unwrap() {
        Ok(kept) => {
            let (rows, _) = run(&client, &summed(&format!("\"{}\"", kept.id())), EngineChoice::Local).await;
            let (expect, _) = run(&client, &summed(&format!("({sql})")), EngineChoice::Local).await;
            assert!(same(&rows, &expect), "{rows}");
            assert_eq!(published(&fleet).len(), 2, "a file of each of the others");
        }
        Err(error) => assert_eq!(error.reason(), Some(Reason::WorkerLost), "{error}"),
    }
    until("files are left of the first try", || data_files(&fleet) == published(&fleet)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_worker_that_is_killed_while_others_write_for_it_nobody_sees_a_handle() {
    let mut fleet = OwnFleet::of_peers();
    let client = begin(&fleet).await;
    let keeping = tokio::spawn(async move { keep(&client, &pairs(3_000)).await });
    until("no worker writes", || data_files(&fleet).len() == 3).await;
    fleet.fleet.kill(0).unwrap();
    assert!(published(&fleet).is_empty(), "it was in mid write");
    keeping.abort();
    // The others remove what they write. What it wrote itself is a day old before anybody takes it for left.
    until("the others still write", || data_files(&fleet).len() <= 1).await;
    let other = fleet.client_of_worker(1).await;
    until_peers_are(&other, &[PeerState::Unreachable, PeerState::Ready, PeerState::Ready]).await;
    assert!(other.handles().await.unwrap().is_empty());
    assert!(published(&fleet).is_empty());
}
