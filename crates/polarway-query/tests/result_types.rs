//! What each of DuckDB's types becomes in Arrow: docs/sql.md tells it, and this is what holds it to the real engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array as _, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, TimeUnit};
use polarway_query::{Error, QueryOptions};
use polarway_table::{DUCKDB_TYPE_KEY, duckdb_type, text_options, texts};
use support::Bench;

/// A type as the page lists it, a value of it, and what that becomes.
struct Case {
    /// Its name in `duckdb_types()`.
    name: &'static str,
    /// Its Arrow type in the page's words.
    page: &'static str,
    /// An expression.
    sql: &'static str,
    arrow: DataType,
    /// The type that the field tells.
    duckdb: &'static str,
    text: &'static str,
}

const fn case(
    name: &'static str,
    page: &'static str,
    sql: &'static str,
    arrow: DataType,
    duckdb: &'static str,
    text: &'static str,
) -> Case {
    Case { name, page, sql, arrow, duckdb, text }
}

fn cases() -> Vec<Case> {
    use DataType::*;
    let micros = TimeUnit::Microsecond;
    let described = |name: &str, data_type: DataType, duckdb: &str| {
        let metadata = [(DUCKDB_TYPE_KEY.to_owned(), duckdb.to_owned())];
        Arc::new(Field::new(name, data_type, true).with_metadata(metadata.into()))
    };
    let key = described("key", Utf8, "VARCHAR").as_ref().clone().with_nullable(false);
    let entries = Struct(vec![Arc::new(key), described("value", Utf8, "INTERVAL")].into());
    let fields =
        vec![described("a", Decimal128(38, 0), "HUGEINT"), described("b", Utf8, "TIME WITH TIME ZONE")];
    vec![
        case("NULL", "int32", "NULL", Int32, "INTEGER", "NULL"),
        case("BOOLEAN", "bool", "true", Boolean, "BOOLEAN", "true"),
        case("TINYINT", "int8", "(-128)::TINYINT", Int8, "TINYINT", "-128"),
        case("SMALLINT", "int16", "(-32768)::SMALLINT", Int16, "SMALLINT", "-32768"),
        case("INTEGER", "int32", "42", Int32, "INTEGER", "42"),
        case("BIGINT", "int64", "42::BIGINT", Int64, "BIGINT", "42"),
        case("UTINYINT", "uint8", "255::UTINYINT", UInt8, "UTINYINT", "255"),
        case("USMALLINT", "uint16", "65535::USMALLINT", UInt16, "USMALLINT", "65535"),
        case("UINTEGER", "uint32", "4294967295::UINTEGER", UInt32, "UINTEGER", "4294967295"),
        case("UBIGINT", "uint64", "18446744073709551615::UBIGINT", UInt64, "UBIGINT", "18446744073709551615"),
        case("HUGEINT", "decimal128(38, 0)", "sum(42)", Decimal128(38, 0), "HUGEINT", "42"),
        case(
            "UHUGEINT",
            "utf8",
            "340282366920938463463374607431768211455::UHUGEINT",
            Utf8,
            "UHUGEINT",
            "340282366920938463463374607431768211455",
        ),
        case(
            "BIGNUM",
            "utf8",
            "'-999999999999999999999999999999999999999999999'::BIGNUM",
            Utf8,
            "BIGNUM",
            "-999999999999999999999999999999999999999999999",
        ),
        case("FLOAT", "float32", "1.5::FLOAT", Float32, "FLOAT", "1.5"),
        case("DOUBLE", "float64", "0.1::DOUBLE", Float64, "DOUBLE", "0.1"),
        case("DECIMAL", "decimal128(p, s)", "1.50::DECIMAL(5, 2)", Decimal128(5, 2), "DECIMAL(5, 2)", "1.50"),
        case("VARCHAR", "utf8", "'text'", Utf8, "VARCHAR", "text"),
        case("JSON", "utf8", "'{\"a\":1}'::JSON", Utf8, "JSON", "{\"a\":1}"),
        case(
            "UUID",
            "utf8",
            "'01234567-89AB-cdef-0123-456789abcdef'::UUID",
            Utf8,
            "UUID",
            "01234567-89ab-cdef-0123-456789abcdef",
        ),
        case("BLOB", "binary", "'\\x00\\xFF'::BLOB", Binary, "BLOB", "00ff"),
        case("BIT", "utf8", "'0101'::BIT", Utf8, "BIT", "0101"),
        case("DATE", "date32", "DATE '2013-01-01'", Date32, "DATE", "2013-01-01"),
        case("TIME", "time64(us)", "TIME '24:00:00'", Time64(micros), "TIME", "24:00:00"),
        case(
            "TIME_NS",
            "time64(ns)",
            "TIME_NS '12:00:00.000000001'",
            Time64(TimeUnit::Nanosecond),
            "TIME_NS",
            "12:00:00.000000001",
        ),
        case(
            "TIME WITH TIME ZONE",
            "utf8",
            "TIMETZ '12:00:00-03:30'",
            Utf8,
            "TIME WITH TIME ZONE",
            "12:00:00-03:30",
        ),
        case(
            "TIMESTAMP_S",
            "timestamp(ms)",
            "TIMESTAMP_S '2013-01-01 12:00:00'",
            Timestamp(TimeUnit::Millisecond, None),
            "TIMESTAMP_S",
            "2013-01-01T12:00:00",
        ),
        case(
            "TIMESTAMP_MS",
            "timestamp(ms)",
            "TIMESTAMP_MS '2013-01-01 12:00:00.001'",
            Timestamp(TimeUnit::Millisecond, None),
            "TIMESTAMP_MS",
            "2013-01-01T12:00:00.001",
        ),
        case(
            "TIMESTAMP",
            "timestamp(us)",
            "TIMESTAMP '290309-12-22 (BC) 00:00:00'",
            Timestamp(micros, None),
            "TIMESTAMP",
            "-290308-12-22T00:00:00",
        ),
        case(
            "TIMESTAMP_NS",
            "timestamp(ns)",
            "TIMESTAMP_NS '2013-01-01 12:00:00.000000001'",
            Timestamp(TimeUnit::Nanosecond, None),
            "TIMESTAMP_NS",
            "2013-01-01T12:00:00.000000001",
        ),
        case(
            "TIMESTAMP WITH TIME ZONE",
            "timestamp(us, UTC)",
            "TIMESTAMPTZ '2013-01-01 12:00:00+02'",
            Timestamp(micros, Some("UTC".into())),
            "TIMESTAMP WITH TIME ZONE",
            "2013-01-01T10:00:00Z",
        ),
        case(
            "INTERVAL",
            "utf8",
            "INTERVAL '14 months -3 days' + to_hours(3000000)",
            Utf8,
            "INTERVAL",
            "1 year 2 months -3 days 3000000:00:00",
        ),
        case(
            "ENUM",
            "dictionary(uint8, utf8)",
            "'x'::ENUM('x', 'it''s')",
            Dictionary(Box::new(UInt8), Box::new(Utf8)),
            "ENUM('x', 'it''s')",
            "x",
        ),
        case(
            "LIST",
            "list",
            "[UUID '01234567-89ab-cdef-0123-456789abcdef', NULL]",
            List(described("l", Utf8, "UUID")),
            "UUID[]",
            "[01234567-89ab-cdef-0123-456789abcdef, NULL]",
        ),
        case(
            "ARRAY",
            "fixed_size_list",
            "[5::BIGNUM, NULL]::BIGNUM[2]",
            FixedSizeList(described("", Utf8, "BIGNUM"), 2),
            "BIGNUM[2]",
            "[5, NULL]",
        ),
        case(
            "STRUCT",
            "struct",
            "{'a': 5::HUGEINT, 'b': TIMETZ '12:00:00+00'}",
            Struct(fields.into()),
            "STRUCT(\"a\" HUGEINT, \"b\" TIME WITH TIME ZONE)",
            "{a: 5, b: 12:00:00+00}",
        ),
        case(
            "MAP",
            "map",
            "MAP {'k': INTERVAL 1 DAY}",
            Map(Arc::new(Field::new("entries", entries, false)), false),
            "MAP(VARCHAR, INTERVAL)",
            "{k: 1 day}",
        ),
        case(
            "UNION",
            "utf8",
            "union_value(a := 1)::UNION(a INTEGER, b VARCHAR)",
            Utf8,
            "UNION(\"a\" INTEGER, \"b\" VARCHAR)",
            "{\"a\":1}",
        ),
        case("VARIANT", "utf8", "{'a': [1, NULL]}::VARIANT", Utf8, "VARIANT", "{\"a\":[1,null]}"),
        case(
            "GEOMETRY",
            "binary",
            "'POINT (1 2)'::GEOMETRY",
            Binary,
            "GEOMETRY",
            "0101000000000000000000f03f0000000000000040",
        ),
    ]
}

/// Types that no expression of a query has, with the reason.
const WITHOUT_VALUES: [(&str, &str); 1] = [("TYPE", "functions that give types are refused")];

fn text_of(batch: &RecordBatch) -> Vec<String> {
    let (schema, options) = (batch.schema(), text_options("NULL"));
    let text = |place: usize| {
        let column = batch.column(place);
        let formatter = texts(column.as_ref(), schema.field(place), &options).unwrap();
        (0..column.len()).map(|row| formatter.value(row).try_to_string().unwrap()).collect::<Vec<_>>()
    };
    (0..batch.num_columns()).flat_map(text).collect()
}

#[test]
fn every_type_becomes_what_the_page_says_and_its_field_tells_what_it_was() {
    let bench = Bench::new();
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sql.md")).unwrap();
    for case in cases() {
        let result = bench.query(&format!("SELECT {} AS v", case.sql)).unwrap_or_else(|error| {
            panic!("{}: {error}", case.name);
        });
        let schema = result.schema();
        assert_eq!(schema.field(0).data_type(), &case.arrow, "{}", case.name);
        assert_eq!(duckdb_type(schema.field(0)), Some(case.duckdb), "{}", case.name);
        assert_eq!(text_of(&result), [case.text], "{}", case.name);
        let row = format!("| `{}` | `{}` |", case.name, case.page);
        assert!(page.lines().any(|line| line.starts_with(&row)), "docs/sql.md has no row {row}");
    }
}

#[test]
fn no_type_of_the_engine_is_forgotten() {
    let duckdb = duckdb::Connection::open_in_memory().unwrap();
    let mut statement = duckdb.prepare("SELECT DISTINCT logical_type FROM duckdb_types()").unwrap();
    let there: BTreeSet<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let cases = cases();
    let known = cases.iter().map(|case| case.name).chain(WITHOUT_VALUES.map(|(name, _)| name));
    // JSON is an alias, which the engine does not list as a type of its own.
    let known: BTreeSet<String> = known.filter(|name| *name != "JSON").map(str::to_owned).collect();
    assert_eq!(there, known);
}

#[test]
fn the_type_that_a_field_tells_is_one_that_the_engine_reads_and_a_cast_restores_the_value() {
    let duckdb = duckdb::Connection::open_in_memory().unwrap();
    duckdb.execute_batch("SET TimeZone = 'UTC'").unwrap();
    let bench = Bench::new();
    for case in cases() {
        // WKB becomes a geometry in an extension only.
        if case.name == "GEOMETRY" || case.name == "NULL" {
            continue;
        }
        let given = bench.query(&format!("SELECT {} AS v", case.sql)).unwrap();
        let as_json = matches!(case.name, "UNION" | "VARIANT");
        let restored = match given.column(0).as_any().downcast_ref::<StringArray>() {
            Some(texts) => {
                let text = format!("'{}'", texts.value(0).replace('\'', "''"));
                let text = if as_json { format!("{text}::JSON") } else { text };
                format!("CAST({text} AS {})", case.duckdb)
            }
            None => format!("CAST({} AS {})", case.sql, case.duckdb),
        };
        let sql = format!(
            "SELECT typeof(r) = typeof(v) AND (r IS NOT DISTINCT FROM v) FROM (SELECT {restored} AS r, {} AS v)",
            case.sql
        );
        let same: bool = duckdb
            .query_row(&sql, [], |row| row.get(0))
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert!(same, "{}", case.name);
    }
}

#[test]
fn nulls_and_no_rows_have_the_same_types() {
    let bench = Bench::new();
    for case in cases().into_iter().filter(|case| case.name != "NULL") {
        let some = bench.query(&format!("SELECT {} AS v", case.sql)).unwrap();
        let nulls = bench
            .query(&format!("SELECT if(i = 0, NULL, v) AS v FROM (SELECT {} AS v), range(1) t(i)", case.sql));
        let nulls = nulls.unwrap();
        assert_eq!(nulls.schema(), some.schema(), "{}", case.name);
        assert_eq!(text_of(&nulls), ["NULL"], "{}", case.name);
        let none = bench.query(&format!("SELECT v FROM (SELECT {} AS v) WHERE v IS NULL", case.sql)).unwrap();
        assert_eq!((none.schema(), none.num_rows()), (some.schema(), 0), "{}", case.name);
    }
}

#[test]
fn what_is_cast_keeps_names_order_and_neighbours() {
    let bench = Bench::new();
    let sql = "SELECT i AS \"odd \"\"name\", to_seconds(i) AS v, i AS v, '1'::BIT AS \"c0\" FROM range(5000) t(i) ORDER BY i DESC -- done";
    let result = bench.query(sql).unwrap();
    let names: Vec<_> = result.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["odd \"name", "v", "v", "c0"]);
    let texts = text_of(&result);
    assert_eq!((texts[0].as_str(), texts[4_999].as_str()), ("4999", "0"));
    assert_eq!((texts[5_000].as_str(), texts[9_999].as_str()), ("01:23:19", "00:00:00"));
    assert_eq!((texts[10_000].as_str(), texts[15_000].as_str()), ("4999", "1"));
    // Again, by the statement that was kept.
    assert_eq!(text_of(&bench.query(sql).unwrap()), texts);
    for (sql, expect) in [
        ("FROM (VALUES (INTERVAL 1 DAY), (NULL)) t(v)", &["1 day", "NULL"][..]),
        ("SELECT INTERVAL 1 DAY /* ; */; -- ;", &["1 day"]),
        ("WITH x AS (SELECT INTERVAL 2 DAYS AS v) FROM x", &["2 days"]),
        ("SELECT INTERVAL 3 DAYS UNION ALL SELECT INTERVAL 4 DAYS", &["3 days", "4 days"]),
        (
            "SELECT DISTINCT ON (g) g, i FROM (VALUES (1, INTERVAL 1 DAY), (1, INTERVAL 2 DAYS)) t(g, i) ORDER BY g, i",
            &["1", "1 day"],
        ),
        ("SELECT row(1, INTERVAL 1 DAY)", &["{v1: 1, v2: 1 day}"]),
    ] {
        assert_eq!(text_of(&bench.query(sql).unwrap()), expect, "{sql}");
    }
}

#[test]
fn a_query_with_values_for_parameters_has_its_types_from_them() {
    let bench = Bench::new();
    let value: arrow::array::ArrayRef = Arc::new(arrow::array::DurationSecondArray::from(vec![90]));
    let number: arrow::array::ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![7]));
    for (value, expect, duckdb) in [
        (Arc::clone(&value), "00:01:30", "INTERVAL"),
        (Arc::clone(&number), "7", "BIGINT"),
        (value, "00:01:30", "INTERVAL"),
        (number, "7", "BIGINT"),
    ] {
        let parameters = RecordBatch::try_from_iter([("1", value)]).unwrap();
        let options = QueryOptions { parameters: Some(parameters), ..QueryOptions::default() };
        let rows = bench.query_as("SELECT $1 AS v", options).unwrap();
        assert_eq!(duckdb_type(rows.schema().field(0)), Some(duckdb));
        assert_eq!(text_of(&rows), [expect]);
    }
}

#[test]
fn numbers_up_to_38_digits_are_exact_and_longer_ones_are_refused_with_the_column() {
    let bench = Bench::new();
    let most = "9".repeat(38);
    let text = |sql: &str| text_of(&bench.query(sql).unwrap());
    assert_eq!(
        text(&format!("SELECT {most}::HUGEINT, -{most}::HUGEINT")),
        [most.clone(), format!("-{most}")]
    );
    assert_eq!(
        text(&format!("SELECT sum(i) FROM (VALUES ({most}), (-1), (NULL)) t(i)")),
        [format!("{}8", "9".repeat(37))]
    );
    let (longest, lowest) =
        ("170141183460469231731687303715884105727", "'-170141183460469231731687303715884105728'");
    let shortest_long = format!("1{}", "0".repeat(38));
    for (value, number) in [
        (longest, longest),
        (lowest, lowest.trim_matches('\'')),
        (&shortest_long, &shortest_long),
        (&format!("'-{shortest_long}'"), &format!("-{shortest_long}")),
    ] {
        for sql in [
            format!("SELECT 1 AS a, {value}::HUGEINT AS \"the sum\""),
            format!("SELECT [NULL, {value}::HUGEINT] AS \"the sum\""),
            format!("SELECT {{'a': [{value}::HUGEINT]::HUGEINT[1]}} AS \"the sum\""),
            format!("SELECT MAP {{'k': {value}::HUGEINT}} AS \"the sum\""),
            format!("SELECT if(i = 9000, {value}::HUGEINT, i) AS \"the sum\" FROM range(10000) t(i)"),
        ] {
            let error = bench.error(&sql);
            assert!(matches!(error, Error::Unsupported(_)), "{sql}: {error:?}");
            let message = error.to_string();
            assert!(message.contains("\"the sum\"") && message.contains(number), "{sql}: {message}");
        }
        assert_eq!(text(&format!("SELECT {value}::HUGEINT::VARCHAR")), [number]);
    }
    // What stands where there is no value is none.
    assert_eq!(
        text(&format!("SELECT if(i = 1, {{'a': {longest}::HUGEINT}}, NULL) AS v FROM range(1) t(i)")),
        ["NULL"]
    );
}

#[test]
fn numbers_of_any_length_come_as_text_where_that_is_asked_for() {
    let bench = Bench::new();
    let sql = "SELECT 170141183460469231731687303715884105727::HUGEINT AS n, [sum(1)] AS l, 5 AS i";
    let ask = |hugeint_as_text: bool| {
        bench.query_as(sql, QueryOptions { hugeint_as_text, ..QueryOptions::default() })
    };
    // In turns: a statement that was kept is not taken for the other form.
    for _ in 0..3 {
        let result = ask(true).unwrap();
        let schema = result.schema();
        assert_eq!(text_of(&result), ["170141183460469231731687303715884105727", "[1]", "5"]);
        assert_eq!(
            (schema.field(0).data_type(), duckdb_type(schema.field(0))),
            (&DataType::Utf8, Some("HUGEINT"))
        );
        assert_eq!(duckdb_type(schema.field(1)), Some("HUGEINT[]"));
        assert!(matches!(ask(false).unwrap_err(), Error::Unsupported(_)));
    }
}

#[test]
fn an_error_in_what_is_cast_shows_no_text_that_the_author_did_not_write() {
    let bench = Bench::new();
    for sql in [
        "SELECT INTERVAL 1 DAY, CAST(if(i = 3, 'x', '1') AS INTEGER) FROM range(5) t(i)",
        "SELECT to_days(CAST(if(i = 3, 'x', '1') AS INTEGER)) FROM range(5) t(i)",
    ] {
        for _ in 0..2 {
            let message = bench.error(sql).to_string();
            assert!(
                message.contains("'x'") && !message.contains("c0") && !message.contains("result("),
                "{message}"
            );
        }
    }
}
