//! What the client's users see: no type that is generated from the protocol. Such types change with the protocol's
//! definition, and other languages' clients don't have them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// The crate whose API is looked at.
const CLIENT: &str = "polarway_client";

/// The crate that has the generated types, in this module.
const PROTOCOL: &str = "polarway_proto";
const GENERATED: &str = "polarway_proto/v1/";

/// Removes the client's pages, so that rustdoc writes them again.
pub(super) fn remove_pages(docs: &Path) -> Result<()> {
    let pages = docs.join(CLIENT);
    match pages.exists() {
        true => fs::remove_dir_all(&pages).with_context(|| format!("removing {}", pages.display())),
        false => Ok(()),
    }
}

/// The pages that link to a generated type: rustdoc links each type that a public item names.
pub(super) fn leaking_pages(docs: &Path) -> Result<Vec<String>> {
    let mut pages = Vec::new();
    collect(&docs.join(CLIENT), &mut pages)?;
    leaks(&pages)
}

/// A page of rustdoc's.
struct Page {
    name: String,
    html: String,
}

fn collect(folder: &Path, pages: &mut Vec<Page>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "html") {
            let html = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            pages.push(Page { name: path.display().to_string(), html });
        }
    }
    Ok(())
}

fn leaks(pages: &[Page]) -> Result<Vec<String>> {
    let protocol = format!("{PROTOCOL}/");
    ensure!(
        pages.iter().any(|page| page.html.contains(&protocol)),
        "no page of {CLIENT} links to {PROTOCOL}, so this check would see nothing"
    );
    let leaking = pages.iter().filter(|page| page.html.contains(GENERATED));
    Ok(leaking
        .map(|page| format!("a public item of {CLIENT} names a generated type: {}", page.name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(html: &str) -> Result<Vec<String>> {
        leaks(&[Page { name: "struct.Error.html".to_owned(), html: html.to_owned() }])
    }

    #[test]
    fn a_page_that_links_to_a_generated_type_is_found_by_its_name() {
        let leak = r#"<a href="../polarway_proto/v1/struct.Failure.html">Failure</a>"#;
        assert!(found(leak).unwrap()[0].contains("struct.Error.html"));
        let fine = r#"<a href="../polarway_proto/enum.Reason.html">Reason</a>"#;
        assert!(found(fine).unwrap().is_empty());
    }

    #[test]
    fn pages_without_any_link_are_no_proof() {
        assert!(found("Failure").is_err());
    }
}
