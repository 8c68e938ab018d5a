//! The values of constant expressions in a tree, as far as the gate needs them.

use serde_json::Value;

/// The number that an expression of constants has; `None` if it is not constant or not a number.
pub(crate) fn number(expression: &Value) -> Option<f64> {
    match class(expression) {
        "CONSTANT" => constant_number(&expression["value"]),
        "CAST" => number(&expression["child"]),
        "FUNCTION" => {
            let arguments: Vec<f64> =
                expression["children"].as_array()?.iter().map(number).collect::<Option<_>>()?;
            match (function_name(expression), arguments.as_slice()) {
                ("+", [a]) => Some(*a),
                ("-", [a]) => Some(-a),
                ("+" | "add", [a, b]) => Some(a + b),
                ("-" | "subtract", [a, b]) => Some(a - b),
                ("*" | "multiply", [a, b]) => Some(a * b),
                ("/" | "//" | "divide", [a, b]) => Some(a / b),
                ("^" | "**" | "pow" | "power", [a, b]) => Some(a.powf(*b)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The text of a string constant.
pub(crate) fn text(expression: &Value) -> Option<&str> {
    let value = constant(expression)?;
    (value["type"]["id"] == "VARCHAR").then(|| value["value"].as_str())?
}

/// The value of a boolean constant: `true`, or in the tree's form, the text `t` cast to BOOLEAN.
pub(crate) fn boolean(expression: &Value) -> Option<bool> {
    if class(expression) == "CAST" && expression["cast_type"]["id"] == "BOOLEAN" {
        return match text(&expression["child"])? {
            "t" | "true" => Some(true),
            "f" | "false" => Some(false),
            _ => None,
        };
    }
    let value = constant(expression)?;
    value["value"].as_bool().or_else(|| match value["value"].as_i64()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    })
}

/// The value of a whole-number constant that is not negative.
pub(crate) fn whole_number(expression: &Value) -> Option<u64> {
    let value = constant(expression)?;
    // For 1.5 the tree has the digits, 15, and separately the place of the decimal point.
    value["type"]["type_info"]["scale"].is_null().then(|| value["value"].as_u64())?
}

/// The tree's name for the kind of an expression; empty if it is no expression.
pub(crate) fn class(expression: &Value) -> &str {
    expression["class"].as_str().unwrap_or_default()
}

/// The function that is called; empty if the expression is no call.
pub(crate) fn function_name(expression: &Value) -> &str {
    expression["function_name"].as_str().unwrap_or_default()
}

fn constant(expression: &Value) -> Option<&Value> {
    (class(expression) == "CONSTANT").then(|| &expression["value"])
}

fn constant_number(value: &Value) -> Option<f64> {
    let content = &value["value"];
    if let (Some(upper), Some(lower)) = (content["upper"].as_f64(), content["lower"].as_f64()) {
        return Some(upper * 2_f64.powi(64) + lower);
    }
    let number = content.as_f64().or_else(|| content.as_str()?.trim().parse().ok())?;
    let scale = value["type"]["type_info"]["scale"].as_i64().unwrap_or_default();
    Some(number / 10_f64.powi(i32::try_from(scale).ok()?))
}
