//! Floating-point numbers as DuckDB compares them: NaN equals NaN and is the greatest, and 0 equals -0.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray as _, Float32Array, Float64Array, Int32Array, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use datafusion::error::Result;

use super::{Native, failed, first_type, second_type, unexpected};

/// The same number for all numbers that DuckDB calls equal. Arrow compares these as DuckDB does.
pub(crate) const CANONICAL: Native =
    Native::new("duckdb_canonical", first_type, |arguments, _| canonical_numbers(&arguments[0]));

pub(super) fn canonical_numbers(numbers: &ArrayRef) -> Result<ArrayRef> {
    Ok(match numbers.data_type() {
        DataType::Float64 => {
            Arc::new(numbers.as_primitive::<Float64Type>().unary::<_, Float64Type>(canonical))
        }
        DataType::Float32 => {
            let canonical = |number: f32| if number.is_nan() { f32::NAN } else { number + 0.0 };
            Arc::new(numbers.as_primitive::<Float32Type>().unary::<_, Float32Type>(canonical)) as ArrayRef
        }
        other => return Err(unexpected("duckdb_canonical", std::slice::from_ref(other))),
    })
}

/// An integer that is greater where a DOUBLE is.
pub(crate) const KEY: Native = Native::new(
    "duckdb_key",
    |_| Ok(DataType::Int64),
    |arguments, _| {
        let numbers = arguments[0].as_primitive::<Float64Type>();
        Ok(Arc::new(
            numbers.unary::<_, Int64Type>(|number| ordered(canonical(number).to_bits().cast_signed())),
        ))
    },
);

/// The DOUBLE of a key.
pub(crate) const FROM_KEY: Native = Native::new(
    "duckdb_from_key",
    |_| Ok(DataType::Float64),
    |arguments, _| {
        let keys: &Int64Array = arguments[0].as_primitive();
        Ok(Arc::new(keys.unary::<_, Float64Type>(|key| f64::from_bits(ordered(key).cast_unsigned()))))
    },
);

/// An integer for each DOUBLE or FLOAT, whose bits it has as a DOUBLE.
pub(crate) const BITS: Native = Native::new(
    "duckdb_bits",
    |_| Ok(DataType::Int64),
    |arguments, _| {
        let numbers = cast(&arguments[0], &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        Ok(Arc::new(numbers.unary::<_, Int64Type>(|number| number.to_bits().cast_signed())) as ArrayRef)
    },
);

/// `from_bits(bits, null)`: the number, of the type of `null`.
pub(crate) const FROM_BITS: Native = Native::new("duckdb_from_bits", second_type, |arguments, output| {
    let bits: &Int64Array = arguments[0].as_primitive();
    let numbers: Float64Array = bits.unary(|bits| f64::from_bits(bits.cast_unsigned()));
    Ok(cast(&numbers, output)?)
});

/// The same number, or an error if it is not finite.
pub(crate) const FINITE: Native = Native::new("duckdb_finite", first_type, |arguments, _| {
    let numbers: &Float64Array = arguments[0].as_primitive();
    match numbers.iter().flatten().all(f64::is_finite) {
        true => Ok(Arc::clone(&arguments[0])),
        false => failed("the result of an aggregate is out of range"),
    }
});

/// The square root; negative numbers are refused.
pub(crate) const SQUARE_ROOT: Native = Native::new("duckdb_sqrt", first_type, |arguments, _| {
    checked(&arguments[0], f64::sqrt, |number| number < 0.0, "cannot take square root of a negative number")
});

/// The natural logarithm of numbers above zero.
pub(crate) const LOGARITHM: Native = Native::new("duckdb_ln", first_type, |arguments, _| {
    checked(
        &arguments[0],
        f64::ln,
        |number| number <= 0.0,
        "cannot take logarithm of a number that is not positive",
    )
});

/// A DOUBLE, or FLOAT, without its fraction: half of one is rounded away from zero.
pub(crate) const ROUND: Native = Native::new("duckdb_round", first_type, |arguments, output| {
    let number = &arguments[0];
    Ok(match output {
        DataType::Float64 => {
            Arc::new(number.as_primitive::<Float64Type>().unary::<_, Float64Type>(f64::round))
        }
        DataType::Float32 => {
            let rounded: Float32Array =
                number.as_primitive::<Float32Type>().unary::<_, Float32Type>(f32::round);
            Arc::new(rounded) as ArrayRef
        }
        _ => return Err(unexpected("duckdb_round", std::slice::from_ref(output))),
    })
});

/// `round(number, digits)` of a DOUBLE, with 0 to 15 digits.
pub(crate) const ROUND_DIGITS: Native = Native::new("duckdb_round_digits", first_type, |arguments, _| {
    let numbers: &Float64Array = arguments[0].as_primitive();
    let digits: &Int32Array = arguments[1].as_primitive();
    let round = |(number, digits): (Option<f64>, Option<i32>)| {
        let (number, power) = (number?, 10_f64.powi(digits?));
        let rounded = (number * power).round() / power;
        Some(if rounded.is_finite() { rounded } else { number })
    };
    Ok(Arc::new(numbers.iter().zip(digits).map(round).collect::<Float64Array>()) as ArrayRef)
});

fn checked(
    numbers: &ArrayRef,
    function: fn(f64) -> f64,
    is_refused: fn(f64) -> bool,
    message: &str,
) -> Result<ArrayRef> {
    let numbers: &Float64Array = numbers.as_primitive();
    if numbers.iter().flatten().any(is_refused) {
        return failed(message);
    }
    Ok(Arc::new(numbers.unary::<_, Float64Type>(function)))
}

fn canonical(number: f64) -> f64 {
    if number.is_nan() { f64::NAN } else { number + 0.0 }
}

/// Bits of a float in the order of integers, and back.
fn ordered(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}
