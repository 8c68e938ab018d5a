//! Kinds of queries that were once answered in another way.

use crate::engines::{Engines, Outcome};

/// Asks queries over a table `t` of three rows and a table `e` of none, with a number `n` and a time `ts` at its limits.
pub(crate) fn all_are_same(queries: &[&str]) {
    let engines = engines();
    for sql in queries {
        assert_eq!(engines.ask(sql), Outcome::Same, "{sql}");
    }
}

/// Both engines give an error for these.
pub(crate) fn all_fail(queries: &[&str]) {
    let engines = engines();
    for sql in queries {
        assert_eq!(engines.ask(sql), Outcome::BothFail, "{sql}");
    }
}

pub(crate) fn all_are_refused(queries: &[&str]) {
    let engines = engines();
    for sql in queries {
        let outcome = engines.ask(sql);
        assert!(matches!(outcome, Outcome::Refused(_)), "{sql}: {outcome:?}");
    }
}

pub(crate) fn engines() -> Engines {
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
fn rows_around_an_exists_are_those_that_duckdb_finds() {
    let outer = "(VALUES (1, 10), (1, 11), (2, NULL), (NULL, 10), (NULL, NULL), (3, 12), (3, 12)) AS o(k, v)";
    let inner = "(VALUES (1, 10), (2, 20), (NULL, 10), (3, NULL), (3, 12), (3, 13)) AS i(k, v)";
    for condition in [
        "i.k = o.k AND i.v <> o.v",
        "i.v <> o.v AND i.k = o.k AND i.v > 10",
        "i.k IS NOT DISTINCT FROM o.k AND i.v >= o.v",
        "i.k = o.k AND i.v IS DISTINCT FROM o.v",
        "i.k = o.k AND i.v + o.v > 21",
        "o.v < i.v",
        "i.k = o.k AND EXISTS (FROM t WHERE t.n = o.k AND t.n <> i.v)",
        "i.k = o.k AND i.v <> (SELECT max(n) FROM t WHERE t.n <> o.k)",
    ] {
        all_are_same(&[
            &format!("SELECT k, v FROM {outer} WHERE EXISTS (FROM {inner} WHERE {condition})"),
            &format!("SELECT k, v FROM {outer} WHERE NOT EXISTS (FROM {inner} WHERE {condition})"),
        ]);
    }
}

#[test]
fn a_window_may_be_ordered_or_parted_by_constants() {
    all_are_same(&[
        "SELECT n, cume_dist() OVER (ORDER BY true NULLS FIRST), lag(n) OVER (ORDER BY n DESC) FROM t",
        "SELECT n, rank() OVER (PARTITION BY 1 ORDER BY 'a'), sum(n) OVER (ORDER BY 'a') FROM t",
        "SELECT n, sum(n) OVER (PARTITION BY 'a' ORDER BY 1, n) FROM t",
        "SELECT n FROM t ORDER BY n > NULL, n",
        "SELECT n, sum(n) OVER (PARTITION BY [1] = [coalesce(1, n)] ORDER BY coalesce('a', ts::VARCHAR), n) FROM t",
    ]);
    all_are_refused(&["SELECT row_number() OVER (ORDER BY 'a') FROM t"]);
}

#[test]
fn a_window_that_ends_before_it_starts_is_refused() {
    for frame in ["2 FOLLOWING AND 1 FOLLOWING", "1 PRECEDING AND 2 PRECEDING"] {
        let sql = format!("SELECT sum(n) OVER (ORDER BY n ROWS BETWEEN {frame}) FROM t");
        all_are_refused(&[&sql]);
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
fn a_join_may_be_on_what_is_or_becomes_constant() {
    for kind in ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN"] {
        for condition in [
            "coalesce(1, a.n) IS NOT DISTINCT FROM b.n",
            "coalesce(1, a.n) = b.n",
            "a.n = b.n AND a.n = 2",
            "a.n = b.n AND a.n > coalesce(1, b.n)",
            "a.n = coalesce(CAST(NULL AS INTEGER), 7)",
            "a.n IS NOT DISTINCT FROM CASE WHEN b.n > 9 THEN b.n END AND coalesce(1, a.n) = b.n",
            "coalesce(1, a.n) = coalesce(1, b.n)",
            "coalesce(1, a.n) = coalesce(2, b.n)",
        ] {
            for right in ["t", "e"] {
                all_are_same(&[
                    &format!("SELECT count(*), sum(a.n) FROM t AS a {kind} {right} AS b ON {condition}"),
                    &format!("SELECT a.* FROM t AS a {kind} (SELECT n, ts FROM {right}) AS b ON {condition}"),
                ]);
            }
        }
    }
    all_are_same(&[
        "SELECT n, coalesce(2, n) IN (SELECT n FROM t) FROM t",
        "SELECT n FROM t WHERE coalesce(2, n) NOT IN (SELECT nullif(n, 3) FROM t)",
        "SELECT n, (SELECT max(n) FROM t AS u WHERE u.n = coalesce(1, t.n)) FROM t",
    ]);
}

#[test]
fn a_null_has_no_partner_beside_a_key_whose_nulls_are_equal() {
    let mut engines = Engines::new();
    engines.add_query("a", "SELECT * FROM (VALUES (1, NULL), (2, 5), (NULL, 5), (NULL, NULL)) AS v(k, x)");
    engines.add_query("b", "SELECT * FROM (VALUES (1, NULL), (2, 5), (NULL, 5), (3, NULL)) AS v(k, x)");
    for sql in [
        "SELECT k, x FROM a WHERE x = (SELECT max(x) FROM b WHERE b.k = a.k)",
        "SELECT k, x FROM a WHERE x = (SELECT max(x) FROM b WHERE b.k IS NOT DISTINCT FROM a.k)",
        "SELECT a.k FROM a JOIN b ON a.k IS NOT DISTINCT FROM b.k JOIN b AS c ON a.x = c.x",
        "SELECT a.k FROM a JOIN b ON a.k = b.k JOIN b AS c ON a.x IS NOT DISTINCT FROM c.x",
        "SELECT a.k FROM a LEFT JOIN b ON a.k IS NOT DISTINCT FROM b.k WHERE a.x = b.x",
        "SELECT a.k, b.x FROM a, b, b AS c WHERE a.k IS NOT DISTINCT FROM b.k AND b.x = c.x AND a.x = c.k",
    ] {
        assert_eq!(engines.ask(sql), Outcome::Same, "{sql}");
    }
}

#[test]
fn the_extremes_of_nested_values_in_a_window_are_duckdbs() {
    all_are_same(&[
        "SELECT max({'a': nullif(n, 2), 'b': 'x'}) OVER (), min([n, NULL]) OVER (ORDER BY n) FROM t",
        "SELECT max(CASE WHEN n > 1 THEN {'a': NULL::INTEGER} ELSE {'a': 7} END) OVER (PARTITION BY n < 3) FROM t",
    ]);
    all_are_refused(&[
        "SELECT min({'a': n * -0.0::DOUBLE}) OVER () FROM t",
        "SELECT n FROM t WHERE [n] BETWEEN [1] AND [2]",
    ]);
}

#[test]
fn a_condition_that_is_never_met_leaves_a_case_as_it_is() {
    all_are_same(&[
        "SELECT count(*) FROM (SELECT CASE WHEN n NOT IN (n, n) THEN ts ELSE TRY_CAST(TIMESTAMP '2024-03-10 02:30:00' AS DATE) END AS c FROM t) GROUP BY GROUPING SETS ((c), ())",
    ]);
}

#[test]
fn an_order_by_nested_floats_is_refused() {
    all_are_refused(&[
        "SELECT {'d': n / 2} AS s FROM t ORDER BY s",
        "SELECT n FROM t ORDER BY [-n / 2]",
        "SELECT last_value({'d': n / 2}) OVER (PARTITION BY {'d': n / 2} ORDER BY n) FROM t",
        "SELECT list_sort(list({'d': n / 2})) FROM t",
    ]);
    all_are_same(&["SELECT list_sort(list({'d': n})), len(list({'d': n / 2})) FROM t"]);
}

#[test]
fn rows_of_several_parts_are_ordered_by_what_is_constant_in_each() {
    all_are_same(&[
        "SELECT 7 AS a, count(*) FROM t GROUP BY ROLLUP (1) ORDER BY a DESC NULLS LAST LIMIT 1",
        "SELECT 7 AS a, count(*) FROM t GROUP BY ROLLUP (1) ORDER BY a NULLS FIRST",
        "SELECT * FROM (SELECT CAST(-2 AS INTEGER), count(*) FROM t GROUP BY ROLLUP (CAST(-2 AS INTEGER))) AS q ORDER BY ALL DESC NULLS LAST LIMIT 1",
        "SELECT n > 0 AS a, n FROM t WHERE n = 1 UNION ALL SELECT n > 5, n FROM t WHERE n = 1 ORDER BY ALL DESC LIMIT 1",
        "SELECT * FROM (SELECT n, 4 AS m FROM t WHERE n = 1 UNION ALL SELECT n, 4 FROM t WHERE n = 2) ORDER BY n DESC, m LIMIT 1",
        "SELECT * FROM (SELECT 1 AS a UNION ALL SELECT 3 UNION ALL SELECT 2) ORDER BY a DESC",
        "SELECT * FROM (SELECT 1 AS a, n FROM t UNION ALL SELECT 3, n FROM t) ORDER BY a DESC, n LIMIT 4",
        "SELECT * FROM (SELECT 0 AS a, EXISTS (FROM t AS u WHERE u.n = t.n + 1) AS b FROM t) ORDER BY a, b",
        "SELECT b FROM t LEFT JOIN (SELECT n + 1 AS n, 7 AS b FROM t) AS u USING (n) ORDER BY n > 9, b NULLS FIRST",
        "SELECT n IN (SELECT n - 1 FROM t) AS b FROM t ORDER BY n > 9, b DESC",
    ]);
}

#[test]
fn a_cast_that_fails_fails_too_where_its_result_is_compared() {
    all_are_same(&[
        "SELECT TRY_CAST(n * 100 AS UTINYINT) <= 200 FROM t",
        "SELECT n FROM t WHERE TRY_CAST(n * 100 AS UTINYINT) <= 200 OR n = 3",
        "SELECT TRY_CAST(CAST(n * 50 AS DECIMAL(9, 1)) AS DECIMAL(3, 1)) > 1 FROM t",
        "SELECT n FROM t WHERE TRY_CAST(n * 100 AS UTINYINT) IN (100, 44)",
    ]);
    all_fail(&[
        "SELECT CAST(n * 100 AS UTINYINT) <= 200 FROM t",
        "SELECT CAST(n * 1e9 AS INTEGER) < 5 FROM t",
    ]);
}

#[test]
fn an_error_in_a_constant_that_is_compared_with_null_is_not_lost() {
    all_are_refused(&[
        "SELECT CAST('x' AS TINYINT) >= CAST(NULL AS TINYINT) FROM t",
        "SELECT CAST(CAST(300 AS INTEGER) AS TINYINT) = NULL FROM t",
    ]);
    all_are_same(&[
        "SELECT n >= NULL, NULL < CAST(n AS TINYINT), CAST(5 AS TINYINT) = NULL FROM t",
        "SELECT nullif(n, NULL), n IS DISTINCT FROM NULL FROM t",
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

#[test]
fn a_sum_of_decimals_may_have_39_digits_while_one_of_hugeints_may_not() {
    let nines = "99999999999999999999999999999999999999";
    all_are_same(&[
        &format!("SELECT sum(CAST('{nines}' AS DECIMAL(38, 0))) FROM t WHERE n < 2"),
        "SELECT sum(CAST('4e27' AS DECIMAL(38, 10))) FROM t",
    ]);
    all_fail(&[&format!("SELECT sum(CAST('{nines}' AS DECIMAL(38, 0))) FROM t")]);
}

#[test]
fn a_rest_whose_quotient_does_not_fit_fails() {
    all_fail(&["SELECT (-2147483647 - CAST(n AS INTEGER)) % CAST(n - 2 AS INTEGER) FROM t WHERE n = 1"]);
    all_are_same(&["SELECT (-2147483640 - n) % (n - 2), n % (n - 2), -5 % n FROM t"]);
}

#[test]
fn a_median_between_infinite_values_is_infinite() {
    all_are_same(&[
        "SELECT median(n / 0), median(-n / 0), quantile_cont(n * 0.1::DOUBLE, [0.25, 0.9]) FROM t WHERE n < 3",
    ]);
}

#[test]
fn a_window_by_compared_results_of_functions_is_refused() {
    all_are_refused(&[
        "SELECT row_number() OVER (PARTITION BY [n] <= [2] ORDER BY n) FROM t",
        "SELECT dense_rank() OVER (PARTITION BY CAST(n AS DOUBLE) >= CAST('2.5' AS DOUBLE)) FROM t",
    ]);
    all_are_same(&["SELECT row_number() OVER (PARTITION BY n <= 2 ORDER BY n) FROM t"]);
}

#[test]
fn a_group_of_zeros_shows_a_zero_that_it_has() {
    all_are_same(&[
        "SELECT 1 / x FROM (SELECT CAST('-0.0' AS DOUBLE) AS x FROM t GROUP BY ALL)",
        "SELECT 1 / x, c FROM (SELECT DISTINCT CAST('-0.0' AS FLOAT) AS x, n < 3 AS c FROM t)",
        "SELECT x, count(*) FROM (SELECT CASE n WHEN 1 THEN -0.0::DOUBLE WHEN 2 THEN 0 END AS x FROM t) GROUP BY x",
        "SELECT x FROM (SELECT CAST('NaN' AS DOUBLE) AS x FROM t UNION SELECT -CAST('NaN' AS DOUBLE) FROM t)",
    ]);
}

#[test]
fn a_case_whose_conditions_exclude_nulls_may_be_grouped() {
    all_are_same(&[
        "SELECT n FROM t UNION ALL SELECT DISTINCT CASE t.n WHEN nullif(t.n, 9) THEN nullif(t.n, 9) ELSE 7 END FROM t",
        "SELECT DISTINCT coalesce(nullif(n, 2), 5) FROM t",
    ]);
    all_fail(&["SELECT coalesce(CAST(n * 100 AS UTINYINT), 5) IS NULL FROM t"]);
}

#[test]
fn a_frame_of_nulls_alone_has_no_extreme() {
    all_are_same(&[
        "SELECT n, min(nullif(n, 3)) OVER (ORDER BY n ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) FROM t",
        "SELECT n, max(nullif(n, 1)) OVER (ORDER BY n DESC ROWS BETWEEN CURRENT ROW AND CURRENT ROW) FROM t",
    ]);
}

#[test]
fn the_least_nested_value_of_a_frame_is_found_by_its_key() {
    let nested = "{'a': nullif(n, 2), 'b': [nullif(n, 3)]}";
    all_are_same(&[
        &format!("SELECT n, min({nested}) OVER (ORDER BY n), max({nested}) OVER (ORDER BY n DESC) FROM t"),
        "SELECT n, min(nullif([nullif(n, 1)], [2])) OVER (ORDER BY n ROWS 1 PRECEDING) FROM t",
    ]);
    all_are_refused(&["SELECT min({'d': n / 2}) OVER (ORDER BY n) FROM t"]);
}

#[test]
fn a_list_of_values_may_hold_what_is_null_for_some_rows() {
    let mut engines = Engines::new();
    let times = ["'23:59:59.999999'", "'24:00:00'", "'00:00:00'", "NULL"];
    let rows =
        times.map(|tm| ["true", "false", "NULL"].map(|b| format!("({tm}::TIME, {b}::BOOLEAN)")).join(", "));
    engines.add_query("x", &format!("SELECT * FROM (VALUES {}) AS v(tm, b)", rows.join(", ")));
    for list in ["CASE WHEN b THEN TIME '23:59:59.999999' END, NULL", "CASE WHEN b THEN TIME '24:00:00' END"]
    {
        for value in ["tm", "ifnull(tm, CAST(NULL AS TIME))"] {
            for sql in [
                format!("SELECT count(*) FROM x WHERE {value} IN ({list})"),
                format!("SELECT tm, b FROM x WHERE {value} NOT IN ({list})"),
                format!("SELECT tm, b, {value} IN ({list}) FROM x"),
            ] {
                assert_eq!(engines.ask(&sql), Outcome::Same, "{sql}");
            }
        }
    }
}

#[test]
fn dates_of_all_years_and_intervals_have_texts() {
    all_are_same(&[
        "SELECT CAST(ts AS VARCHAR), CAST(CAST(ts AS TIMESTAMPTZ) AS VARCHAR), CAST(tm AS VARCHAR) FROM t",
        "SELECT CAST(CAST(ts AS DATE) AS VARCHAR), TRY_CAST(CAST(ts AS DATE) AS VARCHAR) FROM t",
        "SELECT INTERVAL '-13 months 1 microsecond', INTERVAL '0 days', INTERVAL '1 day -0.25 seconds' FROM t",
    ]);
}

#[test]
fn each_letter_has_duckdbs_capital_and_small_letter() {
    let mut engines = Engines::new();
    let letters = "SELECT n, chr(CAST(n AS INTEGER)) AS c FROM range(1, 1114112) AS r(n) WHERE n NOT BETWEEN 55296 AND 57343";
    engines.add_query("letters", letters);
    let others = "SELECT n, upper(c), lower(c) FROM letters WHERE upper(c) <> c OR lower(c) <> c";
    assert_eq!(engines.ask(others), Outcome::Same);
}

#[test]
fn parts_of_texts_are_counted_in_characters_from_both_ends() {
    all_are_same(&[
        "SELECT substring('äöü' || n, 2, 2), substring('äöü', 0, 2), substring('äöü', 9, 2), substring('äöü' || n, 3, 0) FROM t",
        "SELECT substring('äöü', n), substring('äöü', -n - 1), substring('ab', -n - 1), substring('ab', n - 1) FROM t",
        "SELECT left('äöü', n), left('äöü', -n), right('äöü', n), right('äöü', -n), left('x', 9 * n) FROM t",
        "SELECT concat_ws('-', 'a', NULL, CAST(n AS VARCHAR)), concat_ws(NULL, 'a', 'b'), concat('a', NULL) FROM t",
        "SELECT 'ÄB' || n ILIKE 'äb_', 'aB' NOT ILIKE '%' || n FROM t",
        "SELECT greatest(n, 2, NULL), least(CAST(n AS VARCHAR), 'b'), greatest(-0.0::DOUBLE, n * 0.0) FROM t",
    ]);
    all_are_refused(&[
        "SELECT substring(CASE n WHEN 1 THEN 'a' ELSE 'b' END, n - 9, 7) FROM t",
        "SELECT substring('abc' || n, 9, -7) FROM t",
        "SELECT substring('abc' || n, 1, n) FROM t",
    ]);
}

#[test]
fn dates_are_moved_by_days_unless_they_are_infinite() {
    let days = "CAST(n * 1000 - 2000 AS INTEGER)";
    all_are_same(&[
        &format!(
            "SELECT DATE '2024-02-29' + {days}, {days} + DATE '0044-03-15 (BC)', DATE '2024-03-01' - {days} FROM t"
        ),
        &format!("SELECT CAST(ts AS DATE) + {days}, CAST(ts AS DATE) - {days} FROM t WHERE n <> 2"),
        "SELECT DATE 'infinity' + 2147483647, DATE '-infinity' - CAST(n AS INTEGER) FROM t",
        "SELECT dayofweek(d), year(d), week(d), last_day(d), monthname(d), CAST(d AS VARCHAR) FROM (SELECT DATE '1970-01-01' + CAST(n * 700000000 AS INTEGER) AS d FROM t)",
        "SELECT DATE '2024-02-29' + CAST(NULL AS INTEGER), CAST(NULL AS DATE) - CAST(n AS INTEGER) FROM t",
        "SELECT DATE '1970-01-01' + 2147483646, DATE '1970-01-02' - 2147483647 FROM t",
    ]);
    all_fail(&[
        "SELECT DATE '1970-01-02' + CAST(n + 2147483643 AS INTEGER) FROM t",
        "SELECT DATE '1970-01-01' - CAST(n + 2147483644 AS INTEGER) FROM t",
        "SELECT DATE '9999-12-31' + 2147483647 - CAST(n AS INTEGER) FROM t",
    ]);
}

#[test]
fn a_column_of_which_one_value_of_a_cast_is_left_is_not_taken_for_a_constant() {
    let rows = "(SELECT n * 7919 % 101 - 50 AS n, 9007199254740990 + n * 7919 % 11 AS large FROM range(300) AS r(n))";
    all_are_same(&[
        &format!("SELECT n FROM {rows} WHERE CAST(n AS BOOLEAN) ORDER BY n"),
        &format!("SELECT n FROM {rows} WHERE TRY_CAST(n AS BOOLEAN) ORDER BY n DESC"),
        &format!("SELECT n FROM {rows} WHERE NOT CAST(n // 9 AS BOOLEAN) ORDER BY n"),
        &format!("SELECT n FROM {rows} WHERE CAST(n AS BOOLEAN) = true ORDER BY n"),
        &format!("SELECT large FROM {rows} WHERE CAST(large AS DOUBLE) = 9007199254740996 ORDER BY large"),
        &format!("SELECT large FROM {rows} WHERE CAST(large AS FLOAT) = 9007199254740992 ORDER BY large"),
        &format!("SELECT n FROM {rows} WHERE CAST(n AS DOUBLE) >= 50 ORDER BY n"),
        &format!(
            "SELECT a.n FROM {rows} AS a, {rows} AS b WHERE b.n = 50 AND a.n <= 50 AND CAST(a.n AS VARCHAR) >= CAST(b.n AS VARCHAR) ORDER BY a.n"
        ),
    ]);
}

#[test]
fn a_join_of_one_side_gives_some_of_the_columns_of_that_side() {
    let rows = "(SELECT n AS a, n * 2 AS b, 'c' || n AS c FROM range(40) AS r(n))";
    all_are_same(&[
        &format!(
            "WITH q AS (SELECT a, c FROM {rows} WHERE b >= ANY (SELECT CAST(NULL AS BIGINT) FROM t)) FROM q UNION ALL FROM q"
        ),
        &format!(
            "WITH q AS (SELECT a, c FROM {rows} WHERE b > ANY (SELECT n + 20 FROM t)) FROM q UNION ALL FROM q"
        ),
        &format!("SELECT a, c FROM {rows} AS r WHERE NOT EXISTS (FROM t WHERE t.n * 9 > r.b)"),
        &format!("SELECT a, c, EXISTS (FROM t WHERE t.n * 9 > r.b) FROM {rows} AS r"),
        &format!("SELECT a, c, b IN (SELECT n * 2 FROM t) FROM {rows}"),
        &format!("SELECT n FROM t WHERE n * 2 NOT IN (SELECT b FROM {rows} WHERE a <> 2)"),
    ]);
}

#[test]
fn a_constant_before_a_column_is_not_taken_for_it() {
    let rows = "(SELECT CAST(NULL AS DATE) AS d, q.c FROM (SELECT DISTINCT n * 7 % 101 FROM range(300) AS r(n)) AS q(c))";
    all_are_same(&[
        &format!("SELECT * FROM {rows} ORDER BY ALL"),
        &format!("SELECT c FROM {rows} ORDER BY d, c DESC"),
        &format!("SELECT d, c, count(*) FROM {rows} GROUP BY d, c ORDER BY c"),
        &format!("SELECT count(*) FROM {rows} GROUP BY d, c"),
        &format!("SELECT d, count(*) FROM {rows} GROUP BY d, c"),
        &format!("SELECT c, count(*) FROM {rows} GROUP BY d, c"),
        &format!("SELECT count(*) FROM (SELECT DISTINCT d, c FROM {rows})"),
        &format!("SELECT d, max(c) FROM {rows} GROUP BY d, c % 5 ORDER BY 2"),
        &format!(
            "SELECT sum(w) FROM (SELECT row_number() OVER (PARTITION BY d, c ORDER BY c) AS w FROM {rows})"
        ),
    ]);
}
