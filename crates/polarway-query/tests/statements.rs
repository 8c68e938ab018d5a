//! What can be asked besides a SELECT: plans, columns, summaries and lists of datasets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringArray};
use polarway_query::Error;
use support::{Bench, batch, rows_of, write};

fn bench() -> Bench {
    let bench = Bench::new();
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    bench.store("t", &[batch(vec![("a", numbers), ("s", Arc::new(StringArray::from(vec!["x", "y", "z"])))])]);
    bench.store("t", &[batch(vec![("b", Arc::new(Int32Array::from(vec![7])))])]);
    bench.store("eu.trades", &[batch(vec![("price", Arc::new(Int32Array::from(vec![5])))])]);
    bench
}

fn column_names(bench: &Bench, sql: &str) -> Vec<String> {
    let batch = bench.query(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    batch.schema().fields().iter().map(|field| field.name().clone()).collect()
}

#[test]
fn describe_tells_the_columns_of_datasets_queries_and_files() {
    let bench = bench();
    write(&bench.cold().join("x.parquet"), &batch(vec![("c", Arc::new(Int32Array::from(vec![1])))]));
    for (sql, expected) in [
        ("DESCRIBE t", vec!["b|INTEGER"]),
        ("describe main.t", vec!["b|INTEGER"]),
        ("DESC \"eu.trades\"", vec!["price|INTEGER"]),
        ("DESCRIBE eu.trades", vec!["price|INTEGER"]),
        ("SHOW t", vec!["b|INTEGER"]),
        ("DESCRIBE TABLE t", vec!["b|INTEGER"]),
        ("DESCRIBE SELECT a::DOUBLE AS half, s FROM t AT (VERSION => 1)", vec!["half|DOUBLE", "s|VARCHAR"]),
        ("DESCRIBE FROM t AT (VERSION => 1)", vec!["a|INTEGER", "s|VARCHAR"]),
        ("DESCRIBE 'x.parquet'", vec!["c|INTEGER"]),
        ("DESCRIBE FROM read_parquet('x.parquet')", vec!["c|INTEGER"]),
        ("DESCRIBE SELECT 1 AS one", vec!["one|INTEGER"]),
    ] {
        let batch = bench.query(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(rows_of(&batch.project(&[0, 1]).unwrap()), expected, "{sql}");
    }
    assert_eq!(bench.rows("SELECT column_name FROM (DESCRIBE t) WHERE column_type = 'INTEGER'"), ["b"]);
}

#[test]
fn summarize_gives_statistics_and_is_a_table_like_any_other() {
    let bench = bench();
    assert_eq!(
        bench.rows("SELECT min, max, count FROM (SUMMARIZE SELECT a FROM t AT (VERSION => 1))"),
        ["1|3|3"]
    );
    assert_eq!(column_names(&bench, "SUMMARIZE t")[..4], ["column_name", "column_type", "min", "max"]);
    assert_eq!(bench.rows("SELECT column_name FROM (SUMMARIZE eu.trades)"), ["price"]);
}

#[test]
fn explain_gives_a_plan_and_names_no_file() {
    let bench = bench();
    let data = bench.dir.path().to_str().unwrap().to_owned();
    for sql in [
        "EXPLAIN SELECT a FROM t AT (VERSION => 1) WHERE a > 1",
        "EXPLAIN ANALYZE SELECT b FROM t WHERE b > 1",
        "EXPLAIN (FORMAT json) SELECT b FROM t WHERE b > 1",
        "EXPLAIN (ANALYZE, FORMAT json) SELECT b FROM t WHERE b > 1",
        "EXPLAIN ANALYZE SELECT * FROM t x JOIN t y ON x.b = y.b JOIN eu.trades ON price <> x.b",
    ] {
        let rows = bench.rows(sql).join("\n");
        assert_eq!(column_names(&bench, sql), ["explain_key", "explain_value"]);
        assert!(rows.contains("READ_PARQUET") || rows.contains("PARQUET"), "{sql}: {rows}");
        let without_breaks: String = rows.chars().filter(|character| !" │\n".contains(*character)).collect();
        for secret in [data.as_str(), ".parquet", "Filename", "set1"] {
            assert!(!without_breaks.contains(secret), "{sql}: {rows}");
        }
    }
    assert!(bench.rows("EXPLAIN SELECT 42")[0].contains("physical_plan"));
    assert!(matches!(bench.error("EXPLAIN SELECT * FROM nope"), Error::Catalog(_)));
}

#[test]
fn show_tables_lists_the_datasets_and_nothing_of_duckdbs() {
    let bench = bench();
    let expected = ["eu.trades", "t"];
    for sql in [
        "SHOW TABLES",
        "show tables;",
        "SELECT name FROM (SHOW TABLES) ORDER BY name",
        "SELECT name FROM (SHOW ALL TABLES)",
        "SELECT table_name FROM information_schema.tables ORDER BY ALL",
        "SELECT t.table_name FROM information_schema.tables t WHERE table_schema = 'main' ORDER BY 1",
        "SELECT DISTINCT tables.table_name FROM polarway.information_schema.tables ORDER BY 1",
    ] {
        assert_eq!(bench.rows(sql), expected, "{sql}");
    }
    assert_eq!(
        bench.rows(
            "SELECT table_name, column_name, ordinal_position, data_type FROM information_schema.columns"
        ),
        ["eu.trades|price|1|INTEGER", "t|b|1|INTEGER"]
    );
    assert_eq!(column_names(&bench, "SHOW TABLES"), ["name"]);
    assert_eq!(
        column_names(&bench, "SHOW ALL TABLES"),
        ["database", "schema", "name", "column_names", "column_types", "temporary"]
    );
    assert_eq!(column_names(&bench, "DESCRIBE"), column_names(&bench, "SHOW ALL TABLES"));
}

#[test]
fn without_datasets_lists_are_empty_and_have_their_columns() {
    let bench = Bench::new();
    assert_eq!(column_names(&bench, "SHOW TABLES"), ["name"]);
    assert!(bench.rows("SHOW TABLES").is_empty());
    assert!(bench.rows("FROM information_schema.columns").is_empty());
    assert!(bench.rows("SHOW ALL TABLES").is_empty());
}

#[test]
fn a_name_of_several_parts_is_a_dataset_with_dots_or_one_of_the_main_schema() {
    let bench = bench();
    bench.store("a.b.c", &[batch(vec![("n", Arc::new(Int32Array::from(vec![9])))])]);
    for (sql, expected) in [
        ("SELECT price FROM eu.trades", "5"),
        ("SELECT trades.price FROM eu . trades", "5"),
        ("SELECT price FROM \"eu.trades\"", "5"),
        ("SELECT x.price FROM \"eu\".\"trades\" AS x", "5"),
        ("SELECT price FROM EU.Trades", "5"),
        ("SELECT n FROM a.b.c", "9"),
        ("SELECT n FROM a.b.c AS x AT (VERSION => 1)", "9"),
        ("SELECT b FROM main.t", "7"),
        ("SELECT b FROM polarway.main.t", "7"),
        ("SELECT x.b + y.price FROM main.t x, eu.trades y", "12"),
    ] {
        assert_eq!(bench.rows(sql), [expected], "{sql}");
    }
    assert!(bench.error("FROM eu.trade").to_string().contains("\"eu.trade\""));
}

#[test]
fn tables_of_the_analytics_database_are_read_by_their_names() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("analytics.duckdb");
    let made = duckdb::Connection::open(&file).unwrap();
    made.execute_batch(
        "CREATE TABLE prices AS SELECT 42 AS price; CREATE SCHEMA eu; CREATE TABLE eu.prices AS SELECT 43 AS price; \
         CREATE VIEW doubled AS SELECT price * 2 AS price FROM prices; CREATE MACRO sum(x) AS 'shadowed'; \
         CREATE TABLE t AS SELECT 'theirs' AS b; CREATE VIEW leak AS SELECT * FROM read_text('/etc/hostname')",
    )
    .unwrap();
    drop(made);
    let bench = Bench::with(|config| config.analytics = Some(file.clone()));
    bench.store("t", &[batch(vec![("b", Arc::new(Int32Array::from(vec![7])))])]);
    for (sql, expected) in [
        ("SELECT price FROM analytics.prices", "42"),
        ("SELECT price FROM Analytics.main.PRICES", "42"),
        ("SELECT price FROM analytics.eu.prices", "43"),
        ("SELECT price FROM analytics.doubled", "84"),
        ("SELECT sum(price) FROM analytics.prices", "42"),
        ("SELECT price + b FROM analytics.prices, t", "49"),
        ("SELECT b FROM t", "7"),
        ("SELECT column_name FROM (DESCRIBE analytics.prices)", "price"),
    ] {
        assert_eq!(bench.rows(sql), [expected], "{sql}");
    }
    let error = bench.error("FROM analytics.price");
    assert!(error.to_string().contains("the nearest: analytics.prices"), "{error}");
    assert!(matches!(bench.error("FROM analytics.prices AT (VERSION => 1)"), Error::NotAllowed(_)));
    for sql in [
        "FROM analytics.information_schema.tables",
        "FROM analytics.duckdb_tables",
        "FROM analytics.sqlite_master",
    ] {
        assert!(matches!(bench.error(sql), Error::Catalog(_)), "{sql}");
    }
    let leak = bench.error("FROM analytics.leak").to_string();
    assert!(!leak.contains(dir.path().to_str().unwrap()), "{leak}");
    assert!(matches!(bench.error("FROM prices"), Error::Catalog(_)));
}

#[test]
fn an_analytics_file_that_is_not_there_is_no_error_and_one_that_is_broken_is() {
    let bench = Bench::with(|config| config.analytics = Some("/nowhere/analytics.duckdb".into()));
    let error = bench.error("FROM analytics.x").to_string();
    assert!(error.contains("no analytics database"), "{error}");
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("broken.duckdb");
    std::fs::write(&file, vec![7; 20_000]).unwrap();
    let mut config = polarway_query::EngineConfig::new(vec![dir.path().to_owned()], dir.path().join("temp"));
    config.analytics = Some(file);
    let opened = polarway_query::Engine::open(config, std::sync::Arc::new(support::files::OnThisMachine));
    assert!(matches!(opened, Err(Error::Configuration(_))));
}
