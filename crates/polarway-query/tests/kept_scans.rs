//! Tables that are kept are read past the queue: any part of them, in order, and piece by piece.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use polarway_query::{Engine, Error, Keep, KeptPart, KeptScan, QueryOptions};
use polarway_testing::wait_until;
use support::Bench;

/// Keeps a result as a table; returns the table's columns.
fn keep(bench: &Bench, name: &str, sql: &str) -> SchemaRef {
    let options = QueryOptions { keep: Keep::AsTable(name.to_owned()), ..QueryOptions::default() };
    let made = bench.start(sql, options).unwrap();
    let schema = made.schema();
    assert_eq!(made.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 0);
    schema
}

fn scan(
    engine: &Engine,
    table: &str,
    schema: &SchemaRef,
    columns: Option<&[usize]>,
    rows: Range<u64>,
) -> Box<dyn KeptScan> {
    let (table, schema) = (table.to_owned(), Arc::clone(schema));
    engine.scan_kept(KeptPart { table, schema, columns: columns.map(Arc::from), rows })
}

fn all(mut scan: Box<dyn KeptScan>) -> Vec<RecordBatch> {
    std::iter::from_fn(|| scan.next().unwrap()).collect()
}

fn numbers(batches: &[RecordBatch], column: usize) -> Vec<i64> {
    let numbers = |batch: &RecordBatch| batch.column(column).as_primitive::<Int64Type>().values().to_vec();
    batches.iter().flat_map(numbers).collect()
}

#[test]
fn any_rows_and_columns_of_a_kept_table_are_read_in_its_order() {
    let bench = Bench::new();
    // More than one of DuckDB's row groups. In the second table a column hides the numbers of the rows.
    for (table, name) in [("plain", "n"), ("hidden", "ROWID")] {
        let sql = format!(
            "SELECT (range * 7919) % 300007 AS {name}, range AS place FROM range(300007) ORDER BY 1 DESC"
        );
        let schema = keep(&bench, table, &sql);
        for rows in [0..300_007, 0..1, 1..2_049, 122_879..122_882, 250_000..300_007, 300_007..300_007, 5..5] {
            let read = all(scan(&bench.engine, table, &schema, None, rows.clone()));
            let expected: Vec<i64> = rows.clone().map(|row| 300_006 - row as i64).collect();
            assert_eq!(numbers(&read, 0), expected, "{table}: {rows:?}");
            assert!(read.iter().all(|batch| batch.schema() == schema), "{table}: {rows:?}");
            let places = all(scan(&bench.engine, table, &schema, Some(&[1, 0]), rows.clone()));
            assert_eq!(numbers(&places, 1), expected, "{table}: {rows:?}");
            let places = numbers(&places, 0);
            assert!(
                places.iter().zip(&expected).all(|(place, n)| (place * 7_919) % 300_007 == *n),
                "{table}"
            );
        }
    }
}

#[test]
fn types_that_arrow_lacks_are_the_querys_own_in_any_part() {
    let bench = Bench::new();
    let sql = "SELECT range::HUGEINT AS huge, '9f5e7c8e-0000-4000-8000-000000000000'::UUID AS id, \
               INTERVAL (range) DAY AS days, [range::UHUGEINT] AS list, {'a': ('x' || range)::BLOB} AS s FROM range(3000)";
    let schema = keep(&bench, "odd", sql);
    let fresh = bench.start(sql, QueryOptions::default()).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    let fresh = arrow::compute::concat_batches(&fresh[0].schema(), &fresh).unwrap();
    assert_eq!(schema, fresh.schema());
    let read = all(scan(&bench.engine, "odd", &schema, None, 1_000..3_000));
    assert_eq!(arrow::compute::concat_batches(&schema, &read).unwrap(), fresh.slice(1_000, 2_000));
    let some = all(scan(&bench.engine, "odd", &schema, Some(&[3, 0]), 2_999..3_000));
    assert_eq!(some[0], fresh.slice(2_999, 1).project(&[3, 0]).unwrap());
}

#[test]
fn a_scan_that_rested_goes_on_behind_the_row_that_it_returned_last() {
    let bench = Bench::new();
    let schema = keep(&bench, "t", "SELECT range AS n, hash(range) AS h FROM range(500000)");
    let mut scan = scan(&bench.engine, "t", &schema, None, 3..499_999);
    let mut read = Vec::new();
    scan.rest();
    while let Some(batch) = scan.next().unwrap() {
        read.push(batch);
        scan.rest();
        scan.rest();
    }
    assert!(read.len() > 2, "{}", read.len());
    assert!(scan.next().unwrap().is_none());
    assert_eq!(numbers(&read, 0), (3..499_999).collect::<Vec<_>>());
}

#[test]
fn a_scan_waits_for_no_slot_and_is_no_query() {
    let bench = Bench::with(|config| (config.limits.running, config.limits.waiting) = (1, 0));
    let schema = keep(&bench, "t", "SELECT range AS n FROM range(1000)");
    let busy = loop {
        // The query that made the table gives its slot back a moment after its result.
        match bench.start("SELECT range AS n FROM range(100000000)", QueryOptions::default()) {
            Err(Error::Busy(_)) => std::thread::yield_now(),
            started => break started.unwrap(),
        }
    };
    assert!(matches!(bench.start("SELECT 1", QueryOptions::default()), Err(Error::Busy(_))));
    assert_eq!(numbers(&all(scan(&bench.engine, "t", &schema, None, 0..1_000)), 0).len(), 1_000);
    assert_eq!(bench.engine.queries().len(), 1);
    drop(busy);
}

#[test]
fn a_table_that_is_not_there_is_no_table_without_rows() {
    let bench = Bench::new();
    let schema = keep(&bench, "t", "SELECT range AS n FROM range(10)");
    bench.engine.remove_kept("t").unwrap();
    for _ in 0..2 {
        let error = scan(&bench.engine, "t", &schema, None, 0..10).next().unwrap_err();
        assert!(matches!(&error, Error::Replaced(_)), "{error:?}");
    }
}

/// Breaks the DuckDB that there is.
fn break_duckdb(bench: &Bench, sql: &str) {
    let error = bench.error(sql);
    assert!(matches!(error, Error::Broken(_)), "{error:?}");
}

#[test]
fn a_scan_goes_on_in_a_duckdb_that_was_replaced_until_it_rests_and_that_duckdb_is_closed() {
    let bench = Bench::new();
    bench.store_breaking();
    // The second DuckDB spills to a folder of its own, which is there as long as it is open.
    break_duckdb(&bench, "FROM breaking");
    let second = bench.dir.path().join("temp/1");
    let schema = keep(&bench, "t", "SELECT range AS n FROM range(1000000)");
    let mut going_on = scan(&bench.engine, "t", &schema, None, 0..1_000_000);
    let mut resting = scan(&bench.engine, "t", &schema, None, 0..1_000_000);
    let mut read = vec![going_on.next().unwrap().unwrap()];
    resting.next().unwrap().unwrap();
    break_duckdb(&bench, "SELECT v AS w FROM breaking");
    assert!(!bench.engine.has_kept("t"));
    resting.rest();
    let error = resting.next().unwrap_err();
    assert!(matches!(&error, Error::Replaced(_)), "{error:?}");
    while let Some(batch) = going_on.next().unwrap() {
        read.push(batch);
    }
    assert_eq!(numbers(&read, 0), (0..1_000_000).collect::<Vec<_>>());
    wait_until(|| !second.exists());
}
