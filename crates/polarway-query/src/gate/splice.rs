//! Replacing a table reference in the author's text with the name of a view.
//!
//! The tree says where a reference starts; where it ends is found with the lexer. The text that comes out goes
//! through the gate once more before it runs, so a mistake here can make a query fail, not read something else.

use super::constants::function_name;
use crate::lexer::{Spanned, Token, after_parentheses, next_token};
use crate::quote::identifier;
use serde_json::Value;

/// A stretch of the text and what takes its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) replacement: String,
}

/// The cuts that put `view` in the place of a table name, an `AT (…)` behind it removed. `None` when the text
/// is not where the tree says, or written in a form that the lexer does not read.
pub(crate) fn table_cuts(
    text: &str,
    start: usize,
    table: &Value,
    view: &str,
    is_path: bool,
) -> Option<Vec<Cut>> {
    let name = table["table_name"].as_str()?;
    let written = next_token(text, start).filter(|token| token.start == start)?;
    if !matches!(&written.token, Token::Word(word) | Token::Quoted(word) if word == name) {
        return None;
    }
    let alias = table["alias"].as_str().unwrap_or_default();
    // Columns are named through the table's name: the view takes it over.
    let replacement = match alias {
        "" => format!("{} AS {}", identifier(view), identifier(if is_path { file_stem(name) } else { name })),
        _ => identifier(view),
    };
    let mut cuts = vec![Cut { start, end: written.end, replacement }];
    if !table["at_clause"].is_null() {
        let mut token = next_token(text, written.end)?;
        if !alias.is_empty() {
            token = skip_alias(text, token, alias)?;
        }
        if !is_word(&token, "at") {
            return None;
        }
        let end = after_parentheses(text, token.end)?;
        cuts.push(Cut { start: token.start, end, replacement: String::new() });
    }
    Some(cuts)
}

/// The cut that puts `view` in the place of a table function's call.
pub(crate) fn call_cut(text: &str, start: usize, reference: &Value, view: &str) -> Option<Cut> {
    let name = function_name(&reference["function"]);
    let mut token = next_token(text, start).filter(|token| token.start == start)?;
    // The name may be qualified: `system.main.read_parquet`.
    loop {
        let after = next_token(text, token.end)?;
        if after.token == Token::Symbol('.') {
            token = next_token(text, after.end)?;
            continue;
        }
        if !is_word(&token, name) && token.token != Token::Quoted(name.to_owned()) {
            return None;
        }
        let end = after_parentheses(text, after.start)?;
        let replacement = match reference["alias"].as_str().unwrap_or_default() {
            "" => format!("{} AS {}", identifier(view), identifier(name)),
            _ => identifier(view),
        };
        return Some(Cut { start, end, replacement });
    }
}

/// Makes all cuts, which must not overlap.
pub(crate) fn apply(text: &str, mut cuts: Vec<Cut>) -> Option<String> {
    cuts.sort_by_key(|cut| cut.start);
    let mut spliced = String::with_capacity(text.len() + 64);
    let mut position = 0;
    for cut in &cuts {
        spliced.push_str(text.get(position..cut.start)?);
        spliced.push_str(&cut.replacement);
        position = cut.end;
    }
    spliced.push_str(text.get(position..)?);
    Some(spliced)
}

/// The name that DuckDB gives a table read from a path: its file name up to the first dot.
fn file_stem(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    match file.split('.').next() {
        Some(stem) if !stem.is_empty() => stem,
        _ => file,
    }
}

/// The token behind `[AS] alias [(columns)]`.
fn skip_alias(text: &str, token: Spanned, alias: &str) -> Option<Spanned> {
    let named = match is_word(&token, "as") {
        true => next_token(text, token.end)?,
        false => token,
    };
    if !matches!(&named.token, Token::Word(word) | Token::Quoted(word) if word == alias) {
        return None;
    }
    let after = next_token(text, named.end)?;
    match after.token {
        Token::Symbol('(') => next_token(text, after_parentheses(text, after.start)?),
        _ => Some(after),
    }
}

fn is_word(token: &Spanned, expected: &str) -> bool {
    matches!(&token.token, Token::Word(word) if word.eq_ignore_ascii_case(expected))
}
