//! Several groupings of the same rows.

use crate::engines::{Engines, Outcome};
use crate::kinds::{all_are_refused, all_are_same};

/// Engines with a table `g` of 200 rows with NULLs in each of the columns, and a table `e` of none.
fn engines(mut engines: Engines) -> Engines {
    let rows = "SELECT nullif(i % 3, 2) AS a, nullif(i % 5, 4) AS b, CASE i % 7 WHEN 1 THEN NULL ELSE 'c' || i % 2 END AS c, \
                CASE i % 4 WHEN 0 THEN -0.0::DOUBLE WHEN 1 THEN 0 WHEN 2 THEN 1.5 END AS d, [i % 2] AS l, i, \
                CAST(i AS DECIMAL(38, 2)) AS m FROM range(200) AS r(i)";
    engines.add_query("g", rows);
    engines.add_query("e", &format!("SELECT * FROM ({rows}) WHERE false"));
    engines
}

const GROUPINGS: [&str; 10] = [
    "ROLLUP (a, b)",
    "CUBE (a, b, c)",
    "GROUPING SETS ((a, b), (b), (c))",
    "GROUPING SETS ((b, a), (a, b), (a), (a))",
    "GROUPING SETS ((), (a), ())",
    "GROUPING SETS ((a, b, c), (c, b))",
    "ROLLUP (d, a)",
    "CUBE (d, l)",
    "a, ROLLUP (b, c)",
    "GROUPING SETS ((a % 2), (a % 2, b + 1))",
];

/// Asks what each grouping gives of a table.
fn all_groupings_are_same(engines: &Engines, table: &str) {
    for grouping in GROUPINGS {
        let columns = ["a", "b", "c", "d", "l"];
        let grouped = columns
            .into_iter()
            .filter(|column| grouping.split(|c: char| !c.is_alphanumeric()).any(|word| word == *column));
        let computed = grouping.contains('%');
        let grouped: Vec<_> = if computed { vec!["a % 2", "b + 1"] } else { grouped.collect() };
        let (shown, grouping_of) = (grouped.join(", "), grouped.join(", "));
        let sql = format!(
            "SELECT {shown}, grouping({grouping_of}), count(*), sum(m), avg(i), count(DISTINCT i % 9) FILTER (i > 20), max(c), median(i) \
             FROM {table} GROUP BY {grouping}"
        );
        assert_eq!(engines.ask(&sql), Outcome::Same, "{sql}");
    }
}

#[test]
fn each_set_has_its_groups_and_nulls_where_it_has_no_column() {
    let engines = engines(Engines::new());
    all_groupings_are_same(&engines, "g");
    // A set without columns has a row all the same.
    all_groupings_are_same(&engines, "e");
}

#[test]
fn three_workers_group_by_several_sets_together() {
    all_groupings_are_same(&engines(Engines::of_three_workers()), "g");
}

#[test]
fn what_is_known_of_rows_is_not_known_of_their_groups() {
    let engines = engines(Engines::new());
    for sql in [
        "SELECT a, b, count(*) FROM g WHERE a = 1 GROUP BY CUBE (a, b) ORDER BY a NULLS FIRST, b, 3 LIMIT 7",
        "SELECT a, b, count(*) FROM g WHERE a = 1 GROUP BY CUBE (a, b) HAVING a = 1",
        "SELECT a, b, count(*) FROM g GROUP BY CUBE (a, b) HAVING a IS NOT NULL",
        "SELECT a, b, count(*) AS n FROM g GROUP BY CUBE (a, b) ORDER BY a NULLS FIRST, b NULLS FIRST, n",
        "SELECT a, b, n, rank() OVER (PARTITION BY a ORDER BY n, b) FROM (SELECT a, b, count(*) AS n FROM g WHERE b = 2 GROUP BY ROLLUP (b, a))",
        "SELECT a, count(*) FROM (SELECT a, b FROM g GROUP BY GROUPING SETS ((a, b), (a), (b))) GROUP BY a",
        "SELECT s.a, h.i FROM (SELECT a, b, count(*) AS n FROM g GROUP BY ROLLUP (b, a)) AS s JOIN g AS h ON s.a = h.a AND s.n = h.i",
        "SELECT a, sum(n) FROM (SELECT i % 2 AS a, i, count(*) AS n FROM (SELECT i, count(*) FROM g GROUP BY i) GROUP BY GROUPING SETS ((i % 2, i), (i % 2), (i))) GROUP BY a",
    ] {
        assert_eq!(engines.ask(sql), Outcome::Same, "{sql}");
    }
}

#[test]
fn sets_are_told_apart_also_where_two_results_are_made_of_one_aggregate() {
    let engines = engines(Engines::new());
    for sql in [
        "SELECT a, avg(CAST('1' AS BIGINT)), count(*) FROM g GROUP BY ROLLUP (a, b)",
        "SELECT grouping(a), count(*), avg(7) FROM g GROUP BY ROLLUP (a) HAVING count(*) > 1",
        "SELECT a, sum(i), avg(i), sum(i) FILTER (true), count(i) FROM g GROUP BY GROUPING SETS ((a), (b), (a, b))",
        "SELECT count(*), grouping(1.5::DOUBLE) FROM g GROUP BY ROLLUP (1.5::DOUBLE, CAST('1.5' AS DOUBLE), a)",
    ] {
        assert_eq!(engines.ask(sql), Outcome::Same, "{sql}");
    }
}

#[test]
fn rows_that_may_be_others_each_time_are_grouped_from_one_reading() {
    let some = "SELECT n, n % 2 AS o FROM t ORDER BY n % 2 LIMIT 3";
    all_are_same(&[&format!("SELECT n, o, count(*) FROM ({some}) GROUP BY GROUPING SETS ((n), (o))")]);
    all_are_refused(&[
        &format!("SELECT n, o, count(*) FROM ({some}) GROUP BY ROLLUP (n, o)"),
        &format!("SELECT n, o, count(*) FROM ({some}) GROUP BY GROUPING SETS ((n), (o), (n))"),
    ]);
}
