//! What the engine asks of the layer above it: which files stand behind the names in a query.

use std::any::Any;

use arrow::datatypes::SchemaRef;
use polarway_model::At;

use crate::plan::{FileGroup, StoredTable, TableSource};

/// Knows the datasets and the files of the cold tier.
///
/// The engine calls it once per query with everything that the query names, so that all of it can be pinned at
/// one moment. It is called on the query's own thread, which may block.
pub trait Catalog: Send + Sync {
    /// Finds and pins what the references name; the answer has one relation per reference, in order.
    ///
    /// # Errors
    /// The first reference that names nothing, or whatever kept the catalog from answering.
    fn resolve(&self, references: &[Reference]) -> Result<Vec<Relation>, CatalogError>;

    /// All datasets that the query's author may see, by name: what `SHOW TABLES` and the information schema tell.
    ///
    /// # Errors
    /// Whatever kept the catalog from answering.
    fn list(&self) -> Result<Vec<Listed>, CatalogError>;

    /// Whether the query's author may read a table of the analytics database, by its schema and name as the database has them.
    /// One that he may not read is there neither for the query nor in what messages suggest.
    fn sees_analytics(&self, schema: &str, table: &str) -> bool;
}

/// A dataset in a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The columns of its newest version.
    pub schema: SchemaRef,
}

/// One table that a query reads. A query that names the same thing twice holds one reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A dataset by its name.
    Dataset {
        /// The name as the query writes it, quotes removed.
        name: String,
        /// Which version is meant.
        at: At,
    },
    /// Parquet files of the cold tier, from `read_parquet(…)`, `parquet_scan(…)` or `FROM '….parquet'`.
    Files {
        /// Paths and globs as the query writes them. URLs and `..` never come this far.
        patterns: Vec<String>,
        /// The options that the query gives.
        options: FileOptions,
    },
}

impl std::fmt::Display for Reference {
    /// As messages name it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dataset { name, .. } => write!(f, "the dataset \"{name}\""),
            Self::Files { patterns, .. } => f.write_str(&patterns.join(", ")),
        }
    }
}

/// Options of `read_parquet` that a query may give; `None` where it gives none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FileOptions {
    /// Whether folders named `key=value` become columns.
    pub hive_partitioning: Option<bool>,
    /// Whether files with different columns are joined by column name, missing ones being NULL.
    pub union_by_name: Option<bool>,
}

/// A check made after the last row was read, of what may have changed or been wrong meanwhile.
pub type AfterScan = Box<dyn FnOnce() -> Result<(), CatalogError> + Send>;

/// What stands behind a reference, and what keeps it there.
pub struct Relation {
    /// Its rows.
    pub source: TableSource,
    /// Dropped when the query has ended: whatever keeps the files from being removed.
    pub pin: Box<dyn Any + Send + Sync>,
    /// Called after the last row was read, for files that someone else may change under a running query. Its
    /// error becomes the query's.
    pub after_scan: Option<AfterScan>,
}

impl Relation {
    /// A table with nothing to pin.
    #[must_use]
    pub fn new(source: TableSource) -> Self {
        Self { source, pin: Box::new(()), after_scan: None }
    }

    /// A table in groups of files, with nothing to pin.
    #[must_use]
    pub fn of_groups(groups: Vec<FileGroup>, schema: SchemaRef) -> Self {
        let files = groups.into_iter().filter(|group| !group.files.is_empty()).collect();
        Self::new(TableSource::Stored(StoredTable { schema, files, is_result: false }))
    }
}

impl std::fmt::Debug for Relation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Relation")
            .field("source", &self.source)
            .field("checked_after_scan", &self.after_scan.is_some())
            .finish_non_exhaustive()
    }
}

/// Why a reference can't be answered. Users read these messages.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// No dataset has that name.
    #[error("there is no dataset \"{name}\"{}", nearest_text(nearest))]
    UnknownDataset {
        /// The name that was asked for.
        name: String,
        /// Names that are close to it, the closest first.
        nearest: Vec<String>,
    },
    /// The dataset exists, the version does not, or no longer.
    #[error("the dataset \"{name}\" has no version {version}; {hint}")]
    UnknownVersion {
        /// The dataset.
        name: String,
        /// The version or time that was asked for, as text.
        version: String,
        /// Which versions there are, say `its versions are 3 to 7`.
        hint: String,
    },
    /// No file matches.
    #[error("no Parquet file matches {pattern}")]
    NoFiles {
        /// The path or glob as the query writes it.
        pattern: String,
    },
    /// A path that a query may not read.
    #[error("{pattern} may not be read: {reason}")]
    FilesNotAllowed {
        /// The path or glob as the query writes it.
        pattern: String,
        /// What would be allowed.
        reason: String,
    },
    /// Files that Polarway does not own changed while they were read.
    #[error("the files of \"{name}\" changed while the query read them; run it again")]
    Changed {
        /// The dataset or pattern.
        name: String,
    },
    /// The catalog itself failed.
    #[error("the datasets could not be looked up")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn nearest_text(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        names => format!("; the nearest: {}", names.join(", ")),
    }
}
