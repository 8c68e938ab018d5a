//! The SQL type of each stored Arrow type, and how it is restored from what DuckDB reads.
//!
//! DuckDB ignores the Arrow schema in a Parquet file. It reads types without a Parquet equivalent as the integers that store
//! them; an expression converts these to the type again, exactly or with an error. What DuckDB can't read correctly is refused:
//! the column exists, and selecting it is an error that names it.

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use polarway_table::holds_value;

use polarway_sql::{identifier, literal};

/// The first and last second that DuckDB's microseconds can express, counted from 1970.
const FIRST_SECOND: i64 = -9_223_372_022_400;
const LAST_SECOND: i64 = 9_223_372_036_854;

/// Beyond this many microseconds an interval does not fit into Arrow's nanoseconds.
const MOST_MICROS: i64 = i64::MAX / 1_000;

/// The most struct fields of a column that are restored: the planning time for each grows with their number.
const MOST_RESTORED_PARTS: usize = 1_000;

/// What a view does with a column.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Restored {
    /// This expression gives the stored type and value.
    Expression(String),
    /// SQL can't read this column, for this reason.
    Refused(String),
}

/// The SQL type of a stored type, or why it has none.
pub(crate) fn sql_type(data_type: &DataType) -> Result<String, String> {
    let simple = match data_type {
        DataType::Null => "\"NULL\"",
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "UTINYINT",
        DataType::UInt16 => "USMALLINT",
        DataType::UInt32 => "UINTEGER",
        DataType::UInt64 => "UBIGINT",
        // SQL has no half precision; single precision holds every half exactly.
        DataType::Float16 | DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "BLOB"
        }
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Time32(_)
        | DataType::Time64(TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond) => "TIME",
        DataType::Time64(TimeUnit::Nanosecond) => "TIME_NS",
        DataType::Timestamp(TimeUnit::Second, None) => "TIMESTAMP_S",
        DataType::Timestamp(TimeUnit::Millisecond, None) => "TIMESTAMP_MS",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP",
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "TIMESTAMP_NS",
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE",
        DataType::Duration(_) => "INTERVAL",
        DataType::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime) => "INTERVAL",
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            return match (*precision, u8::try_from(*scale)) {
                (precision @ 1..=38, Ok(scale)) if scale <= precision => {
                    Ok(format!("DECIMAL({precision}, {scale})"))
                }
                _ => Err(format!("SQL has no decimal({precision}, {scale}), at most 38 digits")),
            };
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => {
            return Ok(format!("{}[]", sql_type(item.data_type())?));
        }
        DataType::FixedSizeList(item, size) if *size > 0 => {
            return Ok(format!("{}[{size}]", sql_type(item.data_type())?));
        }
        DataType::Struct(fields) if !fields.is_empty() => {
            let mut parts = Vec::with_capacity(fields.len());
            for (place, field) in fields.iter().enumerate() {
                let name = identifier(&field_name(field, place)?);
                parts.push(format!("{name} {}", sql_type(field.data_type())?));
            }
            return Ok(format!("STRUCT({})", parts.join(", ")));
        }
        DataType::Map(entries, _) => {
            let (key, value) = map_fields(entries)?;
            return Ok(format!("MAP({}, {})", sql_type(key.data_type())?, sql_type(value.data_type())?));
        }
        DataType::Dictionary(_, values) => return sql_type(values),
        DataType::RunEndEncoded(_, values) => return sql_type(values.data_type()),
        other => return Err(format!("SQL has no type for {other}")),
    };
    Ok(simple.to_owned())
}

/// The expression that gives the stored type and value, from `source`, the column as DuckDB reads it. If the file
/// `has_exact_types`, a column that DuckDB reads correctly is not cast.
pub(crate) fn restore(column: &str, source: &str, data_type: &DataType, has_exact_types: bool) -> Restored {
    if has_exact_types && is_read_as_stored(data_type) {
        return Restored::Expression(source.to_owned());
    }
    let restored = sql_type(data_type).and_then(|sql_type| {
        let parts = restored_parts(data_type);
        if parts > MOST_RESTORED_PARTS {
            return Err(format!(
                "it has {parts} fields that SQL would have to restore one by one, at most {MOST_RESTORED_PARTS} are possible"
            ));
        }
        let expression = expression(column, source, data_type, 0)?;
        Ok(format!("CAST({expression} AS {sql_type})"))
    });
    match restored {
        Ok(expression) => Restored::Expression(expression),
        Err(reason) => Restored::Refused(reason),
    }
}

/// Whether the type contains floating-point numbers, for which a file's statistics may be incomplete.
pub(crate) fn holds_floats(data_type: &DataType) -> bool {
    holds_value(data_type, &DataType::is_floating)
}

/// The same values, but without statistics for DuckDB: it can't use them to skip row groups, answer an aggregate, or fold a
/// condition. Its own option for files with NaNs (`can_have_nan`) makes `max` NaN where none is.
pub(crate) fn without_statistics(source: &str) -> String {
    // Reading a column raises no error to catch; TRY passes its values on unchanged.
    format!("TRY({source})")
}

/// Whether DuckDB reads this type from a file as the same type.
fn is_read_as_stored(data_type: &DataType) -> bool {
    matches!(
        data_type,
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
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Date32
            | DataType::Timestamp(TimeUnit::Microsecond, None)
    )
}

/// The value with its meaning, not yet cast to its exact type. `depth` keeps lambda names unique.
fn expression(column: &str, source: &str, data_type: &DataType, depth: usize) -> Result<String, String> {
    if !needs_restoring(data_type) {
        return Ok(source.to_owned());
    }
    let failing = |what: &str| format!("error({})", literal(&format!("column \"{column}\" {what}")));
    Ok(match data_type {
        DataType::Duration(unit) => {
            let (micros, most, exact) = match unit {
                TimeUnit::Second => (format!("{source} * 1000000"), MOST_MICROS / 1_000_000, None),
                TimeUnit::Millisecond => (format!("{source} * 1000"), MOST_MICROS / 1_000, None),
                TimeUnit::Microsecond => (source.to_owned(), MOST_MICROS, None),
                TimeUnit::Nanosecond => {
                    (format!("{source} // 1000"), i64::MAX, Some(format!("{source} % 1000 = 0")))
                }
            };
            let exact = exact.unwrap_or_else(|| "true".to_owned());
            format!(
                "CASE WHEN {source} IS NULL THEN NULL WHEN NOT ({exact}) THEN {} \
                 WHEN {source} BETWEEN -{most} AND {most} THEN to_microseconds({micros}) ELSE {} END",
                failing("holds a duration with nanoseconds, SQL has microseconds"),
                failing("holds a duration of more than 292 years")
            )
        }
        DataType::Date64 => format!(
            "CASE WHEN {source} IS NULL THEN NULL WHEN {source} % 86400000 = 0 \
             THEN DATE '1970-01-01' + CAST({source} // 86400000 AS INTEGER) ELSE {} END",
            failing("holds a date with a time of day")
        ),
        DataType::Timestamp(TimeUnit::Second, _) => format!(
            "CASE WHEN {source} IS NULL THEN NULL WHEN {source} BETWEEN {FIRST_SECOND} AND {LAST_SECOND} \
             THEN make_timestamp({source} * 1000000) ELSE {} END",
            failing("holds a time outside of the years that SQL has")
        ),
        DataType::Time32(TimeUnit::Second) => format!(
            "CASE WHEN {source} IS NULL THEN NULL WHEN {source} BETWEEN 0 AND 86399 \
             THEN make_time({source} // 3600, ({source} // 60) % 60, CAST({source} % 60 AS DOUBLE)) ELSE {} END",
            failing("holds a time outside of a day")
        ),
        DataType::Dictionary(_, values) => expression(column, source, values, depth)?,
        DataType::RunEndEncoded(_, values) => expression(column, source, values.data_type(), depth)?,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => {
            let element = format!("e{depth}");
            let inner = expression(column, &element, item.data_type(), depth + 1)?;
            format!("list_transform({source}, lambda {element}: {inner})")
        }
        DataType::Struct(fields) => {
            let mut parts = Vec::with_capacity(fields.len());
            // If one field of a struct has no name, DuckDB reads none of the names.
            let is_named = fields.iter().all(|field| !field.name().is_empty());
            for (place, field) in fields.iter().enumerate() {
                let name = identifier(&field_name(field, place)?);
                let value = match is_named {
                    true => format!("({source}).{name}"),
                    false => format!("struct_extract_at({source}, {})", place + 1),
                };
                let inner = expression(column, &value, field.data_type(), depth)?;
                parts.push(format!("{name} := {inner}"));
            }
            format!("CASE WHEN {source} IS NULL THEN NULL ELSE struct_pack({}) END", parts.join(", "))
        }
        DataType::Map(entries, _) => {
            let (key, value) = map_fields(entries)?;
            let element = format!("e{depth}");
            let key = expression(column, &format!("({element}).key"), key.data_type(), depth + 1)?;
            let value = expression(column, &format!("({element}).value"), value.data_type(), depth + 1)?;
            format!(
                "CASE WHEN len(list_distinct(map_keys({source}))) < len(map_keys({source})) THEN {} \
                 ELSE map_from_entries(list_transform(map_entries({source}), \
                 lambda {element}: struct_pack(key := {key}, value := {value}))) END",
                failing("holds a map with a key twice, which SQL can't")
            )
        }
        _ => source.to_owned(),
    })
}

/// Whether DuckDB reads the type, or a type inside it, as a plain integer, or without its names.
fn needs_restoring(data_type: &DataType) -> bool {
    match data_type {
        DataType::Duration(_)
        | DataType::Date64
        | DataType::Timestamp(TimeUnit::Second, _)
        | DataType::Time32(TimeUnit::Second) => true,
        DataType::Dictionary(_, values) => needs_restoring(values),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _)
        | DataType::RunEndEncoded(_, item) => needs_restoring(item.data_type()),
        DataType::Struct(fields) => {
            fields.iter().any(|field| field.name().is_empty() || needs_restoring(field.data_type()))
        }
        _ => false,
    }
}

/// The fields of the structs in a type that are rebuilt.
fn restored_parts(data_type: &DataType) -> usize {
    if !needs_restoring(data_type) {
        return 0;
    }
    match data_type {
        DataType::Struct(fields) => {
            fields.len() + fields.iter().map(|field| restored_parts(field.data_type())).sum::<usize>()
        }
        DataType::Dictionary(_, values) => restored_parts(values),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _)
        | DataType::RunEndEncoded(_, item) => restored_parts(item.data_type()),
        _ => 0,
    }
}

fn map_fields(entries: &Field) -> Result<(&Field, &Field), String> {
    match entries.data_type() {
        DataType::Struct(fields) if fields.len() == 2 => Ok((&fields[0], &fields[1])),
        other => Err(format!("its map has entries of {other}")),
    }
}

/// The SQL name of a struct's field. A field without a name is named by its position.
fn field_name(field: &Field, place: usize) -> Result<String, String> {
    match field.name().as_str() {
        "" => Ok(format!("v{}", place + 1)),
        name if name.contains('\0') => Err("the name of one of its struct fields holds a NUL".to_owned()),
        name => Ok(name.to_owned()),
    }
}
