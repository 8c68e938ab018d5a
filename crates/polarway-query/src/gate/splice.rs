//! Replacing a table reference in the author's text with the name of a view.
//!
//! The tree says where a reference starts; where it ends is found with the lexer. The text that comes out goes
//! through the gate once more before it runs, so a mistake here can make a query fail, not read something else.

use super::constants::function_name;
use crate::lexer::{Spanned, Token, after_parentheses, next_token};
use crate::listing::Listing;
use crate::quote::identifier;
use serde_json::Value;

/// A stretch of the text and what takes its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) replacement: String,
}

/// How a table's name stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Name,
    Path,
    /// Behind DESCRIBE, where no alias may follow.
    Described,
}

/// The cuts that put `view` in the place of a table name, an `AT (…)` behind it removed. `None` when the text
/// is not where the tree says, or written in a form that the lexer does not read.
pub(crate) fn table_cuts(
    text: &str,
    start: usize,
    table: &Value,
    view: &str,
    form: Form,
) -> Option<Vec<Cut>> {
    let name = table["table_name"].as_str()?;
    let end = after_name(text, start, table)?;
    let alias = table["alias"].as_str().unwrap_or_default();
    // Columns are named through the table's name: the view takes it over.
    let replacement = match (alias, form) {
        ("", Form::Path) => format!("{} AS {}", identifier(view), identifier(file_stem(name))),
        ("", Form::Name) => format!("{} AS {}", identifier(view), identifier(name)),
        _ => identifier(view),
    };
    let mut cuts = vec![Cut { start, end, replacement }];
    if !table["at_clause"].is_null() {
        let mut token = next_token(text, end)?;
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

/// The cuts that put a SELECT in the place of each `SHOW TABLES`. `None` when the text does not hold just those that the
/// tree has.
pub(crate) fn show_cuts(text: &str, shown: &[Listing], view: impl Fn(Listing) -> String) -> Option<Vec<Cut>> {
    let tokens = all_tokens(text);
    let word = |index: usize| match tokens.get(index).map(|spanned| &spanned.token) {
        Some(Token::Word(word)) => word.to_lowercase(),
        _ => String::new(),
    };
    let symbol =
        |index: Option<usize>| index.and_then(|index| tokens.get(index)).map(|spanned| &spanned.token);
    let mut written = Vec::new();
    let mut cuts = Vec::new();
    for (index, first) in tokens.iter().enumerate() {
        let (listing, length) =
            match (word(index).as_str(), word(index + 1).as_str(), word(index + 2).as_str()) {
                ("show", "tables", _) => (Listing::Tables, 2),
                ("show", "all", "tables") => (Listing::AllTables, 3),
                ("show" | "describe" | "desc", ..) => (Listing::AllTables, 1),
                _ => continue,
            };
        let starts = index == 0 || symbol(index.checked_sub(1)) == Some(&Token::Symbol('('));
        let ends = matches!(symbol(Some(index + length)), None | Some(Token::Symbol(')' | ';')));
        if starts && ends {
            let end = tokens[index + length - 1].end;
            written.push(listing);
            cuts.push(Cut {
                start: first.start,
                end,
                replacement: format!("FROM {}", identifier(&view(listing))),
            });
        }
    }
    let count = |list: &[Listing], wanted: Listing| list.iter().filter(|listing| **listing == wanted).count();
    let is_same = [Listing::Tables, Listing::AllTables]
        .into_iter()
        .all(|listing| count(&written, listing) == count(shown, listing));
    is_same.then_some(cuts)
}

/// What the name of a positional parameter begins with once it is a named one.
pub(crate) const POSITION: &str = "p";

/// The cuts that give each positional parameter outside of `cuts` a name, so that those inside can go: DuckDB takes no
/// values for positions with a gap. None are needed when there is none inside.
pub(crate) fn naming_cuts(text: &str, cuts: &[Cut]) -> Vec<Cut> {
    let is_inside = |spanned: &Spanned| cuts.iter().any(|cut| (cut.start..cut.end).contains(&spanned.start));
    let mut marks = 0;
    let positional: Vec<(String, Spanned)> = all_tokens(text)
        .into_iter()
        .filter_map(|spanned| match &spanned.token {
            Token::Symbol('?') => {
                marks += 1;
                Some((marks.to_string(), spanned))
            }
            Token::Parameter(name) if name.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some((name.clone(), spanned))
            }
            _ => None,
        })
        .collect();
    if !positional.iter().any(|(_, spanned)| is_inside(spanned)) {
        return Vec::new();
    }
    let outside = positional.into_iter().filter(|(_, spanned)| !is_inside(spanned));
    outside
        .map(|(position, Spanned { start, end, .. })| Cut {
            start,
            end,
            replacement: format!("${POSITION}{position}"),
        })
        .collect()
}

fn all_tokens(text: &str) -> Vec<Spanned> {
    let mut position = 0;
    std::iter::from_fn(|| {
        let spanned = next_token(text, position)?;
        position = spanned.end;
        Some(spanned)
    })
    .collect()
}

/// The byte behind a table's name, which may have up to three parts.
fn after_name(text: &str, start: usize, table: &Value) -> Option<usize> {
    let parts =
        ["catalog_name", "schema_name", "table_name"].map(|key| table[key].as_str().unwrap_or_default());
    let mut end = None;
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let token = match end {
            None => next_token(text, start).filter(|token| token.start == start)?,
            Some(end) => {
                let dot = next_token(text, end).filter(|dot| dot.token == Token::Symbol('.'))?;
                next_token(text, dot.end)?
            }
        };
        if !matches!(&token.token, Token::Word(word) | Token::Quoted(word) if word == part) {
            return None;
        }
        end = Some(token.end);
    }
    end
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
