//! Tokens, one after the other, and scripts, in which some lines are not SQL.

use crate::scan::{line_length, scan};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Blanks and ends of lines.
    Space,
    /// `-- …` or `/* … */`.
    Comment,
    /// A keyword or an unquoted name.
    Word,
    /// A name in double quotes.
    QuotedName,
    /// A string, also one in dollar quotes.
    Text,
    /// A number, with its exponent.
    Number,
    /// The semicolon that ends a statement.
    End,
    /// A line that begins with a dot where no statement has begun, and is meant for a shell. In scripts alone.
    DotCommand,
    /// Any other character.
    Symbol,
}

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// The piece itself.
    pub text: &'a str,
    /// Where it begins in the whole text, in bytes.
    pub start: usize,
    /// Whether the quote or comment that it begins does not end.
    pub is_open: bool,
}

impl Token<'_> {
    /// Whether it is part of a statement, and not something between or before its parts.
    pub fn is_significant(&self) -> bool {
        !matches!(self.kind, Kind::Space | Kind::Comment)
    }

    /// The byte behind it, in the whole text.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this word, in any case.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// The name that it stands for, without quotes.
    pub fn name(&self) -> String {
        match self.text.strip_prefix('"') {
            Some(inner) if self.is_open => inner.replace("\"\"", "\""),
            Some(inner) => inner.strip_suffix('"').unwrap_or(inner).replace("\"\"", "\""),
            None => self.text.to_owned(),
        }
    }
}

/// Cuts a text into tokens. All of it is in one of them.
pub fn tokens(text: &str) -> Tokens<'_> {
    Tokens { text, position: 0, is_fresh: false, is_script: false }
}

/// Cuts a script into tokens: the same, and [commands](Kind::DotCommand) between its statements.
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

/// A name in double quotes, which stands for itself whatever is in it.
///
/// ```
/// assert_eq!(polarway_sql::quoted_name("a \"b\""), r#""a ""b""""#);
/// ```
pub fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The tokens of a text.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    text: &'a str,
    position: usize,
    /// Whether no statement of a script has begun since the last one ended. No statement begins with a dot.
    is_fresh: bool,
    is_script: bool,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = &self.text[self.position..];
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

    /// The tokens that are no space, each with its kind; open ones end in `…`.
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
        check("1_000 0x1Fg 2.e5", &[(Number, "1_000"), (Number, "0x1F"), (Word, "g"), (Number, "2.e5")]);
        check(r"1e'\'x' 1e+", &[(Number, "1"), (Text, r"e'\'x'"), (Number, "1"), (Word, "e"), (Symbol, "+")]);
        check("1__2 .5", &[(Number, "1"), (Word, "__2"), (Number, ".5")]);
    }

    #[test]
    fn a_semicolon_in_quotes_ends_nothing() {
        use Kind::{QuotedName, Symbol, Text, Word};
        check(
            r#"'it''s;' "a "";b" e'\';' $$;'$$ $x$ $$; $x$ $1"#,
            &[
                (Text, "'it''s;'"),
                (QuotedName, r#""a "";b""#),
                (Text, r"e'\';'"),
                (Text, "$$;'$$"),
                (Text, "$x$ $$; $x$"),
                (Symbol, "$"),
                (Kind::Number, "1"),
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
    fn a_quoted_name_is_known_without_its_quotes_whether_it_ends_or_not() {
        for (text, name) in [("\"a \"\"b\"", "a \"b"), ("\"a b", "a b"), ("plain", "plain")] {
            assert_eq!(tokens(text).next().unwrap().name(), name);
        }
    }
}
