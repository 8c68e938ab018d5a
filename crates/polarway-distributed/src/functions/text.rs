//! Texts.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray as _, BooleanArray, StringArray};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::Volatility;

use super::{Native, failed, second_type};

/// `error(message, null)` fails with a message, where that is not NULL. Its type is that of `null`.
pub(crate) const ERROR: Native = Native {
    // Otherwise it could be computed where no row needs it.
    volatility: Volatility::Volatile,
    ..Native::new("duckdb_error", second_type, |arguments, output| {
        let messages: &StringArray = arguments[0].as_string();
        match messages.iter().flatten().next() {
            Some(message) => failed(message),
            None => Ok(datafusion::arrow::array::new_null_array(output, messages.len())),
        }
    })
};

/// `substring(text, start[, length])` in characters. A negative start counts from the end, a negative length backwards.
pub(crate) const SUBSTRING: Native = Native::new(
    "duckdb_substring",
    |_| Ok(DataType::Utf8),
    |arguments, _| {
        let texts: &StringArray = arguments[0].as_string();
        let starts = arguments[1].as_primitive::<Int64Type>();
        let lengths = arguments.get(2).map(|lengths| lengths.as_primitive::<Int64Type>());
        let part = |row: usize| -> Result<Option<&str>> {
            let length = lengths.map_or(Some(i64::from(u32::MAX)), |lengths| {
                lengths.is_valid(row).then(|| lengths.value(row))
            });
            let (true, true, Some(length)) = (texts.is_valid(row), starts.is_valid(row), length) else {
                return Ok(None);
            };
            let start = starts.value(row);
            let most = i64::from(u32::MAX);
            if !(-most..=most).contains(&start) || !(-most..=most).contains(&length) {
                return failed("Substring offset or length outside of supported range");
            }
            Ok(Some(substring(texts.value(row), start, length)))
        };
        let parts = (0..texts.len()).map(part).collect::<Result<StringArray>>()?;
        Ok(Arc::new(parts) as ArrayRef)
    },
);

/// `text LIKE pattern`, without an escape: `%` is any text, `_` any character.
pub(crate) const LIKE: Native = Native::new(
    "duckdb_like",
    |_| Ok(DataType::Boolean),
    |arguments, _| {
        let (texts, patterns): (&StringArray, &StringArray) =
            (arguments[0].as_string(), arguments[1].as_string());
        let matched = texts.iter().zip(patterns).map(|(text, pattern)| Some(is_like(text?, pattern?)));
        Ok(Arc::new(matched.collect::<BooleanArray>()) as ArrayRef)
    },
);

/// What of the text lies between two places, which may be outside of it.
fn substring(text: &str, start: i64, length: i64) -> &str {
    let begin = if start < 0 { count(text) + start } else { start - 1 };
    let (begin, end) = (begin.min(begin + length), begin.max(begin + length));
    text.get(place_of(text, begin)..place_of(text, end)).unwrap_or_default()
}

/// How many characters a text has.
pub(super) fn count(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

/// The byte at which a character begins, from 0. Of one that is outside of the text, it is the start or the end of the text.
pub(super) fn place_of(text: &str, character: i64) -> usize {
    let character = usize::try_from(character).unwrap_or_default();
    text.char_indices().nth(character).map_or(text.len(), |(place, _)| place)
}

/// Goes back to the last `%` when what follows it does not match.
fn is_like(text: &str, pattern: &str) -> bool {
    let (mut text, mut pattern) = (text.chars(), pattern.chars());
    let mut again: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let mut next = pattern.clone();
        match next.next() {
            Some('%') => {
                again = Some((text.clone(), next.clone()));
                pattern = next;
                continue;
            }
            Some(wanted) => {
                let mut rest = text.clone();
                if rest.next().is_some_and(|found| wanted == '_' || wanted == found) {
                    (text, pattern) = (rest, next);
                    continue;
                }
            }
            None if text.as_str().is_empty() => return true,
            None => {}
        }
        let Some((begun, after)) = &mut again else { return false };
        if begun.next().is_none() {
            return false;
        }
        (text, pattern) = (begun.clone(), after.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_characters_and_has_no_escape() {
        for (text, pattern, expect) in [
            ("", "", true),
            ("", "%", true),
            ("a", "", false),
            ("äb", "_b", true),
            ("aab", "%ab", true),
            ("abcabd", "%ab_%d", true),
            ("a\\b", "a\\b", true),
            ("a%", "a\\%", false),
            ("abc", "a%d", false),
        ] {
            assert_eq!(is_like(text, pattern), expect, "{text} LIKE {pattern}");
        }
    }

    #[test]
    fn a_part_of_a_text_may_be_counted_from_its_end() {
        let part = |start, length| substring("hello", start, length);
        assert_eq!(
            [part(-3, 2), part(0, 2), part(2, -1), part(9, 1), part(-9, 3), part(-6, 3), part(8, -6)],
            ["ll", "h", "h", "", "", "he", "ello"]
        );
        assert_eq!(substring("äöü", 2, 1), "ö");
    }
}
