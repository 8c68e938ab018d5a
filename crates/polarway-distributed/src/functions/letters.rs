//! Texts of other letters, and texts put together.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray as _, StringArray};
use datafusion::arrow::datatypes::{DataType, Int64Type};

use super::Native;
use super::text::{count, place_of};

/// A text in capital letters.
pub(crate) const UPPER: Native = Native::new(
    "duckdb_upper",
    |_| Ok(DataType::Utf8),
    |arguments, _| Ok(each_letter(&arguments[0], capital)),
);

/// A text in small letters.
pub(crate) const LOWER: Native =
    Native::new("duckdb_lower", |_| Ok(DataType::Utf8), |arguments, _| Ok(each_letter(&arguments[0], small)));

/// `joined_values(separator, text, …)`: the texts that are not NULL.
pub(crate) const JOINED_VALUES: Native = Native::new(
    "duckdb_joined_values",
    |_| Ok(DataType::Utf8),
    |arguments, _| {
        let texts: Vec<&StringArray> = arguments.iter().map(|texts| texts.as_string::<i32>()).collect();
        let (separators, texts) = (texts[0], &texts[1..]);
        let joined = (0..separators.len()).map(|row| {
            let parts = texts.iter().filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row));
            separators.is_valid(row).then(|| parts.collect::<Vec<_>>().join(separators.value(row)))
        });
        Ok(Arc::new(joined.collect::<StringArray>()) as ArrayRef)
    },
);

/// `first_characters(text, number)`: of a negative number, all but so many at the end.
pub(crate) const FIRST_CHARACTERS: Native = Native::new(
    "duckdb_first_characters",
    |_| Ok(DataType::Utf8),
    |arguments, _| {
        Ok(cut(
            arguments,
            |text, place| &text[..place],
            |count, number| match number {
                0.. => number.min(count),
                _ => count.saturating_add(number).max(0),
            },
        ))
    },
);

/// `last_characters(text, number)`: of a negative number, all but so many at the start.
pub(crate) const LAST_CHARACTERS: Native = Native::new(
    "duckdb_last_characters",
    |_| Ok(DataType::Utf8),
    |arguments, _| {
        Ok(cut(
            arguments,
            |text, place| &text[place..],
            |count, number| match number {
                0.. => count - number.min(count),
                _ => number.saturating_neg().min(count),
            },
        ))
    },
);

/// Texts cut behind as many characters as `place` says, of their count and a number.
fn cut(arguments: &[ArrayRef], part: fn(&str, usize) -> &str, place: fn(i64, i64) -> i64) -> ArrayRef {
    let texts: &StringArray = arguments[0].as_string();
    let numbers = arguments[1].as_primitive::<Int64Type>();
    let cut = |(text, number): (Option<&'_ str>, Option<i64>)| {
        let (text, number) = (text?, number?);
        Some(part(text, place_of(text, place(count(text), number))).to_owned())
    };
    Arc::new(texts.iter().zip(numbers).map(cut).collect::<StringArray>())
}

fn each_letter(texts: &ArrayRef, other: fn(char) -> char) -> ArrayRef {
    let texts: &StringArray = texts.as_string();
    let changed = |text: &str| text.chars().map(other).collect::<String>();
    Arc::new(texts.iter().map(|text| text.map(changed)).collect::<StringArray>())
}

/// One letter for one: `ß` does not become two.
fn capital(letter: char) -> char {
    let offset = match letter {
        'ß' => return 'ẞ',
        // With a small iota below; the capital ones have it beside.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => 9,
        letter if is_unknown(letter) => return letter,
        letter => return only(letter.to_uppercase()).unwrap_or(letter),
    };
    char::from_u32(u32::from(letter) + offset).unwrap_or(letter)
}

fn small(letter: char) -> char {
    match letter {
        'İ' => 'i',
        letter if is_unknown(letter) => letter,
        letter => only(letter.to_lowercase()).unwrap_or(letter),
    }
}

/// Letters that have others only in newer versions of Unicode than DuckDB's.
fn is_unknown(letter: char) -> bool {
    matches!(
        letter,
        '\u{19b}'
            | '\u{264}'
            | '\u{1c89}'..='\u{1c8a}'
            | '\u{a7cb}'..='\u{a7cf}'
            | '\u{a7d2}'..='\u{a7d5}'
            | '\u{a7da}'..='\u{a7dc}'
            | '\u{10d50}'..='\u{10d65}'
            | '\u{10d70}'..='\u{10d85}'
            | '\u{16ea0}'..='\u{16eb8}'
            | '\u{16ebb}'..='\u{16ed3}'
    )
}

fn only(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}
