//! What the engine needs from the layer above it: which files the names in a query refer to.

use std::any::Any;

use arrow::datatypes::SchemaRef;
use polarway_model::{At, ErrorKind};

use crate::plan::{FileGroup, StoredTable, TableSource};

/// Knows the datasets and the files of the cold tier.
///
/// The engine calls it once per query with all names in the query, so that all of them can be pinned at one moment. It is
/// called on the query's own thread, which may block.
pub trait Catalog: Send + Sync {
    /// Finds and pins what the references name; returns one relation per reference, in order.
    ///
    /// # Errors
    /// The first reference that names nothing, or any other failure of the catalog.
    fn resolve(&self, references: &[Reference]) -> Result<Vec<Relation>, CatalogError>;

    /// What the references most likely name, one relation per reference, in order, without waiting for anything far away. The
    /// engine may run the query over it while [`resolve`](Self::resolve) finds out, and delivers nothing of the result before it
    /// knows that both are the same. `None` where there is no time to gain.
    fn suppose(&self, _references: &[Reference]) -> Option<Vec<Relation>> {
        None
    }

    /// All datasets that the query's author may see, by name: the content of `SHOW TABLES` and the information schema.
    ///
    /// # Errors
    /// A failure of the catalog.
    fn list(&self) -> Result<Vec<Listed>, CatalogError>;

    /// Whether the query's author may read a table of the analytics database, by its schema and name as the database has them.
    /// For the query and for suggestions in messages, other tables do not exist.
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

/// One table that a query reads. Two uses of the same table are one reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A dataset by its name.
    Dataset {
        /// The name as the query writes it, quotes removed.
        name: String,
        /// The requested version.
        at: At,
    },
    /// Parquet files of the cold tier, from `read_parquet(…)`, `parquet_scan(…)` or `FROM '….parquet'`.
    Files {
        /// Paths and globs as the query writes them. URLs and `..` are refused before.
        patterns: Vec<String>,
        /// The options in the query.
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

/// Options of `read_parquet` that a query may set; `None` if it does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FileOptions {
    /// Whether folders named `key=value` become columns.
    pub hive_partitioning: Option<bool>,
    /// Whether files with different columns are combined by column name, with NULL for missing columns.
    pub union_by_name: Option<bool>,
}

/// A check after the last row was read, for files that may have changed or been wrong in the meantime.
pub type AfterScan = Box<dyn FnOnce() -> Result<(), CatalogError> + Send>;

/// What a reference refers to, and what keeps it in place.
pub struct Relation {
    /// Its rows.
    pub source: TableSource,
    /// Dropped when the query has ended: what keeps the files from being removed.
    pub pin: Box<dyn Any + Send + Sync>,
    /// Called after the last row was read, for files that others may change while a query runs. Its error becomes the query's
    /// error.
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

/// Why a reference can't be resolved. Users read these messages.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// No dataset has that name.
    #[error("there is no dataset \"{name}\"{}", nearest_text(nearest))]
    UnknownDataset {
        /// The requested name.
        name: String,
        /// Similar names, the closest first.
        nearest: Vec<String>,
    },
    /// The dataset exists, but the version does not, or no longer.
    #[error("the dataset \"{name}\" has no version {version}; {hint}")]
    UnknownVersion {
        /// The dataset.
        name: String,
        /// The requested version or time, as text.
        version: String,
        /// Which versions exist, for example `its versions are 3 to 7`.
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
        /// What is allowed.
        reason: String,
    },
    /// Files that Polarway does not own changed while the query read them.
    #[error("the files of \"{name}\" changed while the query read them; run it again")]
    Changed {
        /// The dataset or pattern.
        name: String,
    },
    /// The catalog itself failed.
    #[error("the datasets could not be looked up")]
    Failed {
        /// What the query's author can do about it.
        kind: ErrorKind,
        /// Why, in words for the query's author.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn nearest_text(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        names => format!("; the nearest: {}", names.join(", ")),
    }
}
