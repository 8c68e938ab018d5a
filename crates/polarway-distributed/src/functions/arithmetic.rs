//! Arithmetic that fails where a result does not fit, and gives NULL where a divisor is zero.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray as _, BooleanArray, Decimal128Array, Scalar};
use datafusion::arrow::compute::kernels::{cmp, numeric};
use datafusion::arrow::compute::{nullif, try_binary};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, DecimalType as _};
use datafusion::arrow::error::ArrowError;
use datafusion::error::Result;
use datafusion::scalar::ScalarValue;

use super::{Native, first_type, unexpected};

const MOST_DIGITS: u8 = 38;

pub(crate) const ADD: Native = Native::new("duckdb_add", first_type, |arguments, output| {
    fitted(numeric::add(&arguments[0], &arguments[1])?, output)
});
pub(crate) const SUBTRACT: Native = Native::new("duckdb_subtract", first_type, |arguments, output| {
    fitted(numeric::sub(&arguments[0], &arguments[1])?, output)
});
pub(crate) const MULTIPLY: Native = Native::new("duckdb_multiply", product, |arguments, output| {
    fitted(numeric::mul(&arguments[0], &arguments[1])?, output)
});
pub(crate) const NEGATE: Native =
    Native::new("duckdb_negate", first_type, |arguments, _| Ok(numeric::neg(&arguments[0])?));
/// The quotient of integers, cut towards zero.
pub(crate) const DIVIDE_INTEGERS: Native =
    Native::new("duckdb_divide_integers", first_type, |arguments, _| {
        by_other_than_zero(
            arguments,
            |one, other| numeric::div(one, other),
            |one, other| one.checked_div(other),
        )
    });
/// The rest of the division of integers. It fails where the quotient does not fit.
pub(crate) const MODULO: Native = Native::new("duckdb_modulo", first_type, |arguments, _| {
    let rest = |one: &ArrayRef, other: &ArrayRef| {
        numeric::div(one, other)?;
        numeric::rem(one, other)
    };
    by_other_than_zero(arguments, rest, |one, other| one.checked_rem(other))
});

fn product(types: &[DataType]) -> Result<DataType> {
    Ok(match types {
        [DataType::Decimal128(38, 0), DataType::Decimal128(38, 0)] => DataType::Decimal128(38, 0),
        [DataType::Decimal128(one, one_scale), DataType::Decimal128(other, other_scale)] => {
            DataType::Decimal128((one + other).min(MOST_DIGITS), one_scale + other_scale)
        }
        [one, other] if one == other => one.clone(),
        _ => return Err(unexpected("duckdb_multiply", types)),
    })
}

/// Decimals get the digits of the output, which they must fit.
fn fitted(result: ArrayRef, output: &DataType) -> Result<ArrayRef> {
    let (Some(decimals), DataType::Decimal128(precision, scale)) =
        (result.as_primitive_opt::<Decimal128Type>(), output)
    else {
        return Ok(result);
    };
    // This alone is much faster, and most results fit. What lies under a NULL does not count, and errors name the value.
    let most = 10_u128.pow(u32::from(*precision)) - 1;
    if decimals.values().iter().fold(false, |exceeds, value| exceeds | (value.unsigned_abs() > most)) {
        decimals.validate_decimal_precision(*precision)?;
    }
    Ok(Arc::new(decimals.clone().with_precision_and_scale(*precision, *scale)?))
}

fn by_other_than_zero(
    arguments: &[ArrayRef],
    small: fn(&ArrayRef, &ArrayRef) -> std::result::Result<ArrayRef, ArrowError>,
    huge: fn(i128, i128) -> Option<i128>,
) -> Result<ArrayRef> {
    let (one, other) = (&arguments[0], &arguments[1]);
    let zero = Scalar::new(ScalarValue::new_zero(other.data_type())?.to_array()?);
    let is_zero: BooleanArray = cmp::eq(other, &zero)?;
    let other = nullif(other, &is_zero)?;
    let Some(one) = one.as_primitive_opt::<Decimal128Type>() else { return Ok(small(one, &other)?) };
    let overflow = || ArrowError::ArithmeticOverflow("a quotient does not fit".to_owned());
    let divided: Decimal128Array = try_binary(one, other.as_primitive::<Decimal128Type>(), |one, other| {
        huge(one, other).ok_or_else(overflow)
    })?;
    let precision = Decimal128Type::MAX_PRECISION;
    Ok(Arc::new(divided.with_precision_and_scale(precision, one.scale())?))
}
