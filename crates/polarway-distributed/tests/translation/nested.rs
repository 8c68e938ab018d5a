//! Lists, maps and values with fields.

use crate::kinds::{all_are_refused, all_are_same};

#[test]
fn nested_constants_keep_their_types_and_values() {
    all_are_same(&[
        "SELECT [1, NULL], [], [[1], NULL, []], ['ä', ''], [DATE '2013-01-01'], NULL::INTEGER[] FROM t",
        "SELECT {'a': 1, 'b': {'c': [NULL]}}, row(1, 'a'), row(NULL), NULL::STRUCT(a INTEGER) FROM t",
        "SELECT MAP {'a': 1, 'b': NULL}, MAP {}, MAP {1: [{'x': NULL}]}, NULL::MAP(VARCHAR, INTEGER) FROM t",
        "SELECT [1, 2]::INTEGER[2], [[1.5, NULL], NULL]::DOUBLE[2][2], NULL::INTEGER[3] FROM t",
        r#"SELECT '\x00a\xFF'::BLOB, ''::BLOB, '''"\x5C'::BLOB, ['a'::BLOB, NULL], NULL::BLOB FROM t"#,
        r#"SELECT '{"a": [1]}'::JSON, NULL::JSON FROM t"#,
        "SELECT * FROM (VALUES ({'a': 1}), (NULL), ({'a': NULL})) AS v(s)",
        "SELECT * FROM (VALUES ([1]), (NULL), ([NULL])) AS v(l)",
    ]);
}

#[test]
fn values_with_fields_are_made_and_read() {
    all_are_same(&[
        "SELECT {'n': n, 'list': [n, NULL, n + 1]}, row(n, 'x') FROM t",
        "SELECT s.n, s.L, (s).inner.\"x y\" FROM (SELECT {'n': n, 'l': [n], 'inner': {'x y': n * 2}} AS s FROM t)",
        "SELECT s.a FROM (SELECT CASE WHEN n > 1 THEN {'a': n} END AS s FROM t)",
        "SELECT struct_extract_at(row(n, 'b'), 2), struct_extract({'k': n}, 'K') FROM t",
        "SELECT t FROM t",
        "SELECT u IS NULL, u.n FROM t LEFT JOIN (FROM t WHERE n > 1) AS u USING (n)",
    ]);
}

#[test]
fn nested_values_are_compared_with_nulls_that_are_equal_and_greatest() {
    let values = "(VALUES (1, [1, NULL], {'a': 1, 'b': NULL}), (2, [1], {'a': 1, 'b': 'x'}), (3, NULL, NULL), \
                  (4, [], {'a': NULL, 'b': 'x'}), (5, [NULL, 1], {'a': 1, 'b': NULL}), (6, [2], {'a': 0, 'b': ''})) \
                  AS v(n, l, s)";
    for sql in [
        "SELECT n, l = [1, NULL], l < [1, NULL], l IS DISTINCT FROM [2] FROM VALUES",
        "SELECT n, s = {'a': 1, 'b': NULL}, s > {'a': 1, 'b': 'x'}, s IN ({'a': 0, 'b': ''}) FROM VALUES",
        "SELECT l, s FROM VALUES ORDER BY l DESC NULLS LAST, s, n",
        "SELECT s FROM VALUES ORDER BY s DESC NULLS FIRST, n LIMIT 3",
        "SELECT min(l), max(l), min(s), max(s), count(DISTINCT l), count(DISTINCT s) FROM VALUES",
        "SELECT s, count(*), max(l) FROM VALUES GROUP BY s",
        "SELECT DISTINCT l FROM VALUES",
        "SELECT v.n, w.n FROM VALUES JOIN (SELECT n, s FROM VALUES) AS w ON v.s = w.s AND v.n < w.n",
        "SELECT n, l IN ([1], [2]), s IN (SELECT s FROM VALUES WHERE n > 4), rank() OVER (ORDER BY s) FROM VALUES",
        "SELECT greatest(l, [1]), least(s, {'a': 1, 'b': 'x'}) FROM VALUES",
        "SELECT s FROM VALUES INTERSECT SELECT {'a': 1, 'b': NULL}",
    ] {
        all_are_same(&[&sql.replace("VALUES", values)]);
    }
    // Of 0 and -0 in a value, a group would show either.
    all_are_refused(&["SELECT count(*) FROM t GROUP BY {'x': CAST(n AS DOUBLE)}"]);
}

#[test]
fn lists_are_read_cut_and_sorted() {
    all_are_same(&[
        "SELECT n, l[1], l[-1], l[0], l[9], l[n], l[2:3], l[:2], l[-2:], l[n:-n], len(l) \
         FROM (SELECT n, [n, NULL, 7] AS l FROM t)",
        "SELECT list_sort([3, n, NULL]), list_sort([n, 2, NULL], 'DESC', 'NULLS FIRST') FROM t",
        "SELECT list_reverse_sort([n, 5]), list_sort([[n, NULL], [n]]) FROM t",
        "SELECT string_split('a b' || n, ' '), string_split('', 'x'), 'abc'[n] FROM t",
        "SELECT l[1:2] FROM (SELECT CASE WHEN n > 1 THEN [n] END AS l FROM t)",
        "SELECT map_keys(m), map_values(m), map_entries(m), cardinality(m) FROM (SELECT histogram(n) AS m FROM t)",
        "SELECT map_keys(m), cardinality(m) FROM (SELECT histogram(n) AS m FROM e)",
    ]);
}

#[test]
fn items_of_lists_become_rows_as_many_as_the_longest_list_has() {
    all_are_same(&[
        "SELECT n, unnest([n, NULL]), unnest(['a', 'b', 'c']) FROM t",
        "SELECT n, unnest(CASE n WHEN 1 THEN [] WHEN 2 THEN [7] END) FROM t",
        "SELECT n, unnest([]) FROM t",
        "SELECT unnest([[n], NULL, []]) FROM t",
        "SELECT unnest([{'a': n}, NULL]) FROM t",
        "SELECT u.a, u FROM (SELECT unnest([{'a': n}, {'a': NULL}]) AS u FROM t)",
        "SELECT * FROM unnest([3, NULL, 1]) AS u(x) WHERE x > 1",
        "SELECT sum(u) FROM (SELECT unnest([n, n * 2]) AS u FROM t) WHERE u > 1",
        "SELECT n FROM t WHERE n IN (SELECT unnest([1, 3]))",
        "UNPIVOT (SELECT n, n * 2 AS m, NULL::INTEGER AS k FROM t) ON n, m, k INTO NAME what VALUE number",
        "SELECT unnest([1, 2]) FROM e",
    ]);
}
