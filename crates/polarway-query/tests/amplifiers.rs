//! Texts whose constants ask for gigabytes or for hours are refused before they run, and those that only look so are not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, TimeUnit};
use polarway_query::Error;
use support::{Bench, batch};

#[test]
fn constants_that_ask_for_gigabytes_are_refused_whatever_function_makes_them() {
    let bench = Bench::new();
    for expression in [
        "repeat('x', 4000000000)",
        "repeat('x', length(repeat('y', 60000000)) * 100)",
        "replace(repeat('x', 60000000), 'x', 'yyyyyyyyyyyyyyyy')",
        "replace(repeat('x', 10000), 'x', repeat('y', 10000))",
        "regexp_replace(repeat('x', 60000), 'x', repeat('y', 60000), 'g')",
        "printf('%*d', 2000000000, 1)",
        "printf('%2000000000d', 1)",
        "format('{:{}}', 1, 2000000000)",
        "format('{0}{0}{0}{0}{0}{0}{0}{0}', repeat('x', 60000000))",
        "hex(hex(hex(hex(repeat('x', 60000000)))))",
        "bin(repeat('x', 60000000))",
        "list_zip(range(8000000), range(8000000), range(8000000))",
        "string_split(repeat('a,', 30000000), ',')",
        "regexp_split_to_array(repeat('a,', 30000000), ',')",
        "repeat('x', 60000000) || repeat('y', 60000000)",
        "list_concat(range(8000000), range(8000000))",
        "array_to_string(range(8000000), repeat(',', 1000))",
        "list_transform(range(100000), lambda x: repeat('y', 100000))",
        "list_reduce(range(1, 64), lambda a, b: a || a, 'x')",
        "list_resize([1], 4000000000)",
        "lpad('x', 2000000000, 'y')",
        "CASE WHEN true THEN repeat('x', 4000000000) END",
        "CAST(repeat('x', 60000000) AS BLOB)::BIT::VARCHAR",
        "to_json(repeat('x', 60000000))",
        "range(10000000)",
        "generate_series(TIMESTAMP '1970-01-01', TIMESTAMP '2100-01-01', INTERVAL 1 second)",
        "range('2000-01-01'::DATE, '2030-01-01', '10 milliseconds'::INTERVAL)",
        "range(TIMESTAMPTZ '2030-01-01', now(), INTERVAL (-1) millisecond)",
        "range(to_timestamp(0), to_timestamp(1000000000), to_milliseconds(5))",
    ] {
        let error = bench.error(&format!("SELECT length(CAST({expression} AS VARCHAR))"));
        assert!(
            matches!(&error, Error::NotAllowed(message) if message.contains("bytes; at most")),
            "{expression}: {error:?}"
        );
    }
    let many = ["length(repeat('x', 60000000))"; 10].join(", ");
    assert!(bench.query(&format!("SELECT {many}")).is_ok(), "what a function counts is not kept");
    let kept = ["repeat('x', 60000000)"; 10].join(", ");
    let error = bench.error(&format!("SELECT {kept}"));
    assert!(
        matches!(&error, Error::TooLarge(message) if message.contains("all of them may take")),
        "{error:?}"
    );
}

#[test]
fn constants_of_a_reasonable_size_are_allowed() {
    let bench = Bench::new();
    for (expression, value) in [
        ("length(repeat('x', 60000000))", "60000000"),
        ("length(replace(repeat('ab', 1000000), 'b', 'cc'))", "3000000"),
        ("len(string_split(repeat('a,', 100000), ','))", "100001"),
        ("list_sum(list_transform(range(100000), lambda x: x * 2))::BIGINT", "9999900000"),
        ("list_reduce([1, 2, 3], lambda a, b: a * b + a)", "12"),
        ("printf('%5d|%s', 42, 'x')", "   42|x"),
        ("format('{:>5}', 42)", "   42"),
        ("len(list_zip(range(1000), range(1000)))", "1000"),
        ("len(array_to_string(range(10), ', '))", "28"),
        ("len(range(DATE '2000-01-01', DATE '2030-01-01', INTERVAL 1 day))", "10958"),
        ("len(generate_series(TIMESTAMP '2020-01-01', '2020-01-02', INTERVAL 1 second))", "86401"),
        ("len(range(TIMESTAMP '2020-01-01', '2021-01-01', '1 month'::INTERVAL))", "12"),
        ("len(range(TIMESTAMP '2021-01-01', TIMESTAMP '2020-01-01', INTERVAL (-1) week))", "53"),
        ("regexp_replace('hello', 'l+', 'L', 'g')", "heLo"),
    ] {
        assert_eq!(bench.rows(&format!("SELECT {expression}")), [value], "{expression}");
    }
}

#[test]
fn functions_that_compare_all_pairs_of_characters_take_texts_of_a_bounded_length() {
    let bench = Bench::new();
    let text = |letter: &str| Arc::new(StringArray::from(vec![letter.repeat(20_000)])) as ArrayRef;
    bench.store("long", &[batch(vec![("a", text("a")), ("b", text("b"))])]);
    for name in
        ["levenshtein", "editdist3", "damerau_levenshtein", "jaro_similarity", "jaro_winkler_similarity"]
    {
        let constant = bench.error(&format!("SELECT {name}(repeat('a', 2000000), repeat('b', 2000000))"));
        assert!(matches!(&constant, Error::NotAllowed(message) if message.contains("pairs")), "{constant:?}");
        let data = bench.error(&format!("SELECT {name}(a, b) FROM long"));
        assert!(matches!(&data, Error::Execution(message) if message.contains("pairs")), "{name}: {data:?}");
        let built_in = bench.error(&format!("SELECT system.main.{name}(a, b) FROM long"));
        assert!(matches!(built_in, Error::NotAllowed(_)), "{built_in:?}");
        assert_eq!(
            bench
                .rows(&format!("SELECT {name}(a, b) >= 0 FROM (VALUES ('ab', 'ac'), (NULL, 'x')) v(a, b)"))
                .len(),
            2
        );
    }
    assert_eq!(bench.rows("SELECT jaro_similarity('abc', 'abd', 0.1) > 0.5"), ["true"]);
    assert_eq!(bench.rows("SELECT ('abc').levenshtein('abd') AS d"), ["1"]);
    let nested = "levenshtein('a', levenshtein('a', levenshtein('a', levenshtein('a', 'b')::VARCHAR)::VARCHAR)::VARCHAR)";
    assert!(matches!(bench.error(&format!("SELECT {nested}")), Error::NotAllowed(_)));
    for search in ["position(%n IN %h)", "strpos(%h, %n)", "instr(%h, %n)", "contains(%h, %n)", "%h LIKE %n"]
    {
        let search = search.replace("%h", "repeat('a', 20000000)").replace("%n", "repeat('a', 10000000)");
        let error = bench.error(&format!("SELECT {search}"));
        assert!(
            matches!(&error, Error::NotAllowed(message) if message.contains("pairs")),
            "{search}: {error:?}"
        );
    }
    assert_eq!(bench.rows("SELECT position('b' IN repeat('a', 20000000) || 'b')"), ["20000001"]);
}

#[test]
fn lambdas_in_lambdas_go_through_a_bounded_number_of_elements() {
    let bench = Bench::new();
    let inner = "list_sum(list_transform(range(100000), lambda y: x * y))";
    let error = bench.error(&format!("SELECT list_sum(list_transform(range(100000), lambda x: {inner}))"));
    assert!(matches!(&error, Error::NotAllowed(message) if message.contains("elements")), "{error:?}");
    let small = "list_sum(list_transform(range(100), lambda x: list_sum(list_transform(range(100), lambda y: x * y))))";
    assert_eq!(bench.rows(&format!("SELECT {small}::BIGINT")), ["24502500"]);
}

#[test]
fn more_joins_than_can_be_planned_in_some_seconds_are_refused() {
    let bench = Bench::new();
    bench.store("t", &[batch(vec![("a", Arc::new(Int32Array::from(vec![1])) as ArrayRef)])]);
    let joins = |kind: &str, count: usize| -> String {
        (0..count).map(|i| format!(" {kind} JOIN t t{i} ON t{i}.a = t.a")).collect()
    };
    for (kind, count) in [("", 61), ("LEFT", 101)] {
        let error = bench.error(&format!("SELECT count(*) FROM t{}", joins(kind, count)));
        assert!(matches!(&error, Error::TooLarge(message) if message.contains("joins")), "{error:?}");
    }
    assert_eq!(bench.rows(&format!("SELECT count(*) FROM t{}", joins("", 30))), ["1"]);
    // Each SELECT has its own.
    let part = format!("(SELECT count(*) AS n FROM t{})", joins("", 35));
    assert_eq!(bench.rows(&format!("SELECT a.n + b.n FROM {part} a, {part} b")), ["2"]);
}

#[test]
fn a_struct_of_very_many_fields_that_sql_would_restore_one_by_one_is_refused_by_name() {
    let bench = Bench::new();
    let table = |fields: usize| {
        let seconds = DataType::Duration(TimeUnit::Second);
        let names = (0..fields).map(|i| Arc::new(Field::new(format!("f{i}"), seconds.clone(), true)));
        let columns = (0..fields).map(|_| Arc::new(DurationSecondArray::from(vec![1])) as ArrayRef);
        let all = StructArray::new(names.collect(), columns.collect(), None);
        batch(vec![("a", Arc::new(Int32Array::from(vec![1])) as ArrayRef), ("s", Arc::new(all) as ArrayRef)])
    };
    bench.store("wide", &[table(1_001)]);
    let error = bench.error("SELECT s FROM wide");
    assert!(
        matches!(&error, Error::Unsupported(message) if message.contains("\"s\"") && message.contains("1001 fields")),
        "{error:?}"
    );
    assert_eq!(bench.rows("SELECT a FROM wide"), ["1"]);
    bench.store("narrow", &[table(100)]);
    assert_eq!(bench.rows("SELECT count(s) FROM narrow"), ["1"]);
}

#[test]
fn a_statement_that_is_no_select_is_told_what_to_use_instead() {
    let bench = Bench::new();
    for (statement, instead) in [
        ("CREATE TABLE x AS SELECT 1", "`polarway store NAME FILE`"),
        ("create or replace table x as select 1", "`polarway query --keep"),
        ("/* a */ INSERT INTO t VALUES (1)", "`polarway append NAME FILE`"),
        ("UPDATE t SET a = 1", "`polarway store NAME FILE`"),
        ("DELETE FROM t", "select those that stay"),
        ("DROP TABLE t", "`polarway rm NAME`"),
        ("COPY t TO '/tmp/x.csv'", "-o FILE`"),
        ("ATTACH 'x.db'", "analytics."),
        ("PRAGMA threads = 1", "settings are the server's"),
        ("SET threads = 1", "settings are the server's"),
        ("INSTALL httpfs", "extensions can't be loaded"),
        ("BEGIN", "no transaction is needed"),
        ("EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1", "`polarway store NAME FILE`"),
    ] {
        let error = bench.error(statement);
        assert!(
            matches!(&error, Error::NotAllowed(message) if message.contains(instead) && message.contains("only SELECT")),
            "{statement}: {error:?}"
        );
    }
}
