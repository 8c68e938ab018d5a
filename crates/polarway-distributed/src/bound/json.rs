//! The JSON of a bound plan.

use polarway_query::{json_depth, read_json};
use serde_json::Value;

use crate::refusal::Refusal;

/// How deep arrays and objects may nest. Reading and translating recurse, on stacks of 16 MiB.
const DEEPEST: usize = 400;

/// Reads a plan, in which `NaN`, `Infinity` and `-Infinity` become texts.
pub(super) fn parse(json: &str) -> Result<Value, Refusal> {
    if json_depth(json) > DEEPEST {
        return Err(Refusal::TooDeep);
    }
    read_json(json, |word| format!("\"{word}\"")).map_err(|error| Refusal::Form(error.to_string()))
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
