//! DuckDB's JSON: deeper than JSON mostly is, and with numbers that JSON does not have.

use serde_json::Value;

/// The numbers that DuckDB writes and JSON does not have. A word comes before those that it ends with.
const SPECIAL: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// How deep arrays and objects nest, without recursion.
#[must_use]
pub fn json_depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut text) = (0_usize, 0, Text::default());
    for byte in json.bytes() {
        match byte {
            _ if text.holds(byte) => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Reads JSON of any depth: limit it before, see [`json_depth`]. In the place of `NaN`, `Infinity` and `-Infinity` it reads what
/// `special` gives.
///
/// # Errors
/// It is no JSON otherwise.
pub fn read_json(json: &str, special: impl Fn(&str) -> String) -> Result<Value, serde_json::Error> {
    read(json).or_else(|_| read(&with_special(json, special)))
}

fn read(json: &str) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.disable_recursion_limit();
    deserializer.into_iter::<Value>().next().unwrap_or(Ok(Value::Null))
}

fn with_special(json: &str, special: impl Fn(&str) -> String) -> String {
    let mut read = String::with_capacity(json.len());
    let (mut text, mut from) = (Text::default(), 0);
    for (at, byte) in json.bytes().enumerate() {
        // Where a word begins, there is a character of one byte.
        if text.holds(byte) || at < from {
            continue;
        }
        if let Some(word) =
            SPECIAL.into_iter().find(|word| json.as_bytes()[at..].starts_with(word.as_bytes()))
        {
            read.push_str(&json[from..at]);
            read.push_str(&special(word));
            from = at + word.len();
        }
    }
    read.push_str(&json[from..]);
    read
}

/// Whether a place is inside of a text, going through JSON byte by byte.
#[derive(Default)]
struct Text {
    is_open: bool,
    is_escaped: bool,
}

impl Text {
    /// Whether the next byte belongs to a text, its quotes included.
    fn holds(&mut self, byte: u8) -> bool {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_open => self.is_escaped = true,
            b'"' => {
                self.is_open = !self.is_open;
                return true;
            }
            _ => {}
        }
        self.is_open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_counts_what_is_in_no_text() {
        for (json, deepest) in
            [("1", 0), ("[]", 1), (r#"{"a": [[1], 2]}"#, 3), (r#"["[[\"[", "\\"]"#, 1), ("[1], [[2]]", 2)]
        {
            assert_eq!(json_depth(json), deepest, "{json}");
        }
    }

    #[test]
    fn special_numbers_are_replaced_outside_of_texts_alone() {
        let json = r#"[NaN, -Infinity, Infinity, 1, "NaN \" Infinity", "ä", NaN]"#;
        let words = read_json(json, |word| format!("\"<{word}>\"")).unwrap();
        let expected =
            serde_json::json!(["<NaN>", "<-Infinity>", "<Infinity>", 1, "NaN \" Infinity", "ä", "<NaN>"]);
        assert_eq!(words, expected);
        assert!(read_json("[Nan]", |_| "null".to_owned()).is_err());
    }
}
