//! Queries keep out of each other's way: slots, a queue, deadlines, sizes, memory, and stopping each of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use arrow::array::*;
use polarway_query::{
    Catalog, CatalogError, EngineCondition, Error, Listed, QueryOptions, QueryPhase, QueryStatus, Reference,
    Relation,
};
use polarway_testing::wait_for;
use support::stream::QueryStream;
use support::{Bench, Folder, batch};

/// Runs for hours before it gives its only row.
const ENDLESS_SUM: &str = "SELECT sum(a.range * b.range % 7) FROM range(100000000) a, range(100000000) b";

fn start(bench: &Bench, sql: &str) -> Result<QueryStream, Error> {
    bench.start(sql, QueryOptions::default())
}

fn in_background(bench: &Arc<Bench>, sql: &str) -> std::thread::JoinHandle<Result<usize, Error>> {
    let (bench, sql) = (Arc::clone(bench), sql.to_owned());
    std::thread::spawn(move || {
        let stream = start(&bench, &sql)?;
        stream.map(|batch| batch.map(|batch| batch.num_rows())).sum()
    })
}

fn query_in(bench: &Bench, phase: QueryPhase) -> Option<QueryStatus> {
    bench.engine.queries().into_iter().find(|query| query.phase == phase)
}

#[test]
fn what_finds_no_slot_waits_and_runs_when_one_is_free() {
    let bench = Arc::new(Bench::with(|config| config.limits.running = 1));
    let first = start(&bench, ENDLESS_SUM).unwrap();
    let second = in_background(&bench, "SELECT 1");
    let waiting = wait_for(|| query_in(&bench, QueryPhase::Waiting));
    assert_eq!(&*waiting.sql, "SELECT 1");
    drop(first);
    assert_eq!(second.join().unwrap().unwrap(), 1);
}

#[test]
fn a_full_queue_turns_queries_away_and_says_when_to_come_back() {
    let bench = Arc::new(Bench::with(|config| {
        config.limits.running = 1;
        config.limits.waiting = 1;
    }));
    let first = start(&bench, ENDLESS_SUM).unwrap();
    let second = in_background(&bench, "SELECT 1");
    wait_for(|| query_in(&bench, QueryPhase::Waiting));
    let error = start(&bench, "SELECT 2").unwrap_err();
    assert!(
        matches!(&error, Error::Busy(message) if message.contains("1 queries run and 1 wait")),
        "{error:?}"
    );
    drop(first);
    assert_eq!(second.join().unwrap().unwrap(), 1);
    assert_eq!(bench.rows("SELECT 3"), ["3"]);
}

#[test]
fn waiting_has_an_end() {
    let bench = Bench::with(|config| {
        config.limits.running = 1;
        config.limits.wait = Duration::from_millis(50);
    });
    let first = start(&bench, ENDLESS_SUM).unwrap();
    let error = start(&bench, "SELECT 1").unwrap_err();
    assert!(matches!(error, Error::Busy(_)), "{error:?}");
    drop(first);
    wait_for(|| bench.engine.queries().is_empty().then_some(()));
}

#[test]
fn the_callers_deadline_holds_while_the_query_waits() {
    let bench = Bench::with(|config| config.limits.running = 1);
    let first = start(&bench, ENDLESS_SUM).unwrap();
    let deadline = Some(Instant::now() + Duration::from_millis(50));
    let options = QueryOptions { deadline, ..QueryOptions::default() };
    let error = bench.start("SELECT 1", options).unwrap_err();
    assert!(matches!(error, Error::Deadline), "{error:?}");
    drop(first);
}

#[test]
fn no_query_takes_longer_than_the_engine_lets_it() {
    let bench = Bench::with(|config| config.limits.time = Duration::from_millis(100));
    let deadline = Some(Instant::now() + Duration::from_secs(3600));
    let options = QueryOptions { deadline, ..QueryOptions::default() };
    // It may end before its columns are known.
    let outcome = bench.start(ENDLESS_SUM, options).and_then(|mut stream| stream.next().unwrap().map(drop));
    assert!(matches!(outcome, Err(Error::Deadline)), "{outcome:?}");
}

#[test]
fn running_queries_are_listed_and_one_is_cancelled_by_its_id() {
    let bench = Arc::new(Bench::new());
    let query = in_background(&bench, ENDLESS_SUM);
    let other = in_background(&bench, &format!("{ENDLESS_SUM} LIMIT 1"));
    let running = wait_for(|| {
        let all = bench.engine.queries();
        (all.len() == 2).then(|| all.into_iter().find(|query| &*query.sql == ENDLESS_SUM)).flatten()
    });
    wait_for(|| query_in(&bench, QueryPhase::Running));
    assert!(bench.engine.cancel(running.id));
    assert!(matches!(query.join().unwrap(), Err(Error::Interrupted)));
    // Those that go on are not touched, and an id is good once.
    assert!(!other.is_finished());
    wait_for(|| (bench.engine.queries().len() == 1).then_some(()));
    assert!(!bench.engine.cancel(running.id));
    assert!(bench.engine.cancel(bench.engine.queries()[0].id));
    assert!(matches!(other.join().unwrap(), Err(Error::Interrupted)));
}

#[test]
fn a_waiting_query_can_be_cancelled() {
    let bench = Arc::new(Bench::with(|config| config.limits.running = 1));
    let first = start(&bench, ENDLESS_SUM).unwrap();
    let second = in_background(&bench, "SELECT 1");
    let waiting = wait_for(|| query_in(&bench, QueryPhase::Waiting));
    assert!(bench.engine.cancel(waiting.id));
    assert!(matches!(second.join().unwrap(), Err(Error::Interrupted)));
    drop(first);
}

#[test]
fn a_reader_that_does_not_read_is_cancelled_all_the_same() {
    let bench = Bench::with(|config| config.limits.running = 1);
    let stream = start(&bench, "SELECT range AS a FROM range(1000000000)").unwrap();
    let id = wait_for(|| query_in(&bench, QueryPhase::Running)).id;
    assert!(bench.engine.cancel(id));
    // Its slot is free though its stream is still there.
    assert_eq!(bench.rows("SELECT 1"), ["1"]);
    drop(stream);
}

#[test]
fn a_caller_is_released_while_duckdb_does_not_hear_that_its_query_was_cancelled() {
    let bench = Arc::new(Bench::new());
    // Planning so many joins takes seconds and does not hear an interrupt.
    let joins: String = (0..60).map(|i| format!(" JOIN t t{i} ON t{i}.a = t.a")).collect();
    bench.store("t", &[batch(vec![("a", Arc::new(Int32Array::from(vec![1])) as ArrayRef)])]);
    // Planning may end before it is looked at; it would always have ended if the caller were released with it.
    for _ in 0..20 {
        let query = in_background(&bench, &format!("SELECT count(*) FROM t{joins}"));
        let planning = wait_for(|| query_in(&bench, QueryPhase::Planning)).id;
        assert!(bench.engine.cancel(planning));
        let outcome = query.join().unwrap();
        assert!(matches!(outcome, Err(Error::Interrupted)), "{outcome:?}");
        let goes_on = bench.engine.queries().iter().any(|query| query.id == planning);
        assert_eq!(bench.rows("SELECT 1"), ["1"]);
        if goes_on {
            return;
        }
    }
    panic!("no caller was released before its query had ended");
}

/// A catalog that answers only when the test lets it. A query that is stopped meanwhile is still at work.
struct Held {
    folder: Arc<Folder>,
    asked: AtomicUsize,
    is_held: Mutex<bool>,
    let_go: Condvar,
}

impl Held {
    /// A catalog over one table `t`.
    fn over(bench: &Bench) -> Arc<Self> {
        bench.store("t", &[batch(vec![("a", Arc::new(Int32Array::from(vec![1])) as ArrayRef)])]);
        let (folder, asked) = (Arc::clone(&bench.folder), AtomicUsize::new(0));
        Arc::new(Self { folder, asked, is_held: Mutex::new(true), let_go: Condvar::new() })
    }

    /// Runs a query into its deadline while it waits for this catalog.
    fn run_into_a_deadline(self: &Arc<Self>, bench: &Bench) {
        let before = self.asked.load(Ordering::SeqCst);
        let mut time = Duration::from_millis(50);
        loop {
            let options = QueryOptions { deadline: Some(Instant::now() + time), ..QueryOptions::default() };
            let error = bench.start_over(Arc::clone(self) as Arc<dyn Catalog>, HELD, options).unwrap_err();
            if self.asked.load(Ordering::SeqCst) > before {
                assert!(matches!(error, Error::Deadline), "{error:?}");
                return;
            }
            // On a busy machine the deadline passes while the query waits for its slot.
            assert!(matches!(error, Error::Deadline | Error::Busy(_)), "{error:?}");
            time *= 2;
        }
    }

    fn let_go(&self) {
        *self.is_held.lock().unwrap() = false;
        self.let_go.notify_all();
    }
}

impl Catalog for Held {
    fn sees_analytics(&self, _schema: &str, _table: &str) -> bool {
        true
    }

    fn resolve(&self, references: &[Reference]) -> Result<Vec<Relation>, CatalogError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        drop(self.let_go.wait_while(self.is_held.lock().unwrap(), |is_held| *is_held).unwrap());
        self.folder.resolve(references)
    }

    fn list(&self) -> Result<Vec<Listed>, CatalogError> {
        self.folder.list()
    }
}

const HELD: &str = "FROM t";

#[test]
fn a_slot_is_free_at_the_deadline_whatever_the_querys_thread_is_at() {
    let bench = Bench::with(|config| {
        config.limits.running = 1;
        config.limits.spare = 2;
    });
    let held = Held::over(&bench);
    for _ in 0..2 {
        held.run_into_a_deadline(&bench);
        assert_eq!(bench.rows("SELECT 1"), ["1"]);
    }
    let all = bench.engine.queries();
    assert_eq!(all.iter().filter(|query| &*query.sql == HELD).count(), 2, "{all:?}");
    let condition = bench.engine.condition();
    assert_eq!((condition.stuck, condition.problem), (2, None));
    held.let_go();
    wait_for(|| bench.engine.queries().is_empty().then_some(()));
}

#[test]
fn when_too_many_stopped_queries_are_still_at_work_others_are_told_until_one_ends() {
    let bench = Bench::with(|config| {
        config.limits.running = 1;
        config.limits.spare = 1;
        config.limits.wait = Duration::from_millis(100);
    });
    let held = Held::over(&bench);
    held.run_into_a_deadline(&bench);
    held.run_into_a_deadline(&bench);
    // The second one keeps its slot. Until that is seen, others wait for it and are told that they waited.
    let still_at_work = "2 queries that were stopped are still at work";
    wait_for(|| match bench.query("SELECT 1").unwrap_err() {
        Error::Busy(message) => message.contains(still_at_work).then_some(()),
        other => panic!("{other:?}"),
    });
    let problem = wait_for(|| bench.engine.condition().problem);
    assert!(problem.contains("1 of them in slots that others need"), "{problem}");
    held.let_go();
    wait_for(|| bench.query("SELECT 1").ok());
    wait_for(|| (bench.engine.condition() == EngineCondition::default()).then_some(()));
}

/// Makes more rows than are made ahead for a reader that reads nothing.
const LONG: &str = "SELECT range AS a FROM range(2000000)";

#[test]
fn a_reader_that_does_not_read_loses_its_slot_to_others_and_reads_on_later() {
    let bench = Bench::with(|config| {
        config.limits.running = 1;
        config.limits.parked = 1;
        config.limits.stall = Duration::from_millis(10);
    });
    let stream = start(&bench, LONG).unwrap();
    assert_eq!(bench.rows("SELECT 1"), ["1"]);
    assert_eq!(bench.rows("SELECT 2"), ["2"]);
    assert_eq!(stream.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2_000_000);
    wait_for(|| bench.engine.queries().is_empty().then_some(()));
    assert_eq!(bench.rows("SELECT 3"), ["3"]);
}

#[test]
fn of_too_many_readers_that_do_not_read_the_one_that_was_silent_longest_is_ended() {
    let bench = Bench::with(|config| {
        config.limits.running = 1;
        config.limits.parked = 1;
        config.limits.stall = Duration::from_millis(10);
    });
    let mut first = start(&bench, LONG).unwrap();
    let second = start(&bench, LONG).unwrap();
    assert_eq!(bench.rows("SELECT 1"), ["1"]);
    let error = first.find_map(Result::err).unwrap();
    assert!(
        matches!(&error, Error::ReaderTooSlow(message) if message.contains("was not read for")),
        "{error:?}"
    );
    assert_eq!(second.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2_000_000);
}

#[test]
fn a_reader_that_does_not_read_keeps_its_slot_while_nobody_waits_for_it() {
    let bench = Bench::with(|config| {
        config.limits.running = 1;
        config.limits.parked = 0;
        config.limits.stall = Duration::ZERO;
    });
    let stream = start(&bench, LONG).unwrap();
    let looks = Instant::now() + Duration::from_millis(200);
    wait_for(|| (Instant::now() > looks).then_some(()));
    assert_eq!(stream.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2_000_000);
}

#[test]
fn a_result_has_no_more_rows_and_bytes_than_it_may() {
    let bench = Bench::with(|config| config.limits.result_rows = 1000);
    assert_eq!(bench.rows("SELECT range FROM range(1000)").len(), 1000);
    let error = bench.error("SELECT range FROM range(1001)");
    assert!(matches!(&error, Error::QueryTooLarge(message) if message.contains("1000 rows")), "{error:?}");
    let bench = Bench::with(|config| config.limits.result_bytes = 1_000_000);
    assert_eq!(bench.rows("SELECT range FROM range(100000)").len(), 100_000);
    assert!(matches!(bench.error("SELECT range FROM range(10000000)"), Error::QueryTooLarge(_)));
}

#[test]
fn the_newest_large_query_goes_when_the_process_runs_short_of_memory() {
    let bench = Arc::new(Bench::with(|config| config.limits.process_bytes = 1));
    let older = in_background(&bench, ENDLESS_SUM);
    // It may be over before that is seen.
    wait_for(|| (query_in(&bench, QueryPhase::Running).is_some() || older.is_finished()).then_some(()));
    let newer = in_background(&bench, &format!("{ENDLESS_SUM} LIMIT 1"));
    let error = newer.join().unwrap().unwrap_err();
    assert!(
        matches!(&error, Error::QueryTooLarge(message) if message.contains("memory ran short")),
        "{error:?}"
    );
    // The next one goes when that was not enough.
    assert!(matches!(older.join().unwrap(), Err(Error::QueryTooLarge(_))));
    // What takes no time is not what takes the memory.
    assert_eq!(bench.rows("SELECT 1"), ["1"]);
}

#[test]
fn a_query_that_fails_for_others_memory_is_run_again_when_they_have_ended() {
    let bench = Arc::new(Bench::with(|config| {
        config.memory_bytes = 200_000_000;
        config.temp_bytes = 1_000_000;
        config.limits.wait = Duration::from_secs(600);
    }));
    // Each takes more than half of the memory, and can't spill.
    let sql = "SELECT count(*) FROM (SELECT DISTINCT hash(range), range FROM range(2500000))";
    assert_eq!(bench.rows(sql), ["2500000"], "alone there is enough");
    let queries: Vec<_> = (0..6).map(|_| in_background(&bench, sql)).collect();
    let outcomes: Vec<_> = queries.into_iter().map(|query| query.join().unwrap()).collect();
    let succeeded = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    for outcome in &outcomes {
        assert!(matches!(outcome, Ok(1) | Err(Error::OutOfMemory(_))), "{outcome:?}");
    }
    assert!(succeeded >= 4, "{outcomes:?}");
}

#[test]
fn a_summary_tells_rows_bytes_and_where_the_time_went() {
    let bench = Bench::new();
    bench.store("t", &[batch(vec![("a", Arc::new(Int64Array::from_iter_values(0..1000)) as ArrayRef)])]);
    let mut stream = start(&bench, "FROM t").unwrap();
    assert_eq!(stream.summary(), None);
    assert_eq!(stream.by_ref().map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 1000);
    let summary = stream.summary().unwrap();
    assert_eq!((summary.rows, summary.bytes), (1000, 8000));
    assert!(summary.times.planning > Duration::ZERO && summary.times.running > Duration::ZERO, "{summary:?}");
}
