//! Which stored columns DataFusion reads as exactly what SQL sees, and as which type.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use polarway_query::holds_zoned_nanos;
use polarway_table::duckdb_type;

/// The type of a scanned column for a stored type.
///
/// # Errors
/// Why it can't be scanned exactly, in words that follow the column's name.
pub fn scanned_type(stored: &DataType) -> Result<DataType, String> {
    if holds_zoned_nanos(stored) {
        return Err("holds nanoseconds with a time zone, which SQL has as microseconds".to_owned());
    }
    Ok(match stored {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Time64(TimeUnit::Microsecond | TimeUnit::Nanosecond)
        | DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, None) => stored.clone(),
        DataType::Float16 => DataType::Float32,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::BinaryView,
        DataType::Time32(TimeUnit::Millisecond) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
            if u8::try_from(*scale).is_ok_and(|scale| scale <= *precision) =>
        {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Dictionary(_, values) => scanned_type(values)?,
        DataType::List(item) | DataType::LargeList(item) => {
            DataType::List(Arc::new(Field::new("item", scanned_type(item.data_type())?, true)))
        }
        DataType::Struct(fields) if fields.iter().all(|field| !field.name().is_empty()) => {
            let part =
                |field: &FieldRef| Ok(Field::new(field.name(), scanned_type(field.data_type())?, true));
            DataType::Struct(fields.iter().map(part).collect::<Result<_, String>>()?)
        }
        other => return Err(format!("has the type {other}, which only DuckDB reads exactly")),
    })
}

/// Whether a column of a query's result is of the type that SQL would see in its Arrow type: the other types are restored by
/// DuckDB alone.
pub(super) fn check_result_type(field: &Field) -> Result<(), String> {
    let Some(was) = duckdb_type(field) else { return Ok(()) };
    let natural = scanned_type(field.data_type()).ok().and_then(|scanned| sql_name(&scanned));
    match natural.as_deref() == Some(was) {
        true => Ok(()),
        false => Err(format!("is of the type {was}, which only DuckDB restores exactly")),
    }
}

fn sql_name(scanned: &DataType) -> Option<String> {
    let simple = match scanned {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "UTINYINT",
        DataType::UInt16 => "USMALLINT",
        DataType::UInt32 => "UINTEGER",
        DataType::UInt64 => "UBIGINT",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Utf8View => "VARCHAR",
        DataType::BinaryView => "BLOB",
        DataType::Date32 => "DATE",
        DataType::Time64(TimeUnit::Microsecond) => "TIME",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP",
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "TIMESTAMP_NS",
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "TIMESTAMP WITH TIME ZONE",
        DataType::Decimal128(precision, scale) => return Some(format!("DECIMAL({precision},{scale})")),
        _ => return None,
    };
    Some(simple.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_duckdb_reads_exactly_is_refused_at_any_depth() {
        let inner = [
            DataType::Date64,
            DataType::Time32(TimeUnit::Second),
            DataType::Timestamp(TimeUnit::Second, None),
            DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            DataType::Duration(TimeUnit::Microsecond),
            DataType::Decimal256(40, 2),
            DataType::Decimal128(5, -2),
            DataType::Decimal128(5, 6),
            DataType::Null,
        ];
        for inner in inner {
            let field = Arc::new(Field::new("item", inner.clone(), true));
            for stored in [
                inner.clone(),
                DataType::List(Arc::clone(&field)),
                DataType::Struct([Arc::clone(&field)].into_iter().collect()),
                DataType::Dictionary(Box::new(DataType::Int8), Box::new(inner.clone())),
            ] {
                assert!(scanned_type(&stored).is_err(), "{stored}");
            }
        }
    }

    #[test]
    fn a_result_column_of_a_type_that_arrow_does_not_show_is_refused() {
        let column = |arrow: DataType, was: &str| {
            let metadata = [(polarway_table::DUCKDB_TYPE_KEY.to_owned(), was.to_owned())].into();
            check_result_type(&Field::new("x", arrow, true).with_metadata(metadata))
        };
        assert_eq!(column(DataType::Int32, "INTEGER"), Ok(()));
        assert_eq!(column(DataType::Decimal128(10, 2), "DECIMAL(10,2)"), Ok(()));
        assert!(column(DataType::Utf8, "UUID").unwrap_err().contains("UUID"));
        assert!(column(DataType::Decimal128(38, 0), "HUGEINT").is_err());
    }
}
