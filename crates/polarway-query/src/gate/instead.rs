//! What to use instead of a statement that is not a SELECT.

use polarway_sql::tokens;

const STORE: &str = "to make a table of rows, use `polarway store NAME FILE`; to keep a result, `polarway query --keep 'SELECT …'`";
const APPEND: &str = "to add rows, use `polarway append NAME FILE`";
const CHANGE: &str = "rows are not changed one by one: select what the table should hold, and store that as its next version with \
                      `polarway store NAME FILE`";
const REMOVE: &str = "to delete a dataset, use `polarway rm NAME`; to drop a kept result, `polarway handles drop ID`; to delete \
                      rows, select those that stay and store them with `polarway store NAME FILE`";
const WRITE: &str = "to write a result to a file, use `polarway query 'SELECT …' -o FILE`; to write a dataset, `polarway load NAME -o FILE`";
const ATTACH: &str = "other databases can't be attached; whoever runs the server can name one, which is read as analytics.<table>";
const SETTINGS: &str = "settings are the server's: whoever runs it sets them, see `polarway server --help`";
const EXTENSIONS: &str = "extensions can't be loaded; what SQL can do here is in docs/sql.md";
const TRANSACTIONS: &str = "each write takes place on its own, and a query sees one version of each dataset: no transaction is needed";
const PARAMETERS: &str = "give values with the query: `polarway query 'SELECT $x' --param x=1`";

/// The replacement for each kind of statement, by its first word.
const STATEMENTS: [(&str, &str); 24] = [
    ("create", STORE),
    ("insert", APPEND),
    ("update", CHANGE),
    ("merge", CHANGE),
    ("alter", CHANGE),
    ("delete", REMOVE),
    ("truncate", REMOVE),
    ("drop", REMOVE),
    ("copy", WRITE),
    ("export", WRITE),
    ("import", STORE),
    ("attach", ATTACH),
    ("detach", ATTACH),
    ("use", ATTACH),
    ("set", SETTINGS),
    ("reset", SETTINGS),
    ("pragma", SETTINGS),
    ("install", EXTENSIONS),
    ("load", EXTENSIONS),
    ("begin", TRANSACTIONS),
    ("commit", TRANSACTIONS),
    ("rollback", TRANSACTIONS),
    ("prepare", PARAMETERS),
    ("execute", PARAMETERS),
];

/// What to use instead of the statement at the start of a text, after an EXPLAIN if there is one.
pub(super) fn of(text: &str) -> Option<&'static str> {
    let mut tokens = tokens(text).significant();
    let first = tokens.find(|token| !token.is_word("explain") && !token.is_word("analyze"))?;
    let known = STATEMENTS.iter().find(|(statement, _)| first.is_word(statement));
    known.map(|(_, hint)| *hint)
}
