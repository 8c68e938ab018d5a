//! Scalar functions, by name and types.

use datafusion::functions::{math, string, unicode};
use datafusion::logical_expr::{Expr, ScalarUDF, cast, lit};
use datafusion::scalar::ScalarValue;
use std::sync::Arc;

use super::comparisons::{binary, from_key, key};
use super::time_functions::time_function;
use super::types::arrow_type;
use crate::bound::{Function, SqlType};
use crate::functions::{
    ADD, DIVIDE_INTEGERS, ERROR, FIRST_CHARACTERS, FIRST_OF, JOINED_VALUES, LAST_CHARACTERS, LIKE, LOGARITHM,
    LOWER, MODULO, MULTIPLY, NEGATE, Native, ROUND, ROUND_DIGITS, SQUARE_ROOT, SUBSTRING, SUBTRACT, UPPER,
    order_word, product_of,
};
use crate::refusal::Refusal;

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
    use SqlType::{BigInt, Double, Float, Integer, Varchar};
    let udf = |udf: Arc<ScalarUDF>, arguments: Vec<Expr>| udf.call(arguments);
    let call = |native: Native, arguments: Vec<Expr>| native.call(arguments);
    let output_type = arrow_type(output)?;
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
        ("+" | "-" | "*", [one, other]) if output.is_decimal() => {
            let (Some(one), Some(other)) = (as_decimal(one), as_decimal(other)) else { return Ok(None) };
            return decimals(name, (one, other), output, arguments);
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
        ("substring" | "substr", [Varchar, BigInt]) => call(SUBSTRING, arguments),
        // Where a part begins or ends outside of its text, DuckDB counts in another way if it knows that all texts are ASCII.
        ("substring" | "substr", [Varchar, BigInt, BigInt]) if arguments[1..].iter().all(is_from_zero) => {
            call(SUBSTRING, arguments)
        }
        ("array_extract" | "list_extract" | "list_element", [Varchar, BigInt]) => {
            arguments.push(lit(1_i64));
            call(SUBSTRING, arguments)
        }
        ("left", [Varchar, BigInt]) => call(FIRST_CHARACTERS, arguments),
        ("right", [Varchar, BigInt]) => call(LAST_CHARACTERS, arguments),
        ("upper" | "ucase", [Varchar]) => call(UPPER, arguments),
        ("lower" | "lcase", [Varchar]) => call(LOWER, arguments),
        ("concat_ws", [Varchar, _, ..]) if are_texts(types) => call(JOINED_VALUES, arguments),
        ("concat", [_, ..]) if are_texts(types) => {
            arguments.insert(0, lit(""));
            call(JOINED_VALUES, arguments)
        }
        ("~~*" | "!~~*", [Varchar, Varchar]) => {
            let arguments = arguments.into_iter().map(|text| call(LOWER, vec![text])).collect();
            let is_like = call(LIKE, arguments);
            if name == "~~*" { is_like } else { Expr::Not(Box::new(is_like)) }
        }
        ("greatest" | "least", [first, ..]) if types.iter().all(|sql_type| sql_type == first) => {
            // Only values that can be compared, and of which no two are equal and not the same.
            from_key(key(arguments[0].clone(), first)?, first)?;
            arguments.insert(0, lit(order_word(name == "least", false)));
            call(FIRST_OF, arguments)
        }
        ("~~", [Varchar, Varchar]) => call(LIKE, arguments),
        ("!~~", [Varchar, Varchar]) => Expr::Not(Box::new(call(LIKE, arguments))),
        ("replace", [Varchar, Varchar, Varchar])
            if second.as_deref().is_some_and(|from| !from.is_empty()) =>
        {
            udf(string::replace(), arguments)
        }
        ("error", [Varchar]) => call(ERROR, vec![arguments.remove(0), super::constants::null(output)?]),
        _ => {
            let of_times = time_function(name, output, types, arguments.clone())?;
            return match of_times {
                Some(value) => Ok(Some(value)),
                None => super::nested::function(name, output, types, arguments),
            };
        }
    }))
}

/// Whether it is a constant that is not negative.
fn is_from_zero(value: &Expr) -> bool {
    matches!(value, Expr::Literal(ScalarValue::Int64(Some(0..)), _))
}

/// The width and scale of a decimal, or of a HUGEINT, which DuckDB calculates with decimals as it is.
fn as_decimal(sql_type: &SqlType) -> Option<(u8, i8)> {
    match sql_type {
        SqlType::Decimal { width, scale } => Some((*width, *scale)),
        SqlType::HugeInt => Some((38, 0)),
        _ => None,
    }
}

/// Sums, differences and products of decimals.
fn decimals(
    operator: &str,
    (one, other): ((u8, i8), (u8, i8)),
    output: &SqlType,
    arguments: Vec<Expr>,
) -> Result<Option<Expr>, Refusal> {
    let SqlType::Decimal { scale, .. } = output else { return Ok(None) };
    let output_type = arrow_type(output)?;
    Ok(match operator {
        "+" | "-" if one.1 == *scale && other.1 == *scale => {
            let operator = if operator == "+" { ADD } else { SUBTRACT };
            let wide = arguments.into_iter().map(|argument| cast(argument, output_type.clone()));
            Some(operator.call(wide.collect()))
        }
        "*" if one.1 + other.1 == *scale => {
            let (width, scale) = product_of(one, other);
            let product = SqlType::Decimal { width, scale };
            let value = MULTIPLY.call(arguments);
            Some(if product == *output { value } else { cast(value, output_type) })
        }
        _ => None,
    })
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

/// A constant text.
pub(super) fn text(argument: &Expr) -> Option<String> {
    match argument {
        Expr::Literal(ScalarValue::Utf8(text), _) => text.clone(),
        _ => None,
    }
}

fn are_texts(types: &[SqlType]) -> bool {
    types.iter().all(|sql_type| *sql_type == SqlType::Varchar)
}
