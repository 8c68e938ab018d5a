//! One token: its kind, and where it ends.
//!
//! Each rule is that of DuckDB's scanner. Where the two differ, a text could hide from one what the other reads.

use crate::kind::Kind;

/// The first token of a text: its kind, its length in bytes, and whether it is unclosed.
pub(crate) fn scan(text: &str) -> Option<(Kind, usize, bool)> {
    let first = text.chars().next()?;
    let run = |belongs: fn(char) -> bool| text.find(|character| !belongs(character)).unwrap_or(text.len());
    let closed = |kind, length| Some((kind, length, false));
    match first {
        _ if is_space(first) => closed(Kind::Space, run(is_space)),
        _ if text.starts_with("--") => closed(Kind::Comment, line_comment(text)),
        _ if text.starts_with("/*") => ending(Kind::Comment, text, block_comment(text)),
        '\'' => ending(Kind::Text, text, string(text, 1, false)),
        'e' | 'E' if is_escaped_string(text) => ending(Kind::Text, text, string(text, 2, true)),
        '"' => ending(Kind::QuotedName, text, quoted(text, 1, '"', false)),
        '$' => match dollar_tag(text) {
            Some(tag) => {
                let end = text[tag.len()..].find(tag).map(|end| end + 2 * tag.len());
                ending(Kind::Text, text, end)
            }
            None => match parameter_name(&text[1..]) {
                0 => closed(Kind::Symbol, 1),
                length => closed(Kind::Parameter, 1 + length),
            },
        },
        '?' => closed(Kind::Parameter, 1 + digits(&text[1..])),
        ';' => closed(Kind::End, 1),
        '.' if text[1..].starts_with(|next: char| next.is_ascii_digit()) => {
            closed(Kind::Number, number(text))
        }
        '0'..='9' => closed(Kind::Number, number(text)),
        _ if is_name_start(first) => closed(Kind::Word, run(is_name_part)),
        _ => closed(Kind::Symbol, first.len_utf8()),
    }
}

/// A token with its end; if it has none, it is unclosed and takes the rest of the text.
fn ending(kind: Kind, text: &str, end: Option<usize>) -> Option<(Kind, usize, bool)> {
    Some((kind, end.unwrap_or(text.len()), end.is_none()))
}

/// DuckDB's whitespace: some of Unicode's, and some characters that are not whitespace in Unicode.
fn is_space(character: char) -> bool {
    matches!(
        character,
        ' ' | '\t' | '\n' | '\r' | '\u{c}' | '\u{a0}' | '\u{2000}'
            ..='\u{200d}' | '\u{202f}' | '\u{205f}' | '\u{2060}' | '\u{3000}' | '\u{feff}'
    )
}

fn is_escaped_string(text: &str) -> bool {
    text.strip_prefix(['e', 'E']).is_some_and(|rest| rest.starts_with('\''))
}

fn is_name_start(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_' || !character.is_ascii() && !is_space(character)
}

fn is_name_part(character: char) -> bool {
    is_name_start(character) || character.is_ascii_digit() || character == '$'
}

pub(crate) fn line_length(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

fn line_comment(text: &str) -> usize {
    text.find(['\n', '\r']).unwrap_or(text.len())
}

/// Where a string ends whose quote opened before `from`, with all its continuations.
fn string(text: &str, mut from: usize, has_escapes: bool) -> Option<usize> {
    loop {
        let end = quoted(text, from, '\'', has_escapes)?;
        match continuation(&text[end..]) {
            Some(gap) => from = end + gap + 1,
            None => return Some(end),
        }
    }
}

/// Where a quote ends that opened before `from`; a doubled quote stands for itself.
pub(crate) fn quoted(text: &str, from: usize, quote: char, has_escapes: bool) -> Option<usize> {
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

/// The length of what is between a string's end and the quote that continues it: spaces and line comments, with at least
/// one line break. `None` if the string is not continued.
pub(crate) fn continuation(text: &str) -> Option<usize> {
    let mut position = 0;
    let mut has_new_line = false;
    loop {
        let rest = &text[position..];
        let next = rest.chars().next()?;
        if rest.starts_with("--") {
            position += line_comment(rest);
        } else if is_space(next) {
            has_new_line |= matches!(next, '\n' | '\r');
            position += next.len_utf8();
        } else {
            return (has_new_line && next == '\'').then_some(position);
        }
    }
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

/// `$$` or `$tag$` at the start of a text; `$1` and `$name` are parameters.
pub(crate) fn dollar_tag(text: &str) -> Option<&str> {
    let tag = &text[..text[1..].find('$')? + 2];
    let inner = &tag[1..tag.len() - 1];
    let is_name = inner.chars().all(is_name_part) && !inner.starts_with(|first: char| first.is_ascii_digit());
    is_name.then_some(tag)
}

/// The length of the number or name after a `$` that does not begin a string. A string with escapes begins with a letter,
/// and is not a name.
fn parameter_name(text: &str) -> usize {
    match text.starts_with(is_name_start) {
        true if is_escaped_string(text) => 0,
        true => text.find(|character| !is_name_part(character)).unwrap_or(text.len()),
        false => digits(text),
    }
}

/// The length of a number, with its fraction and exponent. What follows directly is not part of it: in `1e'\'` a string
/// with escapes begins after the digit, and `0b1` is 0 with the alias `b1`.
fn number(text: &str) -> usize {
    let mut length = digits(text);
    if let Some(fraction) = text[length..].strip_prefix('.') {
        length += 1 + digits(fraction);
    }
    if let Some(exponent) = text[length..].strip_prefix(['e', 'E']) {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let end = digits(unsigned);
        if end > 0 {
            length += 1 + (exponent.len() - unsigned.len()) + end;
        }
    }
    length
}

/// The length of digits, which single underscores may separate.
fn digits(text: &str) -> usize {
    let mut length = 0;
    for (index, character) in text.char_indices() {
        if character.is_ascii_digit() {
            length = index + 1;
        } else if character != '_' || index == 0 || length != index {
            break;
        }
    }
    length
}
