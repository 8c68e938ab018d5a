//! DuckDB's types as plain data: the SQL type of a column, and what it is cast to for Arrow.

mod parse;

use std::fmt;

use polarway_sql::{identifier, literal};

/// The types that consist of a name only, as DuckDB's SQL writes them.
pub(crate) const NAMED: [&str; 32] = [
    "BIGINT",
    "BIGNUM",
    "BIT",
    "BLOB",
    "BOOLEAN",
    "DATE",
    "DOUBLE",
    "FLOAT",
    "GEOMETRY",
    "HUGEINT",
    "INTEGER",
    "INTERVAL",
    "JSON",
    "\"NULL\"",
    "SMALLINT",
    "TIME",
    "TIME WITH TIME ZONE",
    "TIMESTAMP",
    "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP_MS",
    "TIMESTAMP_NS",
    "TIMESTAMP_S",
    "TIME_NS",
    "TINYINT",
    "UBIGINT",
    "UHUGEINT",
    "UINTEGER",
    "USMALLINT",
    "UTINYINT",
    "UUID",
    "VARCHAR",
    "VARIANT",
];

/// A DuckDB type. Its text form is how DuckDB's SQL writes this type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SqlType {
    /// One of [`NAMED`].
    Named(&'static str),
    Decimal {
        width: u8,
        scale: u8,
    },
    Enum(Vec<String>),
    List(Box<Self>),
    Array(Box<Self>, u64),
    Map(Box<Self>, Box<Self>),
    /// Fields; those of a `row(…)` have no names.
    Struct(Vec<(String, Self)>),
    Union(Vec<(String, Self)>),
    /// A type that DuckDB's interface does not describe.
    Unknown,
}

impl SqlType {
    /// What a value is cast to so that every client can read it from Arrow; `None` if no cast is needed. Arrow's decimals hold
    /// HUGEINT up to 38 digits, texts hold all of it.
    pub(crate) fn cast_for_arrow(&self, hugeint_as_text: bool) -> Option<Self> {
        match self {
            Self::Named("HUGEINT") if hugeint_as_text => Some(Self::Named("VARCHAR")),
            // Not every client supports them, or DuckDB passes only a part of them to Arrow.
            Self::Named("INTERVAL" | "TIME WITH TIME ZONE" | "UHUGEINT" | "BIGNUM" | "BIT")
            | Self::Unknown => Some(Self::Named("VARCHAR")),
            // Parquet has no seconds: in a file it would be read as a number.
            Self::Named("TIMESTAMP_S") => Some(Self::Named("TIMESTAMP_MS")),
            // As JSON each value keeps its own inner type.
            Self::Named("VARIANT") | Self::Union(_) => Some(Self::Named("JSON")),
            Self::Named(_) | Self::Decimal { .. } | Self::Enum(_) => None,
            Self::List(item) => Some(Self::List(Box::new(item.cast_for_arrow(hugeint_as_text)?))),
            Self::Array(item, size) => {
                Some(Self::Array(Box::new(item.cast_for_arrow(hugeint_as_text)?), *size))
            }
            Self::Map(key, value) => {
                let (cast_key, cast_value) =
                    (key.cast_for_arrow(hugeint_as_text), value.cast_for_arrow(hugeint_as_text));
                if cast_key.is_none() && cast_value.is_none() {
                    return None;
                }
                let key = cast_key.unwrap_or_else(|| key.as_ref().clone());
                let value = cast_value.unwrap_or_else(|| value.as_ref().clone());
                Some(Self::Map(Box::new(key), Box::new(value)))
            }
            Self::Struct(fields) => {
                let casts: Vec<_> =
                    fields.iter().map(|(_, field)| field.cast_for_arrow(hugeint_as_text)).collect();
                if casts.iter().all(Option::is_none) {
                    return None;
                }
                let fields = fields.iter().zip(casts).enumerate().map(|(index, ((name, field), cast))| {
                    // A type whose fields have no names can't be written.
                    let name = if name.is_empty() { format!("v{}", index + 1) } else { name.clone() };
                    (name, cast.unwrap_or_else(|| field.clone()))
                });
                Some(Self::Struct(fields.collect()))
            }
        }
    }

    /// The expression that restores this type from its Arrow form; `None` if no cast can.
    pub(crate) fn restore(&self, from_arrow: &str) -> Option<String> {
        if self.holds("GEOMETRY") {
            return None;
        }
        Some(match self.cast_for_arrow(false) {
            // Text can become a union only through JSON, which is a type of its own.
            Some(cast) => format!("CAST(CAST({from_arrow} AS {cast}) AS {self})"),
            None => format!("CAST({from_arrow} AS {self})"),
        })
    }

    /// Whether it is this type or contains values of it outside of unions.
    pub(crate) fn holds(&self, name: &str) -> bool {
        match self {
            Self::Named(own) => *own == name,
            Self::List(item) | Self::Array(item, _) => item.holds(name),
            Self::Map(key, value) => key.holds(name) || value.holds(name),
            Self::Struct(fields) => fields.iter().any(|(_, field)| field.holds(name)),
            Self::Decimal { .. } | Self::Enum(_) | Self::Union(_) | Self::Unknown => false,
        }
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Decimal { width, scale } => write!(f, "DECIMAL({width}, {scale})"),
            Self::Enum(values) => {
                f.write_str("ENUM")?;
                in_parentheses(f, values, |f, value| f.write_str(&literal(value)))
            }
            Self::List(item) => write!(f, "{item}[]"),
            Self::Array(item, size) => write!(f, "{item}[{size}]"),
            Self::Map(key, value) => write!(f, "MAP({key}, {value})"),
            Self::Struct(fields) => {
                f.write_str("STRUCT")?;
                in_parentheses(f, fields, write_field)
            }
            Self::Union(members) => {
                f.write_str("UNION")?;
                in_parentheses(f, members, write_field)
            }
            Self::Unknown => f.write_str("VARCHAR"),
        }
    }
}

fn write_field(f: &mut fmt::Formatter<'_>, (name, field): &(String, SqlType)) -> fmt::Result {
    match name.as_str() {
        "" => write!(f, "{field}"),
        name => write!(f, "{} {field}", identifier(name)),
    }
}

fn in_parentheses<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        f.write_str(if index == 0 { "(" } else { ", " })?;
        write(f, item)?;
    }
    f.write_str(")")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &'static str) -> SqlType {
        SqlType::Named(name)
    }

    fn boxed(name: &'static str) -> Box<SqlType> {
        Box::new(SqlType::Named(name))
    }

    #[test]
    fn what_every_client_takes_is_not_cast() {
        for name in NAMED {
            let others =
                ["INTERVAL", "TIME WITH TIME ZONE", "UHUGEINT", "BIGNUM", "BIT", "VARIANT", "TIMESTAMP_S"];
            let is_cast = others.contains(&name);
            assert_eq!(named(name).cast_for_arrow(false).is_some(), is_cast, "{name}");
        }
        let plain = SqlType::Struct(vec![("a".to_owned(), SqlType::List(boxed("HUGEINT")))]);
        assert_eq!(plain.cast_for_arrow(false), None);
        assert_eq!(plain.cast_for_arrow(true).unwrap().to_string(), "STRUCT(\"a\" VARCHAR[])");
        assert!(plain.holds("HUGEINT"));
    }

    #[test]
    fn a_cast_reaches_into_nested_types_and_leaves_the_rest() {
        let fields = vec![
            ("a \"b\"".to_owned(), SqlType::Array(boxed("INTERVAL"), 2)),
            ("c".to_owned(), SqlType::Decimal { width: 5, scale: 2 }),
            (String::new(), SqlType::Map(boxed("BIT"), boxed("DATE"))),
            ("e".to_owned(), SqlType::Enum(vec!["it's".to_owned(), "x".to_owned()])),
            ("u".to_owned(), SqlType::Union(vec![("i".to_owned(), named("INTEGER"))])),
        ];
        let nested = SqlType::List(Box::new(SqlType::Struct(fields)));
        assert_eq!(
            nested.to_string(),
            "STRUCT(\"a \"\"b\"\"\" INTERVAL[2], \"c\" DECIMAL(5, 2), MAP(BIT, DATE), \"e\" ENUM('it''s', 'x'), \
             \"u\" UNION(\"i\" INTEGER))[]"
        );
        assert_eq!(
            nested.cast_for_arrow(false).unwrap().to_string(),
            "STRUCT(\"a \"\"b\"\"\" VARCHAR[2], \"c\" DECIMAL(5, 2), \"v3\" MAP(VARCHAR, DATE), \
             \"e\" ENUM('it''s', 'x'), \"u\" JSON)[]"
        );
    }
}
