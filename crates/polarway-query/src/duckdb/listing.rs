//! The SELECT for a table about tables.

use super::column_names::sql_names;
use super::stored_types::sql_type;
use crate::catalog::Listed;
use crate::listing::{CATALOG, Listing, SCHEMA};
use polarway_sql::literal;

/// The SELECT for a listing of these tables. Its columns are those of DuckDB's own listing.
pub(crate) fn listing(kind: Listing, tables: &[Listed]) -> String {
    match kind {
        Listing::Tables => {
            select(&[("name", "VARCHAR")], tables.iter().map(|table| literal(&table.name)), "name")
        }
        Listing::AllTables => select(
            &[
                ("database", "VARCHAR"),
                ("schema", "VARCHAR"),
                ("name", "VARCHAR"),
                ("column_names", "VARCHAR[]"),
                ("column_types", "VARCHAR[]"),
                ("temporary", "BOOLEAN"),
            ],
            tables.iter().map(|table| {
                let names: Vec<String> = columns(table).map(|column| literal(&column.name)).collect();
                let types: Vec<String> = columns(table).map(|column| literal(&column.data_type)).collect();
                format!(
                    "{}, {}, {}, [{}], [{}], false",
                    literal(CATALOG),
                    literal(SCHEMA),
                    literal(&table.name),
                    names.join(", "),
                    types.join(", ")
                )
            }),
            "name",
        ),
        Listing::InformationTables => select(
            &[
                ("table_catalog", "VARCHAR"),
                ("table_schema", "VARCHAR"),
                ("table_name", "VARCHAR"),
                ("table_type", "VARCHAR"),
                ("is_insertable_into", "VARCHAR"),
            ],
            tables.iter().map(|table| {
                let (catalog, schema) = (literal(CATALOG), literal(SCHEMA));
                format!("{catalog}, {schema}, {}, 'BASE TABLE', 'NO'", literal(&table.name))
            }),
            "table_name",
        ),
        Listing::InformationColumns => select(
            &[
                ("table_catalog", "VARCHAR"),
                ("table_schema", "VARCHAR"),
                ("table_name", "VARCHAR"),
                ("column_name", "VARCHAR"),
                ("ordinal_position", "INTEGER"),
                ("column_default", "VARCHAR"),
                ("is_nullable", "VARCHAR"),
                ("data_type", "VARCHAR"),
            ],
            tables.iter().flat_map(|table| {
                columns(table).map(|column| {
                    format!(
                        "{}, {}, {}, {}, {}, NULL, '{}', {}",
                        literal(CATALOG),
                        literal(SCHEMA),
                        literal(&table.name),
                        literal(&column.name),
                        column.position,
                        if column.is_nullable { "YES" } else { "NO" },
                        literal(&column.data_type)
                    )
                })
            }),
            "table_name, ordinal_position",
        ),
    }
}

struct Column {
    name: String,
    position: usize,
    is_nullable: bool,
    data_type: String,
}

fn columns(table: &Listed) -> impl Iterator<Item = Column> {
    let columns = table.schema.fields().iter().zip(sql_names(&table.schema)).enumerate();
    columns.map(|(index, (field, name))| Column {
        name,
        position: index + 1,
        is_nullable: field.is_nullable(),
        // A column that SQL can't read is still listed, with its stored type.
        data_type: sql_type(field.data_type()).unwrap_or_else(|_| field.data_type().to_string()),
    })
}

/// The rows with these columns, in this order; there may be no rows.
fn select(columns: &[(&str, &str)], rows: impl Iterator<Item = String>, order: &str) -> String {
    let casts: Vec<String> = columns
        .iter()
        .map(|(name, sql_type)| format!("CAST(\"{name}\" AS {sql_type}) AS \"{name}\""))
        .collect();
    let names: Vec<String> = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let nulls = vec!["NULL"; columns.len()].join(", ");
    // The row of NULLs defines the columns if there are no other rows; the OFFSET removes it.
    let values: Vec<String> = std::iter::once(nulls).chain(rows).map(|row| format!("({row})")).collect();
    format!(
        "SELECT {} FROM (FROM (VALUES {}) OFFSET 1) AS t({}) ORDER BY {order}",
        casts.join(", "),
        values.join(", "),
        names.join(", ")
    )
}
