//! Errors of a file.

use std::fmt;
use std::io;

use arrow_schema::{ArrowError, Field};

use crate::output::type_name;

/// An error of a file; the file's name is put before it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("can't be opened: {0}")]
    Open(io::Error),
    #[error("is a folder: name a file in it, or several with --each")]
    Directory,
    #[error("can't be read: {0}")]
    Read(#[from] io::Error),
    #[error("can't be written to a temporary file: {0}")]
    Spool(io::Error),
    #[error("is empty")]
    Empty,
    #[error("is compressed with {format}, which is not read: pipe it through `{program}`")]
    Compression { format: &'static str, program: &'static str },
    #[error("holds a JSON array, where one object a line is expected: `jq -c '.[]'` makes it so")]
    JsonArray,
    #[error("broke off with the connection and can't be read again: store from a file")]
    PipeIsGone,
    #[error("has no column {name:?}, which --type names; it has {columns}")]
    NoColumn { name: String, columns: String },
    #[error("is not to be read: line {line}: {place} holds bytes that are no UTF-8")]
    NoText { line: u64, place: String },
    #[error("is not to be read: line {line} has {found} values, but there are {expected} columns")]
    Fields { line: u64, found: usize, expected: usize },
    #[error("is not to be read: the record of line {line} has quotes that are never closed")]
    OpenQuotes { line: u64 },
    #[error("is not to be read: line {line}, character {character}: {problem}")]
    JsonLine { line: u64, character: usize, problem: String },
    #[error("is not to be read: line {line}: {problem}; {advice}")]
    Value { line: u64, problem: String, advice: String },
    #[error("can't be made into rows")]
    Rows(#[source] ArrowError),
    #[error("is no Arrow IPC file: its index {0}")]
    IndexOfArrow(&'static str),
    #[error("can't be read as Arrow IPC")]
    Arrow(#[from] polarway_ipc::Error),
    #[error("can't be read as Parquet")]
    Parquet(#[from] polarway_parquet::Error),
    #[error("is malformed: it made the reader panic: {0}")]
    Panic(String),
}

impl InputError {
    /// A value that does not fit its column's type, which comes from the first rows.
    pub(super) fn value_of_csv(line: u64, column: &Field, value: &str) -> Self {
        let name = column.name();
        let data_type = type_name(column.data_type());
        Self::Value {
            line,
            problem: format!("column {name:?} is {data_type}, which does not hold {}", Shortened(value)),
            advice: format!(
                "--infer-rows looks at more rows for the columns' types, --type '{name}=text' names that of one, and \
                 --all-text reads each column as text"
            ),
        }
    }

    /// The same for JSON, where the error can be deep inside a row.
    pub(super) fn value_of_json(line: u64, problem: impl fmt::Display, column: Option<&str>) -> Self {
        let named =
            column.map(|name| format!(", and --type '{name}=text' takes a key's values as they are written"));
        let advice =
            format!("--infer-rows looks at more rows for keys and types{}", named.unwrap_or_default());
        Self::Value { line, problem: problem.to_string(), advice }
    }
}

/// A value as an error shows it: quoted, and cut if it is long.
pub(super) struct Shortened<'a>(pub(super) &'a str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST_CHARACTERS: usize = 60;

        match self.0.char_indices().nth(MOST_CHARACTERS) {
            Some((end, _)) => write!(formatter, "{:?}…", &self.0[..end]),
            None => write!(formatter, "{:?}", self.0),
        }
    }
}
