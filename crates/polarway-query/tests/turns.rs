//! Owners of queries take turns: one that sends many does not hold up the others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use polarway_query::{Error, QueryOptions, QueryPhase};
use polarway_testing::{wait_for, wait_until};
use support::Bench;

/// Runs for hours before it gives its only row.
const ENDLESS_SUM: &str = "SELECT sum(a.range * b.range % 7) FROM range(100000000) a, range(100000000) b";

fn bench(running: usize, waiting: usize) -> Arc<Bench> {
    Arc::new(Bench::with(|config| {
        (config.limits.running, config.limits.waiting) = (running, waiting);
        // The tests end what waits.
        config.limits.wait = Duration::from_secs(3600);
    }))
}

fn of(owner: &str) -> QueryOptions {
    QueryOptions { owner: Arc::from(owner), ..QueryOptions::default() }
}

/// Runs a query of an owner's to its end; returns its number of rows.
fn run(bench: &Bench, sql: &str, options: QueryOptions) -> Result<usize, Error> {
    bench.start(sql, options)?.map(|batch| batch.map(|batch| batch.num_rows())).sum()
}

/// The same in the background; returns when the query is listed.
fn in_background(bench: &Arc<Bench>, sql: &str, owner: &str) -> JoinHandle<Result<usize, Error>> {
    let alike = || {
        let queries = bench.engine.queries();
        queries.iter().filter(|query| &*query.sql == sql && &*query.owner == owner).count()
    };
    let before = alike();
    let running = {
        let (bench, sql, owner) = (Arc::clone(bench), sql.to_owned(), of(owner));
        std::thread::spawn(move || run(&bench, &sql, owner))
    };
    wait_until(|| alike() > before);
    running
}

/// How many queries of an owner wait, and how many run.
fn count(bench: &Bench, owner: &str) -> (usize, usize) {
    let queries = bench.engine.queries();
    let own: Vec<_> = queries.iter().filter(|query| &*query.owner == owner).collect();
    let waiting = own.iter().filter(|query| query.phase == QueryPhase::Waiting).count();
    (waiting, own.len() - waiting)
}

fn cancel_all(bench: &Bench, queries: Vec<JoinHandle<Result<usize, Error>>>) {
    for query in bench.engine.queries() {
        let _ = bench.engine.cancel(query.id); // it may have ended
    }
    for query in queries {
        query.join().unwrap().unwrap_err();
    }
    wait_until(|| bench.engine.queries().is_empty());
}

#[test]
fn an_owners_first_query_waits_for_none_of_those_of_another() {
    let bench = bench(2, 60);
    let mut queries: Vec<_> = (0..2).map(|_| in_background(&bench, ENDLESS_SUM, "many")).collect();
    wait_until(|| count(&bench, "many") == (0, 2));
    queries.extend((0..50).map(|_| in_background(&bench, ENDLESS_SUM, "many")));
    assert_eq!(count(&bench, "many"), (50, 2));
    for owner in ["one", "another", "one"] {
        assert_eq!(run(&bench, "SELECT 1", of(owner)).unwrap(), 1, "{owner}");
    }
    // Its second one beside the first takes its turn like those of others.
    wait_until(|| count(&bench, "one") == (0, 0));
    queries.push(in_background(&bench, ENDLESS_SUM, "one"));
    wait_until(|| count(&bench, "one") == (0, 1));
    queries.push(in_background(&bench, ENDLESS_SUM, "one"));
    assert_eq!(count(&bench, "one"), (1, 1));
    assert_eq!(count(&bench, "many"), (50, 2));
    cancel_all(&bench, queries);
    assert_eq!(run(&bench, "SELECT 1", of("many")).unwrap(), 1);
}

#[test]
fn there_are_only_so_many_first_queries_beside_the_slots() {
    let bench = bench(2, 60);
    let mut queries: Vec<_> = (0..6).map(|n| in_background(&bench, ENDLESS_SUM, &n.to_string())).collect();
    let running = || bench.engine.queries().iter().filter(|query| query.phase != QueryPhase::Waiting).count();
    wait_until(|| running() == 4);
    assert_eq!(bench.engine.queries().len(), 6);
    // One that ends makes room for the next first query.
    let first = bench.engine.queries().remove(0);
    assert!(bench.engine.cancel(first.id));
    queries.remove(0).join().unwrap().unwrap_err();
    wait_until(|| running() == 4 && bench.engine.queries().len() == 5);
    cancel_all(&bench, queries);
}

#[test]
fn a_full_queue_makes_room_for_an_owner_of_whom_fewer_wait() {
    let bench = bench(1, 4);
    let mut queries =
        vec![in_background(&bench, ENDLESS_SUM, "many"), in_background(&bench, ENDLESS_SUM, "few")];
    wait_until(|| count(&bench, "many").1 + count(&bench, "few").1 == 2);
    queries.extend((0..4).map(|_| in_background(&bench, ENDLESS_SUM, "many")));
    assert_eq!(count(&bench, "many"), (4, 1));
    let refused = run(&bench, "SELECT 1", of("many")).unwrap_err();
    assert!(
        matches!(&refused, Error::Busy(message) if message.contains("2 queries run and 4 wait")),
        "{refused:?}"
    );
    // Its newest one goes, and its caller hears it.
    for waiting in 1..=2 {
        let (bench_of_few, options) = (Arc::clone(&bench), of("few"));
        queries.push(std::thread::spawn(move || run(&bench_of_few, ENDLESS_SUM, options)));
        wait_until(|| count(&bench, "few") == (waiting, 1) && count(&bench, "many") == (4 - waiting, 1));
    }
    let displaced = wait_for(|| {
        let place = queries.iter().position(JoinHandle::is_finished)?;
        Some(queries.remove(place))
    });
    let refused = displaced.join().unwrap().unwrap_err();
    assert!(
        matches!(&refused, Error::Busy(message) if message.contains("more of this caller's")),
        "{refused:?}"
    );
    // Both have two that wait.
    let refused = run(&bench, "SELECT 1", of("few")).unwrap_err();
    assert!(matches!(refused, Error::Busy(_)), "{refused:?}");
    cancel_all(&bench, queries);
    assert_eq!(run(&bench, "SELECT 1", of("few")).unwrap(), 1);
}

#[test]
fn an_owner_has_no_more_queries_at_once_than_it_may() {
    let bench = bench(1, 60);
    let two = || QueryOptions { most_of_owner: Some(2), ..of("bounded") };
    let first = bench.start("SELECT range AS n FROM range(100000000)", two()).unwrap();
    let second = {
        let (bench, options) = (Arc::clone(&bench), two());
        std::thread::spawn(move || run(&bench, ENDLESS_SUM, options))
    };
    wait_until(|| count(&bench, "bounded") == (1, 1));
    let refused = run(&bench, "SELECT 1", two()).unwrap_err();
    assert!(
        matches!(&refused, Error::Busy(message) if message.contains("bounded has 2 queries")),
        "{refused:?}"
    );
    assert_eq!(run(&bench, "SELECT 1", of("another")).unwrap(), 1);
    drop(first);
    cancel_all(&bench, vec![second]);
    assert_eq!(run(&bench, "SELECT 1", two()).unwrap(), 1);
}
