//! Calls whose constant arguments ask for far more memory than the query's text suggests.
//!
//! DuckDB's memory limit does not count what a scalar function allocates, so a call like
//! `repeat('x', 4000000000)` is refused before it runs. Arguments that come from data are not seen here.

use serde_json::Value;

use super::constants::{class, function_name, number, text};

/// The most bytes that one value may be asked to have: as much as one cell of a dataset may hold.
const VALUE_BYTES: f64 = (64 << 20) as f64;

/// What a list element takes at least.
const ELEMENT_BYTES: f64 = 8.0;

/// The most rows of the table function `repeat`.
const REPEATED_ROWS: f64 = 1e9;

/// Why a scalar call is refused, if it is.
pub(crate) fn refuse_scalar(call: &Value) -> Option<String> {
    let asked = bytes_asked(call)?;
    (asked > VALUE_BYTES || asked.is_nan()).then(|| {
        format!(
            "{}() asks for a value of {asked:.0} bytes; at most {VALUE_BYTES} are allowed",
            function_name(call)
        )
    })
}

/// Why a table function's call is refused, if it is.
pub(crate) fn refuse_table(call: &Value) -> Option<String> {
    let rows = match function_name(call) {
        "repeat" => number(call["children"].get(1)?)?,
        _ => return None,
    };
    (rows > REPEATED_ROWS || rows.is_nan())
        .then(|| format!("repeat() asks for {rows:.0} rows; at most {REPEATED_ROWS} are allowed"))
}

/// How many bytes a call asks for, where its constant arguments tell.
fn bytes_asked(call: &Value) -> Option<f64> {
    let children = call["children"].as_array()?;
    let argument = |index: usize| children.get(index).and_then(number);
    match function_name(call) {
        "repeat" => Some(bytes(children.first()?) * argument(1)?.max(0.0)),
        "lpad" | "rpad" => argument(1),
        "bar" => argument(3),
        "list_resize" | "array_resize" => Some(argument(1)? * ELEMENT_BYTES),
        "range" | "generate_series" => {
            let (start, stop) = match children.len() {
                1 => (0.0, argument(0)?),
                _ => (argument(0)?, argument(1)?),
            };
            let step = argument(2).unwrap_or(1.0);
            // A step of zero gives no element.
            let count = if step == 0.0 { 0.0 } else { ((stop - start) / step).max(0.0) };
            Some(count * ELEMENT_BYTES)
        }
        "printf" | "format" => longest_digits(text(children.first()?)?),
        _ => None,
    }
}

/// How long a text argument is, as far as constants tell; one byte where they don't.
fn bytes(expression: &Value) -> f64 {
    match class(expression) {
        "CONSTANT" => text(expression).map_or(1.0, |text| text.len() as f64),
        "CAST" => bytes(&expression["child"]),
        "FUNCTION" => match function_name(expression) {
            "||" | "concat" => expression["children"].as_array().into_iter().flatten().map(bytes).sum(),
            _ => bytes_asked(expression).unwrap_or(1.0).max(1.0),
        },
        _ => 1.0,
    }
}

/// The largest number in a format text: the widest that it pads to.
fn longest_digits(format: &str) -> Option<f64> {
    format
        .split(|character: char| !character.is_ascii_digit())
        .filter_map(|digits| digits.parse::<f64>().ok())
        .max_by(f64::total_cmp)
}
