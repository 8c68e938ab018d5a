//! Sums and averages of exact numbers, of groups and of frames.

use crate::engines::{Engines, Outcome};
use crate::kinds::{all_are_refused, all_are_same, all_fail, engines};

const NINES: &str = "99999999999999999999999999999999999999";

/// Asks over a table `v` of 9 000 rows, in groups `g` of 3, with a number from 1 to 1000 of each type that is averaged.
fn all_are_same_over_values(queries: &[String]) {
    let mut engines = Engines::new();
    engines.add_query(
        "v",
        "SELECT i, i % 3000 AS g, CAST(d AS SMALLINT) AS short, CAST(d AS INTEGER) AS int, CAST(d AS BIGINT) AS long, \
         CAST(d AS DECIMAL(4, 1)) AS d4, CAST(d AS DECIMAL(9, 3)) AS d9, CAST(d AS DECIMAL(18, 9)) AS d18, \
         CAST(d / 7 + 1 AS DECIMAL(38, 10)) AS d38, CAST(d / 7 + 1 AS DECIMAL(38, 30)) AS fine \
         FROM (SELECT i, CAST(1 + i * 7919 % 998 + (i * 104729 % 1000) / 1000 AS DECIMAL(18, 9)) AS d FROM range(9000) AS r(i))",
    );
    for sql in queries {
        assert_eq!(engines.ask(sql), Outcome::Same, "{sql}");
    }
}

const AVERAGED: [&str; 9] =
    ["short", "int", "long", "CAST(long AS HUGEINT)", "d4", "d9", "d18", "d38", "fine"];

/// All bits of a DOUBLE between 1 and 1000, or their negatives, as a BIGINT.
fn bits(value: &str) -> String {
    format!("CAST({value} * CAST(4503599627370496 AS DOUBLE) AS BIGINT)")
}

#[test]
fn an_average_has_the_last_bit_of_duckdbs() {
    let queries = AVERAGED.map(|value| {
        let averages = [format!("avg({value})"), format!("avg(-{value})"), format!("avg(DISTINCT {value})")];
        format!("SELECT g, {} FROM v GROUP BY g", averages.map(|average| bits(&average)).join(", "))
    });
    all_are_same_over_values(&queries);
    let of_many = AVERAGED
        .map(|value| format!("SELECT {} FROM v WHERE i > 7 GROUP BY i % 7", bits(&format!("avg({value})"))));
    all_are_same_over_values(&of_many);
}

#[test]
fn an_average_of_a_frame_has_the_last_bit_of_duckdbs() {
    let queries = AVERAGED.map(|value| {
        let frames = ["", "ORDER BY i ROWS BETWEEN 2 PRECEDING AND 3 FOLLOWING", "ORDER BY i"];
        let averages = frames.map(|frame| bits(&format!("avg({value}) OVER (PARTITION BY g % 50 {frame})")));
        format!("SELECT i, {} FROM v WHERE g < 700", averages.join(", "))
    });
    all_are_same_over_values(&queries);
}

#[test]
fn sums_of_frames_are_exact() {
    let sums = ["short", "d4", "d9", "d18", "d38", "fine"].map(|value| {
        let frames = ["", "ORDER BY i DESC", "ORDER BY i ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING"];
        let sums = frames.map(|frame| format!("sum({value} * -7) OVER (PARTITION BY g {frame})"));
        format!("SELECT i, {} FROM v WHERE g < 100", sums.join(", "))
    });
    all_are_same_over_values(&sums);
    all_are_same(&[
        "SELECT n, sum(n = 2) OVER (ORDER BY n), sum(CAST(n AS HUGEINT)) OVER (ORDER BY n) FROM t",
        "SELECT n, sum(CAST(-n AS DECIMAL(38, 2))) OVER (ORDER BY n ROWS 1 PRECEDING) FROM t",
    ]);
}

#[test]
fn groups_and_frames_without_values_have_no_sum_and_no_average() {
    let nothing = "CAST(NULL AS DECIMAL(38, 2))";
    all_are_same(&[
        &format!("SELECT avg({nothing}), sum({nothing}), avg(CAST(NULL AS HUGEINT)) FROM t"),
        "SELECT avg(CAST(n AS DECIMAL(38, 2))), avg(CAST(n AS SMALLINT)), avg(CAST(n AS DECIMAL(3, 1))) FROM e",
        "SELECT n, avg(CAST(nullif(n, 2) AS DECIMAL(38, 2))) OVER (ORDER BY n ROWS BETWEEN 1 FOLLOWING AND 1 FOLLOWING) FROM t",
        "SELECT n, sum(CAST(nullif(n, 3) AS DECIMAL(38, 2))) OVER (ORDER BY n ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING) FROM t",
        "SELECT n > 1, avg(CAST(nullif(n, 1) AS DECIMAL(38, 2))) FILTER (n < 3) FROM t GROUP BY ALL",
    ]);
}

#[test]
fn an_average_whose_sum_has_more_than_128_bits_fails() {
    let nines = format!("CAST('{NINES}' AS DECIMAL(38, 0))");
    all_are_same(&[
        &format!("SELECT avg({nines}), avg(-{nines}) FROM t WHERE n < 2"),
        &format!("SELECT avg(CASE n WHEN 1 THEN {nines} WHEN 2 THEN -{nines} ELSE 5 END) FROM t"),
    ]);
    all_fail(&[
        &format!("SELECT avg({nines}) FROM t"),
        &format!("SELECT avg(CAST({nines} AS HUGEINT)) FROM t"),
        &format!("SELECT avg({nines}) OVER () FROM t"),
        &format!("SELECT sum({nines}) OVER () FROM t"),
    ]);
}

#[test]
fn a_sum_fails_only_if_it_does_not_fit_itself() {
    let engines = engines();
    let nines = format!("CAST('{NINES}' AS DECIMAL(38, 0))");
    let values = format!("CASE n WHEN 3 THEN -{nines} ELSE {nines} END");
    for call in ["sum", "avg"] {
        let outcome = engines.ask(&format!("SELECT {call}({values}) FROM t"));
        assert!(matches!(outcome, Outcome::Same | Outcome::OverflowsOnTheWay), "{call}: {outcome:?}");
        let frame = "ORDER BY n ROWS BETWEEN CURRENT ROW AND CURRENT ROW";
        let outcome = engines.ask(&format!("SELECT n, {call}({nines}) OVER ({frame}) FROM t"));
        assert!(matches!(outcome, Outcome::Same | Outcome::OverflowsOnTheWay), "{call}: {outcome:?}");
    }
}

#[test]
fn hugeints_are_calculated_with_decimals_as_they_are() {
    let half = "CAST('0.5' AS DECIMAL(38, 1))";
    all_are_same(&[
        &format!("SELECT sum(n) * {half}, {half} * sum(-n), sum(n) * CAST(2 AS DECIMAL(38, 0)) FROM t"),
        "SELECT sum(n) + CAST(2 AS DECIMAL(38, 0)), CAST(2 AS DECIMAL(38, 0)) - sum(n) FROM t",
        "SELECT sum(n) + CAST('0.25' AS DECIMAL(4, 2)), sum(n) * CAST('-0.25' AS DECIMAL(4, 2)) FROM t",
        &format!("SELECT sum(nullif(n, n)) * {half}, sum(n) * CAST(NULL AS DECIMAL(38, 3)) FROM t"),
        &format!("SELECT CAST('{NINES}' AS HUGEINT) * CAST(1 AS DECIMAL(38, 0)) FROM t"),
    ]);
    all_fail(&[
        &format!("SELECT CAST('{NINES}' AS HUGEINT) * CAST(n AS DECIMAL(38, 0)) FROM t"),
        &format!("SELECT CAST('{NINES}' AS HUGEINT) + CAST(n AS DECIMAL(38, 0)) FROM t"),
        &format!("SELECT -CAST('{NINES}' AS DECIMAL(38, 0)) - CAST(n AS HUGEINT) FROM t"),
    ]);
}

/// Asks over a table `r` of 5 000 rows, in groups `g` of 500, with a DOUBLE `x` whose sums are rounded.
fn engines_of_fractions() -> Engines {
    let mut engines = Engines::new();
    engines.add_query("r", "SELECT i % 10 AS g, i, 1 / (1 + i * 7919 % 4999) AS x FROM range(5000) AS r(i)");
    engines
}

#[test]
fn rows_that_are_read_twice_have_the_same_sums_each_time() {
    let engines = engines_of_fractions();
    let sums =
        "sum(x) AS a, avg(-x) AS b, stddev(x) AS c, stddev_pop(x) AS d, var_samp(x) AS e, var_pop(x) AS f";
    let totals = format!("SELECT g, {sums} FROM r GROUP BY g");
    for sql in [
        format!("WITH c AS MATERIALIZED ({totals}) SELECT count(*) FROM c AS one JOIN c AS other USING (a, b, c, d, e, f)"),
        format!("WITH c AS MATERIALIZED ({totals}) SELECT count(*) FROM c WHERE (a, b, c, d, e, f) NOT IN (FROM c SELECT (a, b, c, d, e, f))"),
        format!("WITH c AS MATERIALIZED ({totals}) SELECT one.g, one.c / one.b, other.c / other.b FROM c AS one, c AS other WHERE one.g = other.g - 1"),
        format!("SELECT count(*) FROM (SELECT a, count(*) FROM ({totals}) GROUP BY ROLLUP (a, b))"),
        "WITH c AS MATERIALIZED (SELECT sum(x) FILTER (i < 0) AS a, var_samp(x) FILTER (i = 7) AS b, var_pop(x) FILTER (i = 7) AS c FROM r) SELECT * FROM c UNION ALL FROM c".to_owned(),
    ] {
        assert_eq!(engines.ask(&sql), Outcome::Same, "{sql}");
    }
}

#[test]
fn rows_that_may_be_others_each_time_are_read_once() {
    let engines = engines_of_fractions();
    let some = "SELECT g, i, sum(i) OVER (ORDER BY g, i ROWS 3 PRECEDING) AS s FROM r ORDER BY i LIMIT 20";
    let once = format!("WITH c AS MATERIALIZED ({some}) SELECT max(s) FROM c");
    assert_eq!(engines.ask(&once), Outcome::Same);
    for sql in [
        format!("WITH c AS MATERIALIZED ({some}) SELECT count(*) FROM c AS one JOIN c AS other USING (g)"),
        format!(
            "WITH c AS MATERIALIZED ({some}), d AS MATERIALIZED (SELECT max(s) AS s FROM c) FROM d UNION ALL FROM d"
        ),
    ] {
        assert!(matches!(engines.ask(&sql), Outcome::Refused(_)), "{sql}");
    }
    let of_pairs =
        "WITH c AS MATERIALIZED (SELECT covar_pop(n / 3, n / 7) AS v FROM t) FROM c UNION ALL FROM c";
    let of_distinct =
        "WITH c AS MATERIALIZED (SELECT sum(DISTINCT n / 3) AS v FROM t) FROM c UNION ALL FROM c";
    all_are_refused(&[of_pairs, of_distinct]);
}
