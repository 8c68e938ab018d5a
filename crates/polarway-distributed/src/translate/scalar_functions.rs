//! Scalar functions, by name and types.

use datafusion::functions::{math, string, unicode};
use datafusion::logical_expr::{Expr, ScalarUDF, cast, lit};
use datafusion::scalar::ScalarValue;
use std::sync::Arc;

use super::comparisons::binary;
use super::types::arrow_type;
use crate::bound::{Function, SqlType};
use crate::functions::{
    ADD, ADD_INTERVAL, DATE_PART, DATE_TRUNC, DIVIDE_INTEGERS, ERROR, LIKE, LOGARITHM, MODULO, MULTIPLY,
    NEGATE, Native, ROUND, ROUND_DIGITS, SQUARE_ROOT, SUBSTRING, SUBTRACT, SUBTRACT_INTERVAL,
};
use crate::refusal::Refusal;

/// Parts of times that are functions, or that `date_part` takes, by DuckDB's names.
const PARTS: [(&str, &str); 22] = [
    ("year", "year"),
    ("month", "month"),
    ("day", "day"),
    ("dayofmonth", "day"),
    ("decade", "decade"),
    ("quarter", "quarter"),
    ("hour", "hour"),
    ("minute", "minute"),
    ("second", "second"),
    ("millisecond", "millisecond"),
    ("milliseconds", "millisecond"),
    ("microsecond", "microsecond"),
    ("microseconds", "microsecond"),
    ("dayofweek", "dayofweek"),
    ("weekday", "dayofweek"),
    ("dow", "dayofweek"),
    ("isodow", "isodow"),
    ("dayofyear", "dayofyear"),
    ("doy", "dayofyear"),
    ("week", "week"),
    ("weekofyear", "week"),
    ("mon", "month"),
];

/// Parts that times are cut to.
const CUTS: [&str; 10] =
    ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond"];

pub(super) fn function(called: &Function, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let types: Vec<SqlType> = called.children.iter().map(|child| child.sql_type()).collect();
    let known = known(&called.name, &called.return_type, &types, arguments.clone())?;
    known.ok_or_else(|| {
        let types: Vec<_> = types.iter().map(ToString::to_string).collect();
        Refusal::Function(format!("{}({})", called.name, types.join(", ")))
    })
}

fn known(
    name: &str,
    output: &SqlType,
    types: &[SqlType],
    mut arguments: Vec<Expr>,
) -> Result<Option<Expr>, Refusal> {
    use SqlType::{BigInt, Date, Decimal, Double, Float, Integer, Interval, Timestamp, TimestampTz, Varchar};
    let udf = |udf: Arc<ScalarUDF>, arguments: Vec<Expr>| udf.call(arguments);
    let call = |native: Native, arguments: Vec<Expr>| native.call(arguments);
    let output_type = arrow_type(output)?;
    let count = arguments.len();
    let second = arguments.get(1).and_then(text);
    let is_same = types.windows(2).all(|pair| pair[0] == pair[1]) && types.first() == Some(output);
    Ok(Some(match (name, types) {
        // Arithmetic.
        ("+" | "-" | "*", [Double | Float, Double | Float]) if is_same => {
            let operator = match name {
                "+" => datafusion::logical_expr::Operator::Plus,
                "-" => datafusion::logical_expr::Operator::Minus,
                _ => datafusion::logical_expr::Operator::Multiply,
            };
            let right = arguments.remove(1);
            binary(arguments.remove(0), operator, right)
        }
        ("+" | "-" | "*", [one, _]) if one.is_integer() && is_same => call(
            match name {
                "+" => ADD,
                "-" => SUBTRACT,
                _ => MULTIPLY,
            },
            arguments,
        ),
        ("+" | "-", [Decimal { scale, .. }, Decimal { scale: other, .. }])
            if scale == other && matches!(output, Decimal { scale: of_output, .. } if of_output == scale) =>
        {
            let wide =
                arguments.into_iter().zip(types).map(|(argument, sql_type)| match sql_type == output {
                    true => argument,
                    false => cast(argument, output_type.clone()),
                });
            call(if name == "+" { ADD } else { SUBTRACT }, wide.collect())
        }
        ("*", [Decimal { width, scale }, Decimal { width: other, scale: other_scale }]) if matches!(output, Decimal { scale: of_output, .. } if *of_output == scale + other_scale) =>
        {
            let product = Decimal { width: (width + other).min(38), scale: scale + other_scale };
            let value = call(MULTIPLY, arguments);
            if product == *output { value } else { cast(value, output_type) }
        }
        ("/", [Double | Float, Double | Float]) if is_same => {
            let right = arguments.remove(1);
            binary(arguments.remove(0), datafusion::logical_expr::Operator::Divide, right)
        }
        ("//", [one, _]) if one.is_integer() && is_same => call(DIVIDE_INTEGERS, arguments),
        ("%" | "mod", [one, _]) if one.is_integer() && is_same => call(MODULO, arguments),
        ("-", [one]) if (one.is_integer() || one.is_decimal()) && is_same && !is_unsigned(one) => {
            call(NEGATE, arguments)
        }
        ("-", [Double | Float]) => Expr::Negative(Box::new(arguments.remove(0))),
        ("abs" | "@", [one]) if is_same && (one.is_float() || one.is_decimal()) => {
            udf(math::abs(), arguments)
        }
        ("abs" | "@", [one]) if is_same && one.is_small_integer() && !is_unsigned(one) => {
            // Without a branch for the least one this would wrap.
            let zero = lit(ScalarValue::new_zero(&output_type)?);
            let value = arguments.remove(0);
            let negative = call(NEGATE, vec![value.clone()]);
            datafusion::logical_expr::when(value.clone().lt(zero), negative).otherwise(value)?
        }
        ("sqrt", [Double]) => call(SQUARE_ROOT, arguments),
        ("ln", [Double]) => call(LOGARITHM, arguments),
        ("floor", [Double]) => udf(math::floor(), arguments),
        ("ceil" | "ceiling", [Double]) => udf(math::ceil(), arguments),
        ("floor" | "ceil" | "ceiling" | "round", [one]) if is_same && one.is_integer() => arguments.remove(0),
        ("round", [Double | Float]) => call(ROUND, arguments),
        ("round", [Double, Integer]) => round_to_digits(arguments)?,
        ("exp", [Double]) => udf(math::exp(), arguments),
        ("cbrt", [Double]) => udf(math::cbrt(), arguments),
        ("pi", []) => lit(std::f64::consts::PI),
        ("isnan", [Double]) => udf(math::isnan(), arguments),
        // Texts.
        ("||", [Varchar, Varchar]) => {
            let right = arguments.remove(1);
            binary(arguments.remove(0), datafusion::logical_expr::Operator::StringConcat, right)
        }
        ("length" | "len" | "char_length" | "character_length", [Varchar]) => {
            cast(udf(unicode::character_length(), arguments), output_type)
        }
        ("strlen", [Varchar]) => cast(udf(string::octet_length(), arguments), output_type),
        ("prefix" | "starts_with" | "^@", [Varchar, Varchar]) => udf(string::starts_with(), arguments),
        ("suffix" | "ends_with", [Varchar, Varchar]) => udf(string::ends_with(), arguments),
        ("contains", [Varchar, Varchar]) => udf(string::contains(), arguments),
        ("substring" | "substr", [Varchar, BigInt]) | ("substring" | "substr", [Varchar, BigInt, BigInt]) => {
            call(SUBSTRING, arguments)
        }
        ("left", [Varchar, BigInt]) if positive(&arguments[1]) => {
            call(SUBSTRING, vec![arguments.remove(0), lit(1_i64), arguments.remove(0)])
        }
        ("~~", [Varchar, Varchar]) => call(LIKE, arguments),
        ("!~~", [Varchar, Varchar]) => Expr::Not(Box::new(call(LIKE, arguments))),
        ("replace", [Varchar, Varchar, Varchar])
            if second.as_deref().is_some_and(|from| !from.is_empty()) =>
        {
            udf(string::replace(), arguments)
        }
        ("error", [Varchar]) => call(ERROR, vec![arguments.remove(0), super::constants::null(output)?]),
        // Times.
        (part, [Date | Timestamp | TimestampTz]) if part_of(part).is_some() && *output == BigInt => {
            call(DATE_PART, vec![lit(part_of(part).unwrap_or_default()), arguments.remove(0)])
        }
        ("date_part" | "datepart", [Varchar, Date | Timestamp | TimestampTz]) if *output == BigInt => {
            let Some(part) = text(&arguments[0]).and_then(|part| part_of(&part.to_lowercase())) else {
                return Ok(None);
            };
            call(DATE_PART, vec![lit(part), arguments.remove(1)])
        }
        ("date_trunc" | "datetrunc", [Varchar, Date | Timestamp | TimestampTz])
            if matches!(output, Timestamp | TimestampTz) =>
        {
            let part = text(&arguments[0]).map(|part| part.to_lowercase());
            let Some(part) = part.filter(|part| CUTS.contains(&part.as_str())) else { return Ok(None) };
            call(DATE_TRUNC, vec![lit(part), arguments.remove(1)])
        }
        ("+", [Date | Timestamp | TimestampTz, Interval]) => call(ADD_INTERVAL, arguments),
        ("+", [Interval, Date | Timestamp | TimestampTz]) => {
            arguments.reverse();
            call(ADD_INTERVAL, arguments)
        }
        ("-", [Date | Timestamp | TimestampTz, Interval]) => call(SUBTRACT_INTERVAL, arguments),
        ("-", [Date, Date]) if *output == BigInt && count == 2 => {
            let days = |date: Expr| {
                cast(cast(date, datafusion::arrow::datatypes::DataType::Int32), output_type.clone())
            };
            let right = arguments.remove(1);
            call(SUBTRACT, vec![days(arguments.remove(0)), days(right)])
        }
        _ => return Ok(None),
    }))
}

fn round_to_digits(mut arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let digits = match arguments.pop() {
        Some(Expr::Literal(ScalarValue::Int32(Some(digits)), _)) if (0..=15).contains(&digits) => digits,
        _ => return Err(Refusal::Function("round(DOUBLE, INTEGER) with such digits".to_owned())),
    };
    let value = arguments.remove(0);
    Ok(ROUND_DIGITS.call(vec![value, lit(digits)]))
}

fn is_unsigned(sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::UTinyInt | SqlType::USmallInt | SqlType::UInteger | SqlType::UBigInt)
}

fn part_of(name: &str) -> Option<&'static str> {
    PARTS.iter().find(|(known, _)| *known == name).map(|(_, part)| *part)
}

/// A constant text.
fn text(argument: &Expr) -> Option<String> {
    match argument {
        Expr::Literal(ScalarValue::Utf8(text), _) => text.clone(),
        _ => None,
    }
}

fn positive(argument: &Expr) -> bool {
    matches!(argument, Expr::Literal(ScalarValue::Int64(Some(1..)), _))
}
