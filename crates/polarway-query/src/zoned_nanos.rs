//! Nanosecond times with a time zone, which SQL has only as microseconds.

use arrow::datatypes::{DataType, TimeUnit};
use polarway_table::holds_value;

/// Whether a type is one of nanoseconds with a time zone, or holds them. DuckDB reads them cut to microseconds.
#[must_use]
pub fn holds_zoned_nanos(data_type: &DataType) -> bool {
    holds_value(data_type, &|leaf| matches!(leaf, DataType::Timestamp(TimeUnit::Nanosecond, Some(_))))
}
