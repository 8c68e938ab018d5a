//! Just enough of DuckDB's lexer to find where a table reference ends in a text that DuckDB has parsed.

/// One token of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A name, unquoted.
    Word(String),
    /// A name in double quotes, or a string in single quotes, unescaped.
    Quoted(String),
    /// A parameter, `$1` or `$name`, without the dollar.
    Parameter(String),
    /// Any other single character.
    Symbol(char),
    /// What this lexer does not read: other string forms.
    Other,
}

/// A token and the byte after it.
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The first token at or after `from`, blanks and comments skipped.
pub(crate) fn next_token(text: &str, from: usize) -> Option<Spanned> {
    let start = skip_blanks(text, from)?;
    let rest = text.get(start..)?;
    let first = rest.chars().next()?;
    let spanned = |token, length: usize| Some(Spanned { token, start, end: start + length });
    match first {
        '\'' | '"' => {
            let (content, length) = quoted(rest, first)?;
            spanned(Token::Quoted(content), length)
        }
        '$' => {
            let name = &rest[1..];
            let length = name.find(|next: char| next == '$' || !is_word(next)).unwrap_or(name.len());
            // A dollar behind the name, or right here, begins a string in dollar quotes.
            match length > 0 && !name[length..].starts_with('$') {
                true => spanned(Token::Parameter(name[..length].to_owned()), 1 + length),
                false => spanned(Token::Other, 1),
            }
        }
        _ if is_word_start(first) || first.is_ascii_digit() => {
            let length = rest.find(|next: char| !is_word(next)).unwrap_or(rest.len());
            // `e'…'`, `x'…'` and the like are strings with rules of their own.
            match rest[length..].starts_with('\'') && length == 1 {
                true => spanned(Token::Other, length),
                false => spanned(Token::Word(rest[..length].to_owned()), length),
            }
        }
        other => spanned(Token::Symbol(other), other.len_utf8()),
    }
}

/// The byte after the parenthesis that closes the one at `from`.
pub(crate) fn after_parentheses(text: &str, from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut position = from;
    loop {
        let spanned = next_token(text, position)?;
        position = spanned.end;
        match spanned.token {
            Token::Symbol('(') => depth += 1,
            Token::Symbol(')') => depth = depth.checked_sub(1)?,
            Token::Other => return None,
            _ => {}
        }
        if depth == 0 {
            return Some(position);
        }
    }
}

fn skip_blanks(text: &str, from: usize) -> Option<usize> {
    let mut position = from;
    loop {
        let rest = text.get(position..)?;
        if let Some(comment) = rest.strip_prefix("--") {
            position += 2 + comment.find(['\n', '\r']).unwrap_or(comment.len());
        } else if rest.starts_with("/*") {
            position += block_comment(rest)?;
        } else {
            match rest.chars().next()? {
                blank if blank.is_ascii_whitespace() || blank == '\u{b}' => position += 1,
                _ => return Some(position),
            }
        }
    }
}

/// The length of the comment that `rest` starts with; comments nest.
fn block_comment(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut position = 0;
    loop {
        let here = rest.get(position..)?;
        if here.starts_with("/*") {
            depth += 1;
            position += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            position += 2;
            if depth == 0 {
                return Some(position);
            }
        } else {
            position += here.chars().next()?.len_utf8();
        }
    }
}

/// The unescaped content of a quoted token, and its length with the quotes.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut content = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        if character != quote {
            content.push(character);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            content.push(quote);
        } else {
            return Some((content, index + 1));
        }
    }
    None
}

fn is_word_start(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_' || !character.is_ascii()
}

fn is_word(character: char) -> bool {
    is_word_start(character) || character.is_ascii_digit() || character == '$'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        let mut position = 0;
        std::iter::from_fn(|| {
            let spanned = next_token(text, position)?;
            position = spanned.end;
            Some(spanned.token)
        })
        .collect()
    }

    #[test]
    fn words_quotes_and_symbols_are_told_apart_across_comments() {
        let word = |text: &str| Token::Word(text.to_owned());
        let quoted = |text: &str| Token::Quoted(text.to_owned());
        assert_eq!(
            tokens("a /* x /* y */ ' */ \"b\"\"c\" -- rest\n 'd''e',é1"),
            vec![word("a"), quoted("b\"c"), quoted("d'e"), Token::Symbol(','), word("é1")]
        );
    }

    #[test]
    fn parentheses_inside_strings_and_comments_do_not_count() {
        let text = "(a, ')', \"(\" /* ( */, (b)) c";
        assert_eq!(after_parentheses(text, 0), Some(text.len() - 2));
    }

    #[test]
    fn a_parameter_is_told_from_a_string_in_dollar_quotes() {
        let parameter = |name: &str| Token::Parameter(name.to_owned());
        assert_eq!(tokens("$1 $name"), vec![parameter("1"), parameter("name")]);
        assert_eq!(tokens("$$")[0], Token::Other);
        assert_eq!(tokens("$tag$ x $tag$")[0], Token::Other);
    }

    #[test]
    fn an_unfinished_token_ends_the_search_without_a_panic() {
        for text in ["'abc", "\"abc", "/* a", "(", "($$ ) $$)", "(e'\\')')"] {
            assert_eq!(after_parentheses(text, 0), None, "{text}");
        }
    }
}
