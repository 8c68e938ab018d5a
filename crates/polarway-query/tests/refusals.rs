//! What queries may not do is refused with a message that says why, before anything runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::Int32Array;
use polarway_query::Error;
use support::{Bench, batch};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.store("t", &[batch(vec![("a", Arc::new(Int32Array::from(vec![1, 2])))])]);
    bench
}

#[test]
fn everything_that_is_no_plain_select_over_datasets_is_not_allowed() {
    let bench = bench();
    let refused = [
        // Other statements, also behind or in front of a SELECT.
        "CREATE TABLE x AS SELECT 1",
        "INSERT INTO t VALUES (1)",
        "DELETE FROM t",
        "UPDATE t SET a = 1",
        "DROP VIEW t",
        "COPY t TO '/tmp/polarway-stolen.csv'",
        "COPY (SELECT 1) TO '/tmp/polarway-stolen.csv'",
        "ATTACH '/tmp/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "SET SESSION search_path = 'main'",
        "RESET threads",
        "SHOW DATABASES",
        "SHOW SCHEMAS",
        "SHOW VARIABLES",
        "SHOW TABLES FROM main",
        "FROM (SHOW DATABASES)",
        "EXPLAIN CREATE TABLE x AS SELECT 1",
        "EXPLAIN COPY t TO '/tmp/polarway-stolen.csv'",
        "EXPLAIN ANALYZE COPY t TO '/tmp/polarway-stolen.csv'",
        "EXPLAIN ANALYZE SELECT content FROM read_text('/etc/passwd')",
        "EXPLAIN SELECT 1; DROP VIEW t",
        "EXPLAIN EXPLAIN SELECT 1",
        "EXPLAIN (FORMAT html) SELECT 1",
        "DESCRIBE SELECT * FROM read_text('/etc/passwd')",
        "SUMMARIZE SELECT * FROM read_text('/etc/passwd')",
        "FROM (DESCRIBE SELECT * FROM read_text('/etc/passwd'))",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "EXPORT DATABASE '/tmp/x'",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "BEGIN",
        "CHECKPOINT",
        "USE memory",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP VIEW t",
        "DROP VIEW t; SELECT 1",
        "PIVOT t ON a USING count(*)",
        // Table functions that read files, settings or tables named by text.
        "FROM read_csv('/etc/passwd')",
        "FROM read_text('/etc/passwd')",
        "FROM read_blob('/etc/passwd')",
        "FROM read_json('/etc/passwd')",
        "FROM glob('/*')",
        "FROM sniff_csv('/etc/passwd')",
        "FROM query('SELECT 1')",
        "FROM query_table('t')",
        "FROM histogram('t', a)",
        "FROM json_execute_serialized_sql('{}')",
        "FROM parquet_metadata('/x.parquet')",
        "FROM parquet_schema('/x.parquet')",
        "FROM duckdb_settings()",
        "FROM duckdb_views()",
        "FROM pragma_table_info('t')",
        "FROM which_secret('s3://x', 's3')",
        "FROM test_all_types()",
        "FROM seq_scan('t')",
        "FROM arrow_scan(1, 2, 3)",
        "FROM no_such_table_function()",
        "SELECT 1 WHERE EXISTS (FROM read_text('/etc/passwd'))",
        "WITH x AS (FROM read_text('/etc/passwd')) SELECT 1",
        "SELECT (SELECT content FROM read_text('/etc/passwd'))",
        "FROM range((SELECT count(*) FROM read_text('/etc/passwd')))",
        "SELECT * FROM t ORDER BY (SELECT count(*) FROM glob('/*'))",
        "SELECT a FROM t LIMIT (SELECT count(*) FROM glob('/*'))",
        "SELECT list_transform([1], lambda x: (SELECT count(*) FROM glob('/*')))",
        "VALUES ((SELECT count(*) FROM glob('/*')))",
        "SELECT sum(a) OVER (ORDER BY (SELECT count(*) FROM glob('/*'))) FROM t",
        "FROM t PIVOT (count(*) FOR a IN (1)) WHERE EXISTS (FROM glob('/*'))",
        // Functions that read settings and state, wait, log, or handle SQL as text.
        "SELECT current_setting('temp_directory')",
        "SELECT CURRENT_SETTING('temp_directory')",
        "SELECT main.current_setting('temp_directory')",
        "SELECT ('temp_directory').current_setting()",
        "SELECT \"current_setting\"('temp_directory')",
        "SELECT getenv('HOME')",
        "SELECT getvariable('x')",
        "SELECT nextval('s')",
        "SELECT currval('s')",
        "SELECT setseed(0.5)",
        "SELECT json_serialize_sql('SELECT 1')",
        "SELECT json_serialize_plan('SELECT 1')",
        "SELECT json_deserialize_sql('{}')",
        "SELECT write_log('x')",
        "SELECT sleep_ms(100000)",
        "SELECT pg_sleep(100)",
        "SELECT current_query()",
        "SELECT pg_get_viewdef(1)",
        "SELECT version()",
        "SELECT list_transform([1], lambda x: getvariable('x'))",
        "SELECT a FROM t QUALIFY getvariable('x') = 1",
        "SELECT a FROM t GROUP BY getvariable('x')",
        "SELECT COLUMNS(c -> getvariable(c)) FROM t",
        "SELECT * REPLACE (getvariable('x') AS a) FROM t",
        "SELECT CASE WHEN getvariable('x') THEN 1 END",
        // System views and other catalogs, however they are named.
        "FROM information_schema.schemata",
        "FROM polarway.information_schema.key_column_usage",
        "FROM information_schema.tables AT (VERSION => 1)",
        "FROM analytics.t",
        // Files other than by what the catalog resolves.
        "FROM '../secret.parquet'",
        "FROM read_parquet('/data/../../etc/x.parquet')",
        "FROM read_parquet('https://example.org/x.parquet')",
        "FROM 's3://bucket/x.parquet'",
        "FROM read_parquet('x.parquet', filename = true)",
        "FROM read_parquet('x.parquet', encryption_config = {footer_key: 'k'})",
        "FROM read_parquet('x' || '.parquet')",
        "FROM read_parquet((SELECT 'x.parquet'))",
        "FROM read_parquet([])",
        "FROM read_parquet()",
        "FROM read_parquet(['x.parquet', lower('Y')])",
        "FROM read_parquet('x.parquet', hive_partitioning = lower('t'))",
        // Amplifiers.
        "SELECT length(repeat('x', 4000000000))",
        "SELECT length(repeat('x', 4e9::BIGINT))",
        "SELECT length(repeat('x', 2 * 2000000000))",
        "SELECT length(repeat('x', 10 ** 10))",
        "SELECT length(repeat(repeat('x', 60000), 60000))",
        "SELECT length(lpad('x', 2000000000, 'y'))",
        "SELECT len(range(10000000000))",
        "SELECT len(generate_series(0, 10000000000))",
        "SELECT list_resize([1], 4000000000)",
        "SELECT printf('%2000000000d', 1)",
        "FROM repeat(1, 100000000000)",
        // Time travel with something else than a literal.
        "FROM t AT (VERSION => 1 + 1)",
        "FROM t AT (VERSION => -1)",
        "FROM t AT (VERSION => 'x')",
        "FROM t AT (TIMESTAMP => now())",
        "FROM t AT (TIMESTAMP => 'yesterday')",
        "FROM t AT (TIMESTAMP => 'infinity')",
        "FROM 'x.parquet' AT (VERSION => 1)",
    ];
    let before = bench.folder.resolved.load(Ordering::SeqCst);
    for sql in refused {
        let error = bench.error(sql);
        assert!(matches!(error, Error::NotAllowed(_)), "{sql}: {error:?}");
        assert!(!error.to_string().is_empty() && !error.to_string().contains("/etc/passwd\0"), "{sql}");
    }
    assert_eq!(bench.folder.resolved.load(Ordering::SeqCst), before, "nothing was resolved");
    assert!(!std::path::Path::new("/tmp/polarway-stolen.csv").exists());
    assert_eq!(bench.rows("FROM t"), ["1", "2"]);
}

#[test]
fn a_name_that_is_no_dataset_never_reaches_duckdb() {
    let bench = bench();
    for name in [
        "nope",
        "duckdb_settings",
        "duckdb_views",
        "pg_tables",
        "sqlite_master",
        "pragma_database_list",
        "information_schema",
        "\"/etc/passwd\"",
        "'/etc/passwd'",
        "'x.csv'",
        "pg_catalog.pg_class",
        "temp.t",
        "temp.main.t",
        "memory.main.t",
        "system.information_schema.tables",
        "recurring.t",
        "information_schema_tables",
    ] {
        let error = bench.error(&format!("SELECT * FROM {name}"));
        let is_ours = matches!(error, Error::Catalog(_));
        assert!(is_ours, "{name}: {error:?}");
    }
    // A CTE of that name elsewhere does not let it through.
    for sql in [
        "SELECT * FROM (WITH duckdb_views AS (SELECT 1) FROM duckdb_views) a, duckdb_views b",
        "WITH a AS (FROM duckdb_views), duckdb_views AS (SELECT 1) FROM a",
        "WITH duckdb_views AS (FROM duckdb_views) FROM duckdb_views",
        "WITH RECURSIVE duckdb_views AS (FROM duckdb_views UNION ALL SELECT 1) FROM duckdb_views",
    ] {
        assert!(matches!(bench.error(sql), Error::Catalog(_)), "{sql}");
    }
}

#[test]
fn an_unknown_dataset_comes_with_the_nearest_ones() {
    let bench = bench();
    assert_eq!(bench.error("FROM tt").to_string(), "there is no dataset \"tt\"; the nearest: t");
    assert_eq!(
        bench.error("FROM t AT (VERSION => 9)").to_string(),
        "the dataset \"t\" has no version Version(9); its versions are 1 to 1"
    );
}

#[test]
fn a_refusal_shows_the_place_and_what_would_be_allowed() {
    let bench = bench();
    assert_eq!(
        bench.error("SELECT 1,\n  getvariable('x')").to_string(),
        "the function getvariable() may not be used in queries\n\nLINE 2:   getvariable('x')\n          ^"
    );
    assert_eq!(
        bench.error("FROM glob('*')").to_string(),
        "the table function glob() may not be used in queries; these may: generate_series, json_each, json_tree, \
         parquet_scan, range, read_parquet, repeat, unnest\n\nLINE 1: FROM glob('*')\n             ^"
    );
    assert!(bench.error("SELECT substrng('a', 1)").to_string().contains("did you mean substring()?"));
    assert!(bench.error("PIVOT t ON a USING count(*)").to_string().contains("IN (…)"));
}

#[test]
fn what_is_no_sql_is_a_syntax_error_with_its_place() {
    let bench = bench();
    for sql in [
        "",
        "   ",
        "-- nothing",
        ";",
        "selekt 1",
        "SELECT * FROM",
        "SELECT 'abc",
        "SELECT (1",
        "SELECT $1, $x",
    ] {
        assert!(matches!(bench.error(sql), Error::Syntax(_)), "{sql}: {:?}", bench.error(sql));
    }
    assert!(matches!(bench.error("SELECT 1\0"), Error::Syntax(_)));
    let message = bench.error("SELECT 1 +\n FROM t").to_string();
    assert!(message.contains("LINE 2:  FROM t\n         ^"), "{message}");
}

#[test]
fn what_is_too_long_or_too_deep_is_refused_and_does_not_end_the_process() {
    let bench = Bench::with(|config| config.text_bytes = 1_000_000);
    let too_long = format!("SELECT '{}'", "x".repeat(1_000_000));
    assert!(matches!(bench.error(&too_long), Error::TooLarge(_)));
    let nested = |open: &str, inner: &str, close: &str, times: usize| {
        format!("SELECT {}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let deep = [
        nested("(", "1", ")", 100_000),
        nested("abs(", "1", ")", 20_000),
        nested("(SELECT ", "1", ")", 5_000),
        nested("[", "1", "]", 20_000),
        format!("SELECT {}1", "1 + ".repeat(100_000)),
        format!("SELECT {}1", "NOT ".repeat(50_000)),
        format!("SELECT 1 {}", "UNION ALL SELECT 1 ".repeat(20_000)),
        format!("SELECT {}", "CASE WHEN 1 THEN ".repeat(20_000)),
        format!("{}SELECT 1{}", "SELECT * FROM (".repeat(5_000), ")".repeat(5_000)),
    ];
    for sql in deep {
        let error = bench.query(&sql).expect_err(&sql[..60]);
        assert!(matches!(error, Error::TooLarge(_) | Error::Syntax(_)), "{} {error:?}", &sql[..60]);
    }
    let ctes = (1..2_000).map(|i| format!(", c{i} AS (FROM c{})", i - 1)).collect::<String>();
    let sql = format!("WITH c0 AS (SELECT 1){ctes} FROM c1999");
    assert!(matches!(bench.error(&sql), Error::TooLarge(_)));
}

#[test]
fn the_deepest_texts_that_pass_are_answered() {
    let bench = bench();
    assert_eq!(bench.rows(&format!("SELECT {}1", "1 + ".repeat(400))), ["401"]);
    let ctes = (1..450).map(|i| format!(", c{i} AS (FROM c{})", i - 1)).collect::<String>();
    assert_eq!(bench.rows(&format!("WITH c0 AS (SELECT 7){ctes} FROM c449")), ["7"]);
    assert_eq!(bench.rows(&format!("{}SELECT 5{}", "SELECT * FROM (".repeat(90), ")".repeat(90))), ["5"]);
}

#[test]
fn the_catalogs_failure_is_the_queries() {
    use polarway_query::{Catalog, CatalogError, ErrorKind, Listed, Reference, Relation};
    fn gone() -> CatalogError {
        CatalogError::Failed { kind: ErrorKind::StorageFailed, source: "the disk is gone".into() }
    }
    struct Failing;
    impl Catalog for Failing {
        fn sees_analytics(&self, _schema: &str, _table: &str) -> bool {
            true
        }

        fn resolve(&self, _: &[Reference]) -> Result<Vec<Relation>, CatalogError> {
            Err(gone())
        }

        fn list(&self) -> Result<Vec<Listed>, CatalogError> {
            Err(gone())
        }
    }
    struct Panicking;
    impl Catalog for Panicking {
        fn sees_analytics(&self, _schema: &str, _table: &str) -> bool {
            true
        }

        fn resolve(&self, _: &[Reference]) -> Result<Vec<Relation>, CatalogError> {
            panic!("a bug in the catalog")
        }

        fn list(&self) -> Result<Vec<Listed>, CatalogError> {
            panic!("a bug in the catalog")
        }
    }
    let bench = bench();
    assert!(matches!(
        bench.query_with(Arc::new(Failing), "FROM t"),
        Err(Error::Catalog(CatalogError::Failed { kind: ErrorKind::StorageFailed, .. }))
    ));
    assert!(matches!(bench.query_with(Arc::new(Failing), "SHOW TABLES"), Err(Error::Catalog(_))));
    for _ in 0..100 {
        // A slot that a bug kept would be missing in the end.
        assert!(matches!(bench.query_with(Arc::new(Panicking), "FROM t"), Err(Error::Internal(_))));
    }
    assert_eq!(bench.rows("FROM t"), ["1", "2"]);
}
