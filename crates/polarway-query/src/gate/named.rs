//! Which columns a text can refer to, so that a wide table need not be planned with all of them.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::constants::class;
use super::{Dialect, parser};
use crate::error::Error;

/// With more columns DuckDB would need long to find those similar to a misspelled one.
const MOST_TO_COMPARE: usize = 2_000;

/// How many columns similar to a misspelled one DuckDB gets to choose from.
const NEAREST: usize = 8;

/// The columns that a text can refer to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NamedColumns {
    /// Every column of its tables, for example because of a star.
    All,
    /// Those with these names, in lower case. The names of other things are included, too.
    Only(HashSet<String>),
}

impl NamedColumns {
    /// The columns that a text can refer to which has passed the gate.
    pub(crate) fn of_text(dialect: &dyn Dialect, text: &str) -> Result<Self, Error> {
        let (statement, _) = parser::parse(dialect, text)?;
        Ok(Self::of(&statement))
    }

    /// Collects every name anywhere in the tree of a statement. If the statement can refer to columns without their names, the
    /// result is all columns.
    fn of(statement: &Value) -> Self {
        let mut names = Names::default();
        let mut rest = vec![statement];
        while let Some(value) = rest.pop() {
            match value {
                Value::String(name) => {
                    names.all.insert(name.to_lowercase());
                }
                Value::Array(items) => rest.extend(items),
                // Not a name, and possibly long.
                Value::Object(_) if class(value) == "CONSTANT" => {}
                Value::Object(object) if means_columns_without_names(object) => return Self::All,
                Value::Object(object) => {
                    names.look_for_rows(object);
                    rest.extend(object.values());
                }
                _ => {}
            }
        }
        if names.may_mean_a_row() { Self::All } else { Self::Only(names.all) }
    }

    /// Adds the columns that a message may suggest for a misspelled name: all of a table, or the most similar of many.
    pub(crate) fn with_nearest<'a>(&self, columns: impl Iterator<Item = &'a str> + Clone) -> Self {
        let Self::Only(names) = self else { return Self::All };
        if columns.clone().nth(MOST_TO_COMPARE).is_none() {
            return Self::All;
        }
        let mut all = names.clone();
        let columns: Vec<String> = columns.map(str::to_lowercase).collect();
        let known: HashSet<&String> = columns.iter().collect();
        for name in names.iter().filter(|name| !known.contains(name)) {
            let near = |column: &String| strsim::jaro_winkler(column, name);
            let mut nearest: Vec<(f64, &String)> = Vec::with_capacity(NEAREST + 1);
            for candidate in columns.iter().map(|column| (near(column), column)) {
                let place = nearest.partition_point(|before| before.0.total_cmp(&candidate.0).is_ge());
                if place < NEAREST {
                    nearest.insert(place, candidate);
                    nearest.truncate(NEAREST);
                }
            }
            all.extend(nearest.into_iter().map(|(_, column)| column.clone()));
        }
        Self::Only(all)
    }

    /// Whether the text can refer to a column with this name. SQL names are case-insensitive.
    pub(crate) fn has(&self, column: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(&column.to_lowercase()),
        }
    }
}

fn means_columns_without_names(object: &Map<String, Value>) -> bool {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    // `*`, `COLUMNS(…)`, `FROM t` alone, and `#1`.
    matches!(text("class"), "STAR" | "POSITIONAL_REFERENCE")
        // A pivot groups by, or keeps, the columns that it does not name.
        || matches!(text("type"), "PIVOT" | "SHOW_REF")
        || text("ref_type") == "NATURAL"
        // `FROM t AS x(a, b)` gives columns new names by their places.
        || object.get("column_name_alias").and_then(Value::as_array).is_some_and(|names| !names.is_empty())
}

/// Names in lower case.
#[derive(Default)]
struct Names {
    all: HashSet<String>,
    tables: HashSet<String>,
    /// Possible names of a table that mean its row: `SELECT t FROM t`, `t.to_json()`.
    rows: HashSet<String>,
}

impl Names {
    fn look_for_rows(&mut self, object: &Map<String, Value>) {
        let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default().to_lowercase();
        if text("type") == "base_table" {
            self.tables.extend([text("table_name"), text("alias")]);
        }
        match text("class").as_str() {
            "column_ref" => {
                let last =
                    object.get("column_names").and_then(Value::as_array).and_then(|parts| parts.last());
                self.rows.extend(last.and_then(Value::as_str).map(str::to_lowercase));
            }
            // `x.f()` is `f(x)`, and the tree has `x` as a schema.
            "function" | "window" => {
                self.rows
                    .extend([text("schema"), text("catalog")].into_iter().filter(|name| !name.is_empty()));
            }
            _ => {}
        }
    }

    fn may_mean_a_row(&self) -> bool {
        !self.rows.is_disjoint(&self.tables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The columns of `candidates` that a text can refer to, as DuckDB parses it; `None` means all.
    fn named(sql: &str, candidates: &[&str]) -> Option<Vec<String>> {
        let connection = duckdb::Connection::open_in_memory().unwrap();
        let serialize = "SELECT CAST(json_serialize_sql(CAST(? AS VARCHAR)) AS VARCHAR)";
        let tree: String = connection.query_row(serialize, [sql], |row| row.get(0)).unwrap();
        let tree: Value = serde_json::from_str(&tree).unwrap();
        assert_eq!(tree["error"], false, "{sql}: {tree}");
        let columns = NamedColumns::of(&tree["statements"][0]);
        let has = |name: &&&str| columns.has(name);
        (columns != NamedColumns::All)
            .then(|| candidates.iter().filter(has).map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_text_can_mean_the_columns_that_it_names() {
        let candidates = ["a", "b", "B c", "Ärger", "d.e", "s", "x", "y", "k", "other"];
        for (sql, expect) in [
            ("SELECT count(*) FROM t", "[]"),
            ("SELECT A FROM t WHERE b > 1", r#"["a", "b"]"#),
            (r#"SELECT t."b C", t."ÄRGER", "d.e" FROM t"#, r#"["B c", "Ärger", "d.e"]"#),
            ("SELECT 'a', 'b' || x FROM t", r#"["x"]"#),
            ("SELECT s.x FROM t", r#"["s", "x"]"#),
            ("SELECT polarway.main.t.s.x FROM t", r#"["s", "x"]"#),
            ("SELECT x.upper(), t.y.lower().trim() FROM u AS t2", r#"["x", "y"]"#),
            ("SELECT 1 FROM t JOIN u USING (k)", r#"["k"]"#),
            ("SELECT 1 FROM t ASOF JOIN u USING (k, a)", r#"["a", "k"]"#),
            ("SELECT DISTINCT ON (a) 1 FROM t", r#"["a"]"#),
            ("SELECT sum(a) OVER w FROM t WINDOW w AS (PARTITION BY b ORDER BY x)", r#"["a", "b", "x"]"#),
            ("SELECT a FROM t GROUP BY ALL HAVING max(b) > 1 ORDER BY x", r#"["a", "b", "x"]"#),
            ("SELECT 1 FROM t QUALIFY rank() OVER (ORDER BY a) = 1", r#"["a"]"#),
            ("SELECT list_transform(a, lambda v: v + b) FROM t", r#"["a", "b"]"#),
            ("SELECT (SELECT max(a) FROM u WHERE u.k = t.b) FROM t", r#"["a", "b", "k"]"#),
            ("WITH c AS (SELECT a FROM t) SELECT b FROM c", r#"["a", "b"]"#),
            ("SELECT a FROM t UNION BY NAME SELECT b FROM t", r#"["a", "b"]"#),
            ("SELECT 1 FROM t, LATERAL (SELECT a) l", r#"["a"]"#),
            ("SELECT sum(a) FILTER (WHERE b) FROM t", r#"["a", "b"]"#),
            ("SELECT string_agg(a, ',' ORDER BY b) FROM t", r#"["a", "b"]"#),
            ("SELECT a FROM t ORDER BY 1 LIMIT 3", r#"["a"]"#),
        ] {
            let found = named(sql, &candidates).map(|names| format!("{names:?}"));
            assert_eq!(found.as_deref(), Some(expect), "{sql}");
        }
    }

    #[test]
    fn a_text_that_can_mean_columns_without_their_names_can_mean_all() {
        for sql in [
            "SELECT * FROM t",
            "FROM t",
            "TABLE t",
            "SELECT t.* FROM t",
            "SELECT s.* FROM t",
            "SELECT * EXCLUDE (a) FROM t",
            "SELECT COLUMNS('a.*') FROM t",
            "SELECT max(COLUMNS(c -> c LIKE 'a%')) FROM t",
            "SELECT a FROM t ORDER BY ALL",
            "SELECT #1 FROM t",
            "SELECT t FROM t",
            "SELECT count(t) FROM main.T",
            "SELECT main.t FROM t",
            "SELECT x FROM t AS X",
            "SELECT x['a'] FROM t AS x",
            "SELECT 1 IN t FROM t",
            "SELECT t.to_json() FROM t",
            "SELECT a FROM t AS x(a)",
            "SELECT a FROM t NATURAL JOIN u",
            "SELECT a FROM u JOIN (SELECT b FROM t NATURAL LEFT JOIN u) USING (k)",
            "SELECT 1 WHERE EXISTS (FROM t)",
            "WITH c AS (FROM t) SELECT a FROM c",
            "SELECT a FROM t UNION FROM u",
            "DESCRIBE t",
            "SUMMARIZE t",
            "DESCRIBE SELECT a FROM t",
            "UNPIVOT t ON a, b",
            "PIVOT t ON a IN (1, 2) USING sum(b)",
            "SELECT a FROM (t JOIN u ON t.k = u.k) AS j",
        ] {
            assert_eq!(named(sql, &[]), None, "{sql}");
        }
    }
}
