//! The Arrow type of each of DuckDB's types.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::scalar::ScalarValue;

use crate::bound::SqlType;
use crate::functions::RETYPED;
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
        SqlType::Blob => DataType::Binary,
        SqlType::Json => DataType::Utf8,
        SqlType::List(item) => DataType::List(Arc::new(Field::new("item", arrow_type(item)?, true))),
        SqlType::Array(item, size) => {
            DataType::FixedSizeList(Arc::new(Field::new("item", arrow_type(item)?, true)), *size)
        }
        SqlType::Struct(fields) => {
            let field =
                |(name, sql_type): &(String, SqlType)| Ok(Field::new(name, arrow_type(sql_type)?, true));
            DataType::Struct(fields.iter().map(field).collect::<Result<_, Refusal>>()?)
        }
        SqlType::Map(key, value) => {
            let (key, value) =
                (Field::new("key", arrow_type(key)?, false), Field::new("value", arrow_type(value)?, true));
            let entries = DataType::Struct(vec![key, value].into());
            DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
        }
        SqlType::Unknown(name) => return Err(Refusal::Type(name.clone())),
    })
}

/// The value in another type that holds the same values.
pub(super) fn as_type(value: Expr, wanted: &DataType) -> Result<Expr, Refusal> {
    match wanted.is_nested() {
        true => Ok(RETYPED.call(vec![value, lit(ScalarValue::try_from(wanted)?)])),
        false => Ok(cast(value, wanted.clone())),
    }
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
        (one, other) if is_bytes(one) && is_bytes(other) => true,
        (DataType::List(one), DataType::List(other)) => is_same(one.data_type(), other.data_type()),
        (DataType::FixedSizeList(one, one_size), DataType::FixedSizeList(other, other_size)) => {
            one_size == other_size && is_same(one.data_type(), other.data_type())
        }
        (DataType::Map(one, _), DataType::Map(other, _)) => is_same(one.data_type(), other.data_type()),
        // What their fields are called is nobody's matter but the answer's.
        (DataType::Struct(one), DataType::Struct(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| is_same(one.data_type(), other.data_type()))
        }
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

fn is_bytes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}
