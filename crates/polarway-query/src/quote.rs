//! Names, texts and queries as SQL.

use polarway_sql::tokens;

/// A name in double quotes.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in single quotes.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A query as a part of another: in parentheses, without the semicolon at its end. A comment there must not take the
/// parenthesis.
pub(crate) fn subquery(text: &str) -> String {
    let semicolon = tokens(text).find(|token| token.is_significant() && token.text == ";");
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
}
