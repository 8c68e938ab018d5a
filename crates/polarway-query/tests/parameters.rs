//! Values of parameters have types, are never read as SQL, and fit the text or are refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::*;
use polarway_query::{Error, QueryOptions};
use support::{Bench, FIRST_COMMIT, MINUTE, batch, rows_of};

fn ask(bench: &Bench, sql: &str, values: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, Error> {
    let parameters = (!values.is_empty()).then(|| batch(values));
    bench.query_as(sql, QueryOptions { parameters, ..QueryOptions::default() })
}

fn rows(bench: &Bench, sql: &str, values: Vec<(&str, ArrayRef)>) -> Vec<String> {
    rows_of(&ask(bench, sql, values).unwrap_or_else(|error| panic!("{sql}: {error}")))
}

fn int(value: i32) -> ArrayRef {
    Arc::new(Int32Array::from(vec![value]))
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

fn bench() -> Bench {
    let bench = Bench::new();
    for version in 1..=3 {
        let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..version * 10));
        bench.store("t", &[batch(vec![("a", numbers)])]);
    }
    bench
}

#[test]
fn positions_and_names_take_their_values_wherever_an_expression_may_stand() {
    let bench = bench();
    for (sql, values, expected) in [
        ("SELECT ? + 1", vec![("1", int(41))], "42"),
        ("SELECT $2 - $1", vec![("1", int(1)), ("2", int(43))], "42"),
        ("SELECT $1 + $1", vec![("1", int(21))], "42"),
        ("SELECT $x || $y", vec![("y", text("b")), ("x", text("a"))], "ab"),
        ("SELECT count(*) FROM t WHERE a < ?", vec![("1", int(5))], "5"),
        ("SELECT a FROM t ORDER BY a LIMIT $n OFFSET $skip", vec![("n", int(1)), ("skip", int(2))], "2"),
        ("SELECT sum(range) FROM range(?)", vec![("1", int(5))], "10"),
        (
            "SELECT count(*) FROM t WHERE list_contains($few, a)",
            vec![("few", {
                let list =
                    ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), Some(2), None])]);
                Arc::new(list)
            })],
            "2",
        ),
        ("WITH c AS (SELECT ? AS n) SELECT n + ? FROM c", vec![("1", int(1)), ("2", int(2))], "3"),
        ("SELECT * FROM (VALUES ($a), ($b)) ORDER BY 1 LIMIT 1", vec![("a", int(2)), ("b", int(1))], "1"),
    ] {
        assert_eq!(rows(&bench, sql, values), [expected], "{sql}");
    }
}

#[test]
fn each_value_has_the_type_in_sql_that_it_has_in_arrow() {
    let bench = bench();
    let zoned = TimestampMicrosecondArray::from(vec![1_000_000]).with_timezone("Europe/Zurich");
    let values: Vec<(ArrayRef, &str, &str)> = vec![
        (Arc::new(BooleanArray::from(vec![true])), "BOOLEAN", "true"),
        (Arc::new(Int8Array::from(vec![-1])), "TINYINT", "-1"),
        (Arc::new(UInt64Array::from(vec![u64::MAX])), "UBIGINT", "18446744073709551615"),
        (Arc::new(Float32Array::from(vec![0.5])), "FLOAT", "0.5"),
        (Arc::new(Float64Array::from(vec![0.1])), "DOUBLE", "0.1"),
        (text("x\0y 'z\u{1F600}"), "VARCHAR", "x\0y 'z\u{1F600}"),
        (Arc::new(BinaryArray::from(vec![&b"a\xff"[..]])), "BLOB", "a\\xFF"),
        (Arc::new(Date32Array::from(vec![-1])), "DATE", "1969-12-31"),
        (Arc::new(Time64MicrosecondArray::from(vec![1])), "TIME", "00:00:00.000001"),
        (Arc::new(TimestampSecondArray::from(vec![1])), "TIMESTAMP_S", "1970-01-01 00:00:01"),
        (Arc::new(TimestampNanosecondArray::from(vec![1])), "TIMESTAMP_NS", "1970-01-01 00:00:00.000000001"),
        (Arc::new(zoned), "TIMESTAMP WITH TIME ZONE", "1970-01-01 00:00:01+00"),
        (Arc::new(DurationMillisecondArray::from(vec![1500])), "INTERVAL", "00:00:01.5"),
        (
            Arc::new(Decimal128Array::from(vec![-12345]).with_precision_and_scale(9, 2).unwrap()),
            "DECIMAL(9,2)",
            "-123.45",
        ),
        (
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None])])),
            "INTEGER[]",
            "[1, NULL]",
        ),
        (Arc::new(DictionaryArray::<Int8Type>::from_iter(["a"])), "VARCHAR", "a"),
    ];
    for (value, sql_type, shown) in values {
        let sql = "SELECT typeof(v) || '|' || CAST(v AS VARCHAR) FROM (SELECT $v AS v)";
        assert_eq!(rows(&bench, sql, vec![("v", value)]), [format!("{sql_type}|{shown}")]);
    }
    assert_eq!(rows(&bench, "SELECT $v IS NULL", vec![("v", Arc::new(NullArray::new(1)))]), ["true"]);
}

#[test]
fn a_value_that_looks_like_sql_stays_a_value() {
    let bench = bench();
    let evil = "x'; DROP VIEW t; SELECT '";
    assert_eq!(rows(&bench, "SELECT $v", vec![("v", text(evil))]), [evil]);
    assert_eq!(
        rows(&bench, "SELECT count(*) FROM t WHERE a::VARCHAR = ?", vec![("1", text("1 OR true"))]),
        ["0"]
    );
    // A name is no value, and a file can't be named by one.
    assert!(matches!(ask(&bench, "FROM $name", vec![("name", text("t"))]), Err(Error::Syntax(_))));
    let path = ask(&bench, "FROM read_parquet($path)", vec![("path", text("/etc/passwd"))]);
    assert!(matches!(path, Err(Error::NotAllowed(_))), "{path:?}");
}

#[test]
fn versions_and_times_may_be_parameters() {
    let bench = bench();
    let count = "SELECT count(*) FROM t AT";
    assert_eq!(rows(&bench, &format!("{count} (VERSION => $v)"), vec![("v", int(1))]), ["10"]);
    assert_eq!(rows(&bench, &format!("{count} (VERSION => ?)"), vec![("1", int(2))]), ["20"]);
    for time in [
        text("2026-01-01 00:01:00"),
        Arc::new(TimestampMicrosecondArray::from(vec![FIRST_COMMIT + MINUTE])),
        Arc::new(
            TimestampSecondArray::from(vec![(FIRST_COMMIT + MINUTE) / 1_000_000]).with_timezone("Asia/Tokyo"),
        ),
    ] {
        assert_eq!(rows(&bench, &format!("{count} (TIMESTAMP => $then)"), vec![("then", time)]), ["20"]);
    }
    // Those that stay keep their places when one goes.
    let sql = "SELECT count(*) + ? - ? FROM t AT (VERSION => ?) WHERE a < ?";
    let values = || vec![("1", int(100)), ("2", int(1)), ("3", int(2)), ("4", int(15))];
    assert_eq!(rows(&bench, sql, values()), ["114"]);
    let numbered = "SELECT count(*) + ?1 - $2 FROM t AT (VERSION => ?3) WHERE a < ?4";
    assert_eq!(rows(&bench, numbered, values()), ["114"]);
    let two = "SELECT (SELECT count(*) FROM t AT (VERSION => ?)) * 100 + (SELECT count(*) FROM t AT (VERSION => ?))";
    assert_eq!(rows(&bench, two, vec![("1", int(1)), ("2", int(3))]), ["1030"]);
    // The same text with other values reads other versions.
    assert_eq!(rows(&bench, two, vec![("1", int(2)), ("2", int(2))]), ["2020"]);
    for (name, wrong) in [("v", text("x")), ("v", int(-1)), ("v", Arc::new(NullArray::new(1)) as ArrayRef)] {
        let error = ask(&bench, &format!("{count} (VERSION => $v)"), vec![(name, wrong)]).unwrap_err();
        assert!(matches!(&error, Error::Parameters(message) if message.contains("$v")), "{error:?}");
    }
}

#[test]
fn values_that_do_not_fit_are_refused_by_name() {
    let bench = bench();
    let two_rows: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let structure: ArrayRef =
        Arc::new(StructArray::from(vec![(Arc::new(Field::new("a", DataType::Int32, true)), int(1))]));
    for (sql, values, expected) in [
        ("SELECT ?", vec![], "$1 has no value"),
        ("SELECT $1, $2", vec![("1", int(1))], "$2 has no value"),
        ("SELECT $year", vec![("yaer", int(1))], "$year has no value"),
        ("SELECT 1", vec![("1", int(1))], "the query has no parameters"),
        ("SELECT $a", vec![("a", int(1)), ("b", int(1))], "no parameter $b; it has $a"),
        ("SELECT $a", vec![("a", int(1)), ("a", int(2))], "two values"),
        ("SELECT $a", vec![("a", two_rows)], "one row"),
        ("SELECT $a", vec![("a", structure)], "type Struct"),
    ] {
        let error = ask(&bench, sql, values).unwrap_err();
        assert!(
            matches!(&error, Error::Parameters(message) if message.contains(expected)),
            "{sql}: {error:?}"
        );
    }
    let error = ask(&bench, "SELECT $v::INT", vec![("v", text("x"))]).unwrap_err();
    assert!(matches!(error, Error::Execution(_) | Error::Binder(_)), "{error:?}");
}

#[test]
fn a_value_that_sql_would_cut_is_refused_with_its_name() {
    let bench = bench();
    let cases: [(ArrayRef, &str); 5] = [
        (Arc::new(TimestampNanosecondArray::from(vec![1_001]).with_timezone("UTC")), "nanoseconds"),
        (Arc::new(DurationNanosecondArray::from(vec![-1])), "nanoseconds"),
        (Arc::new(IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(1, 0, 1)])), "nanoseconds"),
        (Arc::new(Date64Array::from(vec![1])), "time of day"),
        (
            Arc::new(ListArray::from_iter_primitive::<DurationNanosecondType, _, _>([Some([
                Some(1_000),
                Some(1),
            ])])),
            "nanoseconds",
        ),
    ];
    for (value, expect) in cases {
        let error = ask(&bench, "SELECT $late", vec![("late", value)]).unwrap_err();
        assert!(matches!(error, Error::Parameters(_)), "{error:?}");
        assert!(error.to_string().contains("$late") && error.to_string().contains(expect), "{error}");
    }
    let whole: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_000]).with_timezone("UTC"));
    assert_eq!(rows(&bench, "SELECT $1::VARCHAR", vec![("1", whole)]), ["1970-01-01 00:00:00.000001+00"]);
    let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_001]));
    assert_eq!(rows(&bench, "SELECT $1::VARCHAR", vec![("1", nanos)]), ["1970-01-01 00:00:00.000001001"]);
}
