//! Results that are kept, written by the workers: a file a task, and one commit of the worker that was asked.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use polarway_core::{
    Caller, EngineChoice, EngineUsed, Error, ErrorKind, HandleOptions, KeptResult, Polarway, Quota,
};

use crate::support::{FILES, Fleet, ROWS_OF_A_FILE, ask, on, rows};

/// So many rows that each task has row groups in its file long before it ends.
const LARGE: &str =
    "SELECT a.n, a.symbol, b.n AS m, b.size FROM trades a JOIN trades b ON a.symbol = b.symbol";

/// How long files may take to come or go on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

async fn keep(engine: &Polarway, sql: &str, choice: EngineChoice) -> Result<KeptResult, Error> {
    engine.query_handle_with(sql, HandleOptions { engine: choice, ..HandleOptions::default() }).await
}

/// The rows of a handle as text, in their order.
async fn rows_of(fleet: &Fleet, kept: &KeptResult) -> Vec<String> {
    // Another worker reads it than the one that made it.
    rows(&fleet.members[1].engine.load(&kept.handle.id.to_string()).await.unwrap())
}

fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort();
    rows
}

/// The files in a folder of each handle, whoever published them.
fn files(fleet: &Fleet, folder: &str) -> Vec<PathBuf> {
    let entries = |folder: PathBuf| {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect::<Vec<_>>()
    };
    let handles = entries(fleet.state()).into_iter();
    handles.flat_map(|handle| entries(handle.join("_polarway").join(folder))).collect()
}

/// Waits until the storage of handles has files that nobody published, or none.
async fn until_files(fleet: &Fleet, are_there: bool) {
    let since = Instant::now();
    while files(fleet, "data").is_empty() == are_there {
        assert!(since.elapsed() < PATIENCE, "{:?}", files(fleet, "data"));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How many tasks give the rows of a query.
async fn tasks_of(fleet: &Fleet, sql: &str) -> usize {
    let explain = format!("EXPLAIN (DISTRIBUTED) {sql}");
    let (plan, _) = ask(fleet.engine(), &explain, on(EngineChoice::Distributed)).await.unwrap();
    let plan = rows(&plan).concat();
    // The last stage is the first one that stands there.
    let (_, tasks) = plan.split_once("input_tasks=").unwrap_or_else(|| panic!("{plan}"));
    tasks.lines().next().unwrap().trim().parse().unwrap()
}

async fn nothing_is_left(fleet: &Fleet) {
    fleet.idle().await;
    until_files(fleet, false).await;
    assert_eq!(files(fleet, "commits"), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_task_writes_a_file_and_one_commit_makes_the_handle() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    for sql in [
        "SELECT n, symbol, cents, size FROM trades WHERE n % 2 = 0",
        "SELECT n % 5000 AS k, count(*) AS rows, max(symbol) FROM trades GROUP BY k",
        "SELECT a.n, b.symbol FROM trades a JOIN trades b ON a.n = b.n + 1",
        "SELECT n FROM trades UNION ALL SELECT cents FROM trades",
    ] {
        let tasks = tasks_of(&fleet, sql).await;
        let local = keep(fleet.engine(), sql, EngineChoice::Local).await.unwrap();
        let before = (files(&fleet, "data").len(), files(&fleet, "commits").len());
        let spread = keep(fleet.engine(), sql, EngineChoice::Distributed).await.unwrap();
        let summary = spread.summary.as_ref().unwrap();
        assert_eq!(summary.engine, EngineUsed::Distributed { workers: 3 }, "{sql}");
        let written = files(&fleet, "data").len() - before.0;
        match sql.contains("GROUP BY") {
            true => assert_eq!(written, tasks, "{sql}: each has some of the groups"),
            // A task whose part of the files begins no row group has no rows, and no file.
            false => assert!((2..=tasks).contains(&written), "{sql}: {written} of {tasks}"),
        }
        assert_eq!(files(&fleet, "commits").len() - before.1, 1, "{sql}");
        assert_eq!(spread.handle.rows, local.handle.rows, "{sql}");
        assert_eq!(spread.handle.schema, local.handle.schema, "{sql}");
        let local_summary = local.summary.as_ref().unwrap();
        assert_eq!(summary.rows, local_summary.rows, "{sql}");
        for (one, other) in [(summary.bytes, local_summary.bytes), (spread.handle.bytes, local.handle.bytes)]
        {
            // Where batches are cut, bits of NULLs and beginnings of texts take some bytes more or less.
            assert!(one.abs_diff(other) * 100 < other, "{sql}: {one} and {other}");
        }
        assert_eq!(sorted(rows_of(&fleet, &spread).await), sorted(rows_of(&fleet, &local).await), "{sql}");
    }
    fleet.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_whole_table_is_written_by_several_tasks_though_its_rows_would_be_delivered_by_one() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let kept = keep(fleet.engine(), "FROM trades", EngineChoice::Distributed).await.unwrap();
    assert_eq!(kept.handle.rows as i64, FILES * ROWS_OF_A_FILE);
    assert!(files(&fleet, "data").len() > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_rows_do_not_pass_the_worker_that_was_asked() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let sql = "SELECT * FROM trades WHERE n >= 0";
    keep(fleet.engine(), sql, EngineChoice::Distributed).await.unwrap();
    let sent =
        |fleet: &Fleet| fleet.members[1..].iter().map(|peer| peer.worker.counts().sent_bytes).sum::<u64>();
    let kept = sent(&fleet);
    ask(fleet.engine(), sql, on(EngineChoice::Distributed)).await.unwrap();
    let delivered = sent(&fleet) - kept;
    assert!(kept > 0 && kept * 20 < delivered, "{kept} and {delivered}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_in_an_order_stay_in_it() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    for sql in [
        "SELECT n, cents FROM trades ORDER BY cents DESC NULLS LAST, n",
        // The order is by a column that is not there.
        "SELECT symbol FROM trades ORDER BY n DESC",
        "SELECT n + 1 AS m FROM (SELECT n FROM trades ORDER BY n) WHERE n % 3 = 0",
        "SELECT n FROM trades ORDER BY n DESC LIMIT 1000 OFFSET 7",
    ] {
        let local = keep(fleet.engine(), sql, EngineChoice::Local).await.unwrap();
        let spread = keep(fleet.engine(), sql, EngineChoice::Distributed).await.unwrap();
        let used = spread.summary.as_ref().unwrap().engine.clone();
        assert!(matches!(used, EngineUsed::Distributed { .. }), "{sql}: {used:?}");
        assert_eq!(rows_of(&fleet, &spread).await, rows_of(&fleet, &local).await, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_result_without_rows_is_a_handle_with_columns_and_without_files() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let sql = "SELECT n, symbol AS s FROM trades WHERE n < 0";
    let kept = keep(fleet.engine(), sql, EngineChoice::Distributed).await.unwrap();
    assert_eq!((kept.handle.rows, kept.summary.as_ref().unwrap().rows), (0, 0));
    let names: Vec<_> = kept.handle.schema.fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["n", "s"]);
    assert_eq!(files(&fleet, "data"), Vec::<PathBuf>::new());
    assert!(rows_of(&fleet, &kept).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_types_of_a_query_stay_what_they_are() {
    let fleet = Fleet::with(3, |config| config.distributed_from_bytes = 1, None).await;
    fleet.store_trades().await;
    let spread = "SELECT symbol, sum(n) AS hugeint, CAST(min(day) AS TIMESTAMP) AS t, \
        CAST(CAST(min(day) AS TIMESTAMP) AS TIMESTAMPTZ) AS tz, [min(n), max(n)] AS list, \
        {'a': min(n), 'b': symbol} AS struct, CAST(sum(cents) AS DECIMAL(30, 3)) AS dec, \
        count(*) AS twice, count(*) AS \"TWICE\", NULL AS nothing FROM trades GROUP BY symbol";
    // Several workers have no ENUM.
    let alone = "SELECT CAST(symbol AS ENUM('BTC', 'ETH', 'SOL', 'ADA')) AS e, n FROM trades WHERE symbol IS NOT NULL";
    for (sql, is_spread) in [(spread, true), (alone, false)] {
        let local = keep(fleet.engine(), sql, EngineChoice::Local).await.unwrap();
        let kept = keep(fleet.engine(), sql, EngineChoice::Auto).await.unwrap();
        let used = kept.summary.as_ref().unwrap().engine.clone();
        assert_eq!(matches!(used, EngineUsed::Distributed { .. }), is_spread, "{used:?}");
        assert_eq!(kept.handle.schema, local.handle.schema);
        assert_eq!(sorted(rows_of(&fleet, &kept).await), sorted(rows_of(&fleet, &local).await));
        for sql in ["DESCRIBE FROM", "SELECT count(*), max(COLUMNS(*)::VARCHAR) FROM"] {
            let of = async |kept: &KeptResult| {
                let sql = format!("{sql} \"{}\"", kept.handle.id);
                rows(&ask(&fleet.members[2].engine, &sql, on(EngineChoice::Local)).await.unwrap().0)
            };
            assert_eq!(of(&kept).await, of(&local).await, "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn limits_hold_for_all_workers_together() {
    let all = (FILES * ROWS_OF_A_FILE) as u64;
    // Each of three tasks has less than this.
    for (rows, bytes) in [(all * 2 / 3, u64::MAX), (u64::MAX, all * 8 * 2 / 3)] {
        let change = |config: &mut polarway_core::Config| {
            (config.query_limits.result_rows, config.query_limits.result_bytes) = (rows, bytes);
        };
        let fleet = Fleet::with(3, change, None).await;
        fleet.store_trades().await;
        for choice in [EngineChoice::Local, EngineChoice::Distributed] {
            let error = keep(fleet.engine(), "SELECT n FROM trades", choice).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::QueryTooLarge, "{choice:?}: {error}");
            nothing_is_left(&fleet).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_quota_holds_for_all_workers_together() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let bytes = (FILES * ROWS_OF_A_FILE * 8) as u64;
    let caller = |bytes| {
        let quota = Quota { handle_bytes: Some(bytes), ..Quota::default() };
        fleet.engine().on_behalf_of(Caller::named("reports").with_quota(quota))
    };
    let error =
        keep(&caller(bytes - 1), "SELECT n FROM trades", EngineChoice::Distributed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded, "{error}");
    nothing_is_left(&fleet).await;
    let kept = keep(&caller(bytes * 2), "SELECT n FROM trades", EngineChoice::Distributed).await.unwrap();
    assert_eq!((kept.handle.bytes, kept.handle.owner.as_deref()), (bytes, Some("reports")));
    let error = keep(&caller(bytes * 2 - 1), "SELECT n FROM trades", EngineChoice::Distributed).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::QuotaExceeded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_query_that_is_cancelled_in_mid_write_leaves_nothing() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let engine = fleet.engine().clone();
    let keeping = tokio::spawn(async move { keep(&engine, LARGE, EngineChoice::Distributed).await });
    until_files(&fleet, true).await;
    let queries = fleet.engine().queries().unwrap();
    let [query] = queries.as_slice() else { panic!("{queries:?}") };
    fleet.engine().cancel_query(&query.id.to_string()).unwrap();
    let error = keeping.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    nothing_is_left(&fleet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_that_goes_in_mid_write_leaves_nothing() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let engine = fleet.engine().clone();
    let keeping = tokio::spawn(async move { keep(&engine, LARGE, EngineChoice::Distributed).await });
    until_files(&fleet, true).await;
    keeping.abort();
    assert!(keeping.await.unwrap_err().is_cancelled());
    nothing_is_left(&fleet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_value_that_can_t_be_computed_ends_the_query_and_leaves_nothing() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let sql = "SELECT n, CASE WHEN n = 15999 THEN 9223372036854775807 ELSE n END + 1 AS m FROM trades";
    let error = keep(fleet.engine(), sql, EngineChoice::Distributed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QueryFailed, "{error}");
    nothing_is_left(&fleet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_that_is_made_twice_has_one_handle() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let make = async |member: usize| {
        let options = HandleOptions {
            engine: EngineChoice::Distributed,
            request: Some([7; 16]),
            ..HandleOptions::default()
        };
        fleet.members[member].engine.query_handle_with("SELECT n FROM trades", options).await
    };
    let (one, other) = tokio::join!(make(0), make(1));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.handle.id, other.handle.id);
    let again = make(2).await.unwrap();
    assert!(again.summary.is_none(), "it was there");
    fleet.idle().await;
    let since = Instant::now();
    // What the slower one wrote goes.
    while files(&fleet, "data").len() > 3 {
        assert!(since.elapsed() < PATIENCE, "{:?}", files(&fleet, "data"));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(rows_of(&fleet, &one).await.len() as i64, FILES * ROWS_OF_A_FILE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storage_that_takes_no_files_is_an_error_of_the_storage_and_leaves_nothing() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    // Whatever is to be made there fails, for everybody.
    fs::remove_dir_all(fleet.state()).unwrap();
    fs::write(fleet.state(), "no folder").unwrap();
    for choice in [EngineChoice::Local, EngineChoice::Distributed] {
        let error = keep(fleet.engine(), "SELECT n FROM trades", choice).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFailed, "{choice:?}: {error}");
    }
    fleet.idle().await;
}
