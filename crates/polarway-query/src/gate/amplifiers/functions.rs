//! How large a function's value can be, depending on the size of its arguments.

use serde_json::Value;

use super::constant_length;
use super::extent::Extent;
use super::moments;
use crate::gate::constants::{class, number, text};

/// The fewest bytes of a list element.
const ELEMENT_BYTES: f64 = 8.0;

/// The bytes of a text in a list, besides its characters.
const TEXT_BYTES: f64 = 16.0;

/// The longest text of a number or a time.
const NUMBER_TEXT: f64 = 48.0;

/// How large a call's value can be. The caller adds the work to compute it.
pub(super) fn extent(name: &str, children: &[Value], arguments: &[Extent]) -> Extent {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(Extent::UNKNOWN);
    let exact = |index: usize| children.get(index).and_then(number);
    let most = |index: usize| exact(index).or(argument(index).most);
    let sum = |part: fn(&Extent) -> f64| arguments.iter().map(part).sum::<f64>();
    let all_bytes = || sum(|extent| extent.bytes);
    let text_of = |bytes: f64| Extent::sized(bytes, bytes);
    let first = argument(0);
    match name {
        "repeat" => {
            let times = most(1).unwrap_or(1.0).max(0.0);
            Extent::sized(first.bytes.max(1.0) * times, first.items * times)
        }
        // This many characters, each of four bytes at most.
        "lpad" | "rpad" => match most(1) {
            Some(characters) => text_of(characters * if argument(2).bytes > 1.0 { 4.0 } else { 1.0 }),
            None => text_of(all_bytes()),
        },
        "bar" => text_of(most(3).unwrap_or(1.0) * 3.0),
        "list_resize" | "array_resize" => {
            let items = most(1).unwrap_or(1.0);
            Extent::sized(first.bytes + items * argument(2).bytes.max(ELEMENT_BYTES), items)
        }
        "range" | "generate_series" => match children {
            [start, stop, step] if let Some(items) = moments::count(start, stop, step) => {
                Extent::sized(items * ELEMENT_BYTES, items)
            }
            _ => range(&|index| most(index), &|index| exact(index), children.len()),
        },
        "printf" | "format" => text_of(formatted(children, arguments)),
        "replace" => {
            let from = children.get(1).and_then(constant_length).unwrap_or(1.0).max(1.0);
            text_of(first.bytes.max(first.bytes / from * argument(2).bytes))
        }
        "regexp_replace" => {
            let copies = children.get(2).and_then(text).map_or(1, |text| text.matches('\\').count());
            text_of((first.bytes + 1.0) * (1.0 + argument(2).bytes) + first.bytes * copies as f64)
        }
        "string_split" | "str_split" | "split" | "string_to_array" => {
            let separator = children.get(1).and_then(constant_length).unwrap_or(1.0).max(1.0);
            let items = first.bytes / separator + 1.0;
            Extent::sized(first.bytes + items * TEXT_BYTES, items)
        }
        "regexp_split_to_array" | "string_split_regex" | "str_split_regex" | "regexp_extract_all" => {
            let items = first.bytes + 1.0;
            Extent::sized(first.bytes + items * TEXT_BYTES, items)
        }
        "list_zip" | "array_zip" => {
            let items = arguments.iter().map(|argument| argument.items).fold(0.0, f64::max);
            let width: f64 = arguments.iter().map(|list| list.element().bytes.max(ELEMENT_BYTES)).sum();
            Extent::sized(items * width, items)
        }
        "concat_ws" => text_of(all_bytes() + first.bytes * children.len() as f64),
        "array_to_string" | "array_to_string_comma_default" => joined(first, argument(1).bytes),
        "list_aggregate" | "list_aggr" | "array_aggregate" | "array_aggr" | "aggregate" => {
            match children.get(1).and_then(text) {
                Some("string_agg" | "group_concat" | "listagg") => joined(first, argument(2).bytes),
                Some("list" | "array_agg" | "histogram") => first,
                _ => first.element(),
            }
        }
        "list_string_agg" => joined(first, 1.0),
        "list_value" | "list_pack" | "array_value" => Extent {
            most: arguments
                .iter()
                .map(|argument| argument.most)
                .reduce(|one, other| Some(one?.max(other?)))
                .flatten(),
            ..Extent::sized(all_bytes(), children.len() as f64)
        },
        "hex" | "to_hex" => text_of(first.bytes * 2.0),
        "bin" | "to_binary" => text_of(first.bytes * 8.0),
        "base64" | "to_base64" => text_of(first.bytes * 1.4),
        "url_encode" | "upper" | "ucase" | "lower" | "lcase" | "nfc_normalize" => text_of(first.bytes * 3.0),
        "translate" | "icu_sort_key" => text_of(first.bytes * 4.0),
        "to_json" | "json_quote" | "array_to_json" | "row_to_json" | "json_array" | "json_object"
        | "json" | "json_pretty" => text_of(all_bytes() * 6.0),
        "length" | "len" | "char_length" | "character_length" | "strlen" | "octet_length" | "bit_length"
        | "length_grapheme" | "array_length" | "json_array_length" | "cardinality" => {
            Extent::number(first.bytes * if name == "bit_length" { 8.0 } else { 1.0 })
        }
        "+" | "add" | "-" | "subtract" if arguments.len() == 2 => {
            Extent { most: both(most(0), most(1), |a, b| a.abs() + b.abs()), ..text_of(all_bytes()) }
        }
        "+" | "-" | "abs" | "round" | "ceil" | "ceiling" | "floor" | "trunc" => {
            Extent { most: first.most, ..text_of(first.bytes) }
        }
        "*" | "multiply" => {
            Extent { most: both(most(0), most(1), |a, b| (a * b).abs()), ..text_of(all_bytes()) }
        }
        "/" | "//" | "divide" => {
            let by = exact(1).map(f64::abs);
            Extent { most: both(most(0), by, |a, b| a.abs() / b), ..text_of(16.0) }
        }
        "^" | "**" | "pow" | "power" => {
            Extent { most: both(most(0), most(1), |a, b| a.abs().max(1.0).powf(b)), ..text_of(16.0) }
        }
        "<<" => Extent { most: both(most(0), most(1), |a, b| a.abs() * b.exp2()), ..text_of(16.0) },
        "greatest" | "least" | "coalesce" | "ifnull" | "nullif" => {
            arguments.iter().copied().reduce(Extent::or).unwrap_or(Extent::UNKNOWN)
        }
        "md5" | "sha1" | "sha256" | "hash" | "contains" | "starts_with" | "ends_with" | "prefix"
        | "suffix" | "position" | "strpos" | "instr" | "regexp_matches" | "regexp_full_match"
        | "list_contains" | "list_sum" | "list_count" | "list_max" | "list_min" | "list_avg" => text_of(64.0),
        // Functions not named here return no more than their input.
        _ => Extent { most: None, ..Extent::sized(all_bytes(), sum(|extent| extent.items)) },
    }
}

/// How large a cast value can be: numbers become text, bits and bytes become characters.
pub(super) fn cast(cast: &Value, child: Extent) -> Extent {
    if cast["cast_type"]["id"] != "VARCHAR" {
        return child;
    }
    let of = cast["child"]["cast_type"]["id"].as_str().filter(|_| class(&cast["child"]) == "CAST");
    let factor = match of {
        Some("BIT") => 8.0,
        Some("BLOB") => 4.0,
        _ if child.items > 1.0 && child.items < child.bytes => 3.0,
        _ => 1.0,
    };
    Extent { bytes: child.bytes * factor, ..child }
}

fn range(
    most: &dyn Fn(usize) -> Option<f64>,
    exact: &dyn Fn(usize) -> Option<f64>,
    arguments: usize,
) -> Extent {
    let count = match arguments {
        1 => most(0),
        _ => {
            let span = match (exact(0), exact(1)) {
                (Some(start), Some(stop)) => Some(stop - start),
                _ => both(most(0), most(1), |start, stop| start.abs() + stop.abs()),
            };
            let step = if arguments > 2 { exact(2) } else { Some(1.0) };
            // A step of zero gives no elements.
            both(span, step.or(Some(1.0)), |span, step| if step == 0.0 { 0.0 } else { span / step })
        }
    };
    let items = count.unwrap_or(1.0).max(0.0);
    let end = both(most(0), most(arguments.saturating_sub(1).min(1)), f64::max);
    Extent { most: end, ..Extent::sized(items * ELEMENT_BYTES, items) }
}

/// The elements of a list as texts, with a separator between them.
fn joined(list: Extent, separator: f64) -> Extent {
    let is_of_numbers = list.element().bytes <= ELEMENT_BYTES;
    let texts = if is_of_numbers { list.items * (NUMBER_TEXT / 2.0) } else { list.bytes };
    let bytes = texts + list.items * separator;
    Extent::sized(bytes, bytes)
}

/// How large the result of a format text with its values can be: each placeholder may hold the longest value, padded to the
/// largest number in the text or among the values.
fn formatted(children: &[Value], arguments: &[Extent]) -> f64 {
    let Some((format, values)) = arguments.split_first() else { return 1.0 };
    let text = children.first().and_then(text).unwrap_or_default();
    let digits = text
        .split(|character: char| !character.is_ascii_digit())
        .filter_map(|digits| digits.parse::<f64>().ok())
        .fold(0.0, f64::max);
    let widths_are_values = text.contains('*') || text.contains(":{");
    let widest =
        values.iter().filter_map(|value| value.most).filter(|_| widths_are_values).fold(digits, f64::max);
    let longest = values.iter().map(|value| value.bytes).fold(0.0, f64::max);
    let places = text.matches(['%', '{']).count().max(1) as f64;
    format.bytes + places * (longest + widest)
}

fn both(one: Option<f64>, other: Option<f64>, combine: impl Fn(f64, f64) -> f64) -> Option<f64> {
    Some(combine(one?, other?))
}
