//! One token: what it is, and where it ends.

use crate::token::Kind;

/// The first token of a text: what it is, its length in bytes, and whether it does not end.
pub(crate) fn scan(text: &str) -> Option<(Kind, usize, bool)> {
    let first = text.chars().next()?;
    let run = |belongs: fn(char) -> bool| text.find(|character| !belongs(character)).unwrap_or(text.len());
    let closed = |kind, length| Some((kind, length, false));
    match first {
        _ if first.is_whitespace() => closed(Kind::Space, run(char::is_whitespace)),
        _ if text.starts_with("--") => closed(Kind::Comment, text.find(['\n', '\r']).unwrap_or(text.len())),
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

pub(crate) fn line_length(text: &str) -> usize {
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

/// The length of a number, with its fraction and its exponent, or of a hexadecimal or binary one. What follows at once
/// is no part of it: in `1e'\'` a string with escapes begins behind the digit.
fn number(text: &str) -> usize {
    if let Some(length) = prefixed(text, ['x', 'X'], |digit| digit.is_ascii_hexdigit())
        .or_else(|| prefixed(text, ['b', 'B'], |digit| matches!(digit, '0' | '1')))
    {
        return length;
    }
    let is_digit = |digit: char| digit.is_ascii_digit();
    let mut length = digits(text, is_digit);
    if let Some(fraction) = text[length..].strip_prefix('.') {
        length += 1 + digits(fraction, is_digit);
    }
    if let Some(exponent) = text[length..].strip_prefix(['e', 'E']) {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let end = digits(unsigned, is_digit);
        if end > 0 {
            length += 1 + (exponent.len() - unsigned.len()) + end;
        }
    }
    length
}

/// The length of digits behind `0x` or `0b`, if there are any.
fn prefixed(text: &str, letters: [char; 2], belongs: fn(char) -> bool) -> Option<usize> {
    let behind = text.strip_prefix('0')?.strip_prefix(letters)?;
    Some(2 + digits(behind, belongs)).filter(|length| *length > 2)
}

/// The length of digits, which single underscores may part.
fn digits(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    let mut length = 0;
    for (index, character) in text.char_indices() {
        if belongs(character) {
            length = index + 1;
        } else if character != '_' || index == 0 || length != index {
            break;
        }
    }
    length
}
