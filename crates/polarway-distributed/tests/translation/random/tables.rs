//! Random tables. DuckDB makes them, from the texts of values.

use polarway_testing::Noise;

use super::types::{STORED, Type};

/// The tables: their names and numbers of rows.
pub(super) const TABLES: [(&str, usize); 3] = [("t", 40), ("u", 12), ("e", 0)];

/// Tables of one row.
///
/// A query that may fail reads one of these. A filter does not leave one row in its place: DuckDB computes some functions for all values
/// in the dictionary of a file's column, also for those of rows that it has left out, and fails where one of these does.
pub(super) const ROWS: [&str; 6] = ["r0", "r1", "r2", "r3", "r4", "r5"];

/// A query of DuckDB's that gives the rows of a table.
///
/// `n` numbers the rows, `k` is a key of few values, and `x` has numbers whose sums are the same in any order.
pub(super) fn rows_of(noise: &mut Noise, rows: usize) -> String {
    let types = STORED;
    let names = types.map(Type::column).join(", ");
    let select = types.map(|of| format!("CAST({} AS {of}) AS {}", of.column(), of.column())).join(", ");
    let values = (0..rows.max(1)).map(|row| {
        let cells = types.map(|of| quoted(noise, of)).join(", ");
        let key = if noise.below(5) == 0 { "NULL".to_owned() } else { noise.below(6).to_string() };
        let x = if noise.below(6) == 0 {
            "NULL".to_owned()
        } else {
            (noise.below(4000) as f64 / 8.0 - 200.0).to_string()
        };
        format!("({row}, {key}, {x}, {cells})")
    });
    let values = values.collect::<Vec<_>>().join(", ");
    let limit = if rows == 0 { " WHERE false" } else { "" };
    format!(
        "SELECT CAST(n AS INTEGER) AS n, CAST(k AS INTEGER) AS k, CAST(x AS DOUBLE) AS x, {select} FROM (VALUES {values}) AS v(n, k, x, {names}){limit}"
    )
}

fn quoted(noise: &mut Noise, of: Type) -> String {
    if noise.below(6) == 0 {
        return "NULL".to_owned();
    }
    literal(noise, of)
}

/// The text of a value.
pub(super) fn literal(noise: &mut Noise, of: Type) -> String {
    let values = of.values();
    format!("'{}'", values[noise.below(values.len())].replace('\'', "''"))
}
