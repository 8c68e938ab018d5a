//! Which engine a query runs on, and what is said of it.

use polarway_core::{EngineChoice, EngineUsed, ErrorKind, HandleStoreKind};

use crate::support::{Fleet, ask, on, reason, rows};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_several_workers_can_not_run_is_refused_by_its_name() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    for (sql, name) in [
        ("SELECT n FROM trades USING SAMPLE 10 ROWS", "SAMPLE"),
        ("SELECT approx_count_distinct(cents) FROM trades", "approx_count_distinct"),
        ("SELECT n FROM trades LIMIT 3", "order"),
        ("SELECT union_value(a := n) FROM trades", "union"),
        (
            "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 3) SELECT * FROM r, trades",
            "RECURSIVE",
        ),
        ("SELECT approx_quantile(n, $1) FROM trades", "approx_quantile"),
        ("SHOW TABLES", "list of tables"),
    ] {
        let mut options = on(EngineChoice::Distributed);
        if sql.contains('$') {
            options.parameters = [1_i64].into_iter().collect();
        }
        let error = ask(fleet.engine(), sql, options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotDistributable, "{sql}: {error}");
        assert!(error.to_string().to_lowercase().contains(&name.to_lowercase()), "{sql}: {error}");
    }
    let wrong = ask(fleet.engine(), "SELECT nothing FROM trades", on(EngineChoice::Distributed)).await;
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::InvalidQuery);
    let wrong = ask(fleet.engine(), "SELECT * FROM nothing", on(EngineChoice::Distributed)).await;
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::UnknownDataset);
    fleet.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_choice_the_bytes_of_the_files_decide() {
    let small = Fleet::with(3, |config| config.distributed_from_bytes = u64::MAX, None).await;
    small.store_trades().await;
    let (_, summary) =
        ask(small.engine(), "SELECT sum(n) FROM trades", on(EngineChoice::Auto)).await.unwrap();
    assert_eq!(summary.engine, EngineUsed::Local { reason: None });

    let large = Fleet::with(3, |config| config.distributed_from_bytes = 1, None).await;
    large.store_trades().await;
    let (_, summary) =
        ask(large.engine(), "SELECT sum(n) FROM trades", on(EngineChoice::Auto)).await.unwrap();
    assert_eq!(summary.engine, EngineUsed::Distributed { workers: 3 });
    let (_, summary) =
        ask(large.engine(), "SELECT sum(n) FROM trades", on(EngineChoice::Local)).await.unwrap();
    assert_eq!(summary.engine, EngineUsed::Local { reason: None });
    let (_, summary) = ask(large.engine(), "SELECT 42", on(EngineChoice::Auto)).await.unwrap();
    assert_eq!(summary.engine, EngineUsed::Local { reason: None });

    let sql = "SELECT approx_count_distinct(cents) FROM trades";
    let (table, summary) = ask(large.engine(), sql, on(EngineChoice::Auto)).await.unwrap();
    assert!(reason(&summary).unwrap().contains("approx_count_distinct"), "{summary:?}");
    let (local, _) = ask(large.engine(), sql, on(EngineChoice::Local)).await.unwrap();
    assert_eq!(rows(&table), rows(&local));
    let error = ask(large.engine(), "SELECT nothing FROM trades", on(EngineChoice::Auto)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidQuery);
    // DuckDB's own words, as on one worker.
    let sql = "SELECT sum(CAST(symbol AS INTEGER)) FROM trades WHERE symbol = 'BTC'";
    let local = ask(large.engine(), sql, on(EngineChoice::Local)).await.unwrap_err();
    let auto = ask(large.engine(), sql, on(EngineChoice::Auto)).await.unwrap_err();
    assert_eq!((auto.kind(), auto.to_string()), (local.kind(), local.to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_worker_alone_runs_the_query_and_says_that_others_are_missing() {
    let fleet = Fleet::with(1, |config| config.distributed_from_bytes = 1, None).await;
    fleet.store_trades().await;
    let (_, summary) =
        ask(fleet.engine(), "SELECT sum(n) FROM trades", on(EngineChoice::Auto)).await.unwrap();
    assert!(reason(&summary).unwrap().contains("workers"), "{summary:?}");
    let refused = ask(fleet.engine(), "SELECT sum(n) FROM trades", on(EngineChoice::Distributed)).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotDistributable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_result_in_the_memory_of_one_worker_stays_there() {
    let fleet = Fleet::with(3, |config| config.handles.store = HandleStoreKind::Memory, None).await;
    fleet.store_trades().await;
    let kept = fleet.engine().query_handle("SELECT n FROM trades").await.unwrap();
    let sql = format!("SELECT count(*) FROM \"{}\"", kept.handle.id);
    let error = ask(fleet.engine(), &sql, on(EngineChoice::Distributed)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotDistributable);
    assert!(error.to_string().contains("memory of one worker"), "{error}");
    let (table, _) = ask(fleet.engine(), &sql, on(EngineChoice::Auto)).await.unwrap();
    assert_eq!(rows(&table), ["16000|"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn explain_says_where_a_query_would_run_and_how_it_would_be_spread() {
    let fleet = Fleet::with(3, |config| config.distributed_from_bytes = 1, None).await;
    fleet.store_trades().await;
    let explain = async |sql: &str, engine| rows(&ask(fleet.engine(), sql, on(engine)).await.unwrap().0);
    let sql = "SELECT symbol, sum(n) FROM trades GROUP BY symbol";
    let lines = explain(&format!("EXPLAIN {sql}"), EngineChoice::Auto).await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("physical_plan|"), "{lines:?}");
    assert!(lines[1].contains("several workers would run it"), "{lines:?}");
    let lines = explain(&format!("EXPLAIN ANALYZE {sql}"), EngineChoice::Local).await;
    assert!(lines.last().unwrap().contains("one worker would run it"), "{lines:?}");
    let refused = "EXPLAIN SELECT approx_count_distinct(cents) FROM trades";
    let lines = explain(refused, EngineChoice::Distributed).await;
    assert!(lines[1].contains("approx_count_distinct"), "{lines:?}");

    let lines = explain(&format!("EXPLAIN (DISTRIBUTED) {sql}"), EngineChoice::Auto).await;
    let [plan] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(plan.contains("Stage 1") && plan.contains("workers: 127.0.0.1:"), "{plan}");
    assert!(!plan.contains(".parquet"), "{plan}");
    for analyze in ["EXPLAIN (ANALYZE, DISTRIBUTED)", "EXPLAIN (DISTRIBUTED, ANALYZE)", "EXPLAIN ANALYZE"] {
        let (table, summary) =
            ask(fleet.engine(), &format!("{analyze} {sql}"), on(EngineChoice::Distributed)).await.unwrap();
        assert_eq!(summary.engine, EngineUsed::Distributed { workers: 3 }, "{analyze}");
        let lines = rows(&table);
        let [answer] = lines.as_slice() else { panic!("{lines:?}") };
        // Four symbols and none: some times from the tasks that read files, and once in all.
        assert!(answer.contains("5 rows after "), "{answer}");
        assert!(answer.contains("stage 1, tasks: 3, ") && answer.contains(": 16000 rows, "), "{answer}");
        assert!(answer.contains("stage 2, tasks: 3, 5 rows, "), "{answer}");
        assert_eq!(answer.matches(" on 127.0.0.1:").count(), 6, "{answer}");
        assert!(answer.contains(", read ") && !answer.contains(".parquet"), "{answer}");
        assert!(answer.contains("AggregateExec: mode=Partial"), "{answer}");
    }
    let lines =
        explain("EXPLAIN (ANALYZE, DISTRIBUTED) SELECT count(*) FROM trades WHERE n < 0", EngineChoice::Auto);
    assert!(lines.await[0].contains("1 rows after "));
    let lines =
        explain("EXPLAIN (DISTRIBUTED) SELECT approx_count_distinct(cents) FROM trades", EngineChoice::Auto)
            .await;
    assert!(lines[0].contains("approx_count_distinct"), "{lines:?}");
    fleet.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_join_sends_a_small_side_to_all_workers_and_splits_two_large_ones() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let few = fleet.engine().query("SELECT n FROM trades WHERE n < 10").await.unwrap();
    fleet.engine().store("few", few).await.unwrap();
    let count = "SELECT count(*) FROM";
    for (tables, is_split, rows_of_all) in [
        ("few JOIN trades USING (n)", false, "10|"),
        ("trades JOIN few USING (n)", false, "10|"),
        ("trades JOIN trades AS same USING (n)", true, "16000|"),
        // With a small table, a large one is still large.
        ("(SELECT n FROM trades JOIN few USING (n)) JOIN trades USING (n)", true, "10|"),
    ] {
        let sql = format!("{count} {tables}");
        let explained = format!("EXPLAIN (DISTRIBUTED) {sql}");
        let (plan, _) = ask(fleet.engine(), &explained, on(EngineChoice::Distributed)).await.unwrap();
        let plan = rows(&plan).concat();
        assert_eq!(plan.contains("mode=Partitioned, join_type"), is_split, "{sql}\n{plan}");
        let (table, summary) = ask(fleet.engine(), &sql, on(EngineChoice::Distributed)).await.unwrap();
        assert_eq!(summary.engine, EngineUsed::Distributed { workers: 3 }, "{sql}");
        assert_eq!(rows(&table), [rows_of_all], "{sql}");
    }
    fleet.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_rows_around_an_exists_are_read_once() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    for condition in ["EXISTS", "NOT EXISTS"] {
        let partner = "FROM trades AS other WHERE other.n = trades.n AND other.cents <> trades.cents";
        let sql = format!("EXPLAIN (DISTRIBUTED) SELECT count(*) FROM trades WHERE {condition} ({partner})");
        let (plan, _) = ask(fleet.engine(), &sql, on(EngineChoice::Distributed)).await.unwrap();
        let plan = rows(&plan).concat();
        assert_eq!(plan.matches("DistributedLeafExec").count(), 2, "{plan}");
    }
    fleet.idle().await;
}
