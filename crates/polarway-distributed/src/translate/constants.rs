//! Constants.

use datafusion::arrow::datatypes::IntervalMonthDayNano;
use datafusion::logical_expr::{Expr, lit};
use datafusion::scalar::ScalarValue;
use serde_json::Value;

use super::nested_constants::{bytes, nested};
use super::types::arrow_type;
use crate::bound::{Constant, SqlType};
use crate::refusal::Refusal;

pub(super) fn constant(constant: &Constant) -> Result<Expr, Refusal> {
    scalar(constant).map(lit)
}

pub(super) fn null(sql_type: &SqlType) -> Result<Expr, Refusal> {
    Ok(lit(ScalarValue::try_from(&arrow_type(sql_type)?)?))
}

pub(super) fn scalar(constant: &Constant) -> Result<ScalarValue, Refusal> {
    let sql_type = &constant.sql_type;
    let data_type = arrow_type(sql_type)?;
    if constant.is_null {
        return Ok(ScalarValue::try_from(&data_type)?);
    }
    let value = &constant.value;
    let unreadable = || Refusal::Form(format!("a constant of type {sql_type} is {value}"));
    let integer = || value.as_i64().ok_or_else(unreadable);
    let small = || integer().and_then(|value| i32::try_from(value).map_err(|_| unreadable()));
    let huge = || huge(value).ok_or_else(unreadable);
    let micros = integer;
    Ok(match sql_type {
        SqlType::Boolean => ScalarValue::Boolean(Some(value.as_bool().ok_or_else(unreadable)?)),
        SqlType::Varchar | SqlType::Json => {
            ScalarValue::Utf8(Some(value.as_str().ok_or_else(unreadable)?.to_owned()))
        }
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Integer | SqlType::BigInt => {
            ScalarValue::Int64(Some(integer()?)).cast_to(&data_type)?
        }
        SqlType::UTinyInt | SqlType::USmallInt | SqlType::UInteger | SqlType::UBigInt => {
            ScalarValue::UInt64(Some(value.as_u64().ok_or_else(unreadable)?)).cast_to(&data_type)?
        }
        SqlType::HugeInt => {
            let number = huge()?;
            if number.unsigned_abs() >= 10_u128.pow(38) {
                return Err(Refusal::Type("HUGEINT with 39 digits".to_owned()));
            }
            ScalarValue::Decimal128(Some(number), 38, 0)
        }
        SqlType::Decimal { width, scale } => ScalarValue::Decimal128(Some(huge()?), *width, *scale),
        SqlType::Double => ScalarValue::Float64(Some(double(value).ok_or_else(unreadable)?)),
        SqlType::Float => ScalarValue::Float32(Some(double(value).ok_or_else(unreadable)? as f32)),
        SqlType::Date => ScalarValue::Date32(Some(small()?)),
        SqlType::Time => ScalarValue::Time64Microsecond(Some(micros()?)),
        SqlType::Timestamp => ScalarValue::TimestampMicrosecond(Some(micros()?), None),
        SqlType::TimestampTz => ScalarValue::TimestampMicrosecond(Some(micros()?), Some("UTC".into())),
        SqlType::Interval => {
            let part = |name: &str| value[name].as_i64().ok_or_else(unreadable);
            let small =
                |name: &str| part(name).and_then(|part| i32::try_from(part).map_err(|_| unreadable()));
            let nanos = part("micros")?.checked_mul(1_000).ok_or_else(unreadable)?;
            let interval = IntervalMonthDayNano::new(small("months")?, small("days")?, nanos);
            ScalarValue::IntervalMonthDayNano(Some(interval))
        }
        SqlType::Blob => ScalarValue::Binary(Some(value.as_str().and_then(bytes).ok_or_else(unreadable)?)),
        of if of.is_nested() => nested(of, value)?,
        other => return Err(Refusal::Type(other.to_string())),
    })
}

/// A number of up to 128 bits: itself, or its two halves.
fn huge(value: &Value) -> Option<i128> {
    if let Some(number) = value.as_i64() {
        return Some(number.into());
    }
    let (upper, lower) = (value["upper"].as_i64()?, value["lower"].as_u64()?);
    Some((i128::from(upper) << 64) | i128::from(lower))
}

fn double(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        Some(_) => None,
        None => value.as_f64(),
    }
}
