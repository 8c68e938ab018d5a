//! Turns DuckDB's messages into messages for the query's author.

use std::path::{Path, PathBuf};

use super::native::NativeError;
use crate::error::Error;
use crate::gate::is_too_deep;

/// Errors that DuckDB calls bugs but that the query causes: calculations with VARIANTs, and NULL for an option.
const NO_BUGS: [&str; 2] =
    ["Could not convert type VARIANT", "Calling GetValueInternal on a value that is NULL"];

/// DuckDB's message to all queries after one of them has broken it.
const INVALIDATED: &str = "database has been invalidated because of a previous fatal error";

/// How DuckDB's messages start if memory or spill space is not enough. Some operators report this as another kind of error.
const NO_MEMORY: [&str; 7] = [
    "Failed to allocate block of",
    "Failed to re-allocate block of",
    "could not allocate block of size",
    "failed to allocate data of size",
    "failed to offload data block of size",
    "failed to pin block of size",
    "failed to reserve memory data of size",
];

/// The origin of a message decides how much of it may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The author's own text, unchanged: a position in it is useful.
    OwnText,
    /// Text that was changed before it ran, or our own text: positions would be wrong.
    OtherText,
}

/// Paths that no message may show, and their replacements.
#[derive(Debug, Default)]
pub(crate) struct Hidden<'a> {
    /// The files of each table, by the table's name in messages.
    files: Vec<(&'a str, Vec<Vec<PathBuf>>)>,
    folders: &'a [PathBuf],
}

impl<'a> Hidden<'a> {
    pub(crate) fn folders(folders: &'a [PathBuf]) -> Self {
        Self { files: Vec::new(), folders }
    }

    pub(crate) fn add_files(&mut self, described: &'a str, files: Vec<Vec<PathBuf>>) {
        self.files.push((described, files));
    }

    /// The files of each table, in the groups in which they were added.
    pub(crate) fn files_by_table(&self) -> impl Iterator<Item = &[Vec<PathBuf>]> {
        self.files.iter().map(|(_, files)| files.as_slice())
    }

    /// The text without paths, and the table that it is about if it names a data file.
    fn hide(&self, text: &str) -> (String, Option<&str>) {
        let mut text = text.to_owned();
        let mut about = None;
        for (described, groups) in &self.files {
            for file in groups.iter().flatten() {
                if let Some(path) = file.to_str().filter(|path| text.contains(path)) {
                    text = text.replace(path, &file_name(file));
                    about = Some(*described);
                }
            }
        }
        for folder in self.folders.iter().filter_map(|folder| folder.to_str()).filter(|path| path.len() > 1) {
            text = text.replace(folder, "");
        }
        (text, about)
    }
}

fn file_name(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Classifies DuckDB's message and cleans it.
pub(crate) fn diagnose(error: &NativeError, origin: Origin, hidden: &Hidden<'_>) -> Error {
    let spelled_out = from_json(&error.0);
    let said = without_wrapper(spelled_out.as_deref().unwrap_or(&error.0));
    let (prefix, text) = match said.split_once(" Error: ") {
        Some((prefix, text)) if prefix.len() < 40 && !prefix.contains('\n') => (prefix, text),
        _ => ("", said),
    };
    let (text, about) = hidden.hide(text);
    let text = clean(text, origin);
    if is_too_deep(&text) {
        return Error::TooLarge("the query nests too deep; split it".to_owned());
    }
    if text.contains(INVALIDATED) {
        return Error::Replaced(original(&text).to_owned());
    }
    let is_bug =
        matches!(prefix, "INTERNAL" | "FATAL") && !NO_BUGS.iter().any(|start| text.starts_with(start));
    if is_bug {
        return Error::Broken(text);
    }
    if prefix == "INTERRUPT" {
        return Error::Interrupted;
    }
    if prefix == "Out of Memory" || NO_MEMORY.iter().any(|start| text.starts_with(start)) {
        // DuckDB's advice is about settings, which a query's author can't change.
        return Error::OutOfMemory(first_line(&text));
    }
    if let Some(about) = about {
        return Error::DataFile(format!("{about} can't be read: {text}"));
    }
    match prefix {
        "Parser" | "Syntax" => Error::Syntax(text),
        "Binder" | "Catalog" | "Parameter Not Resolved" => Error::Binder(text),
        "Permission" => Error::NotAllowed(text),
        "IO" | "HTTP" | "Serialization" => Error::DataFile(text),
        "Not implemented" => Error::Unsupported(text),
        "INTERNAL" | "FATAL" => Error::Unsupported(text),
        NativeError::OURS | "TransactionContext" | "" => Error::Internal(text),
        "Invalid Input" if text.contains("can't be read by SQL") => Error::Unsupported(text),
        _ => Error::Execution(text),
    }
}

fn clean(mut text: String, origin: Origin) -> String {
    // A stack trace follows an internal error.
    if let Some(end) = text.find("\n\nStack Trace:") {
        text.truncate(end);
    }
    // The position block is the last part that DuckDB adds.
    if origin == Origin::OtherText
        && let Some(start) = text.find("\n\nLINE ")
    {
        text.truncate(start);
    }
    text.trim_end().to_owned()
}

/// The original failure, if DuckDB only says that it can't continue after a failure and quotes it.
fn without_wrapper(message: &str) -> &str {
    match message.split_once(" query result\nError: ") {
        Some((wrapper, said)) if wrapper.starts_with("Invalid Input Error: Attempting to ") => said,
        _ => message,
    }
}

/// The message of an error that DuckDB passes on in its internal form.
fn from_json(message: &str) -> Option<String> {
    let error: serde_json::Value = serde_json::from_str(message).ok()?;
    let part = |name: &str| error[name].as_str();
    Some(format!("{} Error: {}", part("exception_type")?, part("exception_message")?))
}

/// The failure that broke DuckDB, if DuckDB quotes it to a later query.
fn original(text: &str) -> &str {
    let quoted = text.split_once("Original error: \"").map(|(_, rest)| rest.trim_end_matches('"'));
    quoted.unwrap_or(text)
}

fn first_line(text: &str) -> String {
    text.split('\n').next().unwrap_or(text).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnosed(message: &str) -> Error {
        diagnose(&NativeError(message.to_owned()), Origin::OwnText, &Hidden::default())
    }

    #[test]
    fn a_query_that_broke_duckdb_is_told_from_those_that_came_after_it() {
        let culprit = diagnosed("INTERNAL Error: no stats for this index\n\nStack Trace:\n/lib/x.so");
        assert!(matches!(&culprit, Error::Broken(text) if text == "no stats for this index"), "{culprit:?}");
        let victim = diagnosed(
            "FATAL Error: Failed: database has been invalidated because of a previous fatal error. The database must be \
             restarted prior to being used again.\nOriginal error: \"no stats for this index\"",
        );
        assert!(matches!(&victim, Error::Replaced(text) if text == "no stats for this index"), "{victim:?}");
        let harmless = diagnosed("INTERNAL Error: Could not convert type VARIANT to INTEGER");
        assert!(matches!(harmless, Error::Unsupported(_)), "{harmless:?}");
        let ours = diagnosed(&NativeError::internal("a parameter was not accepted").0);
        assert!(matches!(ours, Error::Internal(_)), "{ours:?}");
    }

    #[test]
    fn a_lack_of_memory_is_one_whatever_kind_of_failure_an_operator_makes_of_it() {
        let fact = "failed to allocate data of size 8.0 KiB (44.0 KiB/190.7 MiB used)";
        for kind in ["Out of Memory", "Invalid", "Invalid Input", "Binder"] {
            let error = diagnosed(&format!("{kind} Error: {fact}\n\nPossible solutions:\n* none of yours"));
            assert!(matches!(&error, Error::OutOfMemory(text) if text == fact), "{kind}: {error:?}");
        }
    }
}
