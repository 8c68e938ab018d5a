//! Names, texts and queries as parts of SQL.

use crate::kind::Kind;
use crate::token::tokens;

/// A name in double quotes, valid for any name.
///
/// ```
/// assert_eq!(polarway_sql::identifier("a \"b\""), r#""a ""b""""#);
/// ```
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in single quotes.
///
/// ```
/// assert_eq!(polarway_sql::literal("it's"), "'it''s'");
/// ```
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A query as part of another: in parentheses, without its final semicolon. A comment at its end must not hide the closing
/// parenthesis.
///
/// ```
/// assert_eq!(polarway_sql::subquery("SELECT ';'; -- done"), "(SELECT ';'\n)");
/// ```
pub fn subquery(text: &str) -> String {
    let semicolon = tokens(text).find(|token| token.kind == Kind::End);
    let end = semicolon.map_or(text.len(), |token| token.start);
    format!("({}\n)", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subquery_ends_before_its_semicolon() {
        for (text, expect) in [
            ("SELECT 1", "(SELECT 1\n)"),
            ("SELECT 1; -- done", "(SELECT 1\n)"),
            ("SELECT ';--', $$;$$, \";\" /* ; -- */ -- ;", "(SELECT ';--', $$;$$, \";\" /* ; -- */ -- ;\n)"),
            ("SELECT ';' -- ;\n ;;", "(SELECT ';' -- ;\n \n)"),
        ] {
            assert_eq!(subquery(text), expect);
        }
    }

    #[test]
    fn what_was_quoted_is_one_token_with_the_same_content() {
        for text in ["", "a", "it's", "\"", "'", "a\"b'c\"\"''", "\\", "$$", "é\n--"] {
            for quoted in [identifier(text), literal(text)] {
                let all: Vec<_> = tokens(&quoted).collect();
                assert_eq!(all.len(), 1, "{quoted}");
                assert_eq!(all[0].content().as_deref(), Some(text));
            }
        }
    }
}
