//! Workers and coordinators that are killed or stand still.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::{col, lit};
use polarway_distributed::{Error, Query, Rows};
use polarway_query::StoredTable;
use url::Url;

use crate::answers::numbers;
use crate::process::Process;
use crate::support::{Peer, Plans, Tables, fleet, urls};

fn grouped(table: &StoredTable) -> Query {
    let mut plans = Plans::new();
    let plan = plans.scan("numbers", table).aggregate([col("key")], [count(col("n"))]).unwrap();
    plans.query(plan.build().unwrap())
}

/// All rows, as they come.
pub(crate) fn scanned(table: &StoredTable) -> Query {
    let mut plans = Plans::new();
    // A scan alone is not worth to be spread.
    let plan = plans.scan("numbers", table).filter(col("n").gt_eq(lit(0_i64))).unwrap();
    let plan = plan.project([col("n")]).unwrap();
    plans.query(plan.build().unwrap())
}

fn stored(tables: &Tables) -> StoredTable {
    let batches: Vec<_> = (0..6).map(|part| numbers(part * 1000, (part + 1) * 1000)).collect();
    tables.store("numbers", &batches, 100)
}

/// Two workers in this process, and one whose reads never end in another.
async fn with_a_stuck_one(tables: &Tables) -> (Vec<Peer>, Process, Vec<Url>) {
    let peers = fleet(tables.root(), 2).await;
    let stuck = Process::start("stuck", tables.root(), &[]);
    let mut all = urls(&peers);
    all.push(stuck.url.clone());
    (peers, stuck, all)
}

/// Asks for the next rows until the workers here have opened files.
async fn begun(rows: &mut Rows, peers: &[Peer]) {
    let working = async {
        while peers.iter().any(|peer| peer.worker.status().files == 0) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        next = rows.next() => panic!("the query ended: {next:?}"),
        in_time = tokio::time::timeout(Duration::from_secs(60), working) => in_time.unwrap(),
    }
}

async fn rows_left(mut rows: Rows) -> Result<usize, Error> {
    let mut count = 0;
    while let Some(batch) = rows.next().await {
        count += batch?.num_rows();
    }
    Ok(count)
}

/// Sends a signal to one of the workers before the first row; the others give the answer, after so long at most on a busy machine.
async fn costs_only_time(signal: &str, most: Duration) {
    let tables = Tables::new();
    let table = stored(&tables);
    let (peers, stuck, all) = with_a_stuck_one(&tables).await;
    let mut rows = peers[0].worker.run(grouped(&table), all);
    begun(&mut rows, &peers).await;
    let started = Instant::now();
    stuck.signal(signal);
    assert_eq!(rows_left(rows).await.unwrap(), 10);
    let took = started.elapsed();
    println!("the answer {took:?} after {signal}");
    assert!(took < most, "{took:?} after {signal}");
    for peer in &peers {
        peer.idle().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_before_the_first_row_costs_only_time() {
    costs_only_time("-KILL", Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stands_still_before_the_first_row_costs_only_time() {
    // Pings find it after five seconds.
    costs_only_time("-STOP", Duration::from_secs(15)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_after_the_first_row_is_an_error_that_names_it() {
    for signal in ["-KILL", "-STOP"] {
        let tables = Tables::new();
        let table = stored(&tables);
        let (peers, stuck, all) = with_a_stuck_one(&tables).await;
        let mut rows = peers[0].worker.run(scanned(&table), all);
        let first = rows.next().await.unwrap().unwrap();
        let mut seen: HashSet<i64> =
            first.column(0).as_primitive::<Int64Type>().values().iter().copied().collect();
        let started = Instant::now();
        stuck.signal(signal);
        let error = loop {
            match rows.next().await {
                Some(Ok(batch)) => seen.extend(batch.column(0).as_primitive::<Int64Type>().values()),
                Some(Err(error)) => break error,
                None => panic!("the rows ended after {} of 6000 with {signal}", seen.len()),
            }
        };
        println!("an error {:?} after {signal}", started.elapsed());
        let Error::WorkerLost { address, after_rows: true } = &error else { panic!("{error:?}") };
        assert_eq!(format!("http://{address}/"), stuck.url.as_str());
        assert!(seen.len() < 6000);
        assert!(rows.next().await.is_none());
        for peer in &peers {
            peer.idle().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_is_killed_leaves_the_workers_idle() {
    let tables = Tables::new();
    stored(&tables);
    let peers = fleet(tables.root(), 3).await;
    peers.iter().for_each(|peer| peer.files.is_stuck.store(true, Ordering::SeqCst));
    let coordinator = Process::start("coordinator", tables.root(), &urls(&peers));
    while peers.iter().any(|peer| peer.worker.status().reads == 0) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    coordinator.signal("-KILL");
    let started = Instant::now();
    for peer in &peers {
        peer.idle().await;
    }
    let took = started.elapsed();
    println!("idle {took:?} after the coordinator was killed");
    assert!(took < Duration::from_secs(10), "{took:?}");
}
