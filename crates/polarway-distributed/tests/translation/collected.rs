//! Aggregates of all values of a group.

use crate::kinds::{all_are_refused, all_are_same};

/// Values with a number each, in groups and with NULLs.
const VALUES: &str = "(VALUES (1, 'a', 'x', 5), (1, 'b', NULL, 7), (1, 'c', 'x', NULL), (2, 'd', 'y', 5), \
                      (3, 'e', NULL, NULL)) AS v(g, k, s, x)";

fn all_are_same_over_values(queries: &[&str]) {
    for sql in queries {
        all_are_same(&[&sql.replace("THEM", VALUES)]);
    }
}

#[test]
fn values_are_listed_in_the_order_that_the_query_gives() {
    all_are_same_over_values(&[
        "SELECT g, list(s ORDER BY k DESC), array_agg(x ORDER BY k) FROM THEM GROUP BY g",
        "SELECT list(s ORDER BY g, k), list(k ORDER BY s NULLS FIRST, x DESC, k) FROM THEM",
        "SELECT list(k ORDER BY k) FILTER (WHERE x > 100), list(k ORDER BY k) FILTER (WHERE g = 1) FROM THEM",
        "SELECT list(DISTINCT x ORDER BY x DESC), list(DISTINCT s ORDER BY s) FROM THEM",
        "SELECT list_sort(list(x)), list_reverse_sort(list(DISTINCT s)), len(list(k)) FROM THEM",
        "SELECT list({'k': k, 'x': x} ORDER BY k)[2:3] FROM THEM",
        "SELECT list(x ORDER BY k) FROM THEM WHERE g > 9",
        "SELECT list(k ORDER BY {'a': s, 'b': k} DESC) FROM THEM",
    ]);
    all_are_refused(&[
        "SELECT list(n) FROM t",
        "SELECT list(DISTINCT n) FROM t",
        "SELECT list(n)[1] FROM t",
        "SELECT u FROM (SELECT unnest(list(n)) AS u FROM t)",
        "SELECT * FROM (SELECT list(n) AS l FROM t) UNION ALL SELECT [1]",
    ]);
}

#[test]
fn texts_are_joined_in_the_order_that_the_query_gives() {
    all_are_same_over_values(&[
        "SELECT g, string_agg(k, '/' ORDER BY k DESC), string_agg(s ORDER BY k) FROM THEM GROUP BY g",
        "SELECT string_agg(DISTINCT s, ', ' ORDER BY s DESC), group_concat(k, '' ORDER BY k) FROM THEM",
        "SELECT string_agg(k, ',' ORDER BY k) FILTER (WHERE x = 5) FROM THEM",
    ]);
    all_are_refused(&["SELECT string_agg(CAST(n AS VARCHAR), ',') FROM t"]);
}

#[test]
fn values_are_counted_and_divided_at_fractions() {
    all_are_same_over_values(&[
        "SELECT g, histogram(x), histogram(s) FROM THEM GROUP BY g",
        "SELECT g, median(x), quantile_cont(x, 0.9), quantile_disc(x, 0.5) FROM THEM GROUP BY g",
        "SELECT quantile_disc(k, [0.0, 0.34, 1.0]), quantile_cont(x, [1, 0, 0.5]) FROM THEM",
        "SELECT percentile_cont(0.25) WITHIN GROUP (ORDER BY x DESC) FROM THEM",
        "SELECT percentile_disc(0.3) WITHIN GROUP (ORDER BY k DESC) FROM THEM",
        "SELECT quantile_cont(CAST(x AS DOUBLE), [0.1, 0.5]), median(-CAST('inf' AS DOUBLE)) FROM THEM",
        "SELECT median(x), histogram(x), quantile_disc(x, 0.5) FROM THEM WHERE g > 9",
    ]);
}

#[test]
fn a_value_at_an_extreme_follows_from_it_or_from_the_order_that_the_query_gives() {
    all_are_same_over_values(&[
        "SELECT g, first(x ORDER BY k), last(x ORDER BY k), any_value(x ORDER BY k DESC) FROM THEM GROUP BY g",
        "SELECT first(s ORDER BY s NULLS FIRST), last(k ORDER BY g, k) FROM THEM",
        "SELECT arg_max(k, k), arg_min(x, (x, k)), arg_max(k, (s, k)) FROM THEM",
    ]);
    all_are_refused(&["SELECT arg_max(ts, n) FROM t", "SELECT first(n) FROM t"]);
}

#[test]
fn equal_rows_are_counted_in_set_operations_with_all() {
    all_are_same_over_values(&[
        "SELECT s FROM THEM INTERSECT ALL SELECT x FROM (VALUES ('x'), (NULL), ('z')) AS w(x)",
        "SELECT x, s FROM THEM EXCEPT ALL SELECT 5, 'x'",
        "SELECT x FROM THEM EXCEPT ALL SELECT x FROM THEM WHERE g = 1",
        "SELECT {'x': x} FROM THEM EXCEPT ALL SELECT {'x': NULL}",
    ]);
    // Of 0 and -0, either could be left.
    all_are_refused(&["SELECT CAST(n AS DOUBLE) FROM t EXCEPT ALL SELECT 0"]);
}

#[test]
fn a_window_function_may_have_an_order_of_its_own() {
    all_are_same_over_values(&[
        "SELECT k, rank(ORDER BY x) OVER (), row_number(ORDER BY k DESC) OVER (PARTITION BY g) FROM THEM",
        "SELECT k, first_value(k ORDER BY x, k DESC) OVER (PARTITION BY g) FROM THEM",
        "SELECT k, ntile(2) OVER (ORDER BY k), nth_value(k, 2) OVER (ORDER BY k ROWS 1 PRECEDING) FROM THEM",
        "SELECT k, sum(x) OVER (ORDER BY g GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM THEM",
        "SELECT k, bool_or(x > 5) OVER (PARTITION BY g), rank() OVER (ORDER BY [s, k]) FROM THEM",
        "SELECT k, min(x) OVER (ORDER BY k), lag(k) OVER (ORDER BY k DESC) FROM THEM",
    ]);
}
