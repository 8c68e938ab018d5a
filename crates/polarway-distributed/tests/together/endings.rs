//! Queries that end before their time, and tables that change meanwhile: nothing is left on any worker.

use std::time::Duration;

use futures::StreamExt as _;
use polarway_core::{EngineChoice, ErrorKind, QueryOptions};

use crate::support::{FILES, Fleet, ROWS_OF_A_FILE, ask, on, trades};

/// More rows than all buffers on their way hold.
const LARGE: &str = "SELECT a.n, a.symbol, b.n, b.size FROM trades a JOIN trades b ON a.cents = b.cents";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_that_goes_leaves_nothing_on_any_worker() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let mut stream = fleet.engine().query_stream_with(LARGE, on(EngineChoice::Distributed)).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    assert!(!fleet.members[1].worker.status().is_idle());
    drop(stream);
    fleet.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_query_that_is_cancelled_ends_at_once_though_its_reader_does_not_read() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let mut stream = fleet.engine().query_stream_with(LARGE, on(EngineChoice::Distributed)).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    let queries = fleet.engine().queries().unwrap();
    let [query] = queries.as_slice() else { panic!("{queries:?}") };
    fleet.engine().cancel_query(&query.id.to_string()).unwrap();
    let error = loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("it gave all its rows"),
        }
    };
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    fleet.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deadline_ends_a_query_on_all_workers() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let sql = "SELECT count(*) FROM trades a, trades b WHERE a.n * b.n % 7 = a.cents + b.cents";
    let time = Some(Duration::from_millis(300));
    let options = QueryOptions { time, ..on(EngineChoice::Distributed) };
    let error = ask(fleet.engine(), sql, options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
    fleet.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_table_that_is_replaced_or_deleted_meanwhile_is_read_as_it_was() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let sql = "SELECT a.n FROM trades a JOIN trades b ON a.n = b.n";
    let mut stream = fleet.engine().query_stream_with(sql, on(EngineChoice::Distributed)).await.unwrap();
    let mut rows = stream.next().await.unwrap().unwrap().num_rows();
    fleet.members[2].engine.store("trades", trades(7)).await.unwrap();
    fleet.members[1].engine.delete("trades").await.unwrap();
    while let Some(batch) = stream.next().await {
        rows += batch.unwrap().num_rows();
    }
    assert_eq!(rows as i64, FILES * ROWS_OF_A_FILE);
    fleet.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_result_with_more_rows_than_allowed_is_refused_and_not_run_again() {
    let fleet = Fleet::with(3, |config| config.query_limits.result_rows = 100, None).await;
    fleet.store_trades().await;
    let error = ask(fleet.engine(), "SELECT n FROM trades", on(EngineChoice::Distributed)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QueryTooLarge, "{error}");
    fleet.idle().await;
}
