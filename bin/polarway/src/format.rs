//! The formats of files, by name and by extension.

use std::path::Path;

use clap::ValueEnum;

use crate::failure::{Failure, Result};

/// Extensions of compressed files: what stands before them tells what is inside.
const COMPRESSED_EXTENSIONS: [&str; 4] = ["gz", "gzip", "zst", "zstd"];

/// The format of a file to store. It may be compressed with gzip or zstd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    /// .parquet
    Parquet,
    /// .csv, .tsv
    Csv,
    /// JSON lines: an object a line (.json, .jsonl, .ndjson)
    Json,
    /// An Arrow IPC stream or file (.arrow, .arrows, .ipc, .feather)
    Arrow,
}

/// The format of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Drawn for people, cut to the terminal
    Table,
    /// With a header line
    Csv,
    /// JSON lines: an object a row
    Json,
    /// An Arrow IPC stream
    Arrow,
    /// A Parquet file
    Parquet,
}

/// The extension of a file's name, in lower case.
pub(crate) fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// A path without the extension of its compression: `trades.csv` for `trades.csv.gz`.
pub(crate) fn uncompressed(path: &Path) -> &Path {
    match path.file_stem() {
        Some(stem) if COMPRESSED_EXTENSIONS.contains(&extension(path).as_str()) => Path::new(stem),
        _ => path,
    }
}

impl InputFormat {
    /// The format that a file's name shows.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        match extension(uncompressed(path)).as_str() {
            "parquet" | "pq" => Ok(Self::Parquet),
            "csv" | "tsv" => Ok(Self::Csv),
            "json" | "jsonl" | "ndjson" => Ok(Self::Json),
            "arrow" | "arrows" | "ipc" | "feather" => Ok(Self::Arrow),
            _ => Err(Failure::new(format!(
                "the name of {} does not tell its format: say --format parquet, csv, json or arrow",
                shown(path)
            ))),
        }
    }
}

impl OutputFormat {
    /// Whether values are written as text, which holds any number.
    pub(crate) fn is_text(self) -> bool {
        match self {
            Self::Table | Self::Csv | Self::Json => true,
            Self::Arrow | Self::Parquet => false,
        }
    }

    /// The format that a file's name shows.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        match extension(path).as_str() {
            "parquet" | "pq" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            "json" | "jsonl" | "ndjson" => Ok(Self::Json),
            "arrow" | "arrows" => Ok(Self::Arrow),
            "txt" => Ok(Self::Table),
            _ => Err(Failure::new(format!(
                "the name of {} does not tell a format: say --format table, csv, json, arrow or parquet",
                shown(path)
            ))),
        }
    }
}

/// A path for a message.
pub(crate) fn shown(path: &Path) -> String {
    if path == Path::new("-") { "the pipe".to_owned() } else { path.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_formats_whatever_their_case() {
        assert_eq!(InputFormat::of(Path::new("a/b.PARQUET")).unwrap(), InputFormat::Parquet);
        assert_eq!(InputFormat::of(Path::new("x.tsv")).unwrap(), InputFormat::Csv);
        assert_eq!(InputFormat::of(Path::new("a/x.csv.GZ")).unwrap(), InputFormat::Csv);
        assert_eq!(InputFormat::of(Path::new("x.ndjson.zst")).unwrap(), InputFormat::Json);
        assert_eq!(OutputFormat::of(Path::new("x.ndjson")).unwrap(), OutputFormat::Json);
    }

    #[test]
    fn a_name_that_tells_nothing_is_refused_with_the_formats() {
        for path in ["notes", "table.xlsx", "-", "notes.gz", ".gz"] {
            let message = InputFormat::of(Path::new(path)).unwrap_err().to_string();
            assert!(message.contains("--format parquet, csv"), "{message}");
            assert!(OutputFormat::of(Path::new(path)).is_err());
        }
    }
}
