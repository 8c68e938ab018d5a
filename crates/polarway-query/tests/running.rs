//! Rows stream while they are made; errors, interrupts and deadlines end a query cleanly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::array::*;
use polarway_query::{Catalog, CatalogError, Error, Listed, QueryOptions, Reference, Relation};
use polarway_testing::wait_until;
use support::files::OnThisMachine;
use support::stream::QueryStream;
use support::{Bench, batch};

/// Runs for hours if nobody stops it, and gives rows all the while.
const ENDLESS_ROWS: &str = "SELECT a.range + b.range AS n FROM range(1000000000) a, range(1000) b";

/// Runs for hours before it gives its only row.
const ENDLESS_SUM: &str = "SELECT sum(a.range * b.range % 7) FROM range(100000000) a, range(100000000) b";

fn start(bench: &Bench, sql: &str, options: QueryOptions) -> QueryStream {
    bench.start(sql, options).unwrap()
}

fn numbers(rows: i32) -> RecordBatch {
    batch(vec![("a", Arc::new(Int32Array::from_iter_values(0..rows)) as ArrayRef)])
}

/// Whether a pin is still held.
struct Pinned(Arc<Bench>, Arc<AtomicBool>);

struct Pin(Arc<AtomicBool>);

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Catalog for Pinned {
    fn sees_analytics(&self, _schema: &str, _table: &str) -> bool {
        true
    }

    fn resolve(&self, references: &[Reference]) -> Result<Vec<Relation>, CatalogError> {
        self.1.store(true, Ordering::SeqCst);
        let mut relations = self.0.folder.resolve(references)?;
        relations[0].pin = Box::new(Pin(self.1.clone()));
        Ok(relations)
    }

    fn list(&self) -> Result<Vec<Listed>, CatalogError> {
        self.0.folder.list()
    }
}

#[test]
fn batches_are_joined_to_about_the_wanted_size_and_keep_their_order() {
    let bench = Bench::new();
    bench.store("t", &[numbers(500_000), numbers(500_000)]);
    let stream = start(&bench, "FROM t", QueryOptions { batch_bytes: 1 << 20, ..QueryOptions::default() });
    let batches: Vec<RecordBatch> = stream.collect::<Result<_, _>>().unwrap();
    let (last, full) = batches.split_last().unwrap();
    assert!(
        full.iter().all(|batch| (250_000..300_000).contains(&batch.num_rows())),
        "{}",
        full[0].num_rows()
    );
    assert!(last.num_rows() > 0);
    let values = batches.iter().flat_map(|batch| {
        batch.column(0).as_any().downcast_ref::<Int32Array>().unwrap().values().iter().copied()
    });
    assert!(values.eq((0..500_000).chain(0..500_000)));
}

#[test]
fn the_columns_are_known_before_and_without_rows() {
    let bench = Bench::new();
    let mut stream = start(&bench, "SELECT 1 AS a, 'x' AS b WHERE false", QueryOptions::default());
    let names: Vec<_> = stream.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(stream.next().is_none());
    assert!(stream.next().is_none());
}

#[test]
fn an_error_in_mid_stream_arrives_as_that_error_after_the_rows_before_it() {
    let bench = Bench::new();
    bench.store("t", &[numbers(1_000_000)]);
    let sql = "SELECT CASE WHEN a = 900000 THEN error('row ' || a) ELSE a END AS a FROM t";
    let mut stream = start(&bench, sql, QueryOptions { batch_bytes: 1 << 16, ..QueryOptions::default() });
    let mut rows = 0;
    let error = loop {
        match stream.next() {
            Some(Ok(batch)) => rows += batch.num_rows(),
            Some(Err(error)) => break error,
            None => panic!("the error is missing"),
        }
    };
    assert!(rows > 0 && rows <= 900_000, "{rows}");
    assert!(matches!(&error, Error::Execution(message) if message == "row 900000"), "{error:?}");
    assert!(stream.next().is_none());
}

#[test]
fn errors_of_execution_say_what_and_where() {
    let bench = Bench::new();
    bench.store("t", &[batch(vec![("s", Arc::new(StringArray::from(vec!["1", "x"])) as ArrayRef)])]);
    let error = bench.error("SELECT s::INT FROM t");
    assert!(matches!(&error, Error::Execution(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "Could not convert string 'x' to INT32 when casting from source column s\n\nLINE 1: SELECT s::INT FROM t\n                ^"
    );
    assert!(matches!(bench.error("SELECT 9223372036854775807 + 1"), Error::Execution(_)));
    let error = bench.error("SELECT q FROM t");
    assert!(
        matches!(&error, Error::Binder(message) if message.contains("\"q\"") && message.contains("LINE 1")),
        "{error:?}"
    );
    // The text that ran is not the author's: no position is better than a wrong one.
    let error = bench.error("SELECT q FROM t AT (VERSION => 1)");
    assert!(matches!(&error, Error::Binder(message) if !message.contains("LINE")), "{error:?}");
}

#[test]
fn dropping_the_stream_stops_the_query_and_lets_go_of_its_files() {
    let bench = Arc::new(Bench::new());
    bench.store("t", &[numbers(10)]);
    let pinned = Arc::new(AtomicBool::new(false));
    for sql in [format!("{ENDLESS_ROWS}, t"), format!("{ENDLESS_SUM}, t")] {
        let catalog = Arc::new(Pinned(bench.clone(), pinned.clone()));
        let stream = bench.start_over(catalog, &sql, QueryOptions::default()).unwrap();
        assert!(pinned.load(Ordering::SeqCst));
        drop(stream);
        wait_until(|| !pinned.load(Ordering::SeqCst));
    }
}

#[test]
fn a_pin_is_held_until_the_last_row_was_made() {
    let bench = Arc::new(Bench::new());
    bench.store("t", &[numbers(10)]);
    let pinned = Arc::new(AtomicBool::new(false));
    let catalog = Arc::new(Pinned(bench.clone(), pinned.clone()));
    let options = QueryOptions { batch_bytes: 1, ..QueryOptions::default() };
    let mut stream = bench.start_over(catalog, "SELECT a FROM t, range(100000)", options).unwrap();
    stream.next().unwrap().unwrap();
    assert!(pinned.load(Ordering::SeqCst));
    assert!(stream.all(|batch| batch.is_ok()));
    wait_until(|| !pinned.load(Ordering::SeqCst));
}

#[test]
fn a_slow_reader_stops_the_query_from_running_ahead() {
    let bench = Bench::new();
    let mut stream = start(&bench, ENDLESS_ROWS, QueryOptions::default());
    for _ in 0..5 {
        assert!(stream.next().unwrap().unwrap().num_rows() > 0);
    }
}

#[test]
fn an_interrupt_from_another_thread_releases_the_reader() {
    let bench = Bench::new();
    for sql in [ENDLESS_SUM, ENDLESS_ROWS] {
        let stream = start(&bench, sql, QueryOptions::default());
        let handle = stream.interrupt_handle();
        let reader = std::thread::spawn(move || stream.map(|batch| batch.map(drop)).find_map(Result::err));
        handle.interrupt();
        assert!(matches!(reader.join().unwrap(), Some(Error::Interrupted)));
        // Harmless when all is over.
        handle.interrupt();
    }
    assert_eq!(bench.rows("SELECT 1"), ["1"]);
}

#[test]
fn a_deadline_ends_a_query_before_during_and_between_rows() {
    let bench = Bench::new();
    let options = |deadline| QueryOptions { deadline: Some(deadline), ..QueryOptions::default() };
    let past = bench.start("SELECT 1", options(Instant::now()));
    assert!(matches!(past, Err(Error::Deadline)));
    for sql in [ENDLESS_SUM, ENDLESS_ROWS] {
        let deadline = Instant::now() + Duration::from_millis(300);
        let error = match bench.start(sql, options(deadline)) {
            Ok(mut stream) => stream.find_map(Result::err),
            Err(error) => Some(error),
        };
        assert!(matches!(error, Some(Error::Deadline)), "{error:?}");
    }
}

#[test]
fn out_of_memory_is_an_error_of_its_own_and_the_engine_lives_on() {
    let bench = Bench::with(|config| {
        config.memory_bytes = 50_000_000;
        config.temp_bytes = 10_000_000;
    });
    let error = bench.error("SELECT count(*) FROM (SELECT DISTINCT hash(range), range FROM range(20000000))");
    assert!(matches!(&error, Error::QueryTooLarge(_)), "{error:?}");
    let message = error.to_string();
    assert!(!message.contains("SET ") && !message.contains(bench.dir.path().to_str().unwrap()), "{message}");
    assert_eq!(bench.rows("SELECT 1"), ["1"]);
}

#[test]
fn what_a_failed_query_drove_out_of_memory_does_not_stay_on_disk() {
    let bench = Bench::with(|config| {
        config.memory_bytes = 100_000_000;
        config.temp_bytes = 100_000_000;
    });
    bench.store("t", &[numbers(10)]);
    bench.rows("SELECT a, count(*) FROM t GROUP BY a ORDER BY a");
    bench.rows("SELECT 1 + 1");
    assert!(matches!(bench.error("SELECT array_value(1, 2)::INTEGER[100000]"), Error::QueryTooLarge(_)));
    wait_until(|| std::fs::read_dir(bench.dir.path().join("temp")).unwrap().next().is_none());
}

#[test]
fn many_queries_at_once_each_get_their_own_rows() {
    let bench = Arc::new(Bench::new());
    for name in ["a", "b", "c"] {
        bench.store(name, &[batch(vec![("n", Arc::new(StringArray::from(vec![name])) as ArrayRef)])]);
    }
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let bench = bench.clone();
            std::thread::spawn(move || {
                for round in 0..20 {
                    let name = ["a", "b", "c"][(thread + round) % 3];
                    assert_eq!(bench.rows(&format!("SELECT n FROM {name}")), [name]);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn no_view_of_an_earlier_query_is_there_for_the_next() {
    let bench = Bench::new();
    bench.store("secret_table", &[numbers(1)]);
    bench.store("t", &[numbers(1)]);
    bench.rows("FROM secret_table");
    let error = bench.error("SELECT secret_tabl.a FROM t");
    assert!(!error.to_string().contains("secret_table"), "{error}");
}

#[test]
fn a_configuration_that_can_not_hold_is_refused() {
    use polarway_query::{Engine, EngineConfig};
    let dir = tempfile::TempDir::new().unwrap();
    let missing = EngineConfig::new(vec![dir.path().join("missing")], dir.path().join("temp"));
    assert!(matches!(Engine::open(missing, Arc::new(OnThisMachine)), Err(Error::Configuration(_))));
    std::fs::write(dir.path().join("file"), "x").unwrap();
    let no_folder = EngineConfig::new(vec![], dir.path().join("file"));
    assert!(matches!(Engine::open(no_folder, Arc::new(OnThisMachine)), Err(Error::Configuration(_))));
}

#[test]
fn a_text_that_ran_before_runs_anew_and_sees_its_own_time() {
    let bench = Bench::new();
    bench.store("t", &[numbers(10)]);
    let ask = || {
        let sql = "SELECT epoch_us(now()) AS now_us, sum(a) AS total FROM t";
        let batches: Vec<RecordBatch> =
            start(&bench, sql, QueryOptions::default()).collect::<Result<_, _>>().unwrap();
        let now_us = batches[0].column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0);
        let total = arrow::util::display::array_value_to_string(batches[0].column(1), 0).unwrap();
        (now_us, total)
    };
    let answers: Vec<_> = (0..4).map(|_| ask()).collect();
    for pair in answers.windows(2) {
        assert!(pair[0].0 < pair[1].0, "the time stood still: {answers:?}");
    }
    assert!(answers.iter().all(|(_, total)| total == "45"), "{answers:?}");
}

#[test]
fn what_is_asked_of_no_table_sees_its_own_time_too() {
    let bench = Bench::new();
    for sql in
        ["SELECT epoch_us(now())", "SELECT current_timestamp::VARCHAR", "SELECT (now())::VARCHAR || ''"]
    {
        let answers: Vec<_> = (0..4).map(|_| bench.rows(sql)).collect();
        assert!(answers.windows(2).all(|pair| pair[0] != pair[1]), "the time stood still: {answers:?}");
    }
    for _ in 0..3 {
        assert_eq!(bench.rows("SELECT 40 + 2, CASE WHEN true THEN 'x' || 'y' END"), ["42|xy"]);
    }
}

#[test]
fn a_failure_in_one_of_many_threads_is_always_told_as_that_failure() {
    let bench = Bench::new();
    let overflow =
        "SELECT CAST(9223372036854775807 - 1000000 + n AS BIGINT) + 1 AS n FROM range(2000000) AS t(n)";
    // DuckDB itself says now and then that another thread was interrupted.
    for _ in 0..100 {
        let error = bench.error(overflow);
        assert!(matches!(error, Error::Execution(_)), "{error}");
    }
}
