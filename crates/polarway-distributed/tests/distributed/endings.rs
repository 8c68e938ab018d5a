//! However a query ends, nothing of it is left on any worker soon after.

use std::ops::Rem as _;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::{col, lit};
use polarway_distributed::{Error, Query, Rows, WorkerLimits};

use crate::answers::numbers;
use crate::support::{Peer, Plans, Tables, fleet, identity, urls};

/// How soon a worker must be idle, on a machine that is busy with other things. On one that is not, it takes milliseconds.
const SOON: Duration = Duration::from_secs(10);

fn grouped(tables: &Tables) -> Query {
    let batches: Vec<_> = (0..6).map(|part| numbers(part * 1000, (part + 1) * 1000)).collect();
    let table = tables.store("numbers", &batches, 100);
    let mut plans = Plans::new();
    let plan = plans.scan("numbers", &table).aggregate([col("key")], [count(col("n"))]).unwrap();
    plans.query(plan.build().unwrap())
}

/// Each row with each other: a long time for a processor, and no read.
fn endless(tables: &Tables) -> Query {
    let batches: Vec<_> = (0..6).map(|part| numbers(part * 20_000, (part + 1) * 20_000)).collect();
    let table = tables.store("numbers", &batches, 20_000);
    let mut plans = Plans::new();
    let right = plans.scan("other", &table).build().unwrap();
    let joined = plans.scan("numbers", &table).cross_join(right).unwrap();
    let odd = (col("numbers.n") * lit(31_i64) + col("other.n")).rem(lit(1_000_003_i64)).eq(lit(7_i64));
    let plan = joined.filter(odd).unwrap().aggregate([col("numbers.key")], [count(col("other.n"))]).unwrap();
    plans.query(plan.build().unwrap())
}

/// Asks for rows until each worker is at work.
async fn begin(rows: &mut Rows, peers: &[Peer], is_at_work: impl Fn(&Peer) -> bool) {
    let all_work = async {
        while !peers.iter().all(&is_at_work) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        next = rows.next() => panic!("the query ended: {next:?}"),
        in_time = tokio::time::timeout(Duration::from_secs(60), all_work) => in_time.unwrap(),
    }
}

async fn all_idle(peers: &[Peer]) -> Duration {
    let started = Instant::now();
    for peer in peers {
        peer.idle().await;
    }
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_away_leaves_workers_that_wait_for_files_idle() {
    let tables = Tables::new();
    let peers = fleet(tables.root(), 3).await;
    peers.iter().for_each(|peer| peer.files.is_stuck.store(true, Ordering::SeqCst));
    let mut rows = peers[0].worker.run(grouped(&tables), urls(&peers));
    begin(&mut rows, &peers, |peer| peer.worker.status().reads > 0).await;
    drop(rows);
    let took = all_idle(&peers).await;
    println!("idle {took:?} after a dropped stream");
    assert!(took < SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_away_leaves_workers_that_compute_idle() {
    let tables = Tables::new();
    let peers = fleet(tables.root(), 3).await;
    let mut rows = peers[0].worker.run(endless(&tables), urls(&peers));
    begin(&mut rows, &peers, |peer| peer.worker.status().files > 0).await;
    drop(rows);
    let took = all_idle(&peers).await;
    println!("idle {took:?} after a dropped stream of a query that computes");
    assert!(took < SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_ends_a_query_for_its_reader_and_on_all_workers() {
    let tables = Tables::new();
    let peers = fleet(tables.root(), 3).await;
    peers.iter().for_each(|peer| peer.files.is_stuck.store(true, Ordering::SeqCst));
    let mut query = grouped(&tables);
    query.deadline = Instant::now() + Duration::from_millis(300);
    let mut rows = peers[0].worker.run(query, urls(&peers));
    assert!(matches!(rows.next().await, Some(Err(Error::Deadline))));
    assert!(rows.next().await.is_none(), "the rows are not kept alive");
    let took = all_idle(&peers).await;
    println!("idle {took:?} after a deadline");
    assert!(took < SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_ends_a_query_that_computes() {
    let tables = Tables::new();
    let peers = fleet(tables.root(), 3).await;
    let mut query = endless(&tables);
    query.deadline = Instant::now() + Duration::from_millis(1_500);
    let mut rows = peers[0].worker.run(query, urls(&peers));
    assert!(matches!(rows.next().await, Some(Err(Error::Deadline))));
    let took = all_idle(&peers).await;
    println!("idle {took:?} after a deadline of a query that computes");
    assert!(took < SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_ends_a_query_that_is_longer_than_it_allows() {
    let tables = Tables::new();
    let limits = WorkerLimits { query_time: Duration::from_millis(300), ..WorkerLimits::default() };
    let mut peers = fleet(tables.root(), 2).await;
    peers.push(Peer::with(tables.root(), identity(), limits).await);
    peers.iter().for_each(|peer| peer.files.is_stuck.store(true, Ordering::SeqCst));
    let mut rows = peers[0].worker.run(grouped(&tables), urls(&peers));
    let next = rows.next().await;
    assert!(matches!(next, Some(Err(Error::Deadline))), "{next:?}");
    peers[2].idle().await;
    drop(rows);
    all_idle(&peers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_that_keeps_dropped_values_alive_delays_the_end_of_a_query_only_until_it_goes_on() {
    let tables = Tables::new();
    let peers = fleet(tables.root(), 3).await;
    let mut rows = peers[0].worker.run(grouped(&tables), urls(&peers));
    assert!(matches!(rows.next().await, Some(Ok(_))));
    // The plans of tasks are in a map without locks, which frees nothing as long as any thread may still read it.
    let (reads_on, is_over) = std::sync::mpsc::channel::<()>();
    let reader = std::thread::spawn(move || {
        let _reads = crossbeam_epoch::pin();
        let _ = is_over.recv();
    });
    drop(rows);
    while peers.iter().any(|peer| peer.worker.status().queries > 0) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(reads_on);
    reader.join().unwrap();
    all_idle(&peers).await;
}
