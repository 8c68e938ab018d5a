//! Datasets and their versions, described.

use arrow_schema::SchemaRef;

use crate::name::DatasetName;

/// A dataset in a list, at its newest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Its name.
    pub name: DatasetName,
    /// The number of its newest version; 0 for Parquet files that Polarway did not write.
    pub version: u64,
    /// Its rows.
    pub rows: u64,
    /// The size of its files, in bytes.
    pub bytes: u64,
    /// When its newest version was made: microseconds since 1970-01-01 UTC.
    pub time_us: i64,
    /// Why its newest version can't be read, if that is so. Then the numbers are zeros.
    pub error: Option<String>,
}

/// A description of one version of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The dataset.
    pub name: DatasetName,
    /// The number of the version; 0 for Parquet files that Polarway did not write.
    pub version: u64,
    /// When it was made: microseconds since 1970-01-01 UTC.
    pub time_us: i64,
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub rows: u64,
    /// How many files it has.
    pub files: u64,
    /// The size of its files, in bytes.
    pub bytes: u64,
    /// Its size in memory as Arrow, in bytes; an estimate for version 0.
    pub arrow_bytes: u64,
}

/// A version in the history of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number, from 1; 0 for Parquet files that Polarway did not write.
    pub version: u64,
    /// What made it.
    pub kind: VersionKind,
    /// Its rows.
    pub rows: u64,
    /// The size of its files, in bytes.
    pub bytes: u64,
    /// How many files it has.
    pub files: u64,
    /// When it was made: microseconds since 1970-01-01 UTC.
    pub time_us: i64,
    /// Whether retention has removed its data: it can't be read any more.
    pub vacuumed: bool,
}

/// What made a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VersionKind {
    /// Somebody else: it is made of Parquet files that Polarway did not write.
    Adopted,
    /// The table was created or replaced.
    Overwrite,
    /// Rows were appended.
    Append,
    /// The dataset was deleted.
    Delete,
    /// A kind that only a later version of Polarway has.
    Unknown,
}

/// A version of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatasetVersion {
    /// The dataset.
    pub name: DatasetName,
    /// The number of the version; 0 for Parquet files that Polarway did not write.
    pub version: u64,
}
