//! Expressions: pieces of SQL that become parts of a larger text. Each is checked to be exactly one expression.
//!
//! A piece is put into parentheses. The check makes sure that it can't end them: it is split into tokens as DuckDB does it, no
//! quote, comment or bracket stays open, and no bracket closes one that the piece did not open. Text that is no expression in
//! parentheses, such as `a FROM b`, passes the check and is an error of DuckDB.

use std::borrow::Cow;

use polarway_sql::{Kind, Token, identifier, tokens};

use crate::error::{Error, ErrorKind, Result};

/// How much of a text a message shows.
const SHOWN_CHARACTERS: usize = 200;

/// Words that begin a query and no expression.
const BEGIN_A_QUERY: [&str; 12] = [
    "SELECT",
    "FROM",
    "WITH",
    "VALUES",
    "TABLE",
    "PIVOT",
    "UNPIVOT",
    "DESCRIBE",
    "SHOW",
    "SUMMARIZE",
    "EXPLAIN",
    "CALL",
];

/// Functions that make several columns of one expression.
const BECOME_SEVERAL: [&str; 3] = ["COLUMNS", "UNNEST", "UNPACK"];

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its SQL in a list after SELECT.
    pub(super) sql: String,
    /// Its name, if the text shows it.
    pub(super) names: Names,
    /// The name that was given with AS.
    pub(super) alias: Option<String>,
}

/// The names of the columns that an item gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Names {
    One(String),
    /// The names of the table's columns: the item is `*`.
    All,
    Unknown,
}

/// An expression, in parentheses.
///
/// # Errors
/// Text that is not one expression, and an expression with a name, which has no use here.
pub(super) fn expression(text: &str) -> Result<String> {
    let piece = Piece::new(text)?;
    match piece.position_of_as() {
        Some(_) => Err(piece.refused("a name behind AS is of no use here")),
        None => Ok(in_parentheses(text)),
    }
}

/// An expression, or `expression AS name`.
///
/// # Errors
/// Text that is neither.
pub(super) fn column(text: &str) -> Result<Column> {
    let piece = Piece::new(text)?;
    let Some(position) = piece.position_of_as() else {
        return Ok(Column { sql: in_parentheses(text), names: piece.own_names(), alias: None });
    };
    let (before, alias) = match &piece.tokens[position..] {
        [keyword, name] if position > 0 => (&text[..keyword.start], name.name()),
        _ => ("", None),
    };
    let Some(alias) = alias.map(Cow::into_owned) else {
        return Err(piece.refused("AS stands between an expression and one name, at the end"));
    };
    if alias.is_empty() {
        return Err(piece.refused("the name behind AS is empty"));
    }
    let names = match piece.may_be_several() {
        true => Names::Unknown,
        false => Names::One(alias.clone()),
    };
    let sql = format!("{} AS {}", in_parentheses(before), identifier(&alias));
    Ok(Column { sql, names, alias: Some(alias) })
}

/// An expression to sort by, with an optional ASC, DESC, NULLS FIRST or NULLS LAST.
///
/// # Errors
/// Text that is no such expression.
pub(super) fn sort_key(text: &str) -> Result<String> {
    let piece = Piece::new(text)?;
    if piece.position_of_as().is_some() {
        return Err(piece.refused("a name behind AS is of no use here"));
    }
    let mut rest = &piece.tokens[..];
    let mut suffix = String::new();
    if let [before @ .., nulls, end] = rest
        && nulls.is_word("NULLS")
    {
        suffix = match (end.is_word("FIRST"), end.is_word("LAST")) {
            (true, _) => " NULLS FIRST".to_owned(),
            (_, true) => " NULLS LAST".to_owned(),
            _ => return Err(piece.refused("behind NULLS stands FIRST or LAST")),
        };
        rest = before;
    }
    if let [before @ .., direction] = rest
        && (direction.is_word("ASC") || direction.is_word("DESC"))
    {
        suffix = format!(" {}{suffix}", direction.text.to_ascii_uppercase());
        rest = before;
    }
    match rest.last() {
        Some(last) => Ok(format!("{}{suffix}", in_parentheses(&text[..last.end()]))),
        None => Err(piece.refused("there is nothing to sort by")),
    }
}

/// A complete SELECT, without a semicolon at its end.
///
/// # Errors
/// Text that can't be put into parentheses.
pub(super) fn statement(text: &str) -> Result<&str> {
    let refused = |what: &str| refused(text, "a single SELECT", what);
    let all: Vec<Token<'_>> = tokens(text).collect();
    check_ends(&all).map_err(|what| refused(&what))?;
    let mut significant: Vec<&Token<'_>> = all.iter().filter(|token| token.is_significant()).collect();
    while significant.last().is_some_and(|token| token.kind == Kind::End) {
        significant.pop();
    }
    if significant.iter().any(|token| token.kind == Kind::End) {
        return Err(refused("a `;` ends it before its end"));
    }
    check_characters(text, &all).map_err(|what| refused(&what))?;
    check_brackets(significant.iter().copied()).map_err(|what| refused(&what))?;
    match significant.last() {
        Some(last) => Ok(text[..last.end()].trim_start()),
        None => Err(refused("it is empty")),
    }
}

/// A text whose tokens can be one expression, and its tokens.
struct Piece<'a> {
    text: &'a str,
    /// The tokens without spaces and comments.
    tokens: Vec<Token<'a>>,
}

impl<'a> Piece<'a> {
    fn new(text: &'a str) -> Result<Self> {
        let all: Vec<Token<'a>> = tokens(text).collect();
        check(text, &all).map_err(|what| refused(text, "a single expression", &what))?;
        Ok(Self { text, tokens: all.into_iter().filter(Token::is_significant).collect() })
    }

    fn refused(&self, what: &str) -> Error {
        refused(self.text, "a single expression", what)
    }

    /// The index of the first AS outside of brackets.
    fn position_of_as(&self) -> Option<usize> {
        outside_of_brackets(&self.tokens).find(|(_, token)| token.is_word("AS")).map(|(index, _)| index)
    }

    /// The names that DuckDB gives it if it has no AS.
    fn own_names(&self) -> Names {
        match &self.tokens[..] {
            [star] if star.text == "*" => Names::All,
            [.., name] if self.is_path() => {
                name.name().map_or(Names::Unknown, |name| Names::One(name.into_owned()))
            }
            _ => Names::Unknown,
        }
    }

    fn is_path(&self) -> bool {
        self.tokens.iter().enumerate().all(|(index, token)| match index % 2 {
            0 => token.name().is_some(),
            _ => token.text == ".",
        })
    }

    fn may_be_several(&self) -> bool {
        let is_star = |token: Option<&Token<'_>>| token.is_some_and(|token| token.text == "*");
        let before_as = self.position_of_as().unwrap_or(self.tokens.len());
        let expression = &self.tokens[..before_as];
        is_star(expression.first())
            || is_star(expression.last())
            || expression.iter().any(|token| BECOME_SEVERAL.iter().any(|word| token.is_word(word)))
    }
}

/// Refuses text that could end the parentheses around it, or that is not one expression; the error says why.
fn check(text: &str, all: &[Token<'_>]) -> Result<(), String> {
    check_ends(all)?;
    check_characters(text, all)?;
    if let Some(comment) = all.iter().find(|token| token.kind == Kind::Comment) {
        return Err(format!("a comment, {}, has no place in it", shown(comment.text)));
    }
    let significant: Vec<Token<'_>> = all.iter().copied().filter(Token::is_significant).collect();
    if significant.iter().any(|token| token.kind == Kind::End) {
        return Err("a `;` would end the whole query".to_owned());
    }
    check_brackets(significant.iter())?;
    if outside_of_brackets(&significant).any(|(_, token)| token.text == ",") {
        return Err("a `,` begins another one".to_owned());
    }
    match significant.first() {
        None => Err("it is empty".to_owned()),
        Some(first) if BEGIN_A_QUERY.iter().any(|word| first.is_word(word)) => {
            Err(format!("a query, such as what {} begins, stands in parentheses", first.text))
        }
        Some(_) => Ok(()),
    }
}

/// Refuses quotes and comments that don't end.
fn check_ends(all: &[Token<'_>]) -> Result<(), String> {
    match all.iter().find(|token| token.is_open) {
        Some(open) => Err(format!("what begins with {} does not end", shown(open.text))),
        None => Ok(()),
    }
}

/// Refuses characters of which it is not certain where DuckDB ends a token.
fn check_characters(text: &str, all: &[Token<'_>]) -> Result<(), String> {
    if text.contains('\0') {
        return Err("it holds a NUL character".to_owned());
    }
    let bare =
        all.iter().filter(|token| !matches!(token.kind, Kind::Text | Kind::QuotedName | Kind::Comment));
    for character in bare.flat_map(|token| token.text.chars()) {
        if !character.is_ascii() && !character.is_alphanumeric() {
            return Err(format!("{character:?} stands outside of quotes; a name goes into double quotes"));
        }
    }
    for pair in all.windows(2) {
        let runs_on = matches!(pair[1].kind, Kind::Word | Kind::Number | Kind::Text | Kind::QuotedName);
        if pair[0].kind == Kind::Number && runs_on {
            return Err(format!("{} runs on into {}", shown(pair[0].text), shown(pair[1].text)));
        }
    }
    Ok(())
}

/// Refuses brackets that don't go in pairs.
fn check_brackets<'a>(significant: impl Iterator<Item = &'a Token<'a>>) -> Result<(), String> {
    let mut open = Vec::new();
    for token in significant.filter(|token| token.kind == Kind::Symbol) {
        match token.text {
            "(" => open.push(")"),
            "[" => open.push("]"),
            "{" => open.push("}"),
            closing @ (")" | "]" | "}") if open.pop() != Some(closing) => {
                return Err(format!("a `{closing}` closes what it does not open"));
            }
            _ => {}
        }
    }
    match open.pop() {
        Some(closing) => Err(format!("a `{closing}` is missing")),
        None => Ok(()),
    }
}

/// The tokens outside of brackets, each with its index. All brackets must be in pairs.
fn outside_of_brackets<'a, 'b>(
    tokens: &'b [Token<'a>],
) -> impl Iterator<Item = (usize, &'b Token<'a>)> + use<'a, 'b> {
    let mut depth = 0_usize;
    tokens.iter().enumerate().filter(move |(_, token)| {
        let is_symbol = token.kind == Kind::Symbol;
        if is_symbol && matches!(token.text, ")" | "]" | "}") {
            depth = depth.saturating_sub(1);
        }
        let is_outside = depth == 0;
        if is_symbol && matches!(token.text, "(" | "[" | "{") {
            depth += 1;
        }
        is_outside
    })
}

fn in_parentheses(text: &str) -> String {
    format!("({})", text.trim())
}

fn refused(text: &str, wanted: &str, what: &str) -> Error {
    Error::new(ErrorKind::Expression, format!("{} is not {wanted}: {what}", shown(text)))
}

/// A text for a message, cut if it is long.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests;
