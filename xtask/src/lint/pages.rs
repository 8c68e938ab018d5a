//! The pages for people: the files and folders that they name are there.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result};

use super::Verdict;
use super::files::listed_files;
use crate::folders::workspace_root;

/// Where packages lie, which pages name without these.
const PACKAGE_FOLDERS: [&str; 2] = ["crates", "bin"];

pub(super) fn check() -> Result<Verdict> {
    let root = workspace_root();
    let there = There::new(&listed_files(&root)?);
    let mut findings = Vec::new();
    for page in there.files.iter().filter(|file| is_page(file)) {
        let text = fs::read_to_string(root.join(page)).with_context(|| format!("reading {page}"))?;
        findings.extend(there.missing(&text).map(|path| format!("{page} names {path}, which is not there")));
    }
    Ok(Verdict { passed: findings.is_empty(), findings: findings.join("\n"), warnings: Vec::new() })
}

fn is_page(file: &str) -> bool {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    // What was there when a version came out need not be there any more.
    matches!(folder, "" | "docs") && name.ends_with(".md") && name != "CHANGELOG.md"
}

/// What there is in the repository.
struct There {
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl There {
    fn new(listed: &[String]) -> Self {
        let mut folders = BTreeSet::new();
        for file in listed {
            folders.extend(file.match_indices('/').map(|(end, _)| file[..end].to_owned()));
        }
        Self { files: listed.iter().cloned().collect(), folders }
    }

    /// The paths in a text that begin with a folder or package of ours, or are sources, and lead nowhere.
    fn missing<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let breaks = |character: char| {
            character.is_whitespace()
                || matches!(character, '`' | '(' | ')' | '[' | ']' | '"' | ',' | ';' | '#')
        };
        let words =
            text.split(breaks).map(|word| word.trim_start_matches("../").trim_end_matches(['.', ':', '/']));
        words.filter(|word| self.is_path(word) && !self.is_there(word))
    }

    fn is_path(&self, word: &str) -> bool {
        let is_plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
        let begins_here = |(first, rest): (&str, &str)| {
            // A package's name may also be the folder of a checkout: what is behind it tells.
            let inside = rest.split('/').next().unwrap_or_default();
            let is_in = |folder: &&str| self.folders.contains(&format!("{folder}/{first}/{inside}"));
            self.folders.contains(first) || PACKAGE_FOLDERS.iter().any(is_in)
        };
        // What is hidden may be there for one person alone, such as cargo's settings.
        let is_hidden = word.starts_with('.');
        is_plain && !is_hidden && (word.ends_with(".rs") || word.split_once('/').is_some_and(begins_here))
    }

    fn is_there(&self, path: &str) -> bool {
        let is_one = |path: &str| self.files.contains(path) || self.folders.contains(path);
        let end = format!("/{path}");
        is_one(path)
            || PACKAGE_FOLDERS.iter().any(|folder| is_one(&format!("{folder}{end}")))
            || path.ends_with(".rs") && self.files.iter().any(|file| file.ends_with(&end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(text: &str) -> Vec<String> {
        let files = ["README.md", "bin/tool/src/main.rs", "crates/a/src/lib.rs", "crates/a/src/gate/mod.rs"];
        let there = There::new(&files.map(str::to_owned));
        there.missing(text).map(str::to_owned).collect()
    }

    #[test]
    fn a_path_that_leads_nowhere_is_found_whatever_is_around_it() {
        let text = "See `crates/b/src/lib.rs`, (crates/a/src/gone.rs), [x](bin/tool/tests/) and `a/src/no.rs`; also gone.rs.";
        let expect =
            ["crates/b/src/lib.rs", "crates/a/src/gone.rs", "bin/tool/tests", "a/src/no.rs", "gone.rs"];
        assert_eq!(missing(text), expect);
    }

    #[test]
    fn what_is_there_and_what_is_no_path_of_ours_is_not_found() {
        let text = "`crates/a/src/gate/`, a/src/lib.rs, `gate/mod.rs`, bin/tool: and/or, cold/x, a/crates/b, crates/<name>/Cargo.toml.";
        assert_eq!(missing(text), [""; 0]);
    }
}
