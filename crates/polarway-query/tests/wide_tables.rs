//! A table of many columns is planned with those that a text can mean, and answers as with all of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use polarway_query::Error;
use support::{Bench, batch, rows_of};

/// More than those up to which a table is planned as a whole.
const FILLERS: usize = 300;

fn ints(values: [i32; 3]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn texts(values: [&str; 3]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// Wide tables: `t` and `u`, `empty`, which has no rows, and `twice`, in which names differ only in case.
fn bench() -> Bench {
    let structs = StructArray::new(
        Fields::from(vec![
            Field::new("x", DataType::Int32, true),
            Field::new("f7", DataType::Int32, true),
            Field::new("day", DataType::Date64, true),
        ]),
        vec![ints([1, 2, 3]), ints([70, 71, 72]), Arc::new(Date64Array::from(vec![0, 86_400_000, 0]))],
        None,
    );
    let lists = ListArray::from_iter_primitive::<arrow::datatypes::Int32Type, _, _>([
        Some(vec![Some(1), Some(2)]),
        None,
        Some(vec![]),
    ]);
    let fillers: Vec<(String, ArrayRef)> =
        (0..FILLERS as i32).map(|i| (format!("f{i}"), ints([i, i + 1, i + 2]))).collect();
    let named = |rest: Vec<(&'static str, ArrayRef)>| {
        let fillers = fillers.iter().map(|(name, values)| (name.as_str(), Arc::clone(values)));
        batch(rest.into_iter().chain(fillers).collect())
    };
    let first = |k: [i32; 3]| {
        named(vec![
            ("id", ints([1, 2, 3])),
            ("k", ints(k)),
            ("Name", texts(["a", "b", "a"])),
            ("s", Arc::new(structs.clone())),
            ("l", Arc::new(lists.clone())),
            ("seconds", Arc::new(DurationSecondArray::from(vec![Some(1), None, Some(3)]))),
            ("", ints([4, 5, 6])),
            ("\0", ints([7, 8, 9])),
            ("select", ints([1, 2, 3])),
            ("qu\"ote", ints([1, 2, 3])),
            ("it's", ints([1, 2, 3])),
            ("a.b", ints([1, 2, 3])),
            ("ÄÖ", ints([1, 2, 3])),
            ("current_date", texts(["not", "a", "date"])),
            ("sum", ints([5, 6, 7])),
            ("filename", texts(["x", "y", "z"])),
        ])
    };
    let bench = Bench::new();
    bench.store("t", &[first([1, 2, 3]), first([4, 5, 6])]);
    bench.store(
        "u",
        &[named(vec![("k", ints([1, 2, 9])), ("Name", texts(["a", "z", "b"])), ("lone", ints([1, 2, 3]))])],
    );
    bench.store_empty("empty", first([0, 0, 0]).schema());
    bench.store(
        "twice",
        &[named(vec![
            ("a", ints([1, 1, 1])),
            ("A", ints([2, 2, 2])),
            ("A_1", ints([3, 3, 3])),
            ("b", ints([4, 5, 6])),
        ])],
    );
    bench
}

/// The same query, in which a table that nothing reads can mean all columns.
fn of_all_columns(sql: &str) -> String {
    let unread =
        "every_column AS (FROM t), every_other AS (FROM u), no_row AS (FROM empty), of_twice AS (FROM twice)";
    match (sql.strip_prefix("WITH RECURSIVE "), sql.strip_prefix("WITH ")) {
        (Some(rest), _) => format!("WITH RECURSIVE {unread}, {rest}"),
        (None, Some(rest)) => format!("WITH {unread}, {rest}"),
        (None, None) => format!("WITH {unread} {sql}"),
    }
}

fn answer(bench: &Bench, sql: &str) -> String {
    match bench.query(sql) {
        Ok(result) => format!("{:?}\n{}", result.schema().fields(), rows_of(&result).join("\n")),
        Err(error) => {
            // Behind that stands where in the text it is, and the texts differ.
            let message = error.to_string();
            message.split("\n\nLINE ").next().unwrap_or_default().to_owned()
        }
    }
}

/// The queries that are not answered as with all columns, with both answers.
fn different(bench: &Bench, queries: &[&str]) -> String {
    let answers = queries.iter().map(|sql| (sql, answer(bench, sql), answer(bench, &of_all_columns(sql))));
    let different = answers.filter(|(_, narrow, whole)| narrow != whole);
    different.map(|(sql, narrow, whole)| format!("{sql}\n{narrow}\n{whole}\n\n")).collect()
}

#[test]
fn the_answer_is_that_of_all_columns() {
    let bench = bench();
    let queries = [
        "SELECT count(*) FROM t",
        "SELECT count(*) FROM empty",
        "SELECT id FROM t",
        "SELECT ID, T.Id, main.t.iD FROM t",
        "SELECT id FROM empty",
        "SELECT f299, f0 FROM t WHERE f150 > 151",
        "SELECT name, NAME AS again FROM t WHERE \"nAmE\" = 'a'",
        "SELECT 'f1' AS f2, f3 FROM t",
        "SELECT 'f1' FROM t WHERE 'f2' <> 'f3'",
        "SELECT \"select\", \"qu\"\"ote\", \"it's\", \"a.b\", t.\"ÄÖ\" FROM t",
        "SELECT column6, column7 FROM t",
        "SELECT column7 FROM t",
        "SELECT b FROM twice",
        "SELECT \"A_1\", a_1 + b FROM twice",
        "SELECT current_date FROM t",
        "SELECT current_date = today() FROM u",
        "SELECT sum, sum(sum), max(id) FROM t GROUP BY sum ORDER BY sum",
        "SELECT filename FROM t",
        "SELECT seconds, typeof(seconds) FROM t",
        "SELECT s FROM t",
        "SELECT s.x, t.s.f7, s.day, (s).x, s['f7'] FROM t",
        "SELECT s.* FROM t",
        "SELECT unnest(s) FROM t",
        "SELECT unnest(l), id FROM t",
        "SELECT t FROM t",
        "SELECT to_json(t)->'f7' FROM t",
        "SELECT x['f8'], x.id FROM t AS x",
        "SELECT struct_extract(t, 'f9') FROM t",
        "SELECT count(t), count(DISTINCT t) FROM t",
        "SELECT t.name.upper() FROM t",
        "SELECT name.upper().lower() FROM t",
        "SELECT a.id FROM t AS a(id, other)",
        "SELECT other, f1 FROM t AS a(id, other)",
        "SELECT a.id, b.lone FROM t a JOIN u b ON a.k = b.k",
        "SELECT id, lone, k FROM t JOIN u USING (k)",
        "SELECT id, lone, t.f1, u.f1 FROM t JOIN u USING (k, name)",
        "SELECT id, lone FROM t NATURAL JOIN u",
        "SELECT id, l FROM t SEMI JOIN u USING (k)",
        "SELECT id FROM t ANTI JOIN u USING (k) ORDER BY ALL",
        "SELECT t.id, u.lone FROM t POSITIONAL JOIN u",
        "SELECT t.id, u.lone FROM t ASOF JOIN u ON t.name = u.name AND t.id >= u.lone ORDER BY ALL",
        "SELECT id, lone FROM t LEFT JOIN u ON t.k = u.lone + 1 ORDER BY t.k",
        "SELECT id, l.n FROM t, LATERAL (SELECT count(*) AS n FROM u WHERE u.f1 > t.f1) l",
        "SELECT id, (SELECT max(lone) FROM u WHERE u.name = t.name) FROM t",
        "SELECT id, (SELECT max(f1) FROM u WHERE f2 = f3 - 1) FROM t",
        "SELECT name FROM t WHERE EXISTS (FROM u WHERE u.k = t.k)",
        "SELECT id FROM t WHERE f1 IN (SELECT f1 FROM u) AND k IN (SELECT k FROM u)",
        "SELECT name, count(*) FROM t GROUP BY ALL ORDER BY ALL",
        "SELECT name, max(f5) FROM t GROUP BY 1 ORDER BY 2 DESC, 1",
        "SELECT id, f1 FROM t ORDER BY f2 DESC, k LIMIT 3",
        "SELECT DISTINCT ON (name) id FROM t ORDER BY name, f1, k",
        "SELECT id AS f1, f1 + 1 AS f2, f2 FROM t WHERE f1 > 1",
        "SELECT #1, #2 FROM t",
        "SELECT id, #3 FROM t",
        "SELECT COLUMNS('f1.') FROM t LIMIT 1",
        "SELECT max(COLUMNS(c -> c LIKE '%9')) FROM t",
        "SELECT * FROM u",
        "SELECT * EXCLUDE (f1, f2) FROM u",
        "SELECT * REPLACE (f1 + 1 AS f1) FROM u",
        "SELECT * RENAME (f1 AS g1) FROM u",
        "FROM u",
        "FROM u SELECT f1, lone",
        "TABLE u",
        "SELECT count(*) FROM (FROM u)",
        "SELECT f1 FROM (SELECT * FROM u) ORDER BY ALL",
        "FROM (DESCRIBE t)",
        "FROM (DESCRIBE SELECT id, f1 FROM t)",
        "SELECT column_name, count FROM (SUMMARIZE u) WHERE column_name IN ('k', 'f1')",
        "SELECT f1, k FROM t UNION BY NAME SELECT lone, f1 FROM u ORDER BY ALL",
        "SELECT f1 FROM t UNION SELECT lone FROM u ORDER BY 1",
        "SELECT f1 FROM t INTERSECT SELECT f1 FROM u ORDER BY f1",
        "FROM (PIVOT (SELECT name, id, f1 FROM t) ON name IN ('a', 'b') USING sum(f1)) ORDER BY ALL",
        "SELECT count(*) FROM (PIVOT t ON name IN ('a', 'b') USING sum(f1))",
        "SELECT name, value FROM (UNPIVOT u ON f1, f2, f3) ORDER BY ALL",
        "SELECT list_transform(l, lambda e: e + f1) FROM t",
        "SELECT list_transform(l, lambda f1: f1 + f2) FROM t",
        "SELECT [e + f1 FOR e IN l IF e > 1] FROM t",
        "SELECT id, sum(f1) OVER w FROM t WINDOW w AS (PARTITION BY name ORDER BY k, f2) ORDER BY ALL",
        "SELECT id FROM t QUALIFY row_number() OVER (PARTITION BY name ORDER BY k DESC) = 1 ORDER BY id",
        "SELECT string_agg(name, ',' ORDER BY k DESC) FILTER (WHERE f1 > 1) FROM t",
        "SELECT CASE WHEN f1 > 1 THEN f2 ELSE f3 END, coalesce(seconds, INTERVAL 1 SECOND) FROM t",
        "WITH t AS (SELECT f1 AS f2 FROM u) SELECT f2 FROM t",
        "WITH c AS (SELECT id, f1 FROM t) SELECT c FROM c",
        "WITH c(x, y) AS (SELECT id, f1 FROM t) SELECT x, y FROM c",
        "WITH RECURSIVE r AS (SELECT id, f1 FROM t WHERE id = 1 UNION ALL SELECT t.id, t.f1 FROM t JOIN r ON t.id = r.id + 1) \
         SELECT id, f1 FROM r ORDER BY 1, 2",
        "SELECT j.id FROM (t JOIN u ON t.k = u.k) AS j",
        "SELECT v.f1, t.f1 FROM t, (VALUES (1), (2)) v(f1) WHERE v.f1 = t.f1",
        "SELECT grouping(name), name, max(f1) FROM t GROUP BY ROLLUP (name) ORDER BY 1, 2",
        "SELECT id FROM t USING SAMPLE reservoir(2 ROWS) REPEATABLE (7)",
        "SELECT id FROM parquet_scan('/cold/other.parquet') WHERE f3 = 3",
        "SELECT other.f2 FROM '/cold/other.parquet'",
        "SELECT t1.f1, t2.f2 FROM t t1 AT (VERSION => 1), t t2 AT (VERSION => 1) WHERE t1.k = t2.k ORDER BY t1.k",
    ];
    let files = bench.files("t");
    std::fs::copy(&files[0], bench.cold().join("other.parquet")).unwrap();
    for sql in queries {
        bench.query(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    assert_eq!(different(&bench, &queries), "");
}

#[test]
fn what_is_wrong_and_what_is_near_it_is_told_as_of_all_columns() {
    let bench = bench();
    let queries = [
        "SELECT a FROM twice",
        "SELECT \"A\", b FROM twice",
        "SELECT twice.A FROM twice",
        "SELECT \"A_2\" FROM twice",
        "SELECT \"A_3\" FROM twice",
        "SELECT \"A_1_1\" FROM twice",
        "SELECT twice FROM twice",
        "SELECT filename FROM u",
        "SELECT rowid FROM t",
        "SELECT file_row_number FROM t",
        "SELECT t.to_json()->'f7' FROM t",
        "SELECT id, f1 FROM t JOIN u USING (k)",
        "SELECT \"äö\" FROM t",
        "SELECT f1000 FROM t",
        "SELECT nme FROM t",
        "SELECT t.secnds FROM t",
        "SELECT s.y FROM t",
        "SELECT f1 FROM t, u",
        "SELECT id FROM t JOIN u USING (id)",
        "SELECT no_such.f1 FROM t",
        "SELECT id + name FROM t",
        "SELECT upper(s) FROM t",
    ];
    for sql in queries {
        bench.error(sql);
    }
    assert_eq!(different(&bench, &queries), "");
}

#[test]
fn values_and_refusals_are_those_of_the_named_columns() {
    let bench = bench();
    assert_eq!(bench.rows("SELECT column6, column7, f299 FROM t WHERE k = 5"), ["5|8|300"]);
    assert_eq!(bench.rows("SELECT column7 FROM t WHERE k = 5"), ["8"]);
    assert_eq!(bench.rows("SELECT seconds FROM t WHERE k = 1"), ["00:00:01"]);
    assert_eq!(bench.rows("SELECT \"A_1\" + b FROM twice"), ["7", "8", "9"]);
    let error = bench.error("SELECT \"A\" FROM twice");
    assert!(matches!(&error, Error::Unsupported(message) if message.contains("only in case")), "{error:?}");
    let error = bench.error("SELECT f3000 FROM t");
    assert!(matches!(&error, Error::Binder(message) if message.contains("\"f30\"")), "{error:?}");
}

#[test]
fn one_of_tens_of_thousands_of_columns_is_read_without_planning_the_others() {
    // DuckDB plans a view of so many with the square of their number: some twenty seconds for 60,000.
    let columns = if polarway_testing::is_long() { 60_000 } else { 3_000 };
    let fields: Vec<Field> =
        (0..columns).map(|i| Field::new(format!("c{i}"), DataType::Int64, true)).collect();
    let values = (0..columns).map(|i| Arc::new(Int64Array::from(vec![i, i + 1])) as ArrayRef);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), values.collect()).unwrap();
    let bench = Bench::new();
    bench.store("t", &[batch]);
    let last = columns - 1;
    assert_eq!(bench.rows(&format!("SELECT c{last} FROM t")), [last.to_string(), columns.to_string()]);
    assert_eq!(bench.rows("SELECT count(*) FROM t"), ["2"]);
    assert_eq!(bench.rows(&format!("SELECT c7 FROM t WHERE c{last} = {columns}")), ["8"]);
    let error = bench.error(&format!("SELECT d{last} FROM t"));
    assert!(
        matches!(&error, Error::Binder(message) if message.contains(&format!("\"c{last}\""))),
        "{error:?}"
    );
}
