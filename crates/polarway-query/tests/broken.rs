//! A query that breaks DuckDB ends, and takes nothing from those that come after it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::sync::Arc;

use arrow::array::*;
use polarway_query::{Error, Keep, QueryOptions};
use polarway_testing::wait_until;
use support::{Bench, batch};

/// An engine with a table over the file that breaks DuckDB, and one over another file.
fn bench_with_a_breaking_table() -> Bench {
    let bench = Bench::new();
    bench.store_breaking();
    bench.store("t", &[batch(vec![("a", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)])]);
    bench
}

fn is_broken(error: &Error) -> bool {
    matches!(error, Error::Broken(message) if message.contains("'metadata' and 'value'"))
}

#[test]
fn a_query_that_breaks_duckdb_fails_and_the_next_one_is_answered() {
    let bench = bench_with_a_breaking_table();
    for round in 1..=2 {
        let error = bench.error("FROM breaking");
        assert!(is_broken(&error), "{error:?}");
        assert_eq!(bench.rows("SELECT 1"), ["1"]);
        assert_eq!(bench.rows("SELECT sum(a) FROM t"), ["3"]);
        let condition = bench.engine.condition();
        assert_eq!((condition.replaced, condition.problem), (round, None));
    }
}

#[test]
fn who_sends_it_again_and_again_gets_its_error_and_breaks_nothing_more() {
    let bench = bench_with_a_breaking_table();
    for _ in 0..10 {
        let error = bench.error("FROM breaking");
        assert!(error.to_string().contains("'metadata' and 'value'"), "{error:?}");
    }
    assert_eq!(bench.engine.condition().replaced, 2);
    // The file is another one since.
    let rows = batch(vec![("v", Arc::new(Int64Array::from(vec![7])) as ArrayRef)]);
    bench.store("breaking", &[rows]);
    assert_eq!(bench.rows("FROM breaking"), ["7"]);
}

#[test]
fn what_runs_in_the_old_duckdb_runs_to_its_end_and_what_begins_beside_it_is_answered() {
    let bench = Arc::new(bench_with_a_breaking_table());
    let mut stream = bench.start("SELECT range AS a FROM range(3000000)", QueryOptions::default()).unwrap();
    let first = stream.next().unwrap().unwrap().num_rows();
    let others: Vec<_> = (0..4)
        .map(|number| {
            let bench = Arc::clone(&bench);
            std::thread::spawn(move || {
                // Each breaks one of its own, among those that go on.
                let error = bench.error(&format!("SELECT {number}, v FROM breaking"));
                assert!(is_broken(&error), "{error:?}");
                assert_eq!(bench.rows("SELECT count(*) FROM t"), ["2"]);
            })
        })
        .collect();
    others.into_iter().for_each(|other| other.join().unwrap());
    let rest: Result<Vec<_>, _> = stream.map(|batch| batch.map(|batch| batch.num_rows())).collect();
    match rest {
        Ok(rest) => assert_eq!(first + rest.iter().sum::<usize>(), 3_000_000),
        // More than one was broken under it.
        Err(error) => assert!(matches!(error, Error::Replaced(_)), "{error:?}"),
    }
    assert!(bench.engine.condition().replaced >= 1);
}

#[test]
fn a_table_that_was_kept_in_the_old_duckdb_is_known_to_be_gone() {
    let bench = bench_with_a_breaking_table();
    let options = QueryOptions { keep: Keep::AsTable("k".to_owned()), ..QueryOptions::default() };
    let made = bench.start("FROM t", options).unwrap();
    assert_eq!(made.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 0);
    assert!(bench.engine.has_kept("k") && bench.engine.kept_bytes("k").is_ok());
    assert!(is_broken(&bench.error("FROM breaking")));
    assert!(!bench.engine.has_kept("k"));
    assert!(bench.engine.kept_bytes("k").is_err());
    bench.engine.remove_kept("k").unwrap();
}

#[test]
fn an_engine_that_can_t_be_opened_anew_says_so_and_comes_back_when_it_can() {
    let bench = bench_with_a_breaking_table();
    // Where the next DuckDB would spill.
    let in_the_way = bench.dir.path().join("temp/1");
    std::fs::write(&in_the_way, "a file where a folder should be").unwrap();
    assert!(is_broken(&bench.error("FROM breaking")));
    let error = bench.error("SELECT 1");
    assert!(
        matches!(&error, Error::Replaced(message) if message.contains("can't be opened anew")),
        "{error:?}"
    );
    assert!(!error.to_string().contains("temp"), "{error}");
    let problem = bench.engine.condition().problem.unwrap();
    assert!(problem.contains("temporary folder"), "{problem}");
    assert!(!bench.engine.has_kept("k"));
    std::fs::remove_file(in_the_way).unwrap();
    // It is tried once a second.
    wait_until(|| bench.engine.condition().problem.is_none());
    assert_eq!(bench.rows("SELECT 1"), ["1"]);
}

#[test]
fn each_duckdb_spills_to_a_folder_of_its_own_that_goes_with_it() {
    let bench = bench_with_a_breaking_table();
    let spill = bench.dir.path().join("temp");
    let folders = || std::fs::read_dir(&spill).unwrap().count();
    assert_eq!(folders(), 0);
    assert!(is_broken(&bench.error("FROM breaking")));
    assert!(is_broken(&bench.error("SELECT v AS w FROM breaking")));
    assert_eq!(bench.rows("SELECT 1"), ["1"]);
    // The second one's folder is gone, and the third one's is there, until the engine goes.
    wait_until(|| folders() <= 1);
    assert_eq!(bench.engine.condition().replaced, 2);
}
