//! Tokens of SQL, and of scripts, in which some lines are not SQL.

use std::borrow::Cow;

use crate::kind::Kind;
use crate::scan::{continuation, dollar_tag, line_length, quoted, scan};

/// A token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Its text.
    pub text: &'a str,
    /// Where it begins in the whole text, in bytes.
    pub start: usize,
    /// Whether its quote or comment is not closed.
    pub is_open: bool,
}

impl<'a> Token<'a> {
    /// Whether it is part of a statement, and not something between or before its parts.
    pub fn is_significant(&self) -> bool {
        !matches!(self.kind, Kind::Space | Kind::Comment)
    }

    /// The position after its last byte, in the whole text.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this word, ignoring case.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is this character, outside quotes.
    pub fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.kind, Kind::Symbol | Kind::End) && self.text == symbol
    }

    /// The name without quotes. `None` if it is not a name.
    pub fn name(&self) -> Option<Cow<'a, str>> {
        matches!(self.kind, Kind::Word | Kind::QuotedName).then(|| self.content()).flatten()
    }

    /// Its content: the name of a name or a parameter, the text of a string, which may be unclosed. `None` for all other
    /// tokens, and for strings with escapes.
    pub fn content(&self) -> Option<Cow<'a, str>> {
        match self.kind {
            Kind::Word => Some(self.text.into()),
            Kind::Parameter => Some(self.text[1..].into()),
            Kind::QuotedName => Some(unquoted(self.text, '"')),
            Kind::Text if self.text.starts_with('\'') => Some(unquoted(self.text, '\'')),
            Kind::Text => {
                let tag = self.text.strip_prefix('$').and_then(|_| dollar_tag(self.text))?;
                let inner = &self.text[tag.len()..];
                Some(if self.is_open { inner } else { &inner[..inner.len() - tag.len()] }.into())
            }
            _ => None,
        }
    }
}

/// The content of quotes, with its continuations.
fn unquoted(text: &str, quote: char) -> Cow<'_, str> {
    let end = quoted(text, 1, quote, false);
    let inner = &text[1..end.map_or(text.len(), |end| end - 1)];
    let content = match inner.contains(quote) {
        true => Cow::from(inner.replace(&format!("{quote}{quote}"), &quote.to_string())),
        false => inner.into(),
    };
    let rest = &text[end.unwrap_or(text.len())..];
    match continuation(rest) {
        Some(gap) => content + unquoted(&rest[gap..], quote),
        None => content,
    }
}

/// Splits a text into tokens. They cover all of the text.
pub fn tokens(text: &str) -> Tokens<'_> {
    tokens_from(text, 0)
}

/// Splits a text into tokens from a byte at which a token begins. There are none after the text's end, or from inside a
/// character.
///
/// ```
/// let from = polarway_sql::tokens_from("SELECT a", 7).next();
/// assert_eq!(from.map(|token| (token.start, token.text)), Some((7, "a")));
/// ```
pub fn tokens_from(text: &str, position: usize) -> Tokens<'_> {
    Tokens { text, position, is_fresh: false, is_script: false }
}

/// Splits a script into tokens: the same, and [commands](Kind::DotCommand) between statements.
///
/// ```
/// use polarway_sql::{Kind, script_tokens};
///
/// let first = script_tokens(".mode csv\nSELECT 1;").next();
/// assert_eq!(first.map(|token| token.kind), Some(Kind::DotCommand));
/// ```
pub fn script_tokens(text: &str) -> Tokens<'_> {
    Tokens { is_fresh: true, is_script: true, ..tokens(text) }
}

/// The tokens of a text.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    text: &'a str,
    position: usize,
    /// Whether no statement of a script has begun since the last one ended. A statement never begins with a dot.
    is_fresh: bool,
    is_script: bool,
}

impl<'a> Tokens<'a> {
    /// The tokens that are parts of statements, up to an unclosed one.
    pub fn significant(self) -> impl Iterator<Item = Token<'a>> {
        self.filter(Token::is_significant).take_while(|token| !token.is_open)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.text.get(self.position..)?;
        let (kind, length, is_open) = match self.is_fresh && rest.starts_with('.') {
            true => (Kind::DotCommand, line_length(rest), false),
            false => scan(rest)?,
        };
        let token = Token { kind, text: &rest[..length], start: self.position, is_open };
        self.position += length;
        if token.is_significant() {
            self.is_fresh = self.is_script && matches!(kind, Kind::End | Kind::DotCommand);
        }
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens except space, each with its kind; unclosed ones end in `…`.
    #[track_caller]
    fn check(text: &str, expect: &[(Kind, &str)]) {
        let all: Vec<Token<'_>> = script_tokens(text).collect();
        assert_eq!(all.iter().map(|token| token.text).collect::<String>(), text);
        let shown: Vec<(Kind, String)> = all
            .iter()
            .filter(|token| token.kind != Kind::Space)
            .map(|token| (token.kind, format!("{}{}", token.text, if token.is_open { "…" } else { "" })))
            .collect();
        let shown: Vec<(Kind, &str)> = shown.iter().map(|(kind, text)| (*kind, text.as_str())).collect();
        assert_eq!(shown, expect);
    }

    #[test]
    fn words_numbers_and_symbols_are_told_apart() {
        use Kind::{End, Number, Symbol, Word};
        check(
            "SELECT a$1, 1.5e-3+.5 FROM größe;",
            &[
                (Word, "SELECT"),
                (Word, "a$1"),
                (Symbol, ","),
                (Number, "1.5e-3"),
                (Symbol, "+"),
                (Number, ".5"),
                (Word, "FROM"),
                (Word, "größe"),
                (End, ";"),
            ],
        );
    }

    #[test]
    fn a_number_ends_where_its_digits_do() {
        use Kind::{Number, Symbol, Text, Word};
        check("1_000 0x1F 2.e5", &[(Number, "1_000"), (Number, "0"), (Word, "x1F"), (Number, "2.e5")]);
        check(r"0b1e'\' 1", &[(Number, "0"), (Word, "b1e"), (Text, r"'\'"), (Number, "1")]);
        check(r"1e'\'x' 1e+", &[(Number, "1"), (Text, r"e'\'x'"), (Number, "1"), (Word, "e"), (Symbol, "+")]);
        check("1__2 .5", &[(Number, "1"), (Word, "__2"), (Number, ".5")]);
    }

    #[test]
    fn a_semicolon_in_quotes_ends_nothing() {
        use Kind::{QuotedName, Text, Word};
        check(
            r#"'it''s;' "a "";b" e'\';' $$;'$$ $x$ $$; $x$ $1"#,
            &[
                (Text, "'it''s;'"),
                (QuotedName, r#""a "";b""#),
                (Text, r"e'\';'"),
                (Text, "$$;'$$"),
                (Text, "$x$ $$; $x$"),
                (Kind::Parameter, "$1"),
            ],
        );
        check("e;", &[(Word, "e"), (Kind::End, ";")]);
    }

    #[test]
    fn comments_hide_what_is_in_them_and_blocks_nest() {
        use Kind::{Comment, Number, Symbol};
        check(
            "1 -- ; 'x\n/* a /* ; */ ' */ - 2",
            &[
                (Number, "1"),
                (Comment, "-- ; 'x"),
                (Comment, "/* a /* ; */ ' */"),
                (Symbol, "-"),
                (Number, "2"),
            ],
        );
    }

    #[test]
    fn what_does_not_end_is_open() {
        for text in ["'a;", "\"a;", "/* a; /* */", "$$a; $", "$x$ $$;", "e'\\'"] {
            let last = tokens(text).last().unwrap();
            assert!(last.is_open && last.text == text, "{last:?}");
        }
    }

    #[test]
    fn a_dot_begins_a_command_only_where_no_statement_has_begun() {
        use Kind::{Comment, DotCommand, End, Symbol, Word};
        check(
            "-- first\n.tables 'a\nt.c; .mode csv",
            &[
                (Comment, "-- first"),
                (DotCommand, ".tables 'a"),
                (Word, "t"),
                (Symbol, "."),
                (Word, "c"),
                (End, ";"),
                (DotCommand, ".mode csv"),
            ],
        );
    }

    #[test]
    fn a_text_that_is_no_script_has_no_commands() {
        let kinds: Vec<Kind> = tokens(".a;.5").map(|token| token.kind).collect();
        assert_eq!(kinds, [Kind::Symbol, Kind::Word, Kind::End, Kind::Number]);
    }

    #[test]
    fn a_line_comment_ends_with_its_line_however_that_ends() {
        use Kind::{Comment, Number};
        check("--a\r1\n2", &[(Comment, "--a"), (Number, "1"), (Number, "2")]);
    }

    #[test]
    fn parameters_have_numbers_names_or_nothing() {
        use Kind::{Parameter, Symbol, Text, Word};
        check(
            "? ?12 $1_0 $1 $name $größe $1a $",
            &[
                (Parameter, "?"),
                (Parameter, "?12"),
                (Parameter, "$1_0"),
                (Parameter, "$1"),
                (Parameter, "$name"),
                (Parameter, "$größe"),
                (Parameter, "$1"),
                (Word, "a"),
                (Symbol, "$"),
            ],
        );
        check(r"$e'\' $E", &[(Symbol, "$"), (Text, r"e'\' $E…")]);
        for (text, name) in [("?", ""), ("?12", "12"), ("$1", "1"), ("$name", "name")] {
            assert_eq!(tokens(text).next().unwrap().content().as_deref(), Some(name));
        }
    }

    #[test]
    fn a_string_goes_on_behind_the_end_of_a_line_with_the_escapes_that_it_has() {
        use Kind::{QuotedName, Symbol, Text};
        check("e'a'\n'\\'' | 'b'", &[(Text, "e'a'\n'\\''"), (Symbol, "|"), (Text, "'b'")]);
        check("'a' -- it's\n 'b' 'c'", &[(Text, "'a' -- it's\n 'b'"), (Text, "'c'")]);
        check("'a' 'b'", &[(Text, "'a'"), (Text, "'b'")]);
        check("\"a\"\n\"b\"", &[(QuotedName, "\"a\""), (QuotedName, "\"b\"")]);
    }

    #[test]
    fn blanks_are_those_of_duckdb() {
        use Kind::{Symbol, Word};
        check("a\u{a0}b\u{200b}c\u{feff}d", &[(Word, "a"), (Word, "b"), (Word, "c"), (Word, "d")]);
        check("a\u{85}b\u{2028}c", &[(Word, "a\u{85}b\u{2028}c")]);
        check("a\u{b}b", &[(Word, "a"), (Symbol, "\u{b}"), (Word, "b")]);
    }

    #[test]
    fn content_is_known_without_its_quotes_whether_it_ends_or_not() {
        for (text, content) in [
            ("\"a \"\"b\"", Some("a \"b")),
            ("\"a b", Some("a b")),
            ("plain", Some("plain")),
            ("'it''s'", Some("it's")),
            ("'it''s", Some("it's")),
            ("'a' -- '\n'''b'", Some("a'b")),
            ("$$a$$", Some("a")),
            ("$x$ $$ $x$", Some(" $$ ")),
            ("$x$ a", Some(" a")),
            ("e'a'", None),
            ("1", None),
            ("(", None),
        ] {
            let token = tokens(text).next().unwrap();
            assert_eq!((token.text, token.content().as_deref()), (text, content));
        }
    }

    #[test]
    fn only_names_have_a_name() {
        let name = |text| tokens(text).next().unwrap().name();
        assert_eq!((name("\"a\"").as_deref(), name("a").as_deref()), (Some("a"), Some("a")));
        assert_eq!((name("'a'"), name("$a"), name("1")), (None, None, None));
    }

    #[test]
    fn behind_the_end_and_inside_of_a_character_there_are_no_tokens() {
        assert_eq!((tokens_from("é", 1).next(), tokens_from("a", 2).next()), (None, None));
    }
}
