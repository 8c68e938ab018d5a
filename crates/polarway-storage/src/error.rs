//! What can go wrong with versioned tables.

use std::fmt;

use chrono::{DateTime, SecondsFormat};
use polarway_model::{DatasetName, InvalidName};
use polarway_parquet as table_file;

use crate::backend::{BackendError, FailureKind};
use crate::commit::NotACommit;
use crate::foreign::TableFormat;

/// The result of an operation on versioned tables.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with versioned tables.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text that can't name a dataset.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),

    /// No dataset has this name (any more).
    #[error("there is no dataset {name:?}{}{}", if *.deleted { " (it was deleted)" } else { "" }, did_you_mean(.nearest))]
    UnknownDataset {
        /// The name that was asked for.
        name: String,
        /// Whether there was one.
        deleted: bool,
        /// Names that are there and alike, best first.
        nearest: Vec<String>,
    },

    /// The dataset never had this version.
    #[error("dataset {name} has no version {version}: {}", has_versions(.nearest))]
    UnknownVersion {
        /// The dataset.
        name: DatasetName,
        /// The version that was asked for.
        version: u64,
        /// Versions that there are, near the one that was asked for, in order.
        nearest: Vec<u64>,
    },

    /// The dataset did not exist at that time.
    #[error("dataset {name} has no version as old as that: the oldest is from {}", at_time(*.oldest_us))]
    NoVersionThen {
        /// The dataset.
        name: DatasetName,
        /// The time of its oldest version, in microseconds since 1970-01-01 UTC.
        oldest_us: i64,
    },

    /// The version existed; its data was removed by retention.
    #[error("version {version} of dataset {name} was vacuumed: retention removed its data")]
    VersionVacuumed {
        /// The dataset.
        name: DatasetName,
        /// The version.
        version: u64,
    },

    /// The version that was asked for is the dataset's deletion.
    #[error("version {version} of dataset {name} is its deletion: there is no table to read")]
    VersionIsDeletion {
        /// The dataset.
        name: DatasetName,
        /// The version.
        version: u64,
    },

    /// `create` found a dataset of that name.
    #[error("dataset {name} exists already, at version {version}")]
    AlreadyExists {
        /// The dataset.
        name: DatasetName,
        /// Its newest version.
        version: u64,
    },

    /// The dataset is not at the version that the writer expected.
    #[error("dataset {name} is at version {actual}, not {expected}: another writer was here")]
    VersionConflict {
        /// The dataset.
        name: DatasetName,
        /// What the writer expected.
        expected: u64,
        /// What is.
        actual: u64,
    },

    /// The rows to append don't fit the dataset's schema.
    #[error("the rows don't fit dataset {name}: {}", differences.join("; "))]
    SchemaMismatch {
        /// The dataset.
        name: DatasetName,
        /// Each difference, as a clause.
        differences: Vec<String>,
    },

    /// A retry came too late to tell whether the write was done.
    #[error(
        "request {id} is of another time than the last ten minutes: it can't be told from a second write; \
         check the clock, look whether the write is there, and send it under a new id"
    )]
    RequestExpired {
        /// The request.
        id: String,
    },
    /// This machine's clock is far ahead of the storage's: what it writes would be from the future.
    #[error(
        "this machine's clock is {} ahead of the storage's: set the one that is wrong; until then nothing is written from here",
        time_in_words(*.ahead_us)
    )]
    ClockAhead {
        /// By how much, in microseconds.
        ahead_us: i64,
    },
    /// This process stood still for so long in the middle of a write that its caller may have made it again elsewhere.
    #[error("the write to {name:?} stood still for too long and was not published: send it again")]
    StoodStill {
        /// The dataset.
        name: DatasetName,
    },

    /// A vacuum condemned the uploaded data before it was published, and removed it.
    #[error("storing dataset {name} took so long that its data was taken for a leftover: store it again")]
    UploadExpired {
        /// The dataset.
        name: DatasetName,
    },

    /// A file at a commit's place can't be understood.
    #[error("can't read {path:?}")]
    UnreadableCommit {
        /// The commit's path in the storage.
        path: String,
        /// Why.
        #[source]
        reason: NotACommit,
    },

    /// A data file that a version needs is gone.
    #[error("a data file of dataset {name} is gone: {path:?}")]
    DataFileMissing {
        /// The dataset.
        name: DatasetName,
        /// The file's path in the storage.
        path: String,
    },

    /// A file that Polarway did not write was changed while it was read.
    #[error(
        "{path:?}, which belongs to dataset {name} and was not written by Polarway, changed while it was read: read again"
    )]
    AdoptedFileChanged {
        /// The dataset.
        name: DatasetName,
        /// The file's path in the storage.
        path: String,
    },

    /// The Parquet files of an adopted folder are not one table.
    #[error("the files of folder {name} are not one table: {difference}")]
    AdoptedFilesDiffer {
        /// The dataset.
        name: DatasetName,
        /// Which file differs, and in what.
        difference: String,
    },

    /// The folder of that name is a table of another format, whose files can't be read as they lie.
    #[error(
        "{folder:?} is {format}, which can't be read yet: its Parquet files also hold rows that are no longer, or not yet, \
         in the table; read it with what wrote it, and store the rows"
    )]
    ForeignTable {
        /// The dataset that the folder would be.
        name: DatasetName,
        /// The folder that tells.
        folder: String,
        /// What it is.
        format: TableFormat,
    },

    /// Whether the write took place is not known: the storage did not say.
    #[error(
        "the storage does not say whether the write to dataset {name} took place: retry it with the same request id"
    )]
    OutcomeUnknown {
        /// The dataset.
        name: DatasetName,
        /// The last failure.
        #[source]
        source: BackendError,
    },

    /// The storage failed.
    #[error(transparent)]
    Backend(#[from] BackendError),

    /// A table can't be written as Parquet, or a Parquet file can't be read.
    #[error(transparent)]
    Table(#[from] table_file::Error),

    /// A data file can't be read as the table that it should hold.
    #[error("can't read {path:?} of dataset {name}")]
    UnreadableData {
        /// The dataset.
        name: DatasetName,
        /// The file's path in the storage, or its folder when it isn't known which.
        path: String,
        /// Why.
        #[source]
        source: table_file::Error,
    },

    /// A table can't be put into chunks, or chunks don't hold a table.
    #[error(transparent)]
    Chunks(#[from] polarway_ipc::Error),

    /// Arrow refused, where the cause is not the caller's.
    #[error(transparent)]
    Arrow(#[from] arrow_schema::ArrowError),

    /// A column that is not in the table was asked for.
    #[error("there is no column {column:?}{}", did_you_mean(.nearest))]
    UnknownColumn {
        /// The name.
        column: String,
        /// The columns near it.
        nearest: Vec<String>,
    },

    /// A list of columns has none.
    #[error("a load needs one column at least: name some, or leave the list out for all")]
    NoColumns,

    /// A list of columns has one of them twice.
    #[error("column {column:?} is asked for twice")]
    ColumnTwice {
        /// The name.
        column: String,
    },

    /// A range of rows ends before it begins.
    #[error("the rows from {first_row} to {end_row} end before they begin")]
    RowsBackwards {
        /// The first row.
        first_row: u64,
        /// The row behind the last.
        end_row: u64,
    },

    /// Whoever read the table for all gave up. It may work when tried again.
    #[error("the load was given up: load again")]
    LoadAbandoned,

    /// The table takes more space than its writer may use.
    #[error(
        "the table takes more than the {most_bytes} bytes that may still be stored; nothing of it was published"
    )]
    TooLarge {
        /// The bytes that it may take.
        most_bytes: u64,
    },

    /// No thread could be started.
    #[error("can't start a thread")]
    Thread(#[source] std::io::Error),

    /// The load that this one waited for failed. It may work when tried again.
    #[error(transparent)]
    SharedLoad(std::sync::Arc<Error>),
}

impl Error {
    /// Whether the storage has no space left.
    pub fn is_full(&self) -> bool {
        self.backend_failure() == Some(FailureKind::Full)
    }

    /// Whether the storage takes no writes.
    pub fn is_read_only(&self) -> bool {
        matches!(self.backend_failure(), Some(FailureKind::ReadOnly | FailureKind::WriteDenied))
    }

    /// How the storage failed, if it was the storage.
    pub fn backend_failure(&self) -> Option<FailureKind> {
        match self {
            Self::Backend(error) | Self::OutcomeUnknown { source: error, .. } => Some(error.kind),
            Self::SharedLoad(error) => error.backend_failure(),
            _ => None,
        }
    }
}

fn did_you_mean(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!("; near it: {}", nearest.join(", ")) }
}

/// An error with all that caused it, where nobody asks for the causes.
pub(crate) fn with_cause(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        let source_text = source.to_string();
        // An error that is told by another's words is not told twice.
        if !text.ends_with(&source_text) {
            text = format!("{text}: {source_text}");
        }
        cause = source.source();
    }
    text
}

/// A time in its two largest units: "364 days 23 hours".
fn time_in_words(time_us: i64) -> String {
    let minutes = time_us / 60_000_000;
    let units = [(minutes / 1_440, "day"), (minutes / 60 % 24, "hour"), (minutes % 60, "minute")];
    let mut words: Vec<String> = Vec::new();
    for (count, unit) in units.into_iter().skip_while(|(count, _)| *count == 0).take(2) {
        match count {
            0 => {}
            1 => words.push(format!("1 {unit}")),
            _ => words.push(format!("{count} {unit}s")),
        }
    }
    words.join(" ")
}

/// "it has 1, 2 and 3", for the versions near one that is not there.
fn has_versions(nearest: &[u64]) -> impl fmt::Display {
    let list: Vec<String> = nearest.iter().map(u64::to_string).collect();
    if list.is_empty() { "it has none".to_owned() } else { format!("near it are {}", list.join(", ")) }
}

/// A time as a person reads it, such as `2026-11-02T08:30:00.000250Z`.
fn at_time(time_us: i64) -> String {
    match DateTime::from_timestamp_micros(time_us) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Micros, true),
        None => format!("{time_us} µs after 1970-01-01 UTC"),
    }
}
