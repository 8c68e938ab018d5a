//! Results that are kept, in each store: in memory, in a directory, in a bucket.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, TryStreamExt as _};
use polarway_core::components::ManualClock;
use polarway_core::{
    At, Builder, Compression, Config, ErrorKind, HandleOptions, HandleStoreKind, Location, Polarway,
    QueryOptions, QueryPhase, Table, params,
};
use tempfile::TempDir;

use crate::support::{START_US, by_clock, config, lines, trades, until};

/// For how long handles live in tests of time.
const TTL: Duration = Duration::from_secs(60);

/// An engine for each store.
pub(crate) async fn engines() -> Vec<(&'static str, Polarway, TempDir)> {
    engines_of(Polarway::builder).await
}

/// The same, by a clock that the test moves.
async fn engines_by(clock: &Arc<ManualClock>) -> Vec<(&'static str, Polarway, TempDir)> {
    engines_of(|config| by_clock(config, clock)).await
}

async fn engines_of(builder: impl Fn(Config) -> Builder) -> Vec<(&'static str, Polarway, TempDir)> {
    type SetUp = fn(&mut Config);
    let mut engines = Vec::new();
    let stores: [(&str, SetUp); 3] = [
        ("memory", |_| {}),
        ("a directory", |config| config.handles.store = HandleStoreKind::External),
        ("a bucket", |config| {
            config.handles.store = HandleStoreKind::External;
            config.handles.state = Location::Memory;
        }),
    ];
    for (name, set_up) in stores {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        set_up(&mut config);
        let polarway = builder(config).open().await.unwrap();
        polarway.store("trades", trades(&[("BTC", 5), ("ETH", 3), ("BTC", 7)])).await.unwrap();
        engines.push((name, polarway, folder));
    }
    engines
}

async fn kind_of<T: std::fmt::Debug>(result: impl Future<Output = polarway_core::Result<T>>) -> ErrorKind {
    result.await.unwrap_err().kind()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_a_table_under_its_id() {
    for (store, polarway, _folder) in engines().await {
        let sql = "SELECT symbol, sum(cents)::BIGINT AS cents FROM trades GROUP BY symbol ORDER BY symbol";
        let kept = polarway.query_handle(sql).await.unwrap();
        let id = kept.handle.id.to_string();
        let summary = kept.summary.unwrap();
        assert_eq!((kept.handle.rows, summary.rows), (2, 2), "{store}");
        assert!(kept.handle.bytes > 0, "{store}");
        assert_eq!(summary.datasets[0].name, "trades", "{store}");
        assert_eq!(lines(&polarway.load(&id).await.unwrap()), ["BTC,12", "ETH,3"], "{store}");
        let joined = polarway
            .query(&format!(
                "SELECT t.cents, k.cents FROM trades t JOIN {id} k USING (symbol) ORDER BY t.cents"
            ))
            .await
            .unwrap();
        assert_eq!(lines(&joined), ["3,3", "5,12", "7,12"], "{store}");
        let upper = polarway.query(&format!("FROM \"{}\"", id.to_uppercase())).await.unwrap();
        assert_eq!(upper.num_rows(), 2, "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_stays_what_it_was_whatever_becomes_of_the_datasets() {
    for (store, polarway, _folder) in engines().await {
        let id = polarway.query_handle("FROM trades").await.unwrap().handle.id.to_string();
        polarway.store("trades", trades(&[("SOL", 1)])).await.unwrap();
        polarway.delete("trades").await.unwrap();
        assert_eq!(lines(&polarway.load(&id).await.unwrap()), ["BTC,5", "ETH,3", "BTC,7"], "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_are_made_of_handles() {
    for (store, polarway, _folder) in engines().await {
        let mut id = "trades".to_owned();
        for _ in 0..5 {
            let sql = format!("SELECT symbol, cents + 1 AS cents FROM {id}");
            id = polarway.query_handle(&sql).await.unwrap().handle.id.to_string();
        }
        assert_eq!(lines(&polarway.load(&id).await.unwrap()), ["BTC,10", "ETH,8", "BTC,12"], "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_keep_the_order_that_the_query_gives_them() {
    for (store, polarway, _folder) in engines().await {
        let sql = "SELECT range AS n FROM range(1000000) ORDER BY hash(range)";
        let id = polarway.query_handle(sql).await.unwrap().handle.id.to_string();
        let (kept, fresh) = (polarway.load(&id).await.unwrap(), polarway.query(sql).await.unwrap());
        assert_eq!(lines(&kept), lines(&fresh), "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_with_columns_can_be_kept() {
    for (store, polarway, _folder) in engines().await {
        for sql in [
            "FROM trades",
            "WITH t AS (FROM trades) FROM t -- a comment at the end",
            "VALUES (1, 'one'), (2, 'two')",
            "SELECT 1 UNION ALL SELECT 2 ORDER BY 1 LIMIT 2",
            "DESCRIBE trades",
            "SUMMARIZE trades",
            "SHOW TABLES",
            "PIVOT trades ON symbol IN ('BTC', 'ETH') USING sum(cents)::BIGINT",
            "SELECT * FROM trades WHERE false",
            "SELECT 1 AS a, 2 AS a, 3 AS \"A\"",
            "SELECT [1, 2] AS list, {'a': 1} AS struct, NULL AS nothing, 1.5 AS decimal, DATE '2020-01-01' AS day",
        ] {
            let kept =
                polarway.query_handle(sql).await.unwrap_or_else(|error| panic!("{store}: {sql}: {error}"));
            let (loaded, fresh) = (
                polarway.load(&kept.handle.id.to_string()).await.unwrap(),
                polarway.query(sql).await.unwrap(),
            );
            assert_eq!(lines(&loaded), lines(&fresh), "{store}: {sql}");
            assert_eq!(kept.handle.rows, loaded.num_rows() as u64, "{store}: {sql}");
            assert_eq!(kept.handle.schema, *loaded.schema(), "{store}: {sql}");
        }
        let names = |table: &Table| -> Vec<String> {
            table.schema().fields().iter().map(|field| field.name().clone()).collect()
        };
        let same = polarway.query_handle("SELECT 1 AS a, 2 AS a, 3 AS \"A\"").await.unwrap();
        let loaded = polarway.load(&same.handle.id.to_string()).await.unwrap();
        assert_eq!(names(&loaded), ["a", "a_1", "A_2"].map(str::to_owned), "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_fails_makes_no_handle_and_leaves_nothing() {
    for (store, polarway, folder) in engines().await {
        for (sql, kind) in [
            ("SELEC 1", ErrorKind::InvalidQuery),
            ("EXPLAIN FROM trades", ErrorKind::QueryNotAllowed),
            ("FROM nowhere", ErrorKind::UnknownDataset),
            ("SELECT 1; SELECT 2", ErrorKind::QueryNotAllowed),
            ("SELECT 1) ; DROP TABLE x; --", ErrorKind::InvalidQuery),
            (
                "SELECT CASE WHEN range > 200000 THEN error('no') ELSE range END FROM range(300000)",
                ErrorKind::QueryFailed,
            ),
        ] {
            assert_eq!(kind_of(polarway.query_handle(sql)).await, kind, "{store}: {sql}");
        }
        assert!(polarway.handles().await.unwrap().is_empty(), "{store}");
        if store == "a directory" {
            let state = folder.path().join("state");
            assert_eq!(
                walk(&state),
                [state.join("_polarway/handles")],
                "what marks the folder, and nothing else"
            );
        }
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn each_id_that_is_none_has_its_own_reason() {
    let clock = ManualClock::new(START_US);
    for (store, polarway, _folder) in engines_by(&clock).await {
        let unknown = format!("h_{}", "a".repeat(26));
        let dropped = polarway.query_handle("FROM trades").await.unwrap().handle.id.to_string();
        polarway.drop_handle(&dropped).await.unwrap();
        let short = HandleOptions { ttl: Some(TTL), ..HandleOptions::default() };
        let expired = polarway.query_handle_with("FROM trades", short).await.unwrap().handle.id.to_string();
        clock.advance(TTL);
        for (id, kind) in [
            (unknown, ErrorKind::UnknownHandle),
            (dropped, ErrorKind::HandleDropped),
            (expired, ErrorKind::HandleExpired),
        ] {
            assert_eq!(kind_of(polarway.handle(&id)).await, kind, "{store}: {id}");
            assert_eq!(kind_of(polarway.load(&id)).await, kind, "{store}: {id}");
            assert_eq!(kind_of(polarway.query(&format!("FROM {id}"))).await, kind, "{store}: {id}");
            assert_eq!(kind_of(polarway.extend_handle(&id, None)).await, kind, "{store}: {id}");
        }
        for malformed in ["", "h_", "trades", "h_abc", &format!("h_{}", "a".repeat(27)), "h_../../etc/passwd"]
        {
            assert_eq!(kind_of(polarway.handle(malformed)).await, ErrorKind::InvalidHandle, "{malformed}");
            assert_eq!(
                kind_of(polarway.drop_handle(malformed)).await,
                ErrorKind::InvalidHandle,
                "{malformed}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_has_one_version() {
    for (store, polarway, _folder) in engines().await {
        let id = polarway.query_handle("FROM trades").await.unwrap().handle.id.to_string();
        assert_eq!(polarway.load_at(&id, At::Version(1)).await.unwrap().num_rows(), 3, "{store}");
        assert_eq!(kind_of(polarway.load_at(&id, At::Version(2))).await, ErrorKind::UnknownVersion);
        assert_eq!(
            kind_of(polarway.query(&format!("FROM {id} AT (VERSION => 2)"))).await,
            ErrorKind::QueryNotAllowed
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_come_from_any_row_on_and_are_the_same_ones_together() {
    for (store, polarway, _folder) in engines().await {
        let sql = "SELECT range AS n, hash(range) AS h FROM range(300000)";
        let id = polarway.query_handle(sql).await.unwrap().handle.id.to_string();
        for first_row in [0, 1, 123_456, 299_999, 300_000] {
            let stream = polarway.load_chunks(&id, At::Newest, first_row, Compression::None).await.unwrap();
            assert_eq!((stream.version(), stream.rows()), (1, 300_000), "{store}");
            let chunks: Vec<_> = stream.try_collect().await.unwrap();
            let mut next = first_row;
            for chunk in chunks.iter().filter(|chunk| chunk.rows > 0) {
                assert_eq!(chunk.first_row, next, "{store}");
                next += chunk.rows;
            }
            assert_eq!(next, 300_000, "{store}");
        }
        let behind = polarway.load_chunks(&id, At::Newest, 300_001, Compression::None).await;
        assert_eq!(behind.err().unwrap().kind(), ErrorKind::InvalidInput, "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_made_again_finds_its_handle() {
    for (store, polarway, _folder) in engines().await {
        let options = HandleOptions { request: Some([9; 16]), ..HandleOptions::default() };
        let first = polarway.query_handle_with("SELECT random() AS r", options.clone()).await.unwrap();
        let again = polarway.query_handle_with("SELECT random() AS r", options.clone()).await.unwrap();
        assert_eq!((again.handle.id, again.summary), (first.handle.id, None), "{store}");
        assert_eq!(polarway.handles().await.unwrap().len(), 1, "{store}");
        polarway.drop_handle(&first.handle.id.to_string()).await.unwrap();
        assert_eq!(kind_of(polarway.query_handle_with("SELECT 1", options)).await, ErrorKind::HandleDropped);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_parameters_are_kept_with_the_rest() {
    for (store, polarway, _folder) in engines().await {
        let options = HandleOptions::from(QueryOptions::from(params![symbol = "BTC"]));
        let kept = polarway
            .query_handle_with("SELECT $symbol AS wanted, cents FROM trades WHERE symbol = $symbol", options)
            .await
            .unwrap();
        let loaded = polarway.load(&kept.handle.id.to_string()).await.unwrap();
        assert_eq!(lines(&loaded), ["BTC,5", "BTC,7"], "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_that_is_read_does_not_expire_and_one_that_is_dropped_is_read_to_the_end() {
    let clock = ManualClock::new(START_US);
    for (store, polarway, _folder) in engines_by(&clock).await {
        let options = HandleOptions { ttl: Some(TTL), ..HandleOptions::default() };
        let sql = "SELECT range AS n FROM range(1000000)";
        let id = polarway.query_handle_with(sql, options.clone()).await.unwrap().handle.id.to_string();
        let unread = polarway.query_handle_with(sql, options).await.unwrap().handle.id.to_string();
        let mut stream = polarway.load_stream(&id, At::Newest).await.unwrap();
        let mut rows = stream.try_next().await.unwrap().unwrap().num_rows();
        clock.advance(TTL * 2);
        assert_eq!(kind_of(polarway.handle(&unread)).await, ErrorKind::HandleExpired, "{store}");
        assert!(polarway.handle(&id).await.is_ok(), "{store}");
        polarway.drop_handle(&id).await.unwrap();
        while let Some(batch) = stream.try_next().await.unwrap_or_else(|error| panic!("{store}: {error}")) {
            rows += batch.num_rows();
        }
        assert_eq!(rows, 1_000_000, "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_callers_tables_can_not_be_named_but_by_their_id() {
    for (store, polarway, _folder) in engines().await {
        let id = polarway.query_handle("FROM trades").await.unwrap().handle.id.to_string();
        for sql in [
            format!("FROM kept.main.{id}"),
            format!("FROM kept.{id}"),
            "FROM duckdb_tables()".to_owned(),
            "FROM information_schema.schemata".to_owned(),
        ] {
            assert!(polarway.query(&sql).await.is_err(), "{store}: {sql}");
        }
        let shown = lines(&polarway.query("SHOW ALL TABLES").await.unwrap()).join("\n");
        assert!(!shown.contains(&id) && shown.contains("trades"), "{store}: {shown}");
        assert_eq!(kind_of(polarway.store(&id, trades(&[]))).await, ErrorKind::InvalidName, "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_in_memory_have_a_budget() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    config.handles.budget_bytes = Some(1_000_000);
    let polarway = Polarway::open(config).await.unwrap();
    let keep = |rows: u64| {
        let polarway = polarway.clone();
        async move { polarway.query_handle(&format!("SELECT range AS n FROM range({rows})")).await }
    };
    let first = keep(100_000).await.unwrap();
    assert_eq!(first.handle.bytes, 800_000);
    let full = keep(100_000).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::HandlesFull);
    assert!(full.to_string().contains("1000000"), "{full}");
    keep(25_000).await.unwrap();
    assert_eq!(kind_of(keep(1)).await, ErrorKind::HandlesFull);
    polarway.drop_handle(&first.handle.id.to_string()).await.unwrap();
    keep(100_000).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_while_rows_are_made_leaves_nothing_behind() {
    // It has no end, so no handle is made of it.
    let sql = "SELECT range AS n, hash(range) AS h FROM range(1000000000000)";
    for (store, polarway, folder) in engines().await {
        for phase in [
            QueryPhase::Waiting,
            QueryPhase::Checking,
            QueryPhase::Resolving,
            QueryPhase::Planning,
            QueryPhase::Running,
        ] {
            // A phase may pass unseen, but for the last one.
            let is_there = || {
                polarway
                    .queries()
                    .unwrap()
                    .iter()
                    .any(|query| [phase, QueryPhase::Running].contains(&query.phase))
            };
            tokio::select! {
                biased;
                kept = polarway.query_handle(sql) => panic!("{store}: {kept:?}"),
                () = until(is_there) => {}
            }
        }
        until(|| polarway.queries().unwrap().is_empty()).await;
        assert!(polarway.handles().await.unwrap().is_empty(), "{store}");
        if store == "a directory" {
            // What marks the folder, and nothing else.
            let state = folder.path().join("state");
            until(|| walk(&state) == [state.join("_polarway/handles")]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_when_its_rows_are_made_leaves_their_memory_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    // Enough for three results, which have nowhere else to go.
    config.query_memory_bytes = 200_000_000;
    config.query_temp_bytes = 1_000_000;
    let polarway = Polarway::open(config).await.unwrap();
    let sql = "SELECT range AS n FROM range(7000000)";
    for _ in 0..4 {
        let mut kept = Box::pin(polarway.query_handle(sql));
        assert!((&mut kept).now_or_never().is_none());
        // The rows are there, and nobody has asked for them yet.
        until(|| polarway.queries().unwrap().is_empty()).await;
        drop(kept);
        assert!(polarway.handles().await.unwrap().is_empty());
    }
    assert_eq!(polarway.query_handle(sql).await.unwrap().handle.rows, 7_000_000);
}
