//! Arithmetic that fails where a result does not fit, and gives NULL where a divisor is zero.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray as _, BooleanArray, Decimal128Array, Scalar};
use datafusion::arrow::compute::kernels::{cmp, numeric};
use datafusion::arrow::compute::{binary, nullif, try_binary};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, DecimalType as _};
use datafusion::arrow::error::ArrowError;
use datafusion::error::Result;
use datafusion::scalar::ScalarValue;

use super::{Native, first_type, unexpected};

/// The most digits of decimals in 128 bits.
const MOST_DIGITS: u8 = 38;

/// The most digits of decimals that DuckDB keeps in 64 bits.
const MOST_SMALL_DIGITS: u8 = 18;

pub(crate) const ADD: Native = Native::new("duckdb_add", first_type, |arguments, output| {
    fitted(computed(arguments, sums_fit, i128::wrapping_add, |one, other| numeric::add(one, other))?, output)
});
pub(crate) const SUBTRACT: Native = Native::new("duckdb_subtract", first_type, |arguments, output| {
    fitted(computed(arguments, sums_fit, i128::wrapping_sub, |one, other| numeric::sub(one, other))?, output)
});
pub(crate) const MULTIPLY: Native = Native::new("duckdb_multiply", product, |arguments, output| {
    fitted(
        computed(arguments, products_fit, i128::wrapping_mul, |one, other| numeric::mul(one, other))?,
        output,
    )
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

/// The results of an operator. Decimals that can't overflow are not checked one by one.
fn computed(
    arguments: &[ArrayRef],
    fit: fn(&Decimal128Array, &Decimal128Array) -> bool,
    unchecked: impl Fn(i128, i128) -> i128,
    checked: fn(&ArrayRef, &ArrayRef) -> std::result::Result<ArrayRef, ArrowError>,
) -> Result<ArrayRef> {
    let (one, other) = (&arguments[0], &arguments[1]);
    if let (Some(one), Some(other)) = (one.as_primitive_opt(), other.as_primitive_opt())
        && fit(one, other)
    {
        let results: Decimal128Array = binary(one, other, unchecked)?;
        return Ok(Arc::new(results));
    }
    Ok(checked(one, other)?)
}

/// Whether 128 bits have room for all sums of decimals of one scale.
fn sums_fit(one: &Decimal128Array, other: &Decimal128Array) -> bool {
    one.scale() == other.scale() && one.precision().max(other.precision()) < MOST_DIGITS
}

/// Whether 128 bits have room for all products of decimals.
fn products_fit(one: &Decimal128Array, other: &Decimal128Array) -> bool {
    one.precision() + other.precision() <= MOST_DIGITS
}

fn product(types: &[DataType]) -> Result<DataType> {
    Ok(match types {
        [DataType::Decimal128(one, one_scale), DataType::Decimal128(other, other_scale)] => {
            let (precision, scale) = product_of((*one, *one_scale), (*other, *other_scale));
            DataType::Decimal128(precision, scale)
        }
        [one, other] if one == other => one.clone(),
        _ => return Err(unexpected("duckdb_multiply", types)),
    })
}

/// The digits and the scale that DuckDB gives a product of decimals: it stays in 64 bits if both have that size and the scale fits.
pub(crate) fn product_of(one: (u8, i8), other: (u8, i8)) -> (u8, i8) {
    let (digits, scale) = (one.0 + other.0, one.1 + other.1);
    let is_small = one.0.max(other.0) <= MOST_SMALL_DIGITS && scale < MOST_SMALL_DIGITS as i8;
    (digits.min(if is_small { MOST_SMALL_DIGITS } else { MOST_DIGITS }), scale)
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
