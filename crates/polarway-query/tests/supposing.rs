//! Queries over tables that are most likely the right ones, while the catalog still asks.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use polarway_model::HandleId;
use polarway_query::{
    At, Catalog, CatalogError, Engine, Error, Keep, Listed, QueryOptions, QueryStatus, Reference, Relation,
    ResultKeeper, WrittenFile,
};
use support::{Bench, Folder, batch, rows_of};
use uuid::Uuid;

/// A catalog that is far away, and remembers what it saw last.
struct Remembering {
    folder: Arc<Folder>,
    /// The version that it supposes to be the newest.
    supposed: u64,
    /// Called before it answers.
    before_the_answer: Box<dyn Fn() -> Result<(), CatalogError> + Send + Sync>,
    asked: AtomicUsize,
}

impl Remembering {
    fn of(
        bench: &Bench,
        supposed: u64,
        before_the_answer: impl Fn() -> Result<(), CatalogError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (folder, before_the_answer) = (Arc::clone(&bench.folder), Box::new(before_the_answer));
        Arc::new(Self { folder, supposed, before_the_answer, asked: AtomicUsize::new(0) })
    }
}

impl Catalog for Remembering {
    fn resolve(&self, references: &[Reference]) -> Result<Vec<Relation>, CatalogError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        (self.before_the_answer)()?;
        self.folder.resolve(references)
    }

    fn suppose(&self, references: &[Reference]) -> Option<Vec<Relation>> {
        let older = |reference: &Reference| match reference {
            Reference::Dataset { name, .. } => {
                Reference::Dataset { name: name.clone(), at: At::Version(self.supposed) }
            }
            Reference::Files { .. } => reference.clone(),
        };
        let references: Vec<_> = references.iter().map(older).collect();
        self.folder.resolve(&references).ok()
    }

    fn list(&self) -> Result<Vec<Listed>, CatalogError> {
        self.folder.list()
    }

    fn sees_analytics(&self, _schema: &str, _table: &str) -> bool {
        true
    }
}

fn wait_until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < end, "it is not so after a minute");
        std::thread::yield_now();
    }
}

/// Whether the only query of an engine runs, or did.
fn runs(engine: &Engine) -> bool {
    engine.queries().iter().any(|query| query.summary.times.running > Duration::ZERO)
}

/// A catalog that answers when the query over what it supposes runs.
fn answering_late(bench: &Bench, supposed: u64) -> Arc<Remembering> {
    let engine = bench.engine.clone();
    Remembering::of(bench, supposed, move || {
        wait_until(|| runs(&engine));
        Ok(())
    })
}

fn numbers(numbers: impl IntoIterator<Item = i64>) -> RecordBatch {
    batch(vec![("a", Arc::new(Int64Array::from_iter_values(numbers)) as ArrayRef)])
}

#[test]
fn a_query_runs_while_the_catalog_is_asked_and_its_rows_are_counted_once() {
    let bench = Bench::new();
    bench.store("t", &[numbers(5..12)]);
    bench.store("t", &[numbers(0..5)]);
    for (sql, rows) in [("FROM t", 5), ("SELECT sum(a) FROM t", 1), ("SELECT a FROM t WHERE a > 100", 0)] {
        let right = bench.rows(sql);
        for supposed in [1, 2] {
            let catalog = answering_late(&bench, supposed);
            let asked = Arc::clone(&catalog);
            let mut stream = bench.start_over(catalog, sql, QueryOptions::default()).unwrap();
            let batches: Vec<_> = stream.by_ref().map(Result::unwrap).collect();
            assert_eq!(batches.iter().flat_map(rows_of).collect::<Vec<_>>(), right, "{sql}");
            assert_eq!(stream.summary().unwrap().rows, rows, "{sql}");
            assert_eq!(asked.asked.load(Ordering::SeqCst), 1, "{sql}");
        }
    }
}

#[test]
fn the_columns_of_a_long_query_come_with_the_answer_and_not_with_its_first_row() {
    let bench = Bench::new();
    bench.store("t", &[numbers(0..100_000)]);
    let sql = "SELECT count(*) FROM t, t AS u, t AS v WHERE t.a + u.a + v.a = 7";
    let stream = bench.start_over(answering_late(&bench, 1), sql, QueryOptions::default()).unwrap();
    assert_eq!(stream.schema().fields().len(), 1);
    drop(stream);
    wait_until(|| bench.engine.queries().is_empty());
}

#[test]
fn no_row_no_column_and_no_error_of_an_older_version_comes_out() {
    let bench = Bench::new();
    let text = |values: [&str; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    bench.store("t", &[batch(vec![("a", text(["x", "7"])), ("old", text(["1", "1"]))])]);
    bench.store("t", &[batch(vec![("a", text(["8", "9"])), ("new", text(["2", "2"]))])]);
    for sql in [
        "FROM t",
        "SELECT count(*) FROM t",
        "SELECT sum(a::INT) FROM t",
        "SELECT new FROM t",
        "SELECT a FROM t WHERE a = 'x'",
        "SELECT CASE WHEN a = 'x' THEN error('old') ELSE a END AS a FROM t",
        "DESCRIBE t",
        "EXPLAIN FROM t WHERE new = '2'",
    ] {
        let engine = bench.engine.clone();
        let is_planned = move || {
            let is_planned = |query: &QueryStatus| query.summary.times.planning > Duration::ZERO;
            wait_until(|| engine.queries().iter().any(is_planned));
            Ok(())
        };
        for catalog in [Remembering::of(&bench, 1, is_planned), Remembering::of(&bench, 1, || Ok(()))] {
            let asked = Arc::clone(&catalog);
            let found = bench.query_with(catalog, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert_eq!(rows_of(&found), bench.rows(sql), "{sql}");
            assert_eq!(asked.asked.load(Ordering::SeqCst), 1, "{sql}");
        }
    }
    // Of the newest version, errors do.
    let error = bench.query_with(answering_late(&bench, 2), "SELECT error(a) FROM t").unwrap_err();
    assert!(matches!(error, Error::Execution(_)) && error.to_string().contains('8'), "{error:?}");
    for (supposed, column) in [(2, "old"), (1, "older")] {
        let catalog = Remembering::of(&bench, supposed, || Ok(()));
        let error = bench.query_with(catalog, &format!("SELECT {column} FROM t")).unwrap_err();
        assert!(matches!(error, Error::Binder(_)), "{error:?}");
    }
}

#[test]
fn a_long_query_over_an_older_version_is_interrupted_when_there_is_a_newer_one() {
    let bench = Bench::new();
    bench.store("t", &[numbers(0..100_000)]);
    bench.store("t", &[numbers([7])]);
    let sql = "SELECT count(*) FROM t, t AS u, t AS v, t AS w WHERE t.a + u.a + v.a + w.a = 28";
    assert_eq!(rows_of(&bench.query_with(answering_late(&bench, 1), sql).unwrap()), ["1"]);
}

#[test]
fn a_catalog_that_fails_gives_its_own_error_and_no_row() {
    let bench = Bench::new();
    bench.store("t", &[numbers(0..5)]);
    let engine = bench.engine.clone();
    let gone = Remembering::of(&bench, 1, move || {
        wait_until(|| runs(&engine));
        Err(CatalogError::UnknownDataset { name: "t".to_owned(), nearest: Vec::new() })
    });
    for sql in ["FROM t", "SELECT error(a::TEXT) FROM t"] {
        let error = bench.query_with(Arc::clone(&gone) as Arc<dyn Catalog>, sql).unwrap_err();
        assert!(matches!(error, Error::Catalog(CatalogError::UnknownDataset { .. })), "{error:?}");
    }
    let panicking = Remembering::of(&bench, 1, || panic!("a bug in a catalog"));
    let error = bench.query_with(panicking, "FROM t").unwrap_err();
    assert!(matches!(error, Error::Internal(_)), "{error:?}");
    assert_eq!(bench.rows("SELECT count(*) FROM t"), ["5"]);
}

#[test]
fn a_query_that_waits_for_the_answer_ends_by_its_deadline_and_when_it_is_cancelled() {
    let bench = Bench::new();
    bench.store("t", &[numbers(0..5)]);
    let is_silent = Arc::new((Mutex::new(true), Condvar::new()));
    let silent = Arc::clone(&is_silent);
    let catalog = Remembering::of(&bench, 1, move || {
        drop(silent.1.wait_while(silent.0.lock().unwrap(), |is_silent| *is_silent).unwrap());
        Ok(())
    });
    let start = |options| bench.start_over(Arc::clone(&catalog) as Arc<dyn Catalog>, "FROM t", options);
    let deadline = Some(Instant::now() + Duration::from_millis(300));
    let error = start(QueryOptions { deadline, ..QueryOptions::default() }).unwrap_err();
    assert!(matches!(error, Error::Deadline), "{error:?}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| start(QueryOptions::default()).unwrap_err());
        wait_until(|| catalog.asked.load(Ordering::SeqCst) == 2);
        for query in bench.engine.queries() {
            let _ = bench.engine.cancel(query.id);
        }
        let error = waiting.join().unwrap();
        assert!(matches!(error, Error::Interrupted), "{error:?}");
    });
    *is_silent.0.lock().unwrap() = false;
    is_silent.1.notify_all();
    wait_until(|| bench.engine.queries().is_empty());
    assert_eq!(bench.rows("SELECT count(*) FROM t"), ["5"]);
}

/// Keeps rows alone: no other worker writes files for it.
#[derive(Debug)]
struct RowsAlone;

impl ResultKeeper for RowsAlone {
    fn handle(&self) -> HandleId {
        HandleId::from_bits([0; 16])
    }

    fn columns(&self, result: &SchemaRef) -> Result<SchemaRef, CatalogError> {
        Ok(Arc::clone(result))
    }

    fn expect(&self, _: &[Uuid]) {}

    fn check(&self, _: u64) -> Result<(), CatalogError> {
        Ok(())
    }

    fn written(&self, files: Vec<WrittenFile>) {
        panic!("one worker alone wrote {files:?}");
    }
}

#[test]
fn a_result_that_is_kept_is_made_of_what_the_catalog_says() {
    let bench = Bench::new();
    bench.store("t", &[numbers([1])]);
    bench.store("t", &[numbers([2])]);
    for keep in [Keep::ByCaller(Arc::new(RowsAlone)), Keep::AsTable("kept".to_owned())] {
        let catalog = Remembering::of(&bench, 1, || Ok(()));
        let options = QueryOptions { keep, ..QueryOptions::default() };
        let stream = bench.start_over(catalog, "FROM t", options).unwrap();
        let batches: Vec<RecordBatch> = stream.collect::<Result<_, _>>().unwrap();
        assert!(batches.iter().all(|batch| rows_of(batch) == ["2"]));
    }
    assert!(bench.engine.has_kept("kept"));
}
