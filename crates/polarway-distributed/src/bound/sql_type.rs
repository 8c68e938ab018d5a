//! DuckDB's types.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::text;

/// A type of DuckDB's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SqlType {
    /// The type of a bare NULL.
    Null,
    Boolean,
    TinyInt,
    SmallInt,
    Integer,
    BigInt,
    HugeInt,
    UTinyInt,
    USmallInt,
    UInteger,
    UBigInt,
    Float,
    Double,
    Decimal {
        width: u8,
        scale: i8,
    },
    Varchar,
    Date,
    Time,
    Timestamp,
    TimestampS,
    TimestampMs,
    TimestampNs,
    TimestampTz,
    Interval,
    Blob,
    /// A text that is JSON.
    Json,
    List(Box<SqlType>),
    /// A list of always so many items.
    Array(Box<SqlType>, i32),
    /// Fields with their names, which are empty where the query gives none.
    Struct(Vec<(String, SqlType)>),
    Map(Box<SqlType>, Box<SqlType>),
    /// One that is not known, by its name.
    Unknown(String),
}

impl SqlType {
    pub(crate) fn is_integer(&self) -> bool {
        self.is_small_integer() || *self == Self::HugeInt
    }

    /// An integer of at most 64 bits.
    pub(crate) fn is_small_integer(&self) -> bool {
        matches!(
            self,
            Self::TinyInt
                | Self::SmallInt
                | Self::Integer
                | Self::BigInt
                | Self::UTinyInt
                | Self::USmallInt
                | Self::UInteger
                | Self::UBigInt
        )
    }

    pub(crate) fn is_float(&self) -> bool {
        matches!(self, Self::Float | Self::Double)
    }

    pub(crate) fn is_decimal(&self) -> bool {
        matches!(self, Self::Decimal { .. })
    }

    /// A type whose values hold others.
    pub(crate) fn is_nested(&self) -> bool {
        matches!(self, Self::List(_) | Self::Array(..) | Self::Struct(_) | Self::Map(..))
    }

    fn of(value: &Value) -> Self {
        let (id, info) = (text(value, "id"), &value["type_info"]);
        // An alias is a type of its own.
        match text(info, "alias") {
            "" => {}
            "JSON" if id == "VARCHAR" => return Self::Json,
            alias => return Self::Unknown(alias.to_owned()),
        }
        match id {
            "NULL" | "\"NULL\"" | "SQLNULL" => Self::Null,
            "BOOLEAN" => Self::Boolean,
            "TINYINT" => Self::TinyInt,
            "SMALLINT" => Self::SmallInt,
            "INTEGER" => Self::Integer,
            "BIGINT" => Self::BigInt,
            "HUGEINT" => Self::HugeInt,
            "UTINYINT" => Self::UTinyInt,
            "USMALLINT" => Self::USmallInt,
            "UINTEGER" => Self::UInteger,
            "UBIGINT" => Self::UBigInt,
            "FLOAT" => Self::Float,
            "DOUBLE" => Self::Double,
            "VARCHAR" if text(info, "collation").is_empty() => Self::Varchar,
            "DATE" => Self::Date,
            "TIME" => Self::Time,
            "TIMESTAMP" => Self::Timestamp,
            "TIMESTAMP_S" => Self::TimestampS,
            "TIMESTAMP_MS" => Self::TimestampMs,
            "TIMESTAMP_NS" => Self::TimestampNs,
            "TIMESTAMP WITH TIME ZONE" => Self::TimestampTz,
            "INTERVAL" => Self::Interval,
            "DECIMAL" => {
                let part = |name: &str| info[name].as_u64();
                match (part("width").map(u8::try_from), part("scale").map(i8::try_from)) {
                    (Some(Ok(width)), Some(Ok(scale))) => Self::Decimal { width, scale },
                    _ => Self::Unknown(id.to_owned()),
                }
            }
            "BLOB" => Self::Blob,
            "LIST" => Self::List(Box::new(Self::of(&info["child_type"]))),
            "ARRAY" => match info["size"].as_i64().map(i32::try_from) {
                Some(Ok(size)) => Self::Array(Box::new(Self::of(&info["child_type"])), size),
                _ => Self::Unknown(id.to_owned()),
            },
            "STRUCT" => Self::Struct(fields(info)),
            // A list of pairs.
            "MAP" => match fields(&info["child_type"]["type_info"]).as_slice() {
                [(_, key), (_, value)] => Self::Map(Box::new(key.clone()), Box::new(value.clone())),
                _ => Self::Unknown(id.to_owned()),
            },
            other => Self::Unknown(other.to_owned()),
        }
    }
}

fn fields(info: &Value) -> Vec<(String, SqlType)> {
    let fields = info["child_types"].as_array().map(Vec::as_slice).unwrap_or_default();
    fields.iter().map(|field| (text(field, "first").to_owned(), SqlType::of(&field["second"]))).collect()
}

impl<'de> Deserialize<'de> for SqlType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of(&Value::deserialize(deserializer)?))
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Null => "\"NULL\"",
            Self::Boolean => "BOOLEAN",
            Self::TinyInt => "TINYINT",
            Self::SmallInt => "SMALLINT",
            Self::Integer => "INTEGER",
            Self::BigInt => "BIGINT",
            Self::HugeInt => "HUGEINT",
            Self::UTinyInt => "UTINYINT",
            Self::USmallInt => "USMALLINT",
            Self::UInteger => "UINTEGER",
            Self::UBigInt => "UBIGINT",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::Varchar => "VARCHAR",
            Self::Date => "DATE",
            Self::Time => "TIME",
            Self::Timestamp => "TIMESTAMP",
            Self::TimestampS => "TIMESTAMP_S",
            Self::TimestampMs => "TIMESTAMP_MS",
            Self::TimestampNs => "TIMESTAMP_NS",
            Self::TimestampTz => "TIMESTAMP WITH TIME ZONE",
            Self::Interval => "INTERVAL",
            Self::Decimal { width, scale } => return write!(f, "DECIMAL({width}, {scale})"),
            Self::Blob => "BLOB",
            Self::Json => "JSON",
            Self::List(item) => return write!(f, "{item}[]"),
            Self::Array(item, size) => return write!(f, "{item}[{size}]"),
            Self::Struct(fields) => {
                let fields: Vec<_> =
                    fields.iter().map(|(name, sql_type)| format!("{name} {sql_type}")).collect();
                return write!(f, "STRUCT({})", fields.join(", "));
            }
            Self::Map(key, value) => return write!(f, "MAP({key}, {value})"),
            Self::Unknown(name) => name,
        };
        f.write_str(name)
    }
}
