//! Replacing a table reference in the author's text with the name of a view.
//!
//! The tree says where a reference starts; tokens show where it ends. The new text goes through the gate again before it runs,
//! so a mistake here can make a query fail, but not read something else.

use polarway_sql::{Kind, Token, identifier, tokens, tokens_from};
use serde_json::Value;

use super::constants::function_name;
use crate::listing::Listing;

/// A range of the text and its replacement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) replacement: String,
}

/// The context of a table's name in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Name,
    Path,
    /// After DESCRIBE, where no alias may follow.
    Described,
}

/// The cuts that replace a table name by `view` and remove an `AT (…)` after it. `None` if the text does not match the tree, or
/// has a form that is not supported here.
pub(crate) fn table_cuts(
    text: &str,
    start: usize,
    table: &Value,
    view: &str,
    form: Form,
) -> Option<Vec<Cut>> {
    let name = table["table_name"].as_str()?;
    let mut tokens = tokens_from(text, start).significant();
    let end = after_name(&mut tokens, start, table)?;
    let alias = table["alias"].as_str().unwrap_or_default();
    // Columns are qualified with the table's name: the view takes that name.
    let replacement = match (alias, form) {
        ("", Form::Path) => format!("{} AS {}", identifier(view), identifier(file_stem(name))),
        ("", Form::Name) => format!("{} AS {}", identifier(view), identifier(name)),
        _ => identifier(view),
    };
    let mut cuts = vec![Cut { start, end, replacement }];
    if !table["at_clause"].is_null() {
        let mut token = tokens.next()?;
        if !alias.is_empty() {
            token = skip_alias(&mut tokens, token, alias)?;
        }
        if !token.is_word("at") || !tokens.next()?.is_symbol("(") {
            return None;
        }
        let end = after_closing(&mut tokens)?;
        cuts.push(Cut { start: token.start, end, replacement: String::new() });
    }
    Some(cuts)
}

/// The cut that replaces a call of a table function by `view`.
pub(crate) fn call_cut(text: &str, start: usize, reference: &Value, view: &str) -> Option<Cut> {
    let name = function_name(&reference["function"]);
    let mut tokens = tokens_from(text, start).significant();
    let mut token = tokens.next().filter(|token| token.start == start)?;
    // The name may be qualified: `system.main.read_parquet`.
    loop {
        let after = tokens.next()?;
        if after.is_symbol(".") {
            token = tokens.next()?;
            continue;
        }
        if !after.is_symbol("(") || !token.is_word(name) && !is_called(&token, name) {
            return None;
        }
        let end = after_closing(&mut tokens)?;
        let replacement = match reference["alias"].as_str().unwrap_or_default() {
            "" => format!("{} AS {}", identifier(view), identifier(name)),
            _ => identifier(view),
        };
        return Some(Cut { start, end, replacement });
    }
}

/// The cuts that replace each `SHOW TABLES` by a SELECT. `None` if the text does not contain exactly those in the tree.
pub(crate) fn show_cuts(text: &str, shown: &[Listing], view: impl Fn(Listing) -> String) -> Option<Vec<Cut>> {
    let tokens: Vec<Token<'_>> = tokens(text).significant().collect();
    let word = |index: usize| match tokens.get(index) {
        Some(token) if token.kind == Kind::Word => token.text.to_lowercase(),
        _ => String::new(),
    };
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
        let starts = index == 0 || tokens[index - 1].is_symbol("(");
        let behind = tokens.get(index + length);
        let ends = behind.is_none_or(|token| token.is_symbol(")") || token.is_symbol(";"));
        if starts && ends {
            let end = tokens[index + length - 1].end();
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

/// The prefix of a positional parameter's name after it becomes a named one.
pub(crate) const POSITION: &str = "p";

/// The cuts that name each positional parameter outside of `cuts`, so that those inside can be removed: DuckDB accepts no
/// values for positions with a gap. Empty if there are none inside.
pub(crate) fn naming_cuts(text: &str, cuts: &[Cut]) -> Vec<Cut> {
    let is_inside = |token: &Token<'_>| cuts.iter().any(|cut| (cut.start..cut.end).contains(&token.start));
    let is_position = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let positional: Vec<(String, Token<'_>)> =
        parameters(text).filter(|(name, _)| is_position(name)).collect();
    if !positional.iter().any(|(_, token)| is_inside(token)) {
        return Vec::new();
    }
    let outside = positional.into_iter().filter(|(_, token)| !is_inside(token));
    outside
        .map(|(position, token)| Cut {
            start: token.start,
            end: token.end(),
            replacement: format!("${POSITION}{position}"),
        })
        .collect()
}

/// The text with something else in place of each parameter, by its name. `None` if there is nothing for one of them.
pub(crate) fn with_values(text: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let cut = |(name, token): (String, Token<'_>)| {
        Some(Cut { start: token.start, end: token.end(), replacement: value(&name)? })
    };
    apply(text, parameters(text).map(cut).collect::<Option<_>>()?)
}

/// The parameters of a text with their names. That of a positional one is its number.
fn parameters(text: &str) -> impl Iterator<Item = (String, Token<'_>)> {
    let mut marks = 0;
    let parameters = tokens(text).significant().filter(|token| token.kind == Kind::Parameter);
    parameters.map(move |token| match &token.text[1..] {
        "" => {
            marks += 1;
            (marks.to_string(), token)
        }
        name => (name.to_owned(), token),
    })
}

/// The byte after a table's name, which may have up to three parts.
fn after_name<'a>(
    tokens: &mut impl Iterator<Item = Token<'a>>,
    start: usize,
    table: &Value,
) -> Option<usize> {
    let parts =
        ["catalog_name", "schema_name", "table_name"].map(|key| table[key].as_str().unwrap_or_default());
    let mut end = None;
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let token = match end {
            None => tokens.next().filter(|token| token.start == start)?,
            Some(_) => {
                tokens.next().filter(|dot| dot.is_symbol("."))?;
                tokens.next()?
            }
        };
        if !is_called(&token, part) {
            return None;
        }
        end = Some(token.end());
    }
    end
}

/// Applies all cuts, which must not overlap.
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

/// The token after `[AS] alias [(columns)]`, of which `token` is the first.
fn skip_alias<'a>(
    tokens: &mut impl Iterator<Item = Token<'a>>,
    token: Token<'a>,
    alias: &str,
) -> Option<Token<'a>> {
    let named = if token.is_word("as") { tokens.next()? } else { token };
    if !is_called(&named, alias) {
        return None;
    }
    let after = tokens.next()?;
    if !after.is_symbol("(") {
        return Some(after);
    }
    after_closing(tokens)?;
    tokens.next()
}

/// The byte after the parenthesis that closes the one before these tokens.
fn after_closing<'a>(tokens: &mut impl Iterator<Item = Token<'a>>) -> Option<usize> {
    let mut depth = 1_usize;
    for token in tokens {
        depth += usize::from(token.is_symbol("("));
        depth -= usize::from(token.is_symbol(")"));
        if depth == 0 {
            return Some(token.end());
        }
    }
    None
}

/// Whether a token is this name, quoted or not, or a string with it.
fn is_called(token: &Token<'_>, name: &str) -> bool {
    token.kind != Kind::Parameter && token.content().as_deref() == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_inside_strings_and_comments_do_not_count() {
        let text = "a, ')', \"(\" /* ( */, (b), $$)$$, e'\\')') c";
        assert_eq!(after_closing(&mut tokens(text).significant()), Some(text.len() - 2));
    }

    #[test]
    fn what_does_not_end_has_no_end() {
        for text in ["'abc", "\"abc", "/* a", "(", "$$ ) $", "e'\\')"] {
            assert_eq!(after_closing(&mut tokens(text).significant()), None, "{text}");
        }
    }

    #[test]
    fn positions_get_names_however_they_are_written() {
        for (text, expect) in [
            ("SELECT ?, '?', ? CUT ?", "SELECT $p1, '?', $p2 CUT ?"),
            ("SELECT ?2 + $1, $name CUT ?3", "SELECT $p2 + $p1, $name CUT ?3"),
            ("SELECT $1a CUT $2", "SELECT $p1a CUT $2"),
            ("SELECT ?2 CUT 3", "SELECT ?2 CUT 3"),
        ] {
            let start = text.find("CUT").unwrap();
            let cut = Cut { start, end: text.len(), replacement: String::new() };
            let cuts = naming_cuts(text, &[cut]);
            assert_eq!(apply(text, cuts).as_deref(), Some(expect));
        }
    }

    #[test]
    fn each_parameter_has_its_value_wherever_it_stands() {
        let value = |name: &str| (name != "none").then(|| format!("<{name}>"));
        for (text, expect) in [
            ("SELECT ?, '?', ? -- ?", Some("SELECT <1>, '?', <2> -- ?")),
            ("SELECT $2 + $x, $$?$$, \"$1\"", Some("SELECT <2> + <x>, $$?$$, \"$1\"")),
            ("SELECT $x + $none", None),
            ("SELECT 1", Some("SELECT 1")),
        ] {
            assert_eq!(with_values(text, value).as_deref(), expect, "{text}");
        }
    }
}
