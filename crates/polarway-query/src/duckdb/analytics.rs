//! The operator's own DuckDB database, which queries read as `analytics.<table>`.

use std::path::Path;

use polarway_sql::literal;

use crate::error::Error;
use crate::native::{Connection, NativeError};

/// The name under which the database is attached.
pub(crate) const NAME: &str = "analytics";

/// The schema that stands where a name has none.
const DEFAULT_SCHEMA: &str = "main";

/// The tables and views of the attached database. It is attached read-only, so they don't change.
#[derive(Debug)]
pub(crate) struct Analytics {
    /// `schema.table`, sorted.
    tables: Vec<(String, String)>,
}

impl Analytics {
    /// Attaches a database file, before DuckDB is locked down.
    pub(crate) fn attach(connection: &Connection, file: &Path) -> Result<Self, Error> {
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
                name.split_once('\0').map(|(schema, table)| (schema.to_owned(), table.to_owned()))
            })
            .collect();
        Ok(Self { tables })
    }

    /// Whether there is such a table; SQL's names don't mind their case.
    pub(crate) fn has(&self, schema: &str, table: &str) -> bool {
        let schema = if schema.is_empty() { DEFAULT_SCHEMA } else { schema };
        self.tables.iter().any(|(its_schema, its_table)| {
            its_schema.eq_ignore_ascii_case(schema) && its_table.eq_ignore_ascii_case(table)
        })
    }

    /// The tables whose names are closest to this one, as a query writes them.
    pub(crate) fn nearest(&self, table: &str) -> Vec<String> {
        let distance = |name: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &table.to_lowercase());
        let mut close: Vec<_> = self
            .tables
            .iter()
            .map(|(schema, name)| (distance(name), schema != DEFAULT_SCHEMA, schema, name))
            .filter(|(distance, _, _, name)| *distance * 2 <= name.len().max(table.len()))
            .collect();
        close.sort();
        close.into_iter().take(3).map(|(_, _, schema, name)| written(schema, name)).collect()
    }
}

fn written(schema: &str, table: &str) -> String {
    match schema {
        DEFAULT_SCHEMA => format!("{NAME}.{table}"),
        schema => format!("{NAME}.{schema}.{table}"),
    }
}
