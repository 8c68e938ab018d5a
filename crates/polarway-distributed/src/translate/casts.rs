//! Casts, by the types from and to which they go.

use datafusion::logical_expr::{Expr, cast};

use super::types::arrow_type;
use crate::bound::SqlType;
use crate::functions::{
    CAST, DATE_OF, DECIMAL_TO_DOUBLE, ROUND_TO_INTEGER, TEXT_OF, TIMESTAMP_OF, TRY_CAST, ZONED_OF,
};
use crate::refusal::Refusal;

/// A value of one type as one of another.
///
/// DataFusion takes its own cast for one that can be undone, with the order of values unchanged: where it sees that a filter leaves one
/// value of a cast, it takes the column for a constant. So its own cast is only for types of which that is true.
pub(super) fn cast_to(value: Expr, from: &SqlType, to: &SqlType, is_try: bool) -> Result<Expr, Refusal> {
    if from == to {
        return Ok(value);
    }
    let target = arrow_type(to)?;
    let failing = |value: Expr, to: &SqlType, is_try: bool| {
        let function = if is_try { TRY_CAST } else { CAST };
        Ok::<_, Refusal>(function.call(vec![value, super::constants::null(to)?]))
    };
    let plain = |value: Expr| failing(value, to, is_try);
    let whole = |value: Expr| failing(value, &SqlType::HugeInt, false);
    Ok(match (from, to) {
        (SqlType::Null, _) if matches!(value, Expr::Literal(..) | Expr::Column(_)) => {
            super::constants::null(to)?
        }
        (from, SqlType::Double | SqlType::Float) if is_one_to_one(from, to) => cast(value, target),
        (from, SqlType::Double | SqlType::Float) if from.is_small_integer() => plain(value)?,
        (SqlType::HugeInt | SqlType::Decimal { .. }, SqlType::Double) => DECIMAL_TO_DOUBLE.call(vec![value]),
        (SqlType::Float, SqlType::Double) => cast(value, target),
        (SqlType::Boolean, to) if to.is_small_integer() => cast(value, target),
        (from, SqlType::Boolean) if from.is_small_integer() => plain(value)?,
        (from, to) if from.is_integer() && (to.is_integer() || to.is_decimal()) => plain(value)?,
        // Arrow would cut the fraction, and rounds from one decimal to another.
        (SqlType::Decimal { scale: 0, .. }, to) if to.is_integer() => plain(value)?,
        (SqlType::Decimal { .. }, SqlType::HugeInt) if !is_try => whole(value)?,
        (SqlType::Decimal { .. }, to) if to.is_integer() && !is_try => plain(whole(value)?)?,
        (SqlType::Decimal { .. }, SqlType::Decimal { .. }) => plain(value)?,
        (SqlType::Double, to) if to.is_small_integer() && *to != SqlType::UBigInt && !is_try => {
            plain(ROUND_TO_INTEGER.call(vec![value]))?
        }
        (from, SqlType::Varchar) if from.is_integer() || from.is_decimal() || *from == SqlType::Boolean => {
            plain(value)?
        }
        (
            SqlType::Date | SqlType::Timestamp | SqlType::TimestampTz | SqlType::Time | SqlType::Interval,
            SqlType::Varchar,
        ) => TEXT_OF.call(vec![value]),
        (SqlType::Date, SqlType::Timestamp) if !is_try => TIMESTAMP_OF.call(vec![value]),
        (SqlType::Date, SqlType::TimestampTz) if !is_try => ZONED_OF.call(vec![value]),
        (SqlType::Timestamp | SqlType::TimestampTz, SqlType::Date) if !is_try => DATE_OF.call(vec![value]),
        // The session's zone is UTC.
        (SqlType::Timestamp, SqlType::TimestampTz) => ZONED_OF.call(vec![value]),
        (SqlType::TimestampTz, SqlType::Timestamp) => TIMESTAMP_OF.call(vec![value]),
        (from, to) => return Err(Refusal::Cast { from: from.to_string(), to: to.to_string() }),
    })
}

/// Whether each integer of a type is another number in a type of floating-point numbers.
fn is_one_to_one(from: &SqlType, to: &SqlType) -> bool {
    use SqlType::{Double, Float, Integer, SmallInt, TinyInt, UInteger, USmallInt, UTinyInt};
    match to {
        Float => matches!(from, TinyInt | UTinyInt | SmallInt | USmallInt),
        Double => matches!(from, TinyInt | UTinyInt | SmallInt | USmallInt | Integer | UInteger),
        _ => false,
    }
}
