//! The Arrow type of each of DuckDB's types.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

use crate::bound::SqlType;
use crate::refusal::Refusal;

pub(super) fn arrow_type(sql_type: &SqlType) -> Result<DataType, Refusal> {
    Ok(match sql_type {
        SqlType::Boolean => DataType::Boolean,
        SqlType::TinyInt => DataType::Int8,
        SqlType::SmallInt => DataType::Int16,
        // A NULL without a type is an INTEGER in the end.
        SqlType::Integer | SqlType::Null => DataType::Int32,
        SqlType::BigInt => DataType::Int64,
        SqlType::HugeInt => DataType::Decimal128(38, 0),
        SqlType::UTinyInt => DataType::UInt8,
        SqlType::USmallInt => DataType::UInt16,
        SqlType::UInteger => DataType::UInt32,
        SqlType::UBigInt => DataType::UInt64,
        SqlType::Float => DataType::Float32,
        SqlType::Double => DataType::Float64,
        SqlType::Decimal { width, scale } => DataType::Decimal128(*width, *scale),
        SqlType::Varchar => DataType::Utf8,
        SqlType::Date => DataType::Date32,
        SqlType::Time => DataType::Time64(TimeUnit::Microsecond),
        SqlType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        SqlType::TimestampS => DataType::Timestamp(TimeUnit::Second, None),
        SqlType::TimestampMs => DataType::Timestamp(TimeUnit::Millisecond, None),
        SqlType::TimestampNs => DataType::Timestamp(TimeUnit::Nanosecond, None),
        SqlType::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        SqlType::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
        SqlType::List(item) => DataType::List(Arc::new(Field::new("item", arrow_type(item)?, true))),
        SqlType::Unknown(name) => return Err(Refusal::Type(name.clone())),
    })
}

/// Whether two Arrow types hold the same values, so that a cast changes none.
pub(super) fn is_same(one: &DataType, other: &DataType) -> bool {
    match (one, other) {
        (one, other) if is_text(one) && is_text(other) => true,
        (DataType::Timestamp(one, one_zone), DataType::Timestamp(other, other_zone)) => {
            one == other && one_zone.is_some() == other_zone.is_some()
        }
        (DataType::Dictionary(_, values), other) | (other, DataType::Dictionary(_, values)) => {
            is_same(values, other)
        }
        (DataType::List(one), DataType::List(other)) => is_same(one.data_type(), other.data_type()),
        (one, other) => one == other,
    }
}

/// Whether values of the first type are read as the second by the views that DuckDB reads tables through, unchanged.
pub(super) fn is_read_as(stored: &DataType, read: &DataType) -> bool {
    match (stored, read) {
        (DataType::Float16, DataType::Float32) => true,
        // Times with more than microseconds are refused before.
        (DataType::Timestamp(stored, Some(_)), DataType::Timestamp(TimeUnit::Microsecond, Some(_))) => {
            *stored != TimeUnit::Second
        }
        (stored, read) => is_same(stored, read),
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}
