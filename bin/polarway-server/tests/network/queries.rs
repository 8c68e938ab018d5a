//! Queries as their callers and others see them: which run, in which phase they are, and what ends them.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt as _;
use polarway_client::{QueryOptions, QueryPhase, Reason};
use polarway_proto::v1::{Failure, QueryRequest};

use crate::support::{
    ENDLESS_SUM, Server, all_ended, ask, in_background, numbers, query_in, reason_of, refused, rows_of,
    sum_of, until,
};

/// Gives rows for as long as they are read.
const ENDLESS_ROWS: &str = "SELECT range AS n FROM range(1000000000000)";

fn within(time: Duration) -> QueryOptions {
    QueryOptions { time: Some(time), ..QueryOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_query_is_listed_with_its_text_and_what_it_did() {
    let server = Server::start();
    let client = server.client().await;
    assert!(client.queries().await.unwrap().is_empty());
    let mut stream = client.query_stream(ENDLESS_ROWS).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let [first] = &client.queries().await.unwrap()[..] else { panic!("there is one") };
    assert_eq!((first.sql.as_str(), first.phase), (ENDLESS_ROWS, QueryPhase::Running));
    assert!(first.rows > 0 && first.bytes >= 8 * first.rows, "{first:?}");
    let mut read = 0;
    while read <= first.rows {
        read += stream.next().await.unwrap().unwrap().num_rows() as u64;
    }
    let [later] = &client.queries().await.unwrap()[..] else { panic!("there is one") };
    assert_eq!((&later.query_id, later.started_us), (&first.query_id, first.started_us));
    assert!(later.rows > first.rows && later.elapsed > first.elapsed, "{first:?}, {later:?}");
    drop(stream);
    all_ended(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_cancelled_by_its_id_and_the_others_go_on() {
    let server = Server::start();
    let client = server.client().await;
    let other_sql = format!("{ENDLESS_SUM} LIMIT 1");
    let stopped = in_background(&client, ENDLESS_SUM, QueryOptions::default());
    let other = in_background(&client, &other_sql, QueryOptions::default());
    let running = query_in(QueryPhase::Running, &client, ENDLESS_SUM).await;
    // Anybody may stop it, not only its caller.
    server.client().await.cancel_query(&running.query_id).await.unwrap();
    assert_eq!(refused(stopped.await.unwrap()).0, Reason::Cancelled);
    assert_eq!(rows_of(&client.query("SELECT 42").await.unwrap()), ["42"]);
    until("the end of the cancelled one", async || {
        let queries = client.queries().await.unwrap();
        queries.iter().all(|query| query.sql == other_sql).then_some(())
    })
    .await;
    assert!(!other.is_finished());
    let id = query_in(QueryPhase::Running, &client, &other_sql).await.query_id;
    client.cancel_query(&id).await.unwrap();
    assert_eq!(refused(other.await.unwrap()).0, Reason::Cancelled);
    all_ended(&client).await;
    for unknown in [running.query_id.as_str(), "01990000-0000-7000-8000-000000000000", "", "42; --"] {
        let (reason, said) = refused(client.cancel_query(unknown).await);
        assert_eq!(reason, Reason::UnknownQuery, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_query_is_cancelled_ends_in_that_error() {
    let server = Server::start();
    let client = server.client().await;
    let mut stream = client.query_stream(ENDLESS_ROWS).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let id = query_in(QueryPhase::Running, &client, ENDLESS_ROWS).await.query_id;
    client.cancel_query(&id).await.unwrap();
    let error = loop {
        if let Err(error) = stream.next().await.unwrap() {
            break error;
        }
    };
    assert_eq!(error.reason(), Some(Reason::Cancelled));
    assert!(stream.next().await.is_none());
    assert!(stream.summary().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_released_while_a_query_does_not_hear_that_it_was_cancelled() {
    let server = Server::start();
    let client = server.client().await;
    client.store("t", numbers(0..1)).await.unwrap();
    // Planning so many joins takes seconds and does not hear an interrupt.
    let joins: String = (0..60).map(|i| format!(" JOIN t t{i} ON t{i}.n = t.n")).collect();
    let sql = format!("SELECT count(*) FROM t{joins}");
    // Planning may end before it is looked at; it would always have ended if the caller were released with it.
    for _ in 0..20 {
        let query = in_background(&client, &sql, QueryOptions::default());
        let planning = query_in(QueryPhase::Planning, &client, &sql).await.query_id;
        client.cancel_query(&planning).await.unwrap();
        assert_eq!(refused(query.await.unwrap()).0, Reason::Cancelled);
        let goes_on = client.queries().await.unwrap().iter().any(|query| query.query_id == planning);
        assert_eq!(rows_of(&client.query("SELECT 1").await.unwrap()), ["1"]);
        if goes_on {
            return;
        }
    }
    panic!("no caller was released before its query had ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_its_caller_ends_a_query() {
    let server = Server::start();
    let client = server.client().await;
    let soon = within(Duration::from_secs(1));
    let (reason, said) = refused(client.query_with(ENDLESS_SUM, soon.clone()).await);
    assert_eq!(reason, Reason::DeadlineExceeded, "{said}");
    // It counts while rows are read, too.
    let mut stream = client.query_stream_with(ENDLESS_ROWS, soon).await.unwrap();
    let error = loop {
        if let Err(error) = stream.next().await.unwrap() {
            break error;
        }
    };
    assert_eq!(error.reason(), Some(Reason::DeadlineExceeded), "{error}");
    all_ended(&client).await;
    let sum = client.query_with("SELECT 42::BIGINT", within(Duration::from_secs(3600))).await.unwrap();
    assert_eq!(sum_of(&sum), 42);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_lets_no_query_take_longer_than_its_own_limit() {
    let server = Server::start_with(&["--query-time", "1s"]);
    let client = server.client().await;
    for options in [QueryOptions::default(), within(Duration::from_secs(3600))] {
        let (reason, said) = refused(client.query_with(ENDLESS_SUM, options).await);
        assert_eq!(reason, Reason::DeadlineExceeded, "{said}");
    }
    all_ended(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_turns_queries_away_and_says_when_to_come_back() {
    let server = Server::start_with(&["--queries-running", "1", "--queries-waiting", "1"]);
    let client = server.client().await;
    let first = in_background(&client, ENDLESS_SUM, QueryOptions::default());
    let id = query_in(QueryPhase::Running, &client, ENDLESS_SUM).await.query_id;
    let second = in_background(&client, "SELECT 2::BIGINT", QueryOptions::default());
    query_in(QueryPhase::Waiting, &client, "SELECT 2::BIGINT").await;
    let request = QueryRequest { sql: "SELECT 3".to_owned(), ..QueryRequest::default() };
    let status = ask(&server, request).await.unwrap_err();
    assert_eq!(reason_of(&status), Reason::ResourceExhausted);
    assert!(Failure::from(&status).retry_delay().is_some_and(|delay| !delay.is_zero()), "{status:?}");
    assert!(status.message().contains("1 queries run and 1 wait"), "{status:?}");
    // Those that come back get their turn.
    let others =
        (3..10).map(|n| in_background(&client, &format!("SELECT {n}::BIGINT"), QueryOptions::default()));
    let others: Vec<_> = others.collect();
    client.cancel_query(&id).await.unwrap();
    assert_eq!(refused(first.await.unwrap()).0, Reason::Cancelled);
    assert_eq!(sum_of(&second.await.unwrap().unwrap()), 2);
    for (n, query) in (3..10).zip(others) {
        assert_eq!(sum_of(&query.await.unwrap().unwrap()), n);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_caller_is_turned_away_any_number_of_times_and_gets_its_answer() {
    // Whoever waits for longer than a second has heard a heartbeat.
    let server = Server::start_with(&["--queries-running", "1", "--query-wait", "1300ms"]);
    let client = server.client().await;
    let first = in_background(&client, ENDLESS_SUM, QueryOptions::default());
    let running = query_in(QueryPhase::Running, &client, ENDLESS_SUM).await.query_id;
    let answer = in_background(&client, "SELECT 42::BIGINT", QueryOptions::default());
    // Each time it is asked again it has another id.
    let mut turns = BTreeSet::new();
    until("the third turn", async || {
        let queries = client.queries().await.unwrap();
        turns.extend(
            queries.into_iter().filter(|query| query.query_id != running).map(|query| query.query_id),
        );
        (turns.len() >= 3).then_some(())
    })
    .await;
    client.cancel_query(&running).await.unwrap();
    assert_eq!(refused(first.await.unwrap()).0, Reason::Cancelled);
    assert_eq!(sum_of(&answer.await.unwrap().unwrap()), 42);
}

#[tokio::test]
async fn a_result_has_no_more_rows_than_it_may() {
    let server = Server::start_with(&["--result-rows", "1000", "--result-size", "0.00001"]);
    let client = server.client().await;
    assert_eq!(client.query("SELECT range FROM range(1000)").await.unwrap().num_rows(), 1000);
    let (reason, said) = refused(client.query("SELECT range FROM range(1001)").await);
    assert_eq!(reason, Reason::QueryTooLarge);
    assert!(said.contains("1000 rows"), "{said}");
    let (reason, said) = refused(client.query("SELECT repeat('x', 10001)").await);
    assert_eq!(reason, Reason::QueryTooLarge);
    assert!(said.contains("10000 bytes"), "{said}");
}

#[tokio::test]
async fn a_summary_tells_rows_bytes_datasets_and_where_the_time_went() {
    let server = Server::start();
    let client = server.client().await;
    client.store("flights", numbers(0..10)).await.unwrap();
    client.store("flights", numbers(0..1000)).await.unwrap();
    client.store("airports", numbers(0..1)).await.unwrap();
    let sql = "SELECT f.n FROM flights f, airports, flights AS old AT (VERSION => 1) WHERE old.n = 3";
    let mut stream = client.query_stream(sql).await.unwrap();
    assert_eq!(stream.schema().field(0).name(), "n");
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        rows += batch.unwrap().num_rows();
    }
    let summary = stream.summary().unwrap();
    assert_eq!((rows, summary.rows), (1000, 1000));
    assert!(summary.bytes > 8000, "{summary:?}");
    let datasets = summary.datasets.iter().map(|dataset| (dataset.name.as_str(), dataset.version));
    assert_eq!(datasets.collect::<Vec<_>>(), [("airports", 1), ("flights", 1), ("flights", 2)]);
    let times = summary.times;
    assert!(!times.checking.is_zero() && !times.resolving.is_zero(), "{times:?}");
    assert!(!times.planning.is_zero() && !times.running.is_zero(), "{times:?}");
}
