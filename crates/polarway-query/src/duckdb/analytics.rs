//! Attaches the operator's own database.

use std::path::Path;

use super::native::{Connection, NativeError};
use crate::analytics::{Analytics, AttachedTable, NAME};
use crate::error::Error;
use polarway_sql::literal;

/// Attaches a database file. This must happen before DuckDB is locked down.
pub(super) fn attach(connection: &Connection, file: &Path) -> Result<Analytics, Error> {
    let unusable = |error: &dyn std::fmt::Display| {
        Error::Configuration(format!("the DuckDB database {} can't be opened: {error}", file.display()))
    };
    let path = file.to_str().ok_or_else(|| unusable(&"its path is not UTF-8"))?;
    connection
        .execute(&format!("ATTACH {} AS {NAME} (READ_ONLY)", literal(path)))
        .map_err(|error| unusable(&error))?;
    let list =
        |sql: &str| -> Result<Vec<Option<String>>, NativeError> { connection.prepare(sql)?.texts(&[]) };
    let sql = format!(
        "SELECT schema_name || chr(0) || table_name AS name FROM duckdb_tables() WHERE database_name = '{NAME}' \
         UNION ALL \
         SELECT schema_name || chr(0) || view_name FROM duckdb_views() WHERE database_name = '{NAME}' AND NOT internal \
         ORDER BY name"
    );
    let names = list(&sql).map_err(|error| unusable(&error))?;
    let tables = names
        .into_iter()
        .flatten()
        .filter_map(|name| {
            let (schema, name) = name.split_once('\0')?;
            Some(AttachedTable { schema: schema.to_owned(), name: name.to_owned() })
        })
        .collect();
    Ok(Analytics::new(tables))
}
