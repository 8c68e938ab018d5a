use super::*;

/// Texts that are one expression each, and leave the rest of a query as it is.
const GOOD: &[&str] = &[
    "carrier",
    " carrier ",
    "\"dep delay\"",
    "\"a \"\"b\"\" ) FROM x --\"",
    "größe",
    "\"größe – in m²\"",
    "self.carrier",
    "dep_delay > 60",
    "dep_delay\n> 60",
    "a + -b * (c - 1) % 2",
    "1.5e-3 + .5 + 1_000 + 0xFF",
    "'it''s; ) /* -- '",
    r"E'it\'s; ) '",
    r"e'\\'",
    "'back\\'",
    "U&'d\\0061t'",
    "x'41'",
    "$$ ) ; ' $$",
    "$tag$ $$ ) $other$ ' $tag$",
    "$1 + $name",
    "? + 1",
    "a IS DISTINCT FROM b",
    "a IS NOT DISTINCT FROM (SELECT max(b) FROM self)",
    "extract(year FROM time)",
    "CASE WHEN a > 1 THEN 'x' WHEN b THEN 'y' ELSE NULL END",
    "count(*)",
    "count(*) FILTER (WHERE a > 1 AND b IN (1, 2))",
    "sum(a) OVER (PARTITION BY b ORDER BY c DESC ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)",
    "CAST(a AS DECIMAL(9, 2))",
    "a::INT[]",
    "[1, 2, 3][1]",
    "{'a': 1, 'b': [x, y]}",
    "MAP {'a': 1}",
    "list_transform(l, lambda x: x + 1)",
    "l[1:2]",
    "a BETWEEN 1 AND 2",
    "a IN (SELECT n FROM other WHERE n > 3 ORDER BY n LIMIT 1)",
    "EXISTS (FROM other)",
    "(SELECT max(n) FROM self)",
    "name ILIKE '%a,b;c%'",
    "a -> '$.b'",
    "DATE '2013-01-01' + INTERVAL 1 DAY",
    "COLUMNS('a.*')",
    "a AT TIME ZONE 'UTC'",
];

/// Texts that would leave their place, or are not one expression, each with a part of what is said about it.
const BAD: &[(&str, &str)] = &[
    ("", "empty"),
    (" \n\t", "empty"),
    ("1) FROM x --", "comment"),
    ("1) FROM x", "`)` closes"),
    (")(", "`)` closes"),
    ("a) OR (b", "`)` closes"),
    ("(a", "`)` is missing"),
    ("[a)", "`)` closes"),
    ("{a", "`}` is missing"),
    ("f(a]", "`]` closes"),
    ("a; DROP TABLE x", "`;`"),
    ("(a;)", "`;`"),
    ("a, b", "`,`"),
    (", a", "`,`"),
    ("a -- b", "comment"),
    ("a --", "comment"),
    ("a--1", "comment"),
    ("a /* b */", "comment"),
    ("a /*", "does not end"),
    ("a /* /* */", "does not end"),
    ("a +/* ) */ b", "comment"),
    ("'unterminated", "does not end"),
    ("'a''", "does not end"),
    ("\"a", "does not end"),
    ("\"a\"\"", "does not end"),
    ("$$", "does not end"),
    ("$$ a", "does not end"),
    ("$a$ $b$", "does not end"),
    ("$a$ $A$", "does not end"),
    (r"E'\'", "does not end"),
    (r"e'a\'' || '", "does not end"),
    (r"E'\'' || 1) FROM x WHERE ('a' = 'b'", "`)` closes"),
    // With the letter read as a part of the number, the string would have no escapes, and end elsewhere.
    (r"1e'\'' || 1) FROM x ORDER BY ('", "does not end"),
    (r"1e'\') FROM x ORDER BY ('", "runs on"),
    (r"1_e'\'' || 1) FROM x ORDER BY ('", "runs on"),
    (r"0xe'\'' || 1) FROM x ORDER BY ('", "runs on"),
    ("1$$ ) $$", "runs on"),
    ("1'a'", "runs on"),
    ("U&'\\0027) FROM x WHERE (", "does not end"),
    ("a\0", "NUL"),
    ("'a\0'", "NUL"),
    ("a\u{a0}b", "outside of quotes"),
    ("a \u{2003}+ b", "outside of quotes"),
    ("a\u{200b}", "outside of quotes"),
    ("‘a’", "outside of quotes"),
    ("$\u{a0}$ ) $\u{a0}$", "outside of quotes"),
    ("SELECT a", "parentheses"),
    ("from x", "parentheses"),
    ("WITH x AS (SELECT 1) FROM x", "parentheses"),
    ("values (1)", "parentheses"),
    ("a AS b", "AS"),
];

#[track_caller]
fn refusal<T: std::fmt::Debug>(refused: Result<T>) -> String {
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expression);
    error.to_string()
}

#[test]
fn one_expression_is_put_into_parentheses_as_it_is() {
    for text in GOOD {
        assert_eq!(expression(text).unwrap(), format!("({})", text.trim()), "{text}");
        assert_eq!(column(text).unwrap().sql, format!("({})", text.trim()), "{text}");
        assert_eq!(sort_key(text).unwrap(), format!("({})", text.trim()), "{text}");
    }
}

#[test]
fn what_could_leave_its_place_is_refused_and_named() {
    for &(text, part) in BAD {
        let said = refusal(expression(text));
        assert!(said.starts_with(&format!("{text:?} is not ")) && said.contains(part), "{text:?}: {said}");
        if part != "AS" {
            refusal(column(text));
        }
        refusal(sort_key(text));
    }
}

#[test]
fn a_name_behind_as_is_quoted_and_known() {
    for (text, sql, name) in [
        ("a + 1 AS b", "(a + 1) AS \"b\"", "b"),
        ("a as \"b \"\" c\"", "(a) AS \"b \"\" c\"", "b \" c"),
        ("CAST(a AS INT) AS b", "(CAST(a AS INT)) AS \"b\"", "b"),
        ("count(*) AS FROM", "(count(*)) AS \"FROM\"", "FROM"),
        ("a AS größe", "(a) AS \"größe\"", "größe"),
    ] {
        let column = column(text).unwrap();
        assert_eq!((column.sql.as_str(), column.names), (sql, Names::One(name.to_owned())), "{text}");
        assert_eq!(column.alias.as_deref(), Some(name));
    }
    for text in
        ["a AS", "AS b", "a AS b c", "a AS b AS c", "a AS 'b'", "a AS 1", "a AS \"\"", "a AS (b)", "a AS b.c"]
    {
        assert!(refusal(column(text)).contains("AS"), "{text}");
    }
}

#[test]
fn the_names_of_columns_are_told_where_the_text_tells_them() {
    let one = |name: &str| Names::One(name.to_owned());
    for (text, names) in [
        ("carrier", one("carrier")),
        ("\"Dep Delay\"", one("Dep Delay")),
        ("self.carrier", one("carrier")),
        ("*", Names::All),
        ("self.*", Names::Unknown),
        ("* EXCLUDE (a)", Names::Unknown),
        ("a + 1", Names::Unknown),
        ("'a'", Names::Unknown),
        ("COLUMNS(*) AS x", Names::Unknown),
        ("unnest(s, recursive := true) AS x", Names::Unknown),
        ("count(*) AS n", one("n")),
        ("a * b AS n", one("n")),
    ] {
        assert_eq!(column(text).unwrap().names, names, "{text}");
    }
}

#[test]
fn a_sort_key_keeps_its_direction_outside_of_the_parentheses() {
    for (text, sql) in [
        ("n", "(n)"),
        ("n DESC", "(n) DESC"),
        ("a + b asc", "(a + b) ASC"),
        ("n desc nulls first", "(n) DESC NULLS FIRST"),
        ("n NULLS LAST", "(n) NULLS LAST"),
        ("\"desc\"", "(\"desc\")"),
        ("CASE WHEN a THEN 1 END DESC", "(CASE WHEN a THEN 1 END) DESC"),
    ] {
        assert_eq!(sort_key(text).unwrap(), sql, "{text}");
    }
    for text in
        ["DESC", "NULLS LAST", "asc nulls first", "n NULLS", "n NULLS SECOND", "n AS m", "a, b", "n DESC --"]
    {
        let refused = sort_key(text);
        // What is left over behind an expression is DuckDB's to refuse: it stays inside of the parentheses.
        if text != "n NULLS" {
            refusal(refused);
        }
    }
}

#[test]
fn a_select_loses_the_semicolon_that_ends_it_and_what_follows() {
    for (text, kept) in [
        ("SELECT 1", "SELECT 1"),
        (" SELECT ';' ; ; -- done", "SELECT ';'"),
        ("SELECT 1 -- why\nFROM self -- what", "SELECT 1 -- why\nFROM self"),
        ("FROM self /* ; */ LIMIT 1;", "FROM self /* ; */ LIMIT 1"),
    ] {
        assert_eq!(statement(text).unwrap(), kept, "{text}");
    }
    for text in [
        "",
        " ; ",
        "-- nothing",
        "SELECT 1; SELECT 2",
        "SELECT 1)",
        "SELECT (1",
        "SELECT 'a",
        "SELECT 1 /*",
        "SELECT '\0'",
    ] {
        assert!(refusal(statement(text)).contains("is not a single SELECT"), "{text}");
    }
}

#[test]
fn a_very_long_text_is_read_in_one_pass_and_shown_in_part() {
    let sum = vec!["a"; 200_000].join(" + ");
    assert_eq!(expression(&sum).unwrap().len(), sum.len() + 2);
    let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(expression(&deep).is_ok());
    let said = refusal(expression(&format!("{sum};")));
    assert!(said.len() < 1000 && said.contains('…'), "{said}");
    let dollars = "$a ".repeat(100_000);
    assert!(expression(&dollars).is_ok());
}

#[test]
fn whatever_is_cut_out_of_good_texts_stays_in_its_place_or_is_refused() {
    // The parentheses around a piece must be the ones that close: its tokens are the same with them as without.
    let kinds = |text: &str| -> Vec<Kind> {
        tokens(text).filter(Token::is_significant).map(|token| token.kind).collect()
    };
    let bad = BAD.iter().map(|(text, _)| *text);
    let all = GOOD.iter().copied().chain(bad).collect::<Vec<_>>().join(" ");
    let cuts: Vec<usize> = all.char_indices().map(|(index, _)| index).collect();
    for (from, start) in cuts.iter().enumerate() {
        for end in cuts[from..].iter().step_by(7).take(12) {
            let piece = &all[*start..*end];
            let Ok(sql) = expression(piece) else { continue };
            let around = kinds(&format!("{sql} x"));
            assert_eq!(around[1..around.len() - 2], kinds(piece)[..], "{piece:?}");
        }
    }
}
