//! Which of DuckDB's functions a query may call.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

static LISTED: LazyLock<Listed> = LazyLock::new(|| Listed::parse(include_str!("functions.txt")));

/// A verdict on a function's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Refused,
    Unknown,
}

struct Listed {
    scalar: HashMap<&'static str, Verdict>,
    table: HashMap<&'static str, Verdict>,
}

impl Listed {
    fn parse(text: &'static str) -> Self {
        let mut listed = Self { scalar: HashMap::new(), table: HashMap::new() };
        let mut section = None;
        for line in text.lines().filter(|line| !line.starts_with("# ")) {
            if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                let verdict = if title.starts_with("allowed") { Verdict::Allowed } else { Verdict::Refused };
                section = Some((title.ends_with("table functions"), verdict));
            } else if let Some((is_table, verdict)) = section {
                let map = if is_table { &mut listed.table } else { &mut listed.scalar };
                map.extend(line.split_whitespace().map(|name| (name, verdict)));
            }
        }
        listed
    }
}

/// Calls that DuckDB's binder knows but its list of functions does not contain.
const SYNTAX: [&str; 2] = ["unnest", "unlist"];

/// Whether a scalar, aggregate or window function may be called, whatever the case of its name.
pub(crate) fn scalar(name: &str) -> Verdict {
    if SYNTAX.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Verdict::Allowed;
    }
    verdict(&LISTED.scalar, name)
}

/// Whether a table function may be called.
pub(crate) fn table(name: &str) -> Verdict {
    verdict(&LISTED.table, name)
}

/// The table functions that may be called, in alphabetical order.
pub(crate) fn allowed_tables() -> Vec<&'static str> {
    let allowed: BTreeSet<_> = LISTED
        .table
        .iter()
        .filter(|(_, verdict)| **verdict == Verdict::Allowed)
        .map(|(name, _)| *name)
        .collect();
    allowed.into_iter().collect()
}

/// The allowed function with the closest name, if one is close.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    LISTED
        .scalar
        .iter()
        .filter(|(_, verdict)| **verdict == Verdict::Allowed)
        .map(|(candidate, _)| (strsim::damerau_levenshtein(candidate, &name), *candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance * 3 <= candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

fn verdict(map: &HashMap<&'static str, Verdict>, name: &str) -> Verdict {
    // Some names have capitals in DuckDB's list, but not in its tree.
    let found = map.get(name).or_else(|| map.get(name.to_lowercase().as_str()));
    let found = found.or_else(|| {
        map.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, verdict)| verdict)
    });
    found.copied().unwrap_or(Verdict::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duckdb_names(condition: &str) -> BTreeSet<String> {
        let connection = duckdb::Connection::open_in_memory().unwrap();
        let sql = format!("SELECT DISTINCT function_name FROM duckdb_functions() WHERE {condition}");
        let mut statement = connection.prepare(&sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn difference(
        listed: &HashMap<&'static str, Verdict>,
        duckdb: &BTreeSet<String>,
    ) -> (Vec<String>, Vec<String>) {
        let listed: BTreeSet<String> = listed.keys().map(|name| (*name).to_owned()).collect();
        (duckdb.difference(&listed).cloned().collect(), listed.difference(duckdb).cloned().collect())
    }

    #[test]
    fn the_frozen_list_names_exactly_the_functions_of_this_duckdb() {
        let scalar = duckdb_names("function_type IN ('scalar', 'aggregate', 'macro')");
        assert_eq!(
            difference(&LISTED.scalar, &scalar),
            (vec![], vec![]),
            "(new in DuckDB, gone from DuckDB)"
        );
        let table = duckdb_names("function_type IN ('table', 'table_macro')");
        assert_eq!(difference(&LISTED.table, &table), (vec![], vec![]), "(new in DuckDB, gone from DuckDB)");
    }

    #[test]
    fn what_reads_files_settings_or_text_is_refused() {
        for name in
            ["current_setting", "json_serialize_plan", "getvariable", "sleep_ms", "NEXTVAL", "setseed"]
        {
            assert_eq!(scalar(name), Verdict::Refused, "{name}");
        }
        for name in ["query", "query_table", "histogram", "read_text", "glob", "json_execute_serialized_sql"]
        {
            assert_eq!(table(name), Verdict::Refused, "{name}");
        }
        assert_eq!(scalar("getenv"), Verdict::Unknown);
        assert_eq!(scalar("formatreadabledecimalsize"), Verdict::Allowed);
    }

    #[test]
    fn a_misspelt_function_has_a_nearest_one() {
        assert_eq!(nearest("substrng"), Some("substring"));
        assert_eq!(nearest("no_such_thing_at_all"), None);
    }
}
