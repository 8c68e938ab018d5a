//! DuckDB's JSON: deeper than JSON mostly is, and with numbers that JSON does not have.

use serde_json::Value;

use crate::refusal::Refusal;

/// How deep arrays and objects may nest. Reading and translating recurse, on stacks of 16 MiB.
const DEEPEST: usize = 400;

pub(super) fn parse(json: &str) -> Result<Value, Refusal> {
    let json = bounded(json)?;
    let mut deserializer = serde_json::Deserializer::from_str(&json);
    deserializer.disable_recursion_limit();
    let parsed = deserializer.into_iter::<Value>().next().unwrap_or(Ok(Value::Null));
    parsed.map_err(|error| Refusal::Form(error.to_string()))
}

/// The text with quotes around `NaN`, `Infinity` and `-Infinity`; refused if it nests too deep.
fn bounded(json: &str) -> Result<String, Refusal> {
    let mut quoted = String::with_capacity(json.len());
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let mut rest = json;
    while let Some(character) = rest.chars().next() {
        if !in_text {
            let special = ["-Infinity", "Infinity", "NaN"].into_iter().find(|word| rest.starts_with(word));
            if let Some(word) = special {
                quoted.extend(["\"", word, "\""]);
                rest = &rest[word.len()..];
                continue;
            }
        }
        match (in_text, character) {
            (true, _) if escaped => escaped = false,
            (true, '\\') => escaped = true,
            (_, '"') => in_text = !in_text,
            (false, '{' | '[') => depth += 1,
            (false, '}' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return Err(Refusal::TooDeep);
        }
        quoted.push(character);
        rest = &rest[character.len_utf8()..];
    }
    Ok(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_does_not_have_become_texts_and_texts_stay() {
        let value = parse(r#"{"a": [NaN, -Infinity, Infinity, 1], "b": "NaN \" Infinity"}"#).unwrap();
        assert_eq!(value["a"], serde_json::json!(["NaN", "-Infinity", "Infinity", 1]));
        assert_eq!(value["b"], "NaN \" Infinity");
    }

    #[test]
    fn a_plan_that_nests_too_deep_is_refused() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse(&deep), Err(Refusal::TooDeep));
    }
}
