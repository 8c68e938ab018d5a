//! DuckDB is reached through the executor alone: of the query engine's files, only those in its folder name it, and the one
//! that picks the executor. Which crates may depend on DuckDB itself is for the layer check.

use std::fs;

use anyhow::{Context as _, Result};

use super::Verdict;
use super::files::listed_files;
use crate::folders::workspace_root;

/// The crate that has the executor, and the folder of the executor in it.
const SOURCES: &str = "crates/polarway-query/src/";
const FOLDER: &str = "crates/polarway-query/src/duckdb/";

/// What names the module, and its crate.
const NAME: &str = "duckdb";

/// The file that picks the executor, and may name the module as it likes, but give nothing of it away.
const CHOICE: &str = "crates/polarway-query/src/engine.rs";

/// The file that declares the module, and how.
const ROOT: &str = "crates/polarway-query/src/lib.rs";
const DECLARATION: &str = "mod duckdb;";

pub(super) fn check() -> Result<Verdict> {
    let root = workspace_root();
    let mut findings = Vec::new();
    for path in listed_files(&root)? {
        let is_bound = path.starts_with(SOURCES) && path.ends_with(".rs") && !path.starts_with(FOLDER);
        let absolute = root.join(&path);
        // A file that was removed but not yet from the index is listed as well.
        if is_bound && absolute.is_file() {
            let text = fs::read_to_string(&absolute).with_context(|| format!("reading {path}"))?;
            findings.extend(findings_in(&path, &text));
        }
    }
    Ok(Verdict { passed: findings.is_empty(), findings: findings.join("\n"), warnings: Vec::new() })
}

/// The lines of a file that name DuckDB where they must not. Its tests may: what they expect is what DuckDB does.
fn findings_in(path: &str, text: &str) -> Vec<String> {
    let names = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        words(code).any(|word| word == NAME)
    };
    let is_allowed = |line: &str| match path {
        CHOICE => !line.trim_start().starts_with("pub use"),
        ROOT => line.trim() == DECLARATION,
        _ => false,
    };
    let shipped = text.lines().enumerate().take_while(|(_, line)| *line != "#[cfg(test)]");
    shipped
        .filter(|(_, line)| names(line) && !is_allowed(line))
        .map(|(index, line)| format!("{path}:{}: DuckDB is behind the executor: {}", index + 1, line.trim()))
        .collect()
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|character: char| !character.is_alphanumeric() && character != '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_names_duckdb_beside_the_executor_is_found() {
        for line in [
            "use duckdb::ffi;",
            "use crate::duckdb::DuckDb;",
            "use crate::{config, duckdb};",
            "    let connection = crate::duckdb::native::Connection::open(database)?;",
        ] {
            let found = findings_in("crates/polarway-query/src/run.rs", line);
            let expect =
                format!("crates/polarway-query/src/run.rs:1: DuckDB is behind the executor: {}", line.trim());
            assert_eq!(found, [expect]);
        }
    }

    #[test]
    fn the_module_is_declared_for_the_crate_alone_and_nothing_of_it_is_given_away() {
        assert!(findings_in(ROOT, "mod duckdb;\nmod engine;").is_empty());
        assert_eq!(findings_in(ROOT, "pub mod duckdb;\npub use crate::duckdb::DuckDb;").len(), 2);
        assert!(findings_in(CHOICE, "use crate::duckdb::DuckDb;").is_empty());
        assert_eq!(findings_in(CHOICE, "pub use crate::duckdb::DuckDb;").len(), 1);
    }

    #[test]
    fn tests_may_ask_duckdb_itself() {
        let text = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use duckdb::Connection;\n}";
        assert!(findings_in("crates/polarway-query/src/gate/functions.rs", text).is_empty());
    }

    #[test]
    fn comments_and_longer_names_are_no_names_of_duckdb() {
        let text = "//! Like duckdb does.\nlet table = duckdb_type(field); // of duckdb";
        assert!(findings_in("crates/polarway-query/src/run.rs", text).is_empty());
    }
}
