//! Calls whose constants require far more memory or time than the query's text suggests.
//!
//! DuckDB's memory limit does not count what a scalar function allocates, and nothing can stop it within one value. So an upper
//! bound for every expression of constants is computed before it runs, and too large ones are refused. Data counts as the
//! smallest possible value: its content is not known here.

mod extent;
mod functions;
mod moments;

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::constants::{class, function_name, number, text};
use super::tree::{Refusal, refuse};
use extent::Extent;

/// The most bytes that one value may have: as much as one cell of a dataset may hold.
const VALUE_BYTES: f64 = (64 << 20) as f64;

/// The most bytes that all values of a text may have together.
pub(crate) const ALL_BYTES: f64 = 4.0 * VALUE_BYTES;

/// The most list elements that lambdas may process for one value.
const STEPS: f64 = 2e8;

/// The most rows of the table function `repeat`.
const REPEATED_ROWS: f64 = 1e9;

/// The most pairs of characters that functions may compare if they try all pairs.
pub(crate) const PAIRS: u64 = 25_000_000;

/// The same for functions that search for one text in another: they mostly compare the first character only.
const SEARCHED_PAIRS: f64 = 1e10;

/// Functions that compare all pairs of their texts' characters. In the sandbox they also refuse long texts from data.
pub(crate) const PAIRING: [&str; 5] =
    ["levenshtein", "editdist3", "damerau_levenshtein", "jaro_similarity", "jaro_winkler_similarity"];

/// Functions that search for one text in another.
const SEARCHING: [&str; 16] = [
    "position",
    "strpos",
    "instr",
    "contains",
    "replace",
    "string_split",
    "str_split",
    "split",
    "string_to_array",
    "split_part",
    "~~",
    "!~~",
    "~~*",
    "!~~*",
    "~~~",
    "like_escape",
];

/// How deep calls of the pairing functions may nest: each uses its arguments twice when it runs.
const DEEPEST_PAIRING: u32 = 3;

/// Computes a bound for an outermost expression; returns the bytes that it may need.
///
/// # Errors
/// A call in it that needs too much.
pub(crate) fn check(expression: &Value, position: Option<usize>) -> Result<f64, Refusal> {
    let mut bounds = Bounds { parameters: HashMap::new() };
    bounds.of(expression, position).map(|extent| extent.bytes)
}

/// Why a call of a table function is refused, if it is.
pub(crate) fn refuse_table(call: &Value) -> Option<String> {
    let rows = match function_name(call) {
        "repeat" => number(call["children"].get(1)?)?,
        _ => return None,
    };
    (rows > REPEATED_ROWS || rows.is_nan())
        .then(|| format!("repeat() asks for {rows:.0} rows; at most {REPEATED_ROWS} are allowed"))
}

/// Computes bounds, with the known bounds of the lambda parameters in scope.
struct Bounds<'t> {
    parameters: HashMap<&'t str, Extent>,
}

impl<'t> Bounds<'t> {
    fn of(&mut self, expression: &'t Value, outer: Option<usize>) -> Result<Extent, Refusal> {
        let position = expression.as_object().and_then(super::tree::position).or(outer);
        match class(expression) {
            "CONSTANT" => Ok(Extent::constant(expression)),
            "COLUMN_REF" | "LAMBDA_REF" => Ok(self.parameter(expression)),
            // It has its own outermost expressions.
            "SUBQUERY" => Ok(Extent::UNKNOWN),
            "CAST" => {
                let child = self.of(&expression["child"], position)?;
                self.checked(functions::cast(expression, child), "a cast", position)
            }
            "FUNCTION" => {
                let extent = self.call(expression, position)?;
                self.checked(extent, &format!("{}()", function_name(expression)), position)
            }
            _ => self.largest_part(expression.as_object(), position),
        }
    }

    fn parameter(&self, expression: &Value) -> Extent {
        let names = expression["column_names"].as_array().map(Vec::as_slice).unwrap_or_default();
        let known = match names {
            [name] => name.as_str().and_then(|name| self.parameters.get(name)),
            _ => None,
        };
        known.copied().unwrap_or(Extent::UNKNOWN)
    }

    fn call(&mut self, call: &'t Value, position: Option<usize>) -> Result<Extent, Refusal> {
        let name = function_name(call);
        let children = call["children"].as_array().map(Vec::as_slice).unwrap_or_default();
        if let [list, lambda, rest @ ..] = children
            && class(lambda) == "LAMBDA"
        {
            return self.lambda_call(name, list, lambda, rest, position);
        }
        let arguments = children.iter().map(|child| self.of(child, position));
        let arguments: Vec<Extent> = arguments.collect::<Result<_, _>>()?;
        let pairs = match arguments.as_slice() {
            [left, right, ..] => left.bytes * right.bytes,
            _ => 0.0,
        };
        let mut extent = functions::extent(name, children, &arguments);
        extent.steps = arguments.iter().map(|argument| argument.steps).sum();
        extent.pairing = arguments.iter().map(|argument| argument.pairing).max().unwrap_or_default();
        if PAIRING.contains(&name) {
            extent.pairing += 1;
            if extent.pairing > DEEPEST_PAIRING {
                let message =
                    format!("{name}() and its like may be called in each other {DEEPEST_PAIRING} deep");
                return refuse(&message, position);
            }
        }
        let most = if PAIRING.contains(&name) { PAIRS as f64 } else { SEARCHED_PAIRS };
        if pairs > most && (PAIRING.contains(&name) || SEARCHING.contains(&name)) {
            let message = format!(
                "{name}() would compare {pairs:.0} pairs of characters in one value; at most {most:.0} are allowed"
            );
            return refuse(&message, position);
        }
        Ok(extent)
    }

    /// A function that calls a lambda for each element of a list.
    fn lambda_call(
        &mut self,
        name: &str,
        list: &'t Value,
        lambda: &'t Value,
        rest: &'t [Value],
        position: Option<usize>,
    ) -> Result<Extent, Refusal> {
        let list = self.of(list, position)?;
        let rest: Vec<Extent> =
            rest.iter().map(|child| self.of(child, position)).collect::<Result<_, _>>()?;
        let names = parameter_names(&lambda["lhs"]);
        let element = list.element();
        let extent = if name.ends_with("reduce") {
            // Its first parameter is the result so far, which the lambda may double each time.
            let start = rest.first().copied().unwrap_or(element);
            let growth = |bounds: &mut Self, bytes: f64| {
                let made = Extent { bytes, items: bytes, ..start };
                bounds.with(&names, &[made, element], |bounds| bounds.of(&lambda["expr"], position))
            };
            let (once, twice) = (growth(self, 1.0)?, growth(self, 2.0)?);
            let factor = (twice.bytes - once.bytes).max(1.0);
            let bytes = match factor > 1.0 {
                true => start.bytes.max(1.0) * factor.powf(list.items),
                false => start.bytes + once.bytes * list.items,
            };
            Extent { bytes, items: bytes, steps: list.items * (1.0 + once.steps), ..once }
        } else {
            let body = self.with(&names, &[element, Extent::number(list.items)], |bounds| {
                bounds.of(&lambda["expr"], position)
            })?;
            let kept = if name.ends_with("filter") { list.bytes } else { list.items * body.bytes.max(8.0) };
            Extent {
                bytes: kept,
                items: list.items,
                steps: list.items * (1.0 + body.steps),
                most: None,
                ..body
            }
        };
        let before = list.steps + rest.iter().map(|extent| extent.steps).sum::<f64>();
        Ok(Extent { steps: extent.steps + before, ..extent })
    }

    /// Computes a bound where these names have these extents.
    fn with<T>(&mut self, names: &[&'t str], extents: &[Extent], work: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.parameters.clone();
        self.parameters.extend(names.iter().copied().zip(extents.iter().copied()));
        let done = work(self);
        self.parameters = outer;
        done
    }

    /// Any other expression is at most as large as its largest part.
    fn largest_part(
        &mut self,
        parts: Option<&'t Map<String, Value>>,
        position: Option<usize>,
    ) -> Result<Extent, Refusal> {
        let mut all = Extent::UNKNOWN;
        for part in parts.into_iter().flat_map(Map::values) {
            let extent = match part {
                Value::Object(_) if !class(part).is_empty() => self.of(part, position)?,
                Value::Object(object) => self.largest_part(Some(object), position)?,
                Value::Array(items) => {
                    let mut largest = Extent::UNKNOWN;
                    for item in items {
                        let extent = match class(item) {
                            "" => self.largest_part(item.as_object(), position)?,
                            _ => self.of(item, position)?,
                        };
                        largest = largest.or(extent);
                    }
                    largest
                }
                _ => continue,
            };
            all = all.or(extent);
        }
        Ok(all)
    }

    fn checked(&self, extent: Extent, what: &str, position: Option<usize>) -> Result<Extent, Refusal> {
        let Extent { bytes, steps, .. } = extent;
        if bytes > VALUE_BYTES || bytes.is_nan() {
            let message =
                format!("{what} asks for a value of {bytes:.0} bytes; at most {VALUE_BYTES} are allowed");
            return refuse(&message, position);
        }
        if steps > STEPS || steps.is_nan() {
            let message = format!(
                "{what} goes through {steps:.0} elements for one value; at most {STEPS:.0} are allowed"
            );
            return refuse(&message, position);
        }
        Ok(extent)
    }
}

/// The names of a lambda's parameters: one, or several in a row.
fn parameter_names(parameters: &Value) -> Vec<&str> {
    let several = parameters["children"].as_array().map(Vec::as_slice);
    let all = several.unwrap_or(std::slice::from_ref(parameters));
    all.iter().filter_map(|parameter| parameter["column_names"].get(0)?.as_str()).collect()
}

/// The length of a text constant.
fn constant_length(expression: &Value) -> Option<f64> {
    text(expression).map(|text| text.len() as f64)
}
