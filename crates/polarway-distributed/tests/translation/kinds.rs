//! Kinds of queries that were once answered in another way.

use crate::engines::{Engines, Outcome};

/// Asks queries over a table `t` of three rows and a table `e` of none, with a number `n` and a time `ts` at its limits.
fn all_are_same(queries: &[&str]) {
    for sql in queries {
        assert_eq!(engines().ask(sql), Outcome::Same, "{sql}");
    }
}

fn engines() -> Engines {
    let mut engines = Engines::new();
    let rows = "SELECT n, ts, TIME '12:00:00' + to_seconds(n) AS tm FROM (VALUES (1, TIMESTAMP 'infinity'), \
                (2, TIMESTAMP '290309-12-22 (BC) 00:00:00'), (3, TIMESTAMP '294246-12-31 23:59:59')) AS v(n, ts)";
    engines.add_query("t", rows);
    engines.add_query("e", &format!("SELECT * FROM ({rows}) WHERE false"));
    engines
}

#[test]
fn a_grouping_by_constants_has_no_row_where_there_are_none() {
    all_are_same(&[
        "SELECT count(*) FROM e GROUP BY CAST(1 AS DOUBLE)",
        "SELECT count(*), 'a' FROM e GROUP BY 2",
        "SELECT count(*) FROM t GROUP BY CAST('a' AS VARCHAR)",
        "SELECT max(n) FROM t WHERE n > 5 GROUP BY 1 + 1, 'a'",
        "SELECT count(*), 'a' FROM e GROUP BY GROUPING SETS ((2), ())",
    ]);
}

#[test]
fn a_window_may_be_ordered_or_parted_by_constants() {
    all_are_same(&[
        "SELECT n, cume_dist() OVER (ORDER BY true NULLS FIRST), lag(n) OVER (ORDER BY n DESC) FROM t",
        "SELECT n, rank() OVER (PARTITION BY 1 ORDER BY 'a'), sum(n) OVER (ORDER BY 'a') FROM t",
        "SELECT n, sum(n) OVER (PARTITION BY 'a' ORDER BY 1, n) FROM t",
        "SELECT n FROM t ORDER BY n > NULL, n",
    ]);
    let refused = engines().ask("SELECT row_number() OVER (ORDER BY 'a') FROM t");
    assert!(matches!(refused, Outcome::Refused(_)), "{refused:?}");
}

#[test]
fn a_window_that_ends_before_it_starts_is_refused() {
    for frame in ["2 FOLLOWING AND 1 FOLLOWING", "1 PRECEDING AND 2 PRECEDING"] {
        let sql = format!("SELECT sum(n) OVER (ORDER BY n ROWS BETWEEN {frame}) FROM t");
        let refused = engines().ask(&sql);
        assert!(matches!(refused, Outcome::Refused(_)), "{sql}: {refused:?}");
    }
}

#[test]
fn times_at_their_limits_get_a_zone_and_lose_it() {
    all_are_same(&[
        "SELECT CAST(ts AS TIMESTAMPTZ) FROM t",
        "SELECT TRY_CAST(ts AS TIMESTAMPTZ) FROM t",
        "SELECT CAST(CAST(ts AS TIMESTAMPTZ) AS TIMESTAMP) FROM t",
        "SELECT CAST(CAST(ts AS DATE) AS TIMESTAMPTZ) FROM t WHERE n <> 2",
        "SELECT CAST(ts - INTERVAL '1 microsecond' AS TIMESTAMPTZ) FROM t WHERE n = 3",
        "SELECT year(z), decade(z), month(z), dayofyear(z), week(z), microsecond(z) FROM (SELECT CAST(ts AS TIMESTAMPTZ) AS z FROM t)",
        "SELECT CAST(CAST(DATE 'infinity' AS TIMESTAMP) AS TIMESTAMPTZ) FROM t",
    ]);
}

#[test]
fn a_window_may_be_ordered_by_any_type() {
    all_are_same(&[
        "SELECT n, lag(n) OVER (ORDER BY tm, n), sum(n) OVER (ORDER BY tm) FROM t",
        "SELECT n, lag(n) OVER (ORDER BY n = 2, n), sum(n) OVER (ORDER BY n = 2) FROM t",
    ]);
}

#[test]
fn rows_of_several_grouping_sets_are_ordered_by_what_is_constant_in_each() {
    all_are_same(&[
        "SELECT 7 AS a, count(*) FROM t GROUP BY ROLLUP (1) ORDER BY a DESC NULLS LAST LIMIT 1",
        "SELECT 7 AS a, count(*) FROM t GROUP BY ROLLUP (1) ORDER BY a NULLS FIRST",
        "SELECT * FROM (SELECT CAST(-2 AS INTEGER), count(*) FROM t GROUP BY ROLLUP (CAST(-2 AS INTEGER))) AS q ORDER BY ALL DESC NULLS LAST LIMIT 1",
        "SELECT n > 0 AS a, n FROM t WHERE n = 1 UNION ALL SELECT n > 5, n FROM t WHERE n = 1 ORDER BY ALL DESC LIMIT 1",
        "SELECT * FROM (SELECT n, 4 AS m FROM t WHERE n = 1 UNION ALL SELECT n, 4 FROM t WHERE n = 2) ORDER BY n DESC, m LIMIT 1",
        "SELECT * FROM (SELECT 1 AS a UNION ALL SELECT 3 UNION ALL SELECT 2) ORDER BY a DESC",
        "SELECT * FROM (SELECT 1 AS a, n FROM t UNION ALL SELECT 3, n FROM t) ORDER BY a DESC, n LIMIT 4",
    ]);
}

#[test]
fn a_cast_that_fails_fails_too_where_its_result_is_compared() {
    all_are_same(&[
        "SELECT TRY_CAST(n * 100 AS UTINYINT) <= 200 FROM t",
        "SELECT n FROM t WHERE TRY_CAST(n * 100 AS UTINYINT) <= 200 OR n = 3",
        "SELECT CAST(n * 100 AS UTINYINT) <= 200 FROM t",
        "SELECT CAST(n * 1e9 AS INTEGER) < 5 FROM t",
        "SELECT TRY_CAST(CAST(n * 50 AS DECIMAL(9, 1)) AS DECIMAL(3, 1)) > 1 FROM t",
        "SELECT n FROM t WHERE TRY_CAST(n * 100 AS UTINYINT) IN (100, 44)",
    ]);
}

#[test]
fn a_subquery_may_be_compared_with_a_constant() {
    let engines = engines();
    for (sql, is_same) in [
        ("SELECT n FROM t WHERE n > (SELECT min(n) FROM t)", true),
        ("SELECT n FROM t WHERE TIMESTAMP '1970-01-01' = (SELECT max(ts) FROM t)", false),
        ("SELECT CAST(NULL AS INTEGER) NOT IN (SELECT n FROM e) FROM t", false),
        ("SELECT 1 IN (SELECT n FROM t) FROM t", false),
    ] {
        let outcome = engines.ask(sql);
        let is_refused = !is_same && matches!(outcome, Outcome::Refused(_));
        assert!(is_refused || outcome == Outcome::Same, "{sql}: {outcome:?}");
    }
}

#[test]
fn a_sum_of_38_digits_is_exact() {
    all_are_same(&[
        "SELECT sum(CAST('9999999999999999999999999999.9999999999' AS DECIMAL(38, 10))) FROM t WHERE n = 1",
        "SELECT sum(CAST('-99999999999999999999999999999999999999' AS DECIMAL(38, 0))) FROM t WHERE n = 2",
    ]);
}
