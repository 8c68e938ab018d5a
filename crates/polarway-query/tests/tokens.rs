//! Texts are cut into tokens where DuckDB cuts them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

use duckdb::Connection;
use polarway_sql::tokens;

/// Lists of values whose commas stand where only one way of cutting finds them.
const LISTS: [&str; 20] = [
    "'a,''', 1",
    "e'a,\\',', 1",
    "e'a'\n',\\',', 1",
    "e'a' -- ,'\n',\\',', 1",
    "'a'\n',\\', 1, ','",
    "'a' -- ,\n\t',', 1",
    "'a'\r',', 1",
    "$$,$,$$, $x$,$$,$x$, 1",
    "$é_1$,$é$,$é_1$, 1",
    "1 b1e, '\\', ','",
    "0b1e, '\\', ','",
    "0xe, '\\', ','",
    "1 AS \",\"\",\", 2",
    "1 /* , /* , */ , */, 2 /**/",
    "1 -- , */\r, 2 -- ,\n",
    "1\u{a0},\u{200b}2\u{feff}, 3",
    "1 a\u{85}, 2 b\u{2028}c",
    "1 a$$, 2 b$",
    "n'\\', x',', b','",
    "[1, 2], {'a': 1, 'b': 2}, (3, 4)",
];

#[test]
fn a_list_has_as_many_columns_for_duckdb_as_tokens_tell() {
    let connection = Connection::open_in_memory().unwrap();
    for list in LISTS {
        let columns = connection.prepare(&format!("SELECT {list}")).and_then(|mut statement| {
            statement.execute([])?;
            Ok(statement.column_count())
        });
        assert_eq!(columns.unwrap_or_else(|error| panic!("{list:?}: {error}")), count(list), "{list:?}");
    }
}

/// The values of a list, by the commas outside of brackets.
fn count(list: &str) -> usize {
    let mut depth = 0;
    let mut count = 1;
    for token in tokens(list).significant() {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            "," if depth == 0 => count += 1,
            _ => {}
        }
    }
    count
}

#[test]
fn a_string_holds_for_duckdb_what_tokens_tell() {
    let connection = Connection::open_in_memory().unwrap();
    for text in ["'it''s'", "'a' -- '\n'''b'", "''", "$$it's$$", "$x$ $$ $x$", "'\\'", "'a'\n\n'b'\r'c'"] {
        let known = connection.query_row(&format!("SELECT {text}"), [], |row| row.get::<_, String>(0));
        let mut all = tokens(text);
        assert_eq!(all.next().unwrap().content().unwrap(), known.unwrap(), "{text:?}");
        assert_eq!(all.next(), None, "{text:?}");
    }
}
