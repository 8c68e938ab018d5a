//! `EXPLAIN` in front of a SELECT. DuckDB gives no tree for it, so it is cut off by tokens.

use crate::lexer::{Token, next_token};
use crate::plan::PlanFormat;

/// What stands in front of the SELECT.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Explain {
    pub(crate) format: PlanFormat,
    /// The byte behind it.
    pub(crate) end: usize,
}

/// What EXPLAIN takes, for whoever writes something else.
pub(crate) const USAGE: &str = "EXPLAIN takes ANALYZE and FORMAT, say EXPLAIN (ANALYZE, FORMAT json) SELECT …; formats are text \
                                and json";

/// The EXPLAIN that a text begins with.
///
/// # Errors
/// The byte of an option that is not known here.
pub(crate) fn explain(text: &str) -> Result<Option<Explain>, usize> {
    let Some(first) = next_token(text, 0) else { return Ok(None) };
    if !is_word(&first.token, &["explain"]) {
        return Ok(None);
    }
    let mut explain = Explain { format: PlanFormat::Text, end: first.end };
    let Some(next) = next_token(text, first.end) else { return Ok(Some(explain)) };
    if is_word(&next.token, &["analyze"]) {
        explain.end = next.end;
    } else if next.token == Token::Symbol('(') {
        read_options(text, next.end, &mut explain)?;
    }
    Ok(Some(explain))
}

fn read_options(text: &str, from: usize, explain: &mut Explain) -> Result<(), usize> {
    let mut position = from;
    let mut follows_format = false;
    while let Some(spanned) = next_token(text, position) {
        position = spanned.end;
        match &spanned.token {
            Token::Symbol(')') if !follows_format => {
                explain.end = position;
                return Ok(());
            }
            // A parenthesis may also begin the SELECT itself: it has none of these words.
            Token::Symbol(',') if !follows_format => {}
            token if follows_format && is_word(token, &["json"]) => {
                explain.format = PlanFormat::Json;
                follows_format = false;
            }
            token if follows_format && is_word(token, &["text"]) => follows_format = false,
            token if is_word(token, &["analyze"]) => {}
            token if is_word(token, &["format"]) => follows_format = true,
            token
                if is_word(
                    token,
                    &["select", "from", "with", "values", "table", "describe", "show", "summarize"],
                ) =>
            {
                return Ok(());
            }
            Token::Symbol('(') => return Ok(()),
            _ => return Err(spanned.start),
        }
    }
    Err(from)
}

fn is_word(token: &Token, words: &[&str]) -> bool {
    match token {
        Token::Word(word) | Token::Quoted(word) => words.iter().any(|known| known.eq_ignore_ascii_case(word)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_front_is_cut_off_and_the_rest_is_not_touched() {
        for (text, format, rest) in [
            ("EXPLAIN SELECT 1", PlanFormat::Text, " SELECT 1"),
            ("/* a */ explain analyze FROM t", PlanFormat::Text, " FROM t"),
            ("EXPLAIN (FORMAT json) SELECT 1", PlanFormat::Json, " SELECT 1"),
            ("EXPLAIN (ANALYZE, FORMAT 'JSON') SELECT 1", PlanFormat::Json, " SELECT 1"),
            ("EXPLAIN (FORMAT text, ANALYZE) SELECT 1", PlanFormat::Text, " SELECT 1"),
            ("EXPLAIN (SELECT 1)", PlanFormat::Text, " (SELECT 1)"),
            ("EXPLAIN ((SELECT 1))", PlanFormat::Text, " ((SELECT 1))"),
        ] {
            let found = explain(text).unwrap().unwrap();
            assert_eq!((found.format, &text[found.end..]), (format, rest), "{text}");
        }
    }

    #[test]
    fn a_format_that_is_not_known_is_an_error_and_a_select_is_no_explain() {
        assert!(explain("EXPLAIN (FORMAT html) SELECT 1").is_err());
        assert!(explain("EXPLAIN (VERBOSE) SELECT 1").is_err());
        for text in ["SELECT 1", "FROM explain", "", "-- EXPLAIN"] {
            assert_eq!(explain(text), Ok(None), "{text}");
        }
    }
}
