//! Exact sums and averages, of groups and of the frames of windows.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::{AggregateUDF, Expr, cast, lit};

use super::aggregates::whole;
use super::constants::null;
use super::types::arrow_type;
use crate::bound::SqlType;
use crate::functions::{self, AVERAGE, FINITE, NARROWED, ROUNDED, VARIANCE, total_of_squares};
use crate::refusal::Refusal;

/// The digits of Arrow's widest decimals.
const MOST_DIGITS: u8 = 76;

/// Adds an aggregate of DataFusion's, with its arguments, and gives its value.
pub(super) type Add<'a> = dyn FnMut(Arc<AggregateUDF>, Vec<Expr>) -> Expr + 'a;

/// The sum of values of a type, as this type; `None` if it is not exact, or not known.
pub(super) fn sum(
    value: Expr,
    of: &SqlType,
    result: &SqlType,
    add: &mut Add<'_>,
) -> Result<Option<Expr>, Refusal> {
    use SqlType::{BigInt, Boolean, Decimal, HugeInt};
    let is_known = match of {
        Decimal { scale, .. } => *result == Decimal { width: 38, scale: *scale },
        HugeInt => *result == HugeInt,
        _ => matches!(result, HugeInt | BigInt),
    };
    if !is_known || !(of.is_integer() || of.is_decimal() || *of == Boolean) {
        return Ok(None);
    }
    let sum = exact(value, of, add);
    Ok(Some(match of {
        wide if is_wide(wide) => NARROWED.call(vec![sum, lit(*of == HugeInt), null(result)?]),
        _ if *result == BigInt => cast(sum, arrow_type(result)?),
        _ => sum,
    }))
}

/// The average of values of a type, as a DOUBLE; `None` if their sum is not exact, or not known.
pub(super) fn average(value: Expr, of: &SqlType, add: &mut Add<'_>) -> Option<Expr> {
    use SqlType::{BigInt, Decimal, HugeInt, Integer, SmallInt};
    if !matches!(of, SmallInt | Integer | BigInt | HugeInt | Decimal { .. }) {
        return None;
    }
    let is_short = matches!(of, SmallInt | Decimal { width: ..=4, .. });
    let sum = exact(value.clone(), of, add);
    let count = add(count_udaf(), vec![value]);
    Some(AVERAGE.call(vec![sum, count, lit(is_short)]))
}

/// An aggregate of DOUBLEs that is the same in any order of rows; `None` if it is not known.
pub(super) fn repeatable(name: &str, value: &Expr, add: &mut Add<'_>) -> Option<Expr> {
    let mut total = |udaf| add(udaf, vec![value.clone()]);
    let root = |value: Expr| datafusion::functions::math::sqrt().call(vec![value]);
    let mut variance = |is_sample: bool| {
        let parts = vec![total(functions::total()), total(total_of_squares()), total(count_udaf())];
        FINITE.call(vec![VARIANCE.call([parts, vec![lit(is_sample)]].concat())])
    };
    Some(match name {
        "sum" => ROUNDED.call(vec![total(functions::total())]),
        "avg" | "mean" => {
            let sum = ROUNDED.call(vec![total(functions::total())]);
            sum / cast(total(count_udaf()), DataType::Float64)
        }
        "variance" | "var_samp" => variance(true),
        "var_pop" => variance(false),
        "stddev" | "stddev_samp" => root(variance(true)),
        "stddev_pop" => root(variance(false)),
        _ => return None,
    })
}

/// The sum as a decimal with enough digits.
fn exact(value: Expr, of: &SqlType, add: &mut Add<'_>) -> Expr {
    let value = match of {
        SqlType::Decimal { scale, .. } if is_wide(of) => {
            cast(value, DataType::Decimal256(MOST_DIGITS, *scale))
        }
        SqlType::Decimal { scale, .. } => cast(value, DataType::Decimal128(38, *scale)),
        SqlType::HugeInt => cast(value, DataType::Decimal256(MOST_DIGITS, 0)),
        _ => whole(value, of),
    };
    add(sum_udaf(), vec![value])
}

/// Whether a sum may not fit into 128 bits. With 19 digits, one of 10^19 rows does.
fn is_wide(of: &SqlType) -> bool {
    matches!(of, SqlType::HugeInt | SqlType::Decimal { width: 20.., .. })
}
