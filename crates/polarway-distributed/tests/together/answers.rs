//! The same answers, whichever engine gives them.

use polarway_core::{EngineChoice, EngineUsed, HandleOptions, QueryOptions};

use crate::support::{FILES, Fleet, ROWS_OF_A_FILE, ask, on, rows};

const STATEMENTS: [&str; 14] = [
    "SELECT count(*), sum(n), min(cents), max(size) FROM trades",
    "SELECT symbol, count(*), avg(cents) FROM trades GROUP BY symbol ORDER BY symbol NULLS FIRST",
    "SELECT symbol, sum(cents) AS total FROM trades WHERE day < DATE '1970-03-01' GROUP BY ALL HAVING total > 5 ORDER BY 2, 1",
    "SELECT n, cents FROM trades WHERE cents > 900 ORDER BY cents DESC NULLS LAST, n LIMIT 17 OFFSET 3",
    "SELECT a.symbol, count(*) FROM trades a JOIN trades b ON a.n = b.n + 1 GROUP BY 1 ORDER BY 1",
    "SELECT count(*) FROM trades WHERE n NOT IN (SELECT n FROM trades WHERE cents < 500)",
    "SELECT n FROM trades WHERE symbol IS NULL EXCEPT SELECT n FROM trades WHERE n > 300 ORDER BY 1",
    "SELECT DISTINCT symbol FROM trades ORDER BY symbol DESC",
    "WITH top AS (SELECT symbol, max(n) AS n FROM trades GROUP BY symbol) SELECT * FROM top ORDER BY n",
    "SELECT CASE WHEN cents > 500 THEN 'dear' ELSE 'cheap' END AS kind, count(*) FROM trades GROUP BY 1 ORDER BY 1",
    "SELECT n, sum(n) OVER (PARTITION BY symbol ORDER BY n) AS s FROM trades WHERE n < 50 ORDER BY n",
    "SELECT count(*) AS \"twice\", count(*) AS \"twice\" FROM trades",
    "SELECT n, size FROM trades WHERE size > 3900 ORDER BY n",
    "SELECT n FROM trades WHERE n < 0 ORDER BY n",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_workers_answer_as_one_does_with_the_same_names_and_types() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let mut most = 0;
    for sql in STATEMENTS {
        let (local, summary) = ask(fleet.engine(), sql, on(EngineChoice::Local)).await.unwrap();
        assert_eq!(summary.engine, EngineUsed::Local { reason: None }, "{sql}");
        let (spread, summary) = ask(fleet.engine(), sql, on(EngineChoice::Distributed))
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        let EngineUsed::Distributed { workers } = summary.engine else { panic!("{sql}: {summary:?}") };
        most = most.max(workers);
        assert_eq!(spread.schema(), local.schema(), "{sql}");
        assert_eq!(rows(&spread), rows(&local), "{sql}");
        assert_eq!(summary.rows, local.num_rows() as u64, "{sql}");
        assert_eq!(summary.datasets.len(), 1, "{sql}");
    }
    assert_eq!(most, 3);
    fleet.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_without_an_order_are_the_same_rows() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let (spread, _) = ask(fleet.engine(), "SELECT n, symbol, day FROM trades", on(EngineChoice::Distributed))
        .await
        .unwrap();
    let (local, _) =
        ask(fleet.engine(), "SELECT n, symbol, day FROM trades", on(EngineChoice::Local)).await.unwrap();
    let (mut spread, mut local) = (rows(&spread), rows(&local));
    spread.sort();
    local.sort();
    assert_eq!(spread.len() as i64, FILES * ROWS_OF_A_FILE);
    assert!(spread == local);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_result_that_workers_made_is_kept_in_the_storage_and_read_by_them_again() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let options = HandleOptions { engine: EngineChoice::Distributed, ..HandleOptions::default() };
    let kept = fleet.engine().query_handle_with("SELECT n, cents FROM trades WHERE n % 2 = 0", options).await;
    let kept = kept.unwrap();
    assert_eq!(kept.summary.unwrap().engine, EngineUsed::Distributed { workers: 3 });
    let sql = format!("SELECT count(*), sum(cents) FROM \"{}\"", kept.handle.id);
    let (spread, summary) = ask(fleet.engine(), &sql, on(EngineChoice::Distributed)).await.unwrap();
    assert!(matches!(summary.engine, EngineUsed::Distributed { .. }), "{summary:?}");
    let (local, _) = ask(fleet.engine(), &sql, on(EngineChoice::Local)).await.unwrap();
    assert_eq!(rows(&spread), rows(&local));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn numbers_of_type_hugeint_come_as_text_where_that_is_asked_for() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let sql = "SELECT symbol, sum(n) FROM trades GROUP BY symbol ORDER BY 1";
    let of = |engine| QueryOptions { hugeint_as_text: true, engine, ..QueryOptions::default() };
    let (local, _) = ask(fleet.engine(), sql, of(EngineChoice::Local)).await.unwrap();
    match ask(fleet.engine(), sql, of(EngineChoice::Auto)).await {
        Ok((table, _)) => assert_eq!((table.schema(), rows(&table)), (local.schema(), rows(&local))),
        Err(error) => panic!("{error}"),
    }
}
