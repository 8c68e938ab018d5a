//! What the engine asks of the layer above it: which files stand behind the names in a query.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use polarway_model::At;

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

/// A check made after the last row was read, see [`Relation::after_scan`].
pub type AfterScan = Box<dyn FnOnce() -> Result<(), CatalogError> + Send>;

/// The files, or the kept table, behind a reference, and what keeps them there.
pub struct Relation {
    /// The name of a table that the engine itself keeps, see [`Keep::AsTable`](crate::Keep::AsTable): then there are no
    /// files.
    pub kept: Option<String>,
    /// The columns. SQL sees these names and types, or refuses a column that DuckDB can't read right.
    pub schema: SchemaRef,
    /// Parquet files in row order, those that are read alike together. None means a table without rows.
    pub files: Vec<FileGroup>,
    /// Whether the files hold a result of a query. Then SQL sees the DuckDB types that its fields tell, which are those of
    /// the query itself.
    pub is_result: bool,
    /// Dropped when the query has ended: whatever keeps the files from being removed.
    pub pin: Box<dyn Any + Send + Sync>,
    /// Called after the last row was read, for files that someone else may change under a running query. Its
    /// error becomes the query's. Such relations are bound anew for every query.
    pub after_scan: Option<AfterScan>,
}

/// Parquet files that have the same columns and are read alike.
#[derive(Debug, Clone)]
pub struct FileGroup {
    /// The files, as absolute paths under a readable folder.
    pub paths: Vec<PathBuf>,
    /// Their columns, in their order, and behind them the partition columns. A column of the relation that is not among
    /// them is NULL here; one of another type is cast to the relation's.
    pub schema: SchemaRef,
    /// Columns of `schema` that come from folders named `key=value`, not from the files.
    pub partition_columns: Vec<PartitionColumn>,
    /// Whether every file was written with exactly the types of `schema`. Then only the columns that DuckDB reads
    /// as something else are cast, which makes wide tables faster to plan; otherwise all are.
    pub has_exact_types: bool,
    /// Whether the files' statistics cover the NaNs in them. Most writers leave NaN out, and DuckDB believes that what
    /// is above the largest value is not there: of such files it may not use the statistics of floating-point columns.
    pub has_exact_float_statistics: bool,
    /// Columns that [hold nanoseconds with a zone](crate::holds_zoned_nanos), and are known to hold whole microseconds only:
    /// SQL has no more of a time with a zone. The others of these are refused.
    pub whole_micros: Vec<String>,
    /// Columns that DuckDB would read wrong, and why: selecting one is an error that says so.
    pub refused_columns: Vec<(String, String)>,
}

/// A column that comes from the names of folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionColumn {
    /// What it is called.
    pub name: String,
    /// What the folders call it, before the `=`.
    pub key: String,
}

impl FileGroup {
    /// Files that Polarway wrote with this schema.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>, schema: SchemaRef) -> Self {
        Self {
            paths,
            schema,
            partition_columns: Vec::new(),
            has_exact_types: true,
            has_exact_float_statistics: true,
            whole_micros: Vec::new(),
            refused_columns: Vec::new(),
        }
    }
}

impl Relation {
    /// A relation over files that Polarway wrote with this schema and never changes, with nothing to pin.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>, schema: SchemaRef) -> Self {
        Self::of_groups(vec![FileGroup::new(paths, Arc::clone(&schema))], schema)
    }

    /// A relation over groups of files, with nothing to pin.
    #[must_use]
    pub fn of_groups(groups: Vec<FileGroup>, schema: SchemaRef) -> Self {
        let files = groups.into_iter().filter(|group| !group.paths.is_empty()).collect();
        Self { kept: None, schema, files, is_result: false, pin: Box::new(()), after_scan: None }
    }

    /// A table that the engine keeps under this name.
    #[must_use]
    pub fn kept(name: String, schema: SchemaRef) -> Self {
        Self { kept: Some(name), ..Self::of_groups(Vec::new(), schema) }
    }

    /// All files, in row order.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.iter().flat_map(|group| &group.paths)
    }
}

impl std::fmt::Debug for Relation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Relation")
            .field("kept", &self.kept)
            .field("schema", &self.schema)
            .field("files", &self.files)
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
