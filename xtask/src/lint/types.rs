//! The page of types, `docs/types.md`: what comes of each type of Arrow through each client, as the clients' tests found it.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

use super::Verdict;
use crate::folders::workspace_root;

/// The clients, by what the page calls them, and the folders that have a `types.json`.
const CLIENTS: [(&str, &str); 3] = [("Python", "python"), ("TypeScript", "typescript"), ("Go", "go")];

/// The variable with which the page is written instead of compared.
const UPDATE_VARIABLE: &str = "UPDATE_DOCS";

pub(super) fn check() -> Result<Verdict> {
    let mut clients = Vec::new();
    for (title, folder) in CLIENTS {
        let file = workspace_root().join("clients").join(folder).join("types.json");
        clients.extend(results(&file)?.map(|results| (title, results)));
    }
    let wanted = page(&clients);
    let path = workspace_root().join("docs").join("types.md");
    if std::env::var_os(UPDATE_VARIABLE).is_some() {
        fs::write(&path, &wanted).with_context(|| format!("writing {}", path.display()))?;
    }
    let passed = fs::read_to_string(&path).is_ok_and(|present| present == wanted);
    let findings = if passed {
        ""
    } else {
        "docs/types.md is not what the clients' types.json say: UPDATE_DOCS=1 writes it"
    };
    Ok(Verdict { passed, findings: findings.to_owned(), warnings: Vec::new() })
}

/// What a client's tests found, by the types; `None` if there is no such client.
fn results(file: &Path) -> Result<Option<Map<String, Value>>> {
    let reading = || format!("reading {}", file.display());
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.with_context(reading)?,
    };
    let content: Value = serde_json::from_str(&text).with_context(reading)?;
    let results = content["store_and_load"].as_object();
    Ok(Some(results.with_context(|| format!("{} has no store_and_load", file.display()))?.clone()))
}

fn page(clients: &[(&str, Map<String, Value>)]) -> String {
    let mut text = "\
# Types

What comes of a column of each type of Arrow that is stored and loaded again. The types are named as in
[proto/cases](../proto/cases/README.md). `as` is a type that the client hands over in its place, with the same values. What is refused
is refused by name, before anything is changed.

This page is made from the results of the clients' tests (`clients/*/types.json`): `UPDATE_DOCS=1 cargo xtask lint types` writes it.

"
    .to_owned();
    let titles: String = clients.iter().map(|(title, _)| format!(" {title} |")).collect();
    let rule: String = clients.iter().map(|_| "---|").collect();
    text += &format!("| type |{titles}\n|---|{rule}\n");
    let types: BTreeSet<&String> = clients.iter().flat_map(|(_, results)| results.keys()).collect();
    for name in types {
        let cells: String =
            clients.iter().map(|(_, results)| format!(" {} |", cell(results.get(name)))).collect();
        text += &format!("| `{}` |{cells}\n", escaped(name));
    }
    text
}

/// A result; a type that a client's tests do not have is a dash.
fn cell(result: Option<&Value>) -> String {
    let text = result.and_then(Value::as_str).unwrap_or("–");
    match text.strip_prefix("as ") {
        Some(name) => format!("as `{}`", escaped(name)),
        None => escaped(text),
    }
}

/// Text in a cell of a table.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_row_for_each_type_and_a_column_for_each_client() {
        let of = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
        let one = of(r#"{"bool": "same", "decimal64(18, 2)": "as decimal128(18, 2)"}"#);
        let other = of(r#"{"bool": "refused: no a | b"}"#);
        let page = page(&[("One", one), ("Other", other)]);
        assert!(page.contains("| type | One | Other |\n|---|---|---|\n"), "{page}");
        assert!(page.contains("| `bool` | same | refused: no a \\| b |\n"), "{page}");
        assert!(page.contains("| `decimal64(18, 2)` | as `decimal128(18, 2)` | – |\n"), "{page}");
    }
}
