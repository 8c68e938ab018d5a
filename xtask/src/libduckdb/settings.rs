//! The lines of cargo configuration that link libduckdb.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{BUNDLED_FEATURE, FOLDER_VARIABLE, HEADERS_VARIABLE, Linked};

/// The flags with which rustc makes a program that finds the library in `folder` when it runs.
pub(super) fn link_flags(folder: &Path) -> [String; 2] {
    ["-C".to_owned(), format!("link-arg=-Wl,-rpath,{}", folder.display())]
}

/// The settings for a library that is there, or for one that cargo compiles.
pub(super) fn render(linked: Option<&Linked>) -> String {
    let Some(Linked { folder, headers }) = linked else {
        return format!("# libduckdb is compiled from source: cargo build --features {BUNDLED_FEATURE}\n");
    };
    // A JSON string or array of strings is TOML as well. Doc tests are linked by rustdoc, with flags of its own.
    let flags = json!(link_flags(folder));
    let [folder, headers] = [folder, headers].map(|folder| json!(folder.to_string_lossy()));
    format!(
        "[env]\n{FOLDER_VARIABLE} = {folder}\n{HEADERS_VARIABLE} = {headers}\n\
         [build]\nrustflags = {flags}\nrustdocflags = {flags}\n"
    )
}

/// Writes the settings into `.cargo/libduckdb.toml` of `workspace`, unless they stand there already.
///
/// # Errors
/// When the file can't be written.
pub(super) fn write(workspace: &Path, linked: Option<&Linked>) -> Result<()> {
    let path = workspace.join(".cargo").join("libduckdb.toml");
    let text = format!("# Written by `cargo xtask libduckdb`.\n{}", render(linked));
    if fs::read_to_string(&path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    // Renamed into place: another cargo may be reading it at this moment.
    let staged = path.with_extension(format!("toml.{}", std::process::id()));
    fs::write(&staged, text).with_context(|| format!("writing {}", staged.display()))?;
    fs::rename(&staged, &path).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linked(folder: &str) -> Linked {
        Linked { folder: folder.into(), headers: "/cache/headers".into() }
    }

    #[test]
    fn the_settings_link_the_library_in_programs_and_in_doc_tests() {
        let expect = "[env]\nDUCKDB_LIB_DIR = \"/cache/lib\"\n\
                      DUCKDB_HEADERS = \"/cache/headers\"\n[build]\n\
                      rustflags = [\"-C\",\"link-arg=-Wl,-rpath,/cache/lib\"]\n\
                      rustdocflags = [\"-C\",\"link-arg=-Wl,-rpath,/cache/lib\"]\n";
        assert_eq!(render(Some(&linked("/cache/lib"))), expect);
    }

    #[test]
    fn a_quote_in_the_folder_stays_within_its_string() {
        assert!(render(Some(&linked("/a\"b"))).contains("DUCKDB_LIB_DIR = \"/a\\\"b\"\n"));
    }

    #[test]
    fn a_library_compiled_from_source_needs_no_setting() {
        assert!(render(None).lines().all(|line| line.starts_with('#')));
    }
}
