//! Values of parameters on the command line: `carrier=UA`, `1=2013`.

use std::sync::Arc;

use arrow_array::types::Decimal128Type;
use arrow_array::{ArrayRef, Decimal128Array};
use arrow_cast::parse::parse_decimal;
use arrow_schema::{ArrowError, DECIMAL128_MAX_PRECISION};
use polarway::Parameters;

use crate::exact;

/// A parameter's name and the text of its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NamedValue {
    name: String,
    value: Value,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Decimal { digits: i128, precision: u8, scale: i8 },
    Text(String),
}

/// Parses `NAME=VALUE`. A value in double quotes is always text.
pub(crate) fn parse(text: &str) -> Result<NamedValue, String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    let name = name.trim().trim_start_matches('$');
    if name.is_empty() {
        return Err("write it as NAME=VALUE".to_owned());
    }
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let value = match (quoted, value) {
        (Some(text), _) => Value::Text(text.to_owned()),
        (None, "null" | "NULL") => Value::Null,
        (None, "true") => Value::Boolean(true),
        (None, "false") => Value::Boolean(false),
        (None, text) => number(text)?.unwrap_or_else(|| Value::Text(text.to_owned())),
    };
    Ok(NamedValue { name: name.to_owned(), value })
}

/// A number in SQL's form, with all its digits. Words such as `inf` and codes such as `007` are text.
fn number(text: &str) -> Result<Option<Value>, String> {
    if exact::nearest_double(text).is_none_or(|value| !value.is_finite()) {
        return Ok(None);
    }
    let integer = exact::integer(text).map(Value::Integer);
    let unsigned = || exact::integer(text).map(Value::Unsigned);
    let float = || exact::double(text).map(Value::Float);
    match integer.or_else(unsigned).or_else(float).or_else(|| decimal(text)) {
        Some(value) => Ok(Some(value)),
        None => Err(format!("no number has as many digits as {text}; in double quotes it is text")),
    }
}

/// A number with more digits than a double holds.
fn decimal(text: &str) -> Option<Value> {
    let (whole, fraction) =
        text.trim_start_matches('-').split_once('.').unwrap_or((text.trim_start_matches('-'), ""));
    let precision = u8::try_from(whole.len() + fraction.len()).ok()?;
    let scale = i8::try_from(fraction.len()).ok()?;
    if precision > DECIMAL128_MAX_PRECISION || text.contains(['e', 'E']) {
        return None;
    }
    let digits = parse_decimal::<Decimal128Type>(text, precision, scale).ok()?;
    Some(Value::Decimal { digits, precision, scale })
}

/// The values that are sent to the server.
///
/// # Errors
/// Never, as far as is known: a decimal has the digits that its precision was counted from.
pub(crate) fn values(typed: Vec<NamedValue>) -> Result<Parameters, ArrowError> {
    typed.into_iter().try_fold(Parameters::new(), |values, NamedValue { name, value }| {
        Ok(match value {
            Value::Null => values.and_named(name, None::<bool>),
            Value::Boolean(value) => values.and_named(name, value),
            Value::Integer(value) => values.and_named(name, value),
            Value::Unsigned(value) => values.and_named(name, value),
            Value::Float(value) => values.and_named(name, value),
            Value::Decimal { digits, precision, scale } => {
                let array = Decimal128Array::from(vec![digits]).with_precision_and_scale(precision, scale)?;
                values.and_named(name, Arc::new(array) as ArrayRef)
            }
            Value::Text(value) => values.and_named(name, value),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_it_looks_like_and_text_in_quotes_is_text() {
        let value = |text: &str| parse(&format!("x={text}")).unwrap().value;
        assert_eq!(value("2013"), Value::Integer(2013));
        assert_eq!(value("-0.5"), Value::Float(-0.5));
        assert_eq!(value("1e3"), Value::Float(1000.0));
        assert_eq!((value("true"), value("null")), (Value::Boolean(true), Value::Null));
        for text in ["UA", "", "007", "1.2.3", "inf", "-inf", "nan", "2013-01-01", "a=b", "-", "1e400"] {
            assert_eq!(value(text), Value::Text(text.to_owned()));
        }
        assert_eq!(value("\"2013\""), Value::Text("2013".to_owned()));
    }

    #[test]
    fn a_number_keeps_its_digits() {
        let value = |text: &str| parse(&format!("x={text}")).map(|named| named.value);
        assert_eq!(value("9223372036854775808"), Ok(Value::Unsigned(1 << 63)));
        let decimal = |digits, precision, scale| Ok(Value::Decimal { digits, precision, scale });
        assert_eq!(value("18446744073709551617"), decimal((1 << 64) + 1, 20, 0));
        assert_eq!(value("-0.1234567890123456789"), decimal(-1_234_567_890_123_456_789, 20, 19));
        let long = "9".repeat(39);
        assert!(value(&long).is_err_and(|message| message.contains("double quotes")));
        assert_eq!(value(&format!("\"{long}\"")), Ok(Value::Text(long)));
    }

    #[test]
    fn a_name_may_have_its_dollar_and_must_be_there() {
        assert_eq!(parse("$year=1"), parse("year=1"));
        for text in ["", "year", "=1", "$=1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
