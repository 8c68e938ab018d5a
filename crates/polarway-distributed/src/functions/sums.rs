//! Sums of large numbers.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray as _, Decimal128Array};
use datafusion::arrow::datatypes::{DataType, Decimal256Type, i256};
use datafusion::error::Result;

use super::{Native, failed, last_type, unexpected};

/// What HUGEINTs can't have in Arrow.
const TOO_LARGE: u128 = 10_u128.pow(38);

const DOES_NOT_FIT: &str = "a sum does not fit into 128 bits";

/// `narrowed(sum, is_whole, null)`: a sum that was made with more digits, in the type of `null`. Like those of DuckDB, sums of
/// decimals may have all values of 128 bits, and sums of whole numbers 38 digits.
pub(crate) const NARROWED: Native = Native::new("duckdb_narrowed", last_type, |arguments, output| {
    let sums = arguments[0].as_primitive::<Decimal256Type>();
    let is_whole = arguments[1].as_boolean().value(0);
    let DataType::Decimal128(precision, scale) = output else {
        return Err(unexpected("duckdb_narrowed", std::slice::from_ref(output)));
    };
    let narrowed = sums.iter().map(|sum| {
        let Some(sum) = sum.map(fitting).transpose()? else { return Ok(None) };
        if is_whole && sum.unsigned_abs() >= TOO_LARGE { failed(DOES_NOT_FIT) } else { Ok(Some(sum)) }
    });
    let narrowed = narrowed.collect::<Result<Decimal128Array>>()?;
    Ok(Arc::new(narrowed.with_precision_and_scale(*precision, *scale)?) as ArrayRef)
});

/// The same sum in 128 bits.
pub(super) fn fitting(sum: i256) -> Result<i128> {
    sum.to_i128().map_or_else(|| failed(DOES_NOT_FIT), Ok)
}
