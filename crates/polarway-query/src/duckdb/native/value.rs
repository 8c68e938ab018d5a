//! Converts Arrow values to DuckDB values, for parameters.

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::*;
use duckdb::ffi;
use polarway_table::children;

use super::logical_type::LogicalType;

/// A DuckDB value.
pub(crate) struct Value(ffi::duckdb_value);

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: the value is ours.
        unsafe { ffi::duckdb_destroy_value(&mut self.0) };
    }
}

/// Why an Arrow value has no SQL value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoValue {
    #[error("is of type {0}, which SQL does not take")]
    Type(DataType),
    #[error("holds {0}, which SQL would cut")]
    Cut(&'static str),
    #[error("holds what DuckDB does not take")]
    Content,
}

impl Value {
    pub(super) fn raw(&self) -> ffi::duckdb_value {
        self.0
    }

    /// The value in a row of an array.
    pub(crate) fn of(array: &ArrayRef, row: usize) -> Result<Self, NoValue> {
        let kind = Kind::of(array.data_type()).ok_or_else(|| NoValue::Type(array.data_type().clone()))?;
        if array.is_null(row) || array.data_type() == &DataType::Null {
            // SAFETY: no argument; the value is ours.
            return Ok(Self(unsafe { ffi::duckdb_create_null_value() }));
        }
        if let Some(part) = cut_part(array.as_ref(), row) {
            return Err(NoValue::Cut(part));
        }
        let exact = CastOptions { safe: false, ..CastOptions::default() };
        let array = &cast_with_options(array, &kind.plain_type(), &exact)
            .map_err(|_| NoValue::Type(array.data_type().clone()))?;
        // SAFETY: all arguments are plain values, or point to data, with its length, that outlives the call; each returned
        // value is ours.
        let value = Self(unsafe {
            match kind {
                Kind::Null => ffi::duckdb_create_null_value(),
                Kind::Boolean => ffi::duckdb_create_bool(array.as_boolean().value(row)),
                Kind::Int8 => ffi::duckdb_create_int8(array.as_primitive::<Int8Type>().value(row)),
                Kind::Int16 => ffi::duckdb_create_int16(array.as_primitive::<Int16Type>().value(row)),
                Kind::Int32 => ffi::duckdb_create_int32(array.as_primitive::<Int32Type>().value(row)),
                Kind::Int64 => ffi::duckdb_create_int64(array.as_primitive::<Int64Type>().value(row)),
                Kind::UInt8 => ffi::duckdb_create_uint8(array.as_primitive::<UInt8Type>().value(row)),
                Kind::UInt16 => ffi::duckdb_create_uint16(array.as_primitive::<UInt16Type>().value(row)),
                Kind::UInt32 => ffi::duckdb_create_uint32(array.as_primitive::<UInt32Type>().value(row)),
                Kind::UInt64 => ffi::duckdb_create_uint64(array.as_primitive::<UInt64Type>().value(row)),
                Kind::Float32 => ffi::duckdb_create_float(array.as_primitive::<Float32Type>().value(row)),
                Kind::Float64 => ffi::duckdb_create_double(array.as_primitive::<Float64Type>().value(row)),
                Kind::Text => {
                    let text = array.as_string::<i64>().value(row);
                    ffi::duckdb_create_varchar_length(text.as_ptr().cast(), text.len() as u64)
                }
                Kind::Bytes => {
                    let bytes = array.as_binary::<i64>().value(row);
                    ffi::duckdb_create_blob(bytes.as_ptr(), bytes.len() as u64)
                }
                Kind::Date => {
                    let days = array.as_primitive::<Date32Type>().value(row);
                    ffi::duckdb_create_date(ffi::duckdb_date { days })
                }
                Kind::Time => {
                    let micros = array.as_primitive::<Time64MicrosecondType>().value(row);
                    ffi::duckdb_create_time(ffi::duckdb_time { micros })
                }
                Kind::TimeNanos => {
                    let nanos = array.as_primitive::<Time64NanosecondType>().value(row);
                    ffi::duckdb_create_time_ns(ffi::duckdb_time_ns { nanos })
                }
                Kind::TimestampSeconds => {
                    let seconds = array.as_primitive::<TimestampSecondType>().value(row);
                    ffi::duckdb_create_timestamp_s(ffi::duckdb_timestamp_s { seconds })
                }
                Kind::TimestampMillis => {
                    let millis = array.as_primitive::<TimestampMillisecondType>().value(row);
                    ffi::duckdb_create_timestamp_ms(ffi::duckdb_timestamp_ms { millis })
                }
                Kind::TimestampMicros => {
                    let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
                    ffi::duckdb_create_timestamp(ffi::duckdb_timestamp { micros })
                }
                Kind::TimestampNanos => {
                    let nanos = array.as_primitive::<TimestampNanosecondType>().value(row);
                    ffi::duckdb_create_timestamp_ns(ffi::duckdb_timestamp_ns { nanos })
                }
                Kind::Instant(_) => {
                    let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
                    ffi::duckdb_create_timestamp_tz(ffi::duckdb_timestamp { micros })
                }
                Kind::Duration => {
                    let micros = array.as_primitive::<DurationMicrosecondType>().value(row);
                    ffi::duckdb_create_interval(ffi::duckdb_interval { months: 0, days: 0, micros })
                }
                Kind::Interval => {
                    let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
                    let micros = value.nanoseconds / 1_000;
                    ffi::duckdb_create_interval(ffi::duckdb_interval {
                        months: value.months,
                        days: value.days,
                        micros,
                    })
                }
                Kind::Decimal(width, scale) => {
                    let value = array.as_primitive::<Decimal128Type>().value(row);
                    let value = ffi::duckdb_hugeint { lower: value as u64, upper: (value >> 64) as i64 };
                    ffi::duckdb_create_decimal(ffi::duckdb_decimal { width, scale, value })
                }
                Kind::List(item) => {
                    let items = array.as_list::<i64>().value(row);
                    let values: Vec<Self> =
                        (0..items.len()).map(|index| Self::of(&items, index)).collect::<Result<_, _>>()?;
                    let mut raw: Vec<_> = values.iter().map(Self::raw).collect();
                    ffi::duckdb_create_list_value(item.logical_type().0, raw.as_mut_ptr(), raw.len() as u64)
                }
            }
        });
        if value.0.is_null() { Err(NoValue::Content) } else { Ok(value) }
    }
}

/// The part of a value that a cast to its SQL type would remove.
fn cut_part(array: &dyn Array, row: usize) -> Option<&'static str> {
    if array.is_null(row) {
        return None;
    }
    let (rest, part) = match array.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, Some(_)) => {
            (array.as_primitive::<TimestampNanosecondType>().value(row) % 1_000, "nanoseconds")
        }
        DataType::Duration(TimeUnit::Nanosecond) => {
            (array.as_primitive::<DurationNanosecondType>().value(row) % 1_000, "nanoseconds")
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let interval = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            (interval.nanoseconds % 1_000, "nanoseconds")
        }
        DataType::Date64 => (array.as_primitive::<Date64Type>().value(row) % 86_400_000, "a time of day"),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            return cut_part(dictionary.values().as_ref(), *dictionary.normalized_keys().get(row)?);
        }
        _ => {
            let value = array.slice(row, 1);
            return children(value.as_ref())
                .iter()
                .find_map(|items| (0..items.len()).find_map(|item| cut_part(items.as_ref(), item)));
        }
    };
    (rest != 0).then_some(part)
}

/// The kind of a value in SQL.
enum Kind {
    Null,
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float32,
    Float64,
    Text,
    Bytes,
    Date,
    Time,
    TimeNanos,
    TimestampSeconds,
    TimestampMillis,
    TimestampMicros,
    TimestampNanos,
    /// With the zone of the Arrow type, which SQL does not store.
    Instant(std::sync::Arc<str>),
    Duration,
    Interval,
    Decimal(u8, u8),
    List(Box<Self>),
}

impl Kind {
    fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean,
            DataType::Int8 => Self::Int8,
            DataType::Int16 => Self::Int16,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::UInt8 => Self::UInt8,
            DataType::UInt16 => Self::UInt16,
            DataType::UInt32 => Self::UInt32,
            DataType::UInt64 => Self::UInt64,
            DataType::Float16 | DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Self::Bytes,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time64(TimeUnit::Nanosecond) => Self::TimeNanos,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Timestamp(_, Some(zone)) => Self::Instant(std::sync::Arc::clone(zone)),
            DataType::Timestamp(TimeUnit::Second, None) => Self::TimestampSeconds,
            DataType::Timestamp(TimeUnit::Millisecond, None) => Self::TimestampMillis,
            DataType::Timestamp(TimeUnit::Microsecond, None) => Self::TimestampMicros,
            DataType::Timestamp(TimeUnit::Nanosecond, None) => Self::TimestampNanos,
            DataType::Duration(_) => Self::Duration,
            DataType::Interval(_) => Self::Interval,
            DataType::Decimal32(width, scale)
            | DataType::Decimal64(width, scale)
            | DataType::Decimal128(width, scale) => Self::Decimal(*width, u8::try_from(*scale).ok()?),
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                Self::List(Box::new(Self::of(item.data_type())?))
            }
            DataType::Dictionary(_, values) => Self::of(values)?,
            _ => return None,
        })
    }

    /// The Arrow type from which the value is read.
    fn plain_type(&self) -> DataType {
        match self {
            Self::Null => DataType::Null,
            Self::Boolean => DataType::Boolean,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::UInt8 => DataType::UInt8,
            Self::UInt16 => DataType::UInt16,
            Self::UInt32 => DataType::UInt32,
            Self::UInt64 => DataType::UInt64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Text => DataType::LargeUtf8,
            Self::Bytes => DataType::LargeBinary,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::TimeNanos => DataType::Time64(TimeUnit::Nanosecond),
            Self::TimestampSeconds => DataType::Timestamp(TimeUnit::Second, None),
            Self::TimestampMillis => DataType::Timestamp(TimeUnit::Millisecond, None),
            Self::TimestampMicros => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampNanos => DataType::Timestamp(TimeUnit::Nanosecond, None),
            Self::Instant(zone) => {
                DataType::Timestamp(TimeUnit::Microsecond, Some(std::sync::Arc::clone(zone)))
            }
            Self::Duration => DataType::Duration(TimeUnit::Microsecond),
            Self::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Decimal(width, scale) => DataType::Decimal128(*width, *scale as i8),
            Self::List(item) => DataType::new_large_list(item.plain_type(), true),
        }
    }

    fn logical_type(&self) -> LogicalType {
        let id = match self {
            // SAFETY: plain arguments; the type is ours.
            Self::Decimal(width, scale) => unsafe {
                return LogicalType(ffi::duckdb_create_decimal_type(*width, *scale));
            },
            Self::List(item) => {
                let item = item.logical_type();
                // SAFETY: the item's type is alive and copied; the type is ours.
                return LogicalType(unsafe { ffi::duckdb_create_list_type(item.0) });
            }
            Self::Null => ffi::DUCKDB_TYPE_DUCKDB_TYPE_SQLNULL,
            Self::Boolean => ffi::DUCKDB_TYPE_DUCKDB_TYPE_BOOLEAN,
            Self::Int8 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_TINYINT,
            Self::Int16 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_SMALLINT,
            Self::Int32 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_INTEGER,
            Self::Int64 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGINT,
            Self::UInt8 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_UTINYINT,
            Self::UInt16 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_USMALLINT,
            Self::UInt32 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_UINTEGER,
            Self::UInt64 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_UBIGINT,
            Self::Float32 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_FLOAT,
            Self::Float64 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_DOUBLE,
            Self::Text => ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR,
            Self::Bytes => ffi::DUCKDB_TYPE_DUCKDB_TYPE_BLOB,
            Self::Date => ffi::DUCKDB_TYPE_DUCKDB_TYPE_DATE,
            Self::Time => ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME,
            Self::TimeNanos => ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME_NS,
            Self::TimestampSeconds => ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_S,
            Self::TimestampMillis => ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_MS,
            Self::TimestampMicros => ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP,
            Self::TimestampNanos => ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_NS,
            Self::Instant(_) => ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_TZ,
            Self::Duration | Self::Interval => ffi::DUCKDB_TYPE_DUCKDB_TYPE_INTERVAL,
        };
        // SAFETY: a plain argument; the type is ours.
        LogicalType(unsafe { ffi::duckdb_create_logical_type(id) })
    }
}
