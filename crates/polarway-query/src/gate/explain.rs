//! `EXPLAIN` before a SELECT. DuckDB gives no tree for it, so it is removed by its tokens.

use polarway_sql::{Kind, Token, tokens};

use crate::plan::ExplainFormat;

/// What comes before the SELECT.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Explain {
    pub(crate) format: ExplainFormat,
    /// The offset of the byte after it.
    pub(crate) end: usize,
}

/// The options of EXPLAIN, for a message about others.
pub(crate) const USAGE: &str = "EXPLAIN takes ANALYZE and FORMAT, say EXPLAIN (ANALYZE, FORMAT json) SELECT …; formats are text \
                                and json. EXPLAIN (DISTRIBUTED) SELECT … takes nothing else";

/// The EXPLAIN at the start of a text.
///
/// # Errors
/// The byte offset of an unknown option.
pub(crate) fn explain(text: &str) -> Result<Option<Explain>, usize> {
    let mut tokens = tokens(text).significant();
    let Some(first) = tokens.next().filter(|token| is_one_of(token, &["explain"])) else { return Ok(None) };
    let mut explain = Explain { format: ExplainFormat::Text, end: first.end() };
    match tokens.next() {
        Some(next) if is_one_of(&next, &["analyze"]) => explain.end = next.end(),
        Some(next) if next.is_symbol("(") => read_options(tokens, next.end(), &mut explain)?,
        _ => {}
    }
    Ok(Some(explain))
}

/// Where the explained SELECT begins, in a text that passed the gate.
pub(crate) fn explained_from(text: &str) -> usize {
    explain(text).ok().flatten().map_or(0, |explain| explain.end)
}

/// Reads the options after the parenthesis that ends at byte `from`.
fn read_options<'a>(
    tokens: impl Iterator<Item = Token<'a>>,
    from: usize,
    explain: &mut Explain,
) -> Result<(), usize> {
    const BEGIN_A_SELECT: [&str; 8] =
        ["select", "from", "with", "values", "table", "describe", "show", "summarize"];
    let (mut follows_format, mut options) = (false, 0);
    for token in tokens {
        let is_alone = explain.format == ExplainFormat::Distributed;
        if follows_format {
            if is_one_of(&token, &["json"]) {
                explain.format = ExplainFormat::Json;
            } else if !is_one_of(&token, &["text"]) {
                return Err(token.start);
            }
            follows_format = false;
        } else if token.is_symbol(")") {
            explain.end = token.end();
            return Ok(());
        } else if is_alone || (options > 0 && is_one_of(&token, &["distributed"])) {
            return Err(token.start);
        } else if is_one_of(&token, &["format"]) {
            follows_format = true;
            options += 1;
        } else if is_one_of(&token, &["distributed"]) {
            explain.format = ExplainFormat::Distributed;
        } else if token.is_symbol("(") || is_one_of(&token, &BEGIN_A_SELECT) {
            // A parenthesis may also start the SELECT itself: then none of the option words follows.
            return Ok(());
        } else if is_one_of(&token, &["analyze"]) {
            options += 1;
        } else if !token.is_symbol(",") {
            return Err(token.start);
        }
    }
    Err(from)
}

/// Whether a token is one of these words, quoted or not, or a string with one of them.
fn is_one_of(token: &Token<'_>, words: &[&str]) -> bool {
    let content = token.content().filter(|_| token.kind != Kind::Parameter);
    content.is_some_and(|content| words.iter().any(|word| word.eq_ignore_ascii_case(&content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_front_is_cut_off_and_the_rest_is_not_touched() {
        for (text, format, rest) in [
            ("EXPLAIN SELECT 1", ExplainFormat::Text, " SELECT 1"),
            ("/* a */ explain analyze FROM t", ExplainFormat::Text, " FROM t"),
            ("EXPLAIN (FORMAT json) SELECT 1", ExplainFormat::Json, " SELECT 1"),
            ("EXPLAIN (ANALYZE, FORMAT 'JSON') SELECT 1", ExplainFormat::Json, " SELECT 1"),
            ("EXPLAIN (FORMAT text, ANALYZE) SELECT 1", ExplainFormat::Text, " SELECT 1"),
            ("EXPLAIN (DISTRIBUTED) SELECT 1", ExplainFormat::Distributed, " SELECT 1"),
            ("explain ( distributed )FROM t", ExplainFormat::Distributed, "FROM t"),
            ("EXPLAIN (SELECT 1)", ExplainFormat::Text, " (SELECT 1)"),
            ("EXPLAIN ((SELECT 1))", ExplainFormat::Text, " ((SELECT 1))"),
        ] {
            let found = explain(text).unwrap().unwrap();
            assert_eq!((found.format, &text[found.end..]), (format, rest), "{text}");
        }
    }

    #[test]
    fn a_format_that_is_not_known_is_an_error_and_a_select_is_no_explain() {
        assert!(explain("EXPLAIN (FORMAT html) SELECT 1").is_err());
        assert!(explain("EXPLAIN (VERBOSE) SELECT 1").is_err());
        for text in [
            "EXPLAIN (DISTRIBUTED, ANALYZE) SELECT 1",
            "EXPLAIN (ANALYZE, DISTRIBUTED) SELECT 1",
            "EXPLAIN (DISTRIBUTED, FORMAT json) SELECT 1",
            "EXPLAIN (FORMAT json, DISTRIBUTED) SELECT 1",
            "EXPLAIN (DISTRIBUTED, DISTRIBUTED) SELECT 1",
            "EXPLAIN (DISTRIBUTED SELECT 1",
        ] {
            assert!(explain(text).is_err(), "{text}");
        }
        for text in ["SELECT 1", "FROM explain", "", "-- EXPLAIN"] {
            assert_eq!(explain(text), Ok(None), "{text}");
        }
    }
}
