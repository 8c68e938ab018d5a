//! Casts with DuckDB's rounding and range.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray as _, Decimal128Array, Float64Array, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit, UInt64Type,
};
use datafusion::error::Result;

use super::moments::{Moment, is_finite, is_zoned, micros};
use super::{Native, failed, second_type, unexpected, zoned};

/// The greatest integer up to which every integer is a DOUBLE.
const EXACT: i128 = 1 << 53;

/// A DOUBLE as the nearest BIGINT, the even one of two.
pub(crate) const ROUND_TO_INTEGER: Native = Native::new(
    "duckdb_round_to_integer",
    |_| Ok(DataType::Int64),
    |arguments, _| {
        let numbers: &Float64Array = arguments[0].as_primitive();
        let rounded = numbers.try_unary::<_, Int64Type, _>(|number| {
            let rounded = number.round_ties_even();
            match rounded >= -(2_f64.powi(63)) && rounded < 2_f64.powi(63) {
                true => Ok(rounded as i64),
                false => failed(format!("the value {number} is out of range for an integer")),
            }
        })?;
        Ok(Arc::new(rounded) as ArrayRef)
    },
);

/// A decimal as a DOUBLE.
pub(crate) const DECIMAL_TO_DOUBLE: Native = Native::new(
    "duckdb_decimal_to_double",
    |_| Ok(DataType::Float64),
    |arguments, _| {
        let numbers: &Decimal128Array = arguments[0].as_primitive::<Decimal128Type>();
        let scale = u32::from(numbers.scale().unsigned_abs());
        let (whole, power) = (10_i128.pow(scale), 10_f64.powi(i32::from(numbers.scale())));
        let double = |number: i128| match number.abs() <= EXACT || scale == 0 {
            true => number as f64 / power,
            false => (number / whole) as f64 + (number % whole) as f64 / power,
        };
        Ok(Arc::new(numbers.unary::<_, Float64Type>(double)) as ArrayRef)
    },
);

/// The day of a time.
pub(crate) const DATE_OF: Native = Native::new(
    "duckdb_date_of",
    |_| Ok(DataType::Date32),
    |arguments, _| {
        let is_zoned = is_zoned(&arguments[0]);
        let days = micros(&arguments[0])?.try_unary::<_, Date32Type, _>(|micros| match micros {
            i64::MAX => Ok(i32::MAX),
            micros if !is_finite(&micros) => Ok(-i32::MAX),
            micros => {
                let day = i32::try_from(Moment::of(micros, is_zoned).day);
                day.or_else(|_| failed("a time is out of range for dates"))
            }
        })?;
        Ok(Arc::new(days) as ArrayRef)
    },
);

/// The same time without a zone, or the time at which a date begins.
pub(crate) const TIMESTAMP_OF: Native = Native::new(
    "duckdb_timestamp_of",
    |_| Ok(DataType::Timestamp(TimeUnit::Microsecond, None)),
    |arguments, _| {
        let times = micros(&arguments[0])?;
        let times = if is_zoned(&arguments[0]) { said(&times)? } else { times };
        Ok(Arc::new(times) as ArrayRef)
    },
);

/// The same time, or the time at which a date begins, in UTC.
pub(crate) const ZONED_OF: Native = Native::new(
    "duckdb_zoned_of",
    |_| Ok(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
    |arguments, _| Ok(Arc::new(said(&micros(&arguments[0])?)?.with_timezone("UTC")) as ArrayRef),
);

/// The times as the calendar of times with a zone says them.
fn said(times: &TimestampMicrosecondArray) -> Result<TimestampMicrosecondArray> {
    times.try_unary(|micros| match is_finite(&micros) {
        true => zoned::said(micros).map_or_else(|| failed("a time is out of range for a zone"), Ok),
        false => Ok(micros),
    })
}

/// `cast(value, null)`: the value in the type of `null`, or an error where it has no such value.
///
/// DataFusion compares the value itself if a cast of it is compared: there would be no error.
pub(crate) const CAST: Native = Native::new("duckdb_cast", second_type, |arguments, output| {
    Ok(cast_with_options(&arguments[0], output, &CastOptions { safe: false, ..CastOptions::default() })?)
});
/// The same with NULL where it has no such value.
pub(crate) const TRY_CAST: Native = Native::new("duckdb_try_cast", second_type, |arguments, output| {
    Ok(cast_with_options(&arguments[0], output, &CastOptions { safe: true, ..CastOptions::default() })?)
});

/// An integer as a number with room for sums.
pub(crate) const WHOLE: Native = Native::new("duckdb_whole", whole_type, |arguments, output| {
    let whole: Decimal128Array = match arguments[0].data_type() {
        DataType::UInt64 => arguments[0].as_primitive::<UInt64Type>().unary(i128::from),
        _ => cast(&arguments[0], &DataType::Int64)?.as_primitive::<Int64Type>().unary(i128::from),
    };
    Ok(Arc::new(whole.with_data_type(output.clone())))
});

fn whole_type(types: &[DataType]) -> Result<DataType> {
    match types {
        [integer] if integer.is_integer() => Ok(DataType::Decimal128(38, 0)),
        _ => Err(unexpected("duckdb_whole", types)),
    }
}
