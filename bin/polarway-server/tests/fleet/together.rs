//! Several processes that run one query together.

use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use futures::TryStreamExt as _;
use polarway_client::{
    DistributedClient, EngineChoice, EngineUsed, HandleOptions, PeerState, QueryOptions, QueryPhase, Reason,
    Table,
};
use polarway_cloud::Given;
use polarway_testing::not_run;

use crate::collector::{Collector, attribute};
use crate::support::{OwnFleet, client_of, numbers, refused, same, sum_of, wide};

/// How long workers may take to find each other, or a query to begin, on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Pairs of rows: seconds of work for three workers.
const LONG: &str =
    "SELECT count(*) AS pairs FROM wide AS a JOIN wide AS b ON a.n % 50 = b.n % 50 WHERE a.a < b.b";

/// More rows than what is on their way to a reader can hold.
const PAIRS: &str = "SELECT a.n, b.name FROM wide AS a JOIN wide AS b ON a.n % 50 = b.n % 50";

fn on(engine: EngineChoice) -> QueryOptions {
    QueryOptions { engine, ..QueryOptions::default() }
}

pub(crate) async fn run(client: &DistributedClient, sql: &str, engine: EngineChoice) -> (Table, EngineUsed) {
    let mut rows = client.query_stream_with(sql, on(engine)).await.unwrap();
    let batches: Vec<RecordBatch> = (&mut rows).try_collect().await.unwrap();
    let table = Table::new(rows.schema().clone(), batches);
    (table, rows.summary().unwrap().engine.clone())
}

/// Waits until a worker sees the others in these states, in the order of the list.
pub(crate) async fn until_peers_are(client: &DistributedClient, expect: &[PeerState]) {
    let begin = Instant::now();
    loop {
        let peers = client.server_info().await.unwrap().peers;
        let states: Vec<PeerState> = peers.iter().map(|peer| peer.state).collect();
        if states == expect {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{peers:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) const THREE: [PeerState; 3] = [PeerState::Ready; 3];

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_answer_one_query_together_as_one_of_them_would() {
    let fleet = OwnFleet::of_peers();
    let client = fleet.client_of_worker(0).await;
    client.store("wide", wide(20_000, 1)).await.unwrap();
    client.store("numbers", numbers(0..1_000)).await.unwrap();
    until_peers_are(&client, &THREE).await;
    for sql in [
        "SELECT n, a, name FROM wide WHERE n % 3 = 0 ORDER BY n",
        "SELECT n % 10 AS k, count(*) AS rows, min(name) AS first FROM wide GROUP BY k ORDER BY k",
        "SELECT w.n, w.name FROM wide AS w JOIN numbers AS o ON w.n = o.n ORDER BY w.n",
    ] {
        let (alone, used) = run(&client, sql, EngineChoice::Local).await;
        assert_eq!(used, EngineUsed::Local { reason: None }, "{sql}");
        let (together, used) = run(&client, sql, EngineChoice::Distributed).await;
        assert_eq!(used, EngineUsed::Distributed { workers: 3 }, "{sql}");
        assert!(same(&alone, &together), "{sql}\n{alone}\n{together}");
    }
    // A small query is faster on one worker.
    let (_, used) = run(&client, "SELECT max(n) FROM wide", EngineChoice::Auto).await;
    assert_eq!(used, EngineUsed::Local { reason: None });
    let options = HandleOptions { engine: EngineChoice::Distributed, ..HandleOptions::default() };
    let kept = client.query_handle_with("SELECT n FROM wide WHERE n < 100", options).await.unwrap();
    assert_eq!(sum_of(&kept.load().await.unwrap()), (0..100).sum::<i64>());
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_read_buckets_for_one_query() {
    let given = Given::all();
    if given.is_empty() {
        not_run("there are no servers of buckets: `cargo xtask test` starts them");
    }
    for given in given {
        let fleet = OwnFleet::of_peers_over_bucket(&given);
        let client = fleet.client_of_worker(0).await;
        client.store("wide", wide(20_000, 1)).await.unwrap();
        client.append("wide", wide(20_000, 2)).await.unwrap();
        until_peers_are(&client, &THREE).await;
        for sql in [
            "SELECT n % 10 AS k, count(*) AS rows, min(name) AS first FROM wide GROUP BY k ORDER BY k",
            "SELECT a.n, a.name, b.a FROM wide AS a JOIN wide AS b ON a.n = b.n ORDER BY ALL LIMIT 500",
        ] {
            let (alone, _) = run(&client, sql, EngineChoice::Local).await;
            let (together, used) = run(&client, sql, EngineChoice::Distributed).await;
            assert_eq!(used, EngineUsed::Distributed { workers: 3 }, "{}: {sql}", given.url);
            assert!(same(&alone, &together), "{}: {sql}\n{alone}\n{together}", given.url);
        }
        let options = HandleOptions { engine: EngineChoice::Distributed, ..HandleOptions::default() };
        let kept = client.query_handle_with("SELECT n FROM wide WHERE n < 100", options).await.unwrap();
        assert_eq!(sum_of(&kept.load().await.unwrap()), 2 * (0..100).sum::<i64>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_run_on_several_workers_is_refused_by_name_and_runs_on_one() {
    let fleet = OwnFleet::of_peers();
    let client = fleet.client_of_worker(0).await;
    client.store("numbers", numbers(0..1_000)).await.unwrap();
    until_peers_are(&client, &THREE).await;
    let sql = "SELECT approx_count_distinct(n) FROM numbers";
    let error = client.query_with(sql, on(EngineChoice::Distributed)).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::NotDistributable));
    assert!(error.to_string().contains("approx_count_distinct"), "{error}");
    client.query_with(sql, on(EngineChoice::Auto)).await.unwrap();
    let alone = OwnFleet::of_workers();
    let client = alone.client_of_worker(0).await;
    let error = client.query_with("SELECT 42", on(EngineChoice::Distributed)).await;
    assert_eq!(refused(error), Reason::NotDistributable);
    assert!(client.server_info().await.unwrap().peers.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_in_mid_query_costs_a_delay_or_a_clear_error() {
    let mut fleet = OwnFleet::of_peers();
    let client = fleet.client_of_worker(0).await;
    client.store("wide", wide(20_000, 1)).await.unwrap();
    until_peers_are(&client, &THREE).await;
    let (expect, _) = run(&client, LONG, EngineChoice::Local).await;
    let running = tokio::spawn({
        let client = client.clone();
        async move { client.query_with(LONG, on(EngineChoice::Distributed)).await }
    });
    let begin = Instant::now();
    while !running.is_finished() {
        let queries = client.queries().await.unwrap();
        if queries.iter().any(|query| query.phase == QueryPhase::Running) {
            break;
        }
        assert!(begin.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    fleet.fleet.kill(2).unwrap();
    match running.await.unwrap() {
        Ok(answer) => assert!(same(&answer, &expect), "{answer}"),
        Err(error) => assert_eq!(error.reason(), Some(Reason::WorkerLost), "{error}"),
    }
    until_peers_are(&client, &[PeerState::Ready, PeerState::Ready, PeerState::Unreachable]).await;
    let (answer, used) = run(&client, LONG, EngineChoice::Distributed).await;
    assert_eq!(used, EngineUsed::Distributed { workers: 2 });
    assert!(same(&answer, &expect), "{answer}");
    fleet.fleet.restart(2).unwrap();
    fleet.fleet.wait_for(2).unwrap();
    until_peers_are(&client, &THREE).await;
    let (_, used) = run(&client, "SELECT max(n) FROM wide", EngineChoice::Distributed).await;
    assert_eq!(used, EngineUsed::Distributed { workers: 3 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ends_finishes_its_part_of_a_query_and_takes_no_new_one() {
    let fleet = OwnFleet::of_peers();
    let client = fleet.client_of_worker(0).await;
    client.store("wide", wide(40_000, 1)).await.unwrap();
    until_peers_are(&client, &THREE).await;
    let mut rows = client.query_stream_with(PAIRS, on(EngineChoice::Distributed)).await.unwrap();
    // All workers take part now, and wait for the reader.
    let first = rows.try_next().await.unwrap().unwrap();
    fleet.fleet.worker_process(2).signal("TERM").unwrap();
    until_peers_are(&client, &[PeerState::Ready, PeerState::Ready, PeerState::Draining]).await;
    let (_, used) = run(&client, "SELECT max(n) FROM wide", EngineChoice::Distributed).await;
    assert_eq!(used, EngineUsed::Distributed { workers: 2 });
    let rest: Vec<RecordBatch> = (&mut rows).try_collect().await.unwrap();
    let count = first.num_rows() + rest.iter().map(RecordBatch::num_rows).sum::<usize>();
    assert_eq!(count, 32_000_000);
    assert_eq!(rows.summary().unwrap().engine, EngineUsed::Distributed { workers: 3 });
    until_peers_are(&client, &[PeerState::Ready, PeerState::Ready, PeerState::Unreachable]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_worker_counts_what_it_does_for_queries_of_several() {
    let flags = ["--metrics", "--metrics-port", "0", "--distributed-from", "0.000001"];
    let fleet = OwnFleet::of_peers_with(&flags);
    let client = fleet.client_of_worker(0).await;
    client.store("wide", wide(20_000, 1)).await.unwrap();
    until_peers_are(&client, &THREE).await;
    let (_, used) =
        run(&client, "SELECT n % 10, count(*) FROM wide GROUP BY 1", EngineChoice::Distributed).await;
    assert_eq!(used, EngineUsed::Distributed { workers: 3 });
    let approximate = "SELECT approx_count_distinct(n) FROM wide";
    let error = client.query_with(approximate, on(EngineChoice::Distributed)).await;
    assert_eq!(refused(error), Reason::NotDistributable);
    client.query_with(approximate, on(EngineChoice::Auto)).await.unwrap();
    client.query_with(approximate, on(EngineChoice::Local)).await.unwrap();

    let (mut plans, mut sums) = (0.0, [0.0; 2]);
    for worker in 0..3 {
        let page = fleet.page(worker, "/metrics").await;
        let value = |series: &str| -> f64 {
            let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {series} in {page}")).parse().unwrap()
        };
        let asked = if worker == 0 { 1.0 } else { 0.0 };
        for (outcome, why) in [("done", "none"), ("refused", "none"), ("local", "plan")] {
            let series = format!("polarway_distributed_queries_total{{outcome=\"{outcome}\",why=\"{why}\"}}");
            assert_eq!(value(&series), asked, "{series} of worker {worker}");
        }
        assert_eq!(value("polarway_distributed_tries_total"), asked, "worker {worker}");
        assert_eq!(value("polarway_distributed_workers{state=\"ready\"}"), 3.0, "worker {worker}");
        plans += value("polarway_distributed_plans_total{outcome=\"taken\"}");
        assert_eq!(value("polarway_distributed_plans_total{outcome=\"refused\"}"), 0.0);
        for (sum, direction) in sums.iter_mut().zip(["sent", "received"]) {
            *sum += value(&format!("polarway_distributed_moved_bytes_total{{direction=\"{direction}\"}}"));
        }
    }
    assert!(plans > 1.0 && 0.0 < sums[1] && sums[1] <= sums[0], "{plans} {sums:?}");
}

/// The value of a field in a line of a log.
fn field<'l>(line: &'l str, name: &str) -> &'l str {
    let (_, after) = line.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in {line}"));
    after.trim_start_matches('"').split(['"', ' ', '}']).next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ids_of_a_call_are_in_the_logs_and_traces_of_all_workers_of_its_query() {
    let collector = Collector::start().await;
    let variables =
        [("RUST_LOG", "info,polarway::sql=debug,polarway::part=debug"), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
    let fleet = OwnFleet::of_peers_with_variables(&["--otlp-endpoint", &collector.url()], &variables);
    let client = fleet.client_of_worker(0).await;
    client.store("wide", wide(20_000, 1)).await.unwrap();
    until_peers_are(&client, &THREE).await;
    let (_, used) = run(&client, "SELECT max(n) AS asked_for FROM wide", EngineChoice::Distributed).await;
    assert_eq!(used, EngineUsed::Distributed { workers: 3 });

    let line = |worker: usize, wanted: &str| {
        let log = fleet.fleet.worker_log(worker);
        let line = log.lines().find(|line| line.contains(wanted)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no {wanted:?} in {log}"))
    };
    let asked = line(0, "asked_for");
    for worker in 0..3 {
        let part = line(worker, "takes part in a query");
        for id in ["query_id", "request_id", "trace_id"] {
            assert_eq!(field(&part, id), field(&asked, id), "{part}");
        }
    }
    let begin = Instant::now();
    let parts = loop {
        let parts: Vec<_> = collector.spans().into_iter().filter(|span| span.name == "part").collect();
        if parts.len() == 3 {
            break parts;
        }
        assert!(begin.elapsed() < PATIENCE, "{parts:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let spans = collector.spans();
    let query = spans.iter().find(|span| span.name == "Query").unwrap();
    for part in &parts {
        assert_eq!((&part.trace_id, &part.parent_span_id), (&query.trace_id, &query.span_id), "{part:?}");
        assert_eq!(attribute(part, "polarway.query_id").unwrap(), field(&asked, "query_id"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_page_lists_the_workers() {
    let fleet = OwnFleet::of_peers_with(&["--metrics", "--metrics-port", "0"]);
    until_peers_are(&fleet.client_of_worker(0).await, &THREE).await;
    let page = fleet.page(0, "/").await;
    for peer in &fleet.fleet.config().peers {
        assert!(page.contains(&format!("<td>{peer}</td>")), "{page}");
    }
    assert!(page.contains("ready (this one)"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_workers_is_for_nobody_else() {
    let fleet = OwnFleet::of_peers();
    let client = fleet.client_of_worker(0).await;
    until_peers_are(&client, &THREE).await;
    let peer = fleet.fleet.config().peers[0];
    let stranger = DistributedClient::builder().url(format!("http://{peer}")).timeout(PATIENCE / 60);
    let error = stranger.connect().await.map(drop).unwrap_err();
    assert!(!error.to_string().contains("canary"), "{error}");
    // A worker with another token is none of them.
    let other = OwnFleet::among(&fleet, "another-token-of-peers");
    let client = client_of(other.fleet.worker_url(0)).await;
    let begin = Instant::now();
    loop {
        let peers = client.server_info().await.unwrap().peers;
        let refused = |reason: &Option<String>| reason.as_deref().is_some_and(|why| why.contains("token"));
        if peers.iter().any(|peer| peer.state == PeerState::Unreachable && refused(&peer.reason)) {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "{peers:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
