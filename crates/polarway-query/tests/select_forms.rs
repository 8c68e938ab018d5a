//! SELECT in DuckDB's forms answers as plain DuckDB does over the same files: names, types, order and values.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::sync::Arc;

use arrow::array::*;
use arrow::compute::concat_batches;
use polarway_table::{batch_without_duckdb_types, without_duckdb_types};
use support::{Bench, batch, rows_of};

fn bench() -> Bench {
    let bench = Bench::new();
    let rows = 5_000;
    let flights = |start: i32| {
        batch(vec![
            ("id", Arc::new(Int32Array::from_iter_values(start..start + rows)) as ArrayRef),
            ("carrier", Arc::new(StringArray::from_iter_values((0..rows).map(|i| format!("C{}", i % 7))))),
            (
                "delay",
                Arc::new(Float64Array::from_iter(
                    (0..rows).map(|i| (i % 11 != 0).then_some(f64::from(i % 90) - 30.0)),
                )),
            ),
            ("day", Arc::new(Date32Array::from_iter_values((0..rows).map(|i| 20_000 + i / 100)))),
            (
                "seen",
                Arc::new(TimestampMicrosecondArray::from_iter_values(
                    (0..rows).map(|i| i64::from(i) * 3_600_000_000),
                )),
            ),
            ("Odd \"Name", Arc::new(Int64Array::from_iter_values((0..rows).map(i64::from)))),
        ])
    };
    // Two files: their order is the rows' order.
    bench.store("flights", &[flights(0), flights(rows)]);
    bench.store(
        "carriers",
        &[batch(vec![
            ("carrier", Arc::new(StringArray::from_iter_values((0..6).map(|i| format!("C{i}")))) as ArrayRef),
            (
                "name",
                Arc::new(StringArray::from_iter_values((0..6).map(|i| format!("Carrier {i}")))) as ArrayRef,
            ),
        ])],
    );
    bench.store("UPPER case.v1", &[batch(vec![("x", Arc::new(Int32Array::from(vec![1])))])]);
    bench
}

/// The same text in a plain DuckDB whose views are the files.
fn plain(bench: &Bench, names: &[&str]) -> duckdb::Connection {
    let connection = duckdb::Connection::open_in_memory().unwrap();
    connection.execute_batch("SET TimeZone = 'UTC'").unwrap();
    for name in names {
        let files: Vec<_> = bench.files(name).iter().map(|file| format!("'{}'", file.display())).collect();
        let sql = format!("CREATE VIEW \"{name}\" AS SELECT * FROM read_parquet([{}])", files.join(", "));
        connection.execute_batch(&sql).unwrap();
    }
    connection
}

/// What differs, if anything does.
fn difference(bench: &Bench, connection: &duckdb::Connection, sql: &str) -> Result<(), String> {
    let ours = bench.query(sql).map_err(|error| format!("{sql}\nours: {error}"))?;
    // DuckDB's own fields don't tell what they were.
    let stored = without_duckdb_types(&ours.schema()).unwrap_or_else(|| ours.schema());
    let ours = batch_without_duckdb_types(&ours, &stored).unwrap();
    let mut statement = connection.prepare(sql).map_err(|error| format!("{sql}\nplain: {error}"))?;
    let result = statement.query_arrow([]).map_err(|error| format!("{sql}\nplain: {error}"))?;
    let schema = result.get_schema();
    let batches: Vec<_> = result.collect();
    let plain = concat_batches(&schema, &batches).unwrap();
    let (fields, plain_fields) = (ours.schema().fields().clone(), plain.schema().fields().clone());
    let (rows, plain_rows) = (rows_of(&ours), rows_of(&plain));
    if fields == plain_fields && rows == plain_rows {
        return Ok(());
    }
    let first = rows.iter().zip(&plain_rows).find(|(ours, plain)| ours != plain);
    Err(format!(
        "{sql}\n{fields:?}\n{plain_fields:?}\n{} and {} rows, first {first:?}",
        rows.len(),
        plain_rows.len()
    ))
}

#[test]
fn every_form_of_select_answers_as_plain_duckdb_does() {
    let bench = bench();
    let connection = plain(&bench, &["flights", "carriers", "UPPER case.v1"]);
    let forms = [
        "SELECT 42",
        "SELECT 42;",
        "-- a comment\nSELECT /* another */ 42 -- the end",
        "VALUES (1, 'a'), (2, NULL)",
        "FROM carriers",
        "FROM carriers SELECT name ORDER BY ALL",
        "TABLE carriers",
        "SELECT * FROM flights",
        "SELECT id, delay FROM flights WHERE delay > 10 AND carrier = 'C3' ORDER BY delay DESC, id LIMIT 20 OFFSET 3",
        "SELECT flights.id FROM flights WHERE flights.id < 5",
        "SELECT FLIGHTS.ID FROM Flights WHERE id < 5",
        "SELECT f.* EXCLUDE (day, seen) REPLACE (upper(carrier) AS carrier) FROM flights f WHERE id < 10",
        "SELECT * RENAME (id AS number) FROM flights LIMIT 3",
        "SELECT COLUMNS('d.*') FROM flights LIMIT 3",
        "SELECT min(COLUMNS(c -> c LIKE 'd%')) FROM flights",
        "SELECT \"Odd \"\"Name\", f.\"Odd \"\"Name\" + 1 AS \"sum of it\" FROM flights AS f LIMIT 2",
        "SELECT x FROM \"UPPER case.v1\"",
        "SELECT \"UPPER case.v1\".x FROM \"UPPER case.v1\"",
        "SELECT carrier, count(*), avg(delay), sum(id), sum(\"Odd \"\"Name\") FROM flights GROUP BY carrier ORDER BY 1",
        "SELECT carrier, count(*) FILTER (WHERE delay > 0) FROM flights GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL",
        "SELECT carrier, day, count(*) FROM flights GROUP BY GROUPING SETS ((carrier), (day), ()) ORDER BY ALL",
        "SELECT carrier, grouping(carrier), count(*) FROM flights GROUP BY ROLLUP (carrier) ORDER BY ALL",
        "SELECT DISTINCT ON (carrier) carrier, id FROM flights ORDER BY carrier, id",
        "SELECT string_agg(DISTINCT carrier, ',' ORDER BY carrier) FROM flights",
        "SELECT id, row_number() OVER w, sum(delay) OVER w, lag(id, 2) OVER w, first_value(id IGNORE NULLS) OVER w FROM \
         flights WINDOW w AS (PARTITION BY carrier ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) ORDER BY id LIMIT 50",
        "SELECT id FROM flights QUALIFY row_number() OVER (PARTITION BY carrier ORDER BY id DESC) = 1 ORDER BY id",
        "SELECT f.id, c.name FROM flights f JOIN carriers c USING (carrier) ORDER BY f.id LIMIT 9",
        "SELECT f.id, c.name FROM flights f LEFT JOIN carriers c ON f.carrier = c.carrier ORDER BY f.id LIMIT 9",
        "SELECT count(*) FROM flights SEMI JOIN carriers USING (carrier)",
        "SELECT count(*) FROM flights ANTI JOIN carriers USING (carrier)",
        "SELECT count(*) FROM flights NATURAL JOIN carriers",
        "SELECT count(*) FROM carriers a, carriers b",
        "SELECT a.id, b.id FROM flights a ASOF JOIN flights b ON a.carrier = b.carrier AND a.id > b.id ORDER BY ALL LIMIT 5",
        "SELECT * FROM carriers POSITIONAL JOIN (VALUES (1), (2)) v(n)",
        "SELECT c.name, l.n FROM carriers c, LATERAL (SELECT count(*) AS n FROM flights f WHERE f.carrier = c.carrier) l \
         ORDER BY ALL",
        "SELECT name, (SELECT max(id) FROM flights f WHERE f.carrier = c.carrier) FROM carriers c ORDER BY ALL",
        "SELECT name FROM carriers c WHERE EXISTS (FROM flights f WHERE f.carrier = c.carrier AND f.id = 3)",
        "SELECT name FROM carriers WHERE carrier IN (SELECT carrier FROM flights WHERE id < 3) ORDER BY 1",
        "SELECT id FROM flights WHERE delay > ALL (SELECT delay FROM flights WHERE id BETWEEN 1 AND 4) ORDER BY id LIMIT 3",
        "WITH late AS (FROM flights WHERE delay > 50) SELECT count(*) FROM late",
        "WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a) SELECT * FROM a, b",
        "WITH a AS MATERIALIZED (SELECT id FROM flights LIMIT 3) SELECT * FROM a x JOIN a y USING (id) ORDER BY ALL",
        "WITH carriers AS (SELECT 'hidden' AS name) FROM carriers",
        "WITH flights AS (SELECT id FROM flights WHERE id < 3) SELECT * FROM flights",
        "SELECT * FROM (WITH carriers AS (SELECT 1 AS one) FROM carriers) a, carriers b ORDER BY ALL",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 10) SELECT sum(n) FROM r",
        "WITH RECURSIVE r AS (SELECT id, 0 AS depth FROM flights WHERE id = 0 UNION ALL SELECT f.id, depth + 1 FROM \
         flights f JOIN r ON f.id = r.id + 1 WHERE depth < 4) FROM r ORDER BY ALL",
        "WITH RECURSIVE r(a, b) USING KEY (a) AS (SELECT 1, 1 UNION SELECT r.a, r.b + 1 FROM r WHERE r.b < 3) FROM r",
        "SELECT carrier FROM carriers UNION SELECT 'C9' ORDER BY 1",
        "SELECT 1 AS a, 2 AS b UNION ALL BY NAME SELECT 3 AS b, 4 AS c",
        "(SELECT 1) EXCEPT (SELECT 2) INTERSECT ALL (SELECT 1)",
        "SELECT {'a': 1, 'b': [1, 2]}.b[2], [1, 2, 3][2:], MAP {'k': 'v'}['k'], (1, 'x'), struct_pack(a := 1)",
        "SELECT [i * 2 FOR i IN [1, 2, 3] IF i > 1], list_transform([1, 2], lambda x, i: x + i), list_reduce([1, 2], \
         lambda a, b: a + b)",
        "SELECT list_sort(list(id)), list_aggregate(list(id), 'sum') FROM (FROM flights LIMIT 5)",
        "SELECT unnest([1, 2]), unnest({'a': 1, 'b': 2})",
        "SELECT * FROM range(3), generate_series(1, 2) g(x), unnest(['a', 'b']) u(y) ORDER BY ALL",
        "SELECT * FROM range(3) WITH ORDINALITY",
        "SELECT * FROM repeat('x', 3)",
        "SELECT key, value FROM json_each('{\"a\": [1, 2]}')",
        "SELECT j->'a', j->>'$.a[0]', json_extract(j, 'a') FROM (SELECT '{\"a\": [1, 2]}'::JSON AS j)",
        "PIVOT carriers ON carrier IN ('C1', 'C2') USING count(*) GROUP BY name ORDER BY name",
        "FROM carriers PIVOT (count(*) FOR carrier IN ('C1', 'C2')) ORDER BY ALL",
        "UNPIVOT carriers ON carrier, name INTO NAME what VALUE text ORDER BY ALL",
        "SELECT * FROM flights USING SAMPLE reservoir(5 ROWS) REPEATABLE (42)",
        // Literals keep their meaning: a DOUBLE is not a DECIMAL.
        "SELECT 0.1e0 + 0.2e0 = 0.3e0, 0.1 + 0.2 = 0.3, 1e10 * 1e10 * 1e10 * 1e10, 1e400, -1e400, 'nan'::DOUBLE",
        "SELECT 99999999999999999999999999999999999999, 170141183460469231731687303715884105727::VARCHAR, 0xFF, 1_000, 'it''s', E'a\\nb', $$dollar$$, X'ff'::BLOB",
        "SELECT DATE '2024-02-29', TIMESTAMP '2024-01-01 10:00:00', (INTERVAL 3 DAYS)::VARCHAR, TIMESTAMPTZ '2024-01-01 00:00:00+02'",
        "SELECT CAST('1.5' AS DECIMAL(4, 2)), TRY_CAST('x' AS INT), '1'::INT, 1::VARCHAR, 'a'::ENUM ('a', 'b')",
        "SELECT CASE WHEN 1 = 2 THEN 'a' ELSE 'b' END, coalesce(NULL, 1), nullif(1, 1), 1 IS DISTINCT FROM NULL, NOT true",
        "SELECT 'abc' LIKE 'a%', 'abc' ILIKE 'A_C', 'abc' SIMILAR TO 'a.*', 'abc' GLOB 'a*', 'abc' ~ 'abc', 'a' || 'b'",
        "SELECT extract(year FROM day), date_trunc('month', day), day + 1, day + INTERVAL 1 MONTH, strftime(seen, '%Y') FROM \
         flights LIMIT 4",
        "SELECT seen AT TIME ZONE 'Europe/Berlin', date_part('hour', seen), age(seen, seen)::VARCHAR FROM flights LIMIT 3",
        "SELECT sum(id)::HUGEINT, count(DISTINCT carrier), median(delay), quantile_cont(delay, [0.25, 0.5]) FROM flights",
        "SELECT approx_count_distinct(carrier) > 0, histogram(carrier), arg_max(id, id), mode(carrier) FROM flights",
        "SELECT regexp_extract('a1b2', '\\d', 0), regexp_replace('aa', 'a', 'b', 'g'), string_split('a,b', ','), ('x').upper()",
        "SELECT name.lower().substring(1, 3) AS short FROM carriers ORDER BY ALL",
        "SELECT carrier AS c, count(*) AS n FROM flights GROUP BY c ORDER BY n DESC, c LIMIT 10%",
        "SELECT 'é' AS \"ü\", '日本'[1], length('🦆')",
        "SELECT TRY(1 / 0), 7 // 2, 7 % 4, 2 ** 3, 5!, -5, ~1, 1 << 3, 5 & 3, 'a' < 'b' COLLATE NOCASE",
        "SELECT current_date = today(), typeof(now()), current_timestamp > TIMESTAMPTZ '2020-01-01'",
        "SELECT #1, x: 5 FROM (SELECT 1)",
        "SELECT f FROM (FROM flights SELECT id, day LIMIT 2) f",
    ];
    let different: Vec<_> =
        forms.iter().filter_map(|sql| difference(&bench, &connection, sql).err()).collect();
    assert!(different.is_empty(), "{}", different.join("\n\n"));
}

#[test]
fn a_text_that_ran_before_gives_the_same_again() {
    let bench = bench();
    let sql = "SELECT carrier, count(*) FROM flights JOIN carriers USING (carrier) GROUP BY ALL ORDER BY ALL";
    let first = bench.rows(sql);
    assert_eq!(first.len(), 6);
    for _ in 0..3 {
        assert_eq!(bench.rows(sql), first);
    }
}
