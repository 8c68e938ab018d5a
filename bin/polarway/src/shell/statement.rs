//! Input, split into statements and dot commands.

use polarway_sql::{Kind, Token, script_tokens};
use reedline::{ValidationResult, Validator};

use super::dot;

/// A statement without its semicolon, or a dot command with its dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Input<'a> {
    /// Where it begins in the whole text, in bytes.
    pub(super) start: usize,
    pub(super) text: &'a str,
}

/// A text, split.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Split<'a> {
    pub(super) whole: Vec<Input<'a>>,
    /// The rest, whose semicolon or end of comment is missing.
    pub(super) unfinished: Option<Input<'a>>,
}

/// Splits a text at the semicolons that end statements. Comments before and between statements are left out.
pub(super) fn split(text: &str) -> Split<'_> {
    let input = |start: usize, end: usize| Input { start, text: text[start..end].trim_end() };
    let mut split = Split::default();
    let mut begun: Option<usize> = None;
    for token in script_tokens(text) {
        match token.kind {
            Kind::End => split.whole.extend(begun.take().map(|start| input(start, token.start))),
            Kind::DotCommand => split.whole.push(input(token.start, token.start + token.text.len())),
            _ if begins(&token) => begun = begun.or(Some(token.start)),
            _ => {}
        }
    }
    split.unfinished = begun.map(|start| input(start, text.len()));
    split
}

/// An unclosed comment also begins a statement: it must not be ignored silently.
fn begins(token: &Token<'_>) -> bool {
    token.is_significant() || token.is_open
}

/// Tells the editor whether Enter ends the input or begins a new line.
pub(super) struct EndsWithSemicolon;

impl Validator for EndsWithSemicolon {
    fn validate(&self, text: &str) -> ValidationResult {
        if split(text).unfinished.is_none() || dot::without_dot(text).is_some() {
            ValidationResult::Complete
        } else {
            ValidationResult::Incomplete
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, whole: &[&str], unfinished: Option<&str>) {
        let split = split(text);
        assert_eq!(split.whole.iter().map(|input| input.text).collect::<Vec<_>>(), whole);
        assert_eq!(split.unfinished.map(|input| input.text), unfinished);
    }

    #[test]
    fn several_statements_are_told_apart() {
        check("SELECT ';' ;SELECT\n2;; ", &["SELECT ';'", "SELECT\n2"], None);
    }

    #[test]
    fn a_statement_waits_for_its_semicolon() {
        check("SELECT 1; SELECT 2 -- ;", &["SELECT 1"], Some("SELECT 2 -- ;"));
        check("SELECT 'a;", &[], Some("SELECT 'a;"));
    }

    #[test]
    fn space_and_comments_alone_are_no_statement() {
        for text in ["", " \n", "-- nothing", "/* ; */ ;", ";"] {
            check(text, &[], None);
        }
        check("/* not ended", &[], Some("/* not ended"));
    }

    #[test]
    fn dot_commands_are_lines_between_statements() {
        check("-- a report\n.mode csv\nSELECT 1;\n.quit ", &[".mode csv", "SELECT 1", ".quit"], None);
    }

    #[test]
    fn a_statement_knows_where_it_begins() {
        let text = "-- one\n\nSELECT 1;\nSELECT";
        let split = split(text);
        assert_eq!((split.whole[0].start, split.unfinished.unwrap().start), (8, 18));
    }

    #[test]
    fn enter_ends_whole_statements_commands_and_a_bare_exit() {
        let is_whole = |text| matches!(EndsWithSemicolon.validate(text), ValidationResult::Complete);
        for text in ["", "SELECT 1;", "SELECT 1; -- done", ".tables", "exit", " Help "] {
            assert!(is_whole(text), "{text}");
        }
        for text in ["SELECT 1", "SELECT 1; SELECT", "exit 1", "SELECT ';", "/*"] {
            assert!(!is_whole(text), "{text}");
        }
    }
}
