//! Results that are kept as tables, in a separate database that no query can name: a query sees only the views for the tables
//! that it names.

use super::instance::Instance;
use super::native::{Connection, NativeError};
use polarway_sql::{identifier, subquery};

/// The name of the attached in-memory database. DuckDB spills it like its other data.
pub(crate) const DATABASE: &str = "kept";

/// The bytes of values with a fixed width, including their share of the null bitmap: Arrow's widths.
const FIXED_WIDTHS: [(&[&str], u64); 5] = [
    (&["BOOLEAN", "TINYINT", "UTINYINT"], 1),
    (&["SMALLINT", "USMALLINT"], 2),
    (&["INTEGER", "UINTEGER", "FLOAT", "DATE"], 4),
    (
        &[
            "BIGINT",
            "UBIGINT",
            "DOUBLE",
            "TIME",
            "TIMESTAMP",
            "TIMESTAMP_S",
            "TIMESTAMP_MS",
            "TIMESTAMP_NS",
            "TIMESTAMP WITH TIME ZONE",
        ],
        8,
    ),
    (&["HUGEINT", "UHUGEINT", "INTERVAL", "UUID"], 16),
];

/// The bytes of a text or a list besides its content.
const OFFSET_BYTES: u64 = 4;

/// A kept table's name in our own SQL.
pub(crate) fn table(name: &str) -> String {
    format!("{DATABASE}.main.{}", identifier(name))
}

/// The statement that makes a query's result a table. Some statements can't follow AS directly, but a subquery can.
pub(crate) fn create(name: &str, select: &str) -> String {
    format!("CREATE TABLE {} AS FROM {}", table(name), subquery(select))
}

/// Removes a table from its instance, if it exists.
pub(crate) fn remove_from(instance: &Instance, name: &str) -> Result<(), NativeError> {
    instance.forget_kept(name);
    instance.sessions.connect()?.execute(&format!("DROP TABLE IF EXISTS {}", table(name)))
}

/// The size of the values as Arrow: DuckDB does not report the size of a table in memory.
pub(crate) fn bytes(connection: &Connection, name: &str) -> Result<u64, NativeError> {
    let columns = connection.prepare(&format!(
        "SELECT column_name || chr(0) || data_type FROM duckdb_columns() WHERE database_name = '{DATABASE}' AND table_name = {}",
        polarway_sql::literal(name)
    ))?;
    let mut fixed = 0;
    let mut counted = Vec::new();
    for column in columns.texts(&[])?.into_iter().flatten() {
        let Some((column, data_type)) = column.split_once('\0') else { continue };
        match FIXED_WIDTHS.iter().find(|(types, _)| types.contains(&data_type)) {
            Some((_, width)) => fixed += width,
            None if data_type.starts_with("DECIMAL") => fixed += 16,
            None => {
                fixed += OFFSET_BYTES;
                counted.push(format!("coalesce(sum(strlen(CAST({} AS VARCHAR))), 0)", identifier(column)));
            }
        }
    }
    counted.push(format!("count(*) * {fixed}"));
    number(connection, &format!("SELECT CAST({} AS VARCHAR) FROM {}", counted.join(" + "), table(name)))
}

fn number(connection: &Connection, sql: &str) -> Result<u64, NativeError> {
    let text = connection.text(sql)?.unwrap_or_default();
    text.parse().map_err(|_| NativeError::internal(format!("{text:?} is no number")))
}
