//! SQL cut into tokens, as far as an editor must know it: what is quoted, what is a comment, where a statement ends.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Space,
    /// `-- …` or `/* … */`.
    Comment,
    /// A keyword or an unquoted name.
    Word,
    /// A name in double quotes.
    QuotedName,
    /// A string, also one in dollar quotes.
    Text,
    Number,
    /// The semicolon that ends a statement.
    End,
    /// A line that is meant for the shell.
    DotCommand,
    /// Any other character.
    Symbol,
}

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Where it begins in the whole text, in bytes.
    pub(super) start: usize,
    /// Whether the quote or comment that it begins does not end.
    pub(super) is_open: bool,
}

impl Token<'_> {
    /// Whether it is part of a statement, and not something between or before its parts.
    pub(super) fn is_significant(&self) -> bool {
        !matches!(self.kind, Kind::Space | Kind::Comment)
    }

    /// Whether it is this word, in any case.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// The name that it stands for, without quotes.
    pub(super) fn name(&self) -> String {
        match self.text.strip_prefix('"') {
            Some(inner) if self.is_open => inner.replace("\"\"", "\""),
            Some(inner) => inner.strip_suffix('"').unwrap_or(inner).replace("\"\"", "\""),
            None => self.text.to_owned(),
        }
    }
}

/// Cuts a text into tokens. All of it is in one of them.
pub(super) fn tokens(text: &str) -> Tokens<'_> {
    Tokens { text, position: 0, is_fresh: true }
}

/// The tokens of a text.
pub(super) struct Tokens<'a> {
    text: &'a str,
    position: usize,
    /// Whether no statement has begun since the last one ended. No statement begins with a dot.
    is_fresh: bool,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = &self.text[self.position..];
        let (kind, length, is_open) = scan(rest, self.is_fresh)?;
        let token = Token { kind, text: &rest[..length], start: self.position, is_open };
        self.position += length;
        if token.is_significant() {
            self.is_fresh = matches!(kind, Kind::End | Kind::DotCommand);
        }
        Some(token)
    }
}

/// The first token of a text: what it is, its length in bytes, and whether it does not end.
fn scan(text: &str, is_fresh: bool) -> Option<(Kind, usize, bool)> {
    let first = text.chars().next()?;
    let run = |belongs: fn(char) -> bool| text.find(|character| !belongs(character)).unwrap_or(text.len());
    let closed = |kind, length| Some((kind, length, false));
    match first {
        _ if first.is_whitespace() => closed(Kind::Space, run(char::is_whitespace)),
        _ if text.starts_with("--") => closed(Kind::Comment, line_length(text)),
        _ if text.starts_with("/*") => ending(Kind::Comment, text, block_comment(text)),
        '\'' => ending(Kind::Text, text, quoted(text, 1, '\'', false)),
        'e' | 'E' if text[1..].starts_with('\'') => ending(Kind::Text, text, quoted(text, 2, '\'', true)),
        '"' => ending(Kind::QuotedName, text, quoted(text, 1, '"', false)),
        '$' => match dollar_tag(text) {
            Some(tag) => {
                let end = text[tag.len()..].find(tag).map(|end| end + 2 * tag.len());
                ending(Kind::Text, text, end)
            }
            None => closed(Kind::Symbol, 1),
        },
        ';' => closed(Kind::End, 1),
        '.' if is_fresh => closed(Kind::DotCommand, line_length(text)),
        '.' if text[1..].starts_with(|next: char| next.is_ascii_digit()) => {
            closed(Kind::Number, number(text))
        }
        '0'..='9' => closed(Kind::Number, number(text)),
        _ if is_name_start(first) => closed(Kind::Word, run(is_name_part)),
        _ => closed(Kind::Symbol, first.len_utf8()),
    }
}

/// A token with its end, or one that takes all of the text since it has none.
fn ending(kind: Kind, text: &str, end: Option<usize>) -> Option<(Kind, usize, bool)> {
    Some((kind, end.unwrap_or(text.len()), end.is_none()))
}

fn is_name_start(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_' || !character.is_ascii()
}

fn is_name_part(character: char) -> bool {
    is_name_start(character) && !character.is_whitespace() || character.is_ascii_digit() || character == '$'
}

fn line_length(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// Where the quote ends that has begun before `from`; doubled, it stands for itself.
fn quoted(text: &str, from: usize, quote: char, has_escapes: bool) -> Option<usize> {
    let mut characters = text[from..].char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        if has_escapes && character == '\\' {
            characters.next();
        } else if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return Some(from + index + 1);
        }
    }
    None
}

/// Where a block comment ends. They nest.
fn block_comment(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut position = 0;
    while let Some(found) = text[position..].find(['/', '*']) {
        position += found;
        let mark = &text[position..];
        if mark.starts_with("/*") {
            depth += 1;
            position += 2;
        } else if mark.starts_with("*/") {
            depth = depth.saturating_sub(1);
            position += 2;
            if depth == 0 {
                return Some(position);
            }
        } else {
            position += 1;
        }
    }
    None
}

/// `$$` or `$tag$` at the start of a text; `$1` is a parameter.
fn dollar_tag(text: &str) -> Option<&str> {
    let tag = &text[..text[1..].find('$')? + 2];
    let inner = &tag[1..tag.len() - 1];
    let is_name = inner.chars().all(is_name_part) && !inner.starts_with(|first: char| first.is_ascii_digit());
    is_name.then_some(tag)
}

/// The length of a number, with its exponent.
fn number(text: &str) -> usize {
    let mut before = ' ';
    let end = text.find(|character: char| {
        let is_sign = matches!(character, '+' | '-') && matches!(before, 'e' | 'E');
        let belongs = character.is_ascii_alphanumeric() || matches!(character, '.' | '_') || is_sign;
        before = character;
        !belongs
    });
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens that are no space, each with its kind; open ones end in `…`.
    #[track_caller]
    fn check(text: &str, expect: &[(Kind, &str)]) {
        let all: Vec<Token<'_>> = tokens(text).collect();
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
    fn a_quoted_name_is_known_without_its_quotes_whether_it_ends_or_not() {
        for (text, name) in [("\"a \"\"b\"", "a \"b"), ("\"a b", "a b"), ("plain", "plain")] {
            assert_eq!(tokens(text).next().unwrap().name(), name);
        }
    }
}
