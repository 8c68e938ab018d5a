//! `EXPLAIN` before a SELECT. DuckDB gives no tree for it, so it is removed by its tokens.

use polarway_sql::{Kind, Token, tokens};

use crate::plan::{ExplainFormat, Explained};

/// What comes before the SELECT.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Explain {
    pub(crate) explained: Explained,
    /// The offset of the byte after it.
    pub(crate) end: usize,
}

/// The options of EXPLAIN, for a message about others.
pub(crate) const USAGE: &str = "EXPLAIN takes ANALYZE, FORMAT and DISTRIBUTED, say EXPLAIN (ANALYZE, FORMAT json) SELECT …; \
                                formats are text and json, and DISTRIBUTED has none";

/// The EXPLAIN at the start of a text.
///
/// # Errors
/// The byte offset of an unknown option.
pub(crate) fn explain(text: &str) -> Result<Option<Explain>, usize> {
    let mut tokens = tokens(text).significant();
    let Some(first) = tokens.next().filter(|token| is_one_of(token, &["explain"])) else { return Ok(None) };
    let explained = Explained { format: ExplainFormat::Text, is_analyzed: false };
    let mut explain = Explain { explained, end: first.end() };
    match tokens.next() {
        Some(next) if is_one_of(&next, &["analyze"]) => {
            explain.explained.is_analyzed = true;
            explain.end = next.end();
        }
        Some(next) if next.is_symbol("(") => {
            if let Some(read) = read_options(tokens, next.end())? {
                explain = read;
            }
        }
        _ => {}
    }
    Ok(Some(explain))
}

/// Where the explained SELECT begins, in a text that passed the gate.
pub(crate) fn explained_from(text: &str) -> usize {
    explain(text).ok().flatten().map_or(0, |explain| explain.end)
}

/// Reads the options after the parenthesis that ends at byte `from`; `None` if it starts the SELECT itself, so that none of the
/// option words follows.
fn read_options<'a>(tokens: impl Iterator<Item = Token<'a>>, from: usize) -> Result<Option<Explain>, usize> {
    const BEGIN_A_SELECT: [&str; 8] =
        ["select", "from", "with", "values", "table", "describe", "show", "summarize"];
    let (mut format, mut is_analyzed, mut follows_format) = (None, false, false);
    for token in tokens {
        if follows_format {
            let named = [("json", ExplainFormat::Json), ("text", ExplainFormat::Text)];
            let named = named.into_iter().find(|(name, _)| is_one_of(&token, &[name]));
            format = Some(named.ok_or(token.start)?.1);
            follows_format = false;
        } else if token.is_symbol(")") {
            let explained = Explained { format: format.unwrap_or(ExplainFormat::Text), is_analyzed };
            return Ok(Some(Explain { explained, end: token.end() }));
        } else if is_one_of(&token, &["format"]) && format != Some(ExplainFormat::Distributed) {
            follows_format = true;
        } else if is_one_of(&token, &["distributed"]) && format.is_none() {
            format = Some(ExplainFormat::Distributed);
        } else if token.is_symbol("(") || is_one_of(&token, &BEGIN_A_SELECT) {
            let has_options = format.is_some() || is_analyzed;
            return if has_options { Err(token.start) } else { Ok(None) };
        } else if is_one_of(&token, &["analyze"]) {
            is_analyzed = true;
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
        for (text, format, is_analyzed, rest) in [
            ("EXPLAIN SELECT 1", ExplainFormat::Text, false, " SELECT 1"),
            ("/* a */ explain analyze FROM t", ExplainFormat::Text, true, " FROM t"),
            ("EXPLAIN (ANALYZE) SELECT 1", ExplainFormat::Text, true, " SELECT 1"),
            ("EXPLAIN (FORMAT json) SELECT 1", ExplainFormat::Json, false, " SELECT 1"),
            ("EXPLAIN (ANALYZE, FORMAT 'JSON') SELECT 1", ExplainFormat::Json, true, " SELECT 1"),
            ("EXPLAIN (FORMAT text, ANALYZE) SELECT 1", ExplainFormat::Text, true, " SELECT 1"),
            ("EXPLAIN (DISTRIBUTED) SELECT 1", ExplainFormat::Distributed, false, " SELECT 1"),
            ("EXPLAIN (DISTRIBUTED, ANALYZE) SELECT 1", ExplainFormat::Distributed, true, " SELECT 1"),
            ("EXPLAIN (ANALYZE, DISTRIBUTED) SELECT 1", ExplainFormat::Distributed, true, " SELECT 1"),
            ("explain ( distributed )FROM t", ExplainFormat::Distributed, false, "FROM t"),
            ("EXPLAIN (SELECT 1)", ExplainFormat::Text, false, " (SELECT 1)"),
            ("EXPLAIN ((SELECT 1))", ExplainFormat::Text, false, " ((SELECT 1))"),
        ] {
            let found = explain(text).unwrap().unwrap();
            assert_eq!(found.explained, Explained { format, is_analyzed }, "{text}");
            assert_eq!(&text[found.end..], rest, "{text}");
        }
    }

    #[test]
    fn a_format_that_is_not_known_is_an_error_and_a_select_is_no_explain() {
        assert!(explain("EXPLAIN (FORMAT html) SELECT 1").is_err());
        assert!(explain("EXPLAIN (VERBOSE) SELECT 1").is_err());
        for text in [
            "EXPLAIN (FORMAT) SELECT 1",
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
