//! No way to data beside the door: what types can't hold of it.
//!
//! `polarway-core/src/access` keeps what datasets, handles and queries are reached by behind a field that is private to one
//! file. Here it is held that the few files which open these things, or tidy them, stay few, and that the server makes a call's
//! engine in one place.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::Verdict;
use super::files::listed_files;
use crate::folders::workspace_root;

/// Words of code that may stand in few files of a folder.
struct Rule {
    words: &'static [&'static str],
    folder: &'static str,
    /// By their paths under the folder; a folder among them ends in `/`.
    only_in: &'static [&'static str],
    instead: &'static str,
}

const RULES: [Rule; 5] = [
    Rule {
        words: &["Tables", "Loader", "Mirror", "EngineConfig"],
        folder: "crates/polarway-core/src/",
        only_in: &["access/", "polarway.rs", "janitor.rs", "handles/external.rs"],
        instead: "go through `Access`, which asks whether the caller may",
    },
    Rule {
        words: &["HandleStore", "MemoryHandles", "ExternalHandles"],
        folder: "crates/polarway-core/src/",
        only_in: &["access/", "janitor.rs", "handles/"],
        instead: "go through `Access`, which asks whether the caller may",
    },
    Rule {
        words: &["without_caller"],
        folder: "crates/polarway-core/src/",
        only_in: &["access/door.rs", "access/upkeep.rs"],
        instead: "what an engine does for no caller stands in `access/upkeep.rs`",
    },
    Rule {
        words: &["Polarway"],
        folder: "crates/polarway-server/src/service/",
        only_in: &["mod.rs"],
        instead: "a method uses the engine of its `Call`, which is for its caller",
    },
    Rule {
        words: &["on_behalf_of"],
        folder: "crates/polarway-server/src/",
        only_in: &["auth/requester.rs"],
        instead: "who the caller is, a `Requester` knows",
    },
];

pub(super) fn check() -> Result<Verdict> {
    let root = workspace_root();
    let mut findings = Vec::new();
    for path in listed_files(&root)? {
        let rules: Vec<&Rule> = RULES.iter().filter(|rule| rule.is_for(&path)).collect();
        if rules.is_empty() || !Path::new(&root.join(&path)).is_file() {
            continue;
        }
        let text = fs::read_to_string(root.join(&path)).with_context(|| format!("reading {path}"))?;
        findings.extend(rules.iter().flat_map(|rule| rule.findings(&path, &text)));
    }
    Ok(Verdict { passed: findings.is_empty(), findings: findings.join("\n"), warnings: Vec::new() })
}

impl Rule {
    fn is_for(&self, path: &str) -> bool {
        let Some(below) = path.strip_prefix(self.folder).filter(|below| below.ends_with(".rs")) else {
            return false;
        };
        !self
            .only_in
            .iter()
            .any(|allowed| below == *allowed || (allowed.ends_with('/') && below.starts_with(allowed)))
    }

    fn findings(&self, path: &str, text: &str) -> Vec<String> {
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
        let mut findings = Vec::new();
        for (line, number) in code.lines().zip(1..) {
            let is_comment = line.trim_start().starts_with("//");
            let found = self.words.iter().find(|word| !is_comment && has_word(line, word));
            findings.extend(found.map(|word| format!("{path}:{number}: {word}: {}", self.instead)));
        }
        findings
    }
}

/// Whether a word stands in a line of code, outside of texts in quotes.
fn has_word(line: &str, word: &str) -> bool {
    let code: String = line.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    code.split(|character: char| !character.is_alphanumeric() && character != '_').any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_beside_the_door_is_found() {
        let rule = &RULES[0];
        assert!(rule.is_for("crates/polarway-core/src/load.rs"));
        let text = "use polarway_storage::{At, Tables};\n/// `Tables` in a comment.\nfn f(tables: &MyTables) {}\nlet text = \"Tables\";\n";
        let findings = rule.findings("crates/polarway-core/src/load.rs", text);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("crates/polarway-core/src/load.rs:1: Tables: "), "{findings:?}");
    }

    #[test]
    fn the_files_of_the_door_and_other_crates_are_left_alone() {
        for path in [
            "crates/polarway-core/src/access/datasets.rs",
            "crates/polarway-core/src/polarway.rs",
            "crates/polarway-storage/src/tables.rs",
            "crates/polarway-core/tests/engine/sql.rs",
        ] {
            assert!(!RULES[0].is_for(path), "{path}");
        }
    }
}
