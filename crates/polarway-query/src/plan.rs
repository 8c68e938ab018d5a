//! What a query is once its text has passed the gate and its names are resolved: all that an executor needs, and nothing of
//! the process that made it. A plan names files as they are named in their storage, so any worker over it can find them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use polarway_model::DatasetName;
use uuid::Uuid;

use crate::analytics::AttachedTable;
use crate::catalog::Listed;
use crate::config::Keep;
use crate::gate::{NamedColumns, Read};
use crate::listing::Listing;
use crate::parameters::ParameterValues;

/// A query that may run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What runs. Shared by all queries of one text.
    pub statement: Arc<Statement>,
    /// The tables that the statement reads, each once. Their files are pinned while the query runs.
    pub tables: Vec<PlannedTable>,
    /// The values of the statement's parameters.
    pub parameters: ParameterValues,
    /// The form in which rows are given.
    pub form: ResultForm,
    /// What becomes of the result.
    pub keep: Keep,
    /// What the result may come to.
    pub limits: PlanLimits,
}

impl Plan {
    /// Whether only the executor that keeps some of the tables can run it.
    #[must_use]
    pub fn reads_kept_tables(&self) -> bool {
        self.tables.iter().any(|table| matches!(table.source, TableSource::Kept(_)))
    }
}

/// A text that passed the gate: one SELECT in DuckDB's dialect, which reads the tables of its plan, those of the analytics
/// database, and nothing else.
#[derive(Debug)]
pub struct Statement {
    /// The author's text, with the names of the plan's tables in the place of versions and file paths.
    pub text: String,
    /// Whether `text` is what the author wrote, so that a position in it is worth showing.
    pub is_own_text: bool,
    /// The parameters in `text`, each with the name that its value has.
    pub bound: BTreeMap<String, String>,
    /// Whether it may be prepared once and run again. DuckDB plans a text that reads files anew each time; another one is
    /// planned once, and `now()` in it would stand still.
    pub is_repeatable: bool,
    /// For an EXPLAIN: `text` is what is explained, and this the form of the answer.
    pub explained: Option<ExplainFormat>,
    /// What it reads, by the names that the author has for it.
    pub(crate) reads: Vec<Read>,
    /// The columns of these that it can mean.
    pub(crate) columns: NamedColumns,
    /// The tables of the analytics database that it reads.
    pub(crate) attached: Vec<AttachedTable>,
    /// The names of all parameters, sorted: those in `AT (…)` are not in `text`.
    pub(crate) parameters: Vec<String>,
}

/// The form of EXPLAIN's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainFormat {
    /// Boxes, side by side where a plan branches.
    Text,
    /// JSON.
    Json,
}

/// A table that a statement reads.
#[derive(Debug, Clone)]
pub struct PlannedTable {
    /// What the statement calls it.
    pub name: String,
    /// What messages call it: they are read by the query's author.
    pub described: String,
    /// Its rows.
    pub source: TableSource,
}

/// Where the rows of a table are.
#[derive(Debug, Clone)]
pub enum TableSource {
    /// In files.
    Stored(StoredTable),
    /// In a table of this name that an executor keeps, see [`Keep::AsTable`](crate::Keep::AsTable).
    Kept(String),
    /// It is about tables.
    Listing(Listing, Vec<Listed>),
}

/// A table whose rows are in Parquet files.
#[derive(Debug, Clone)]
pub struct StoredTable {
    /// The columns. SQL sees these names and types, or refuses a column that can't be read right.
    pub schema: SchemaRef,
    /// The files in row order, those that are read alike together. None means a table without rows.
    pub files: Vec<FileGroup>,
    /// Whether the files hold a result of a query. Then SQL sees the DuckDB types that its fields tell, which are those of
    /// the query itself.
    pub is_result: bool,
}

/// Files of one version of a dataset that have the same columns and are read alike.
#[derive(Debug, Clone)]
pub struct FileGroup {
    /// The storage that they are in.
    pub storage: FileStorage,
    /// The dataset, or the handle, that they belong to, by its name in the storage.
    pub dataset: DatasetName,
    /// Its version.
    pub version: u64,
    /// The files.
    pub files: Vec<FileReference>,
    /// Their columns, in their order, and behind them the partition columns. A column of the table that is not among
    /// them is NULL here; one of another type is cast to the table's.
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

/// A storage of data files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileStorage {
    /// The cold tier.
    Datasets,
    /// Where the results that handles keep are.
    Handles,
}

/// A data file, by what it is called in its storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReference {
    /// Its path in the storage.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// What there is to know of a file that Polarway did not write; files of its own never change.
    pub foreign: Option<ForeignFile>,
}

/// A file that somebody else wrote, and may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignFile {
    /// Differs whenever the file may hold other rows.
    pub state: Uuid,
    /// The value of each partition column; `None` is NULL.
    pub partition_values: Vec<Option<String>>,
    /// The columns in it, if DuckDB has no reader for how it is written: it reads a copy that is written anew with these.
    pub rewritten_as: Option<SchemaRef>,
}

/// A column that comes from the names of folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionColumn {
    /// What it is called.
    pub name: String,
    /// What the folders call it, before the `=`.
    pub key: String,
}

/// The form of a result's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultForm {
    /// The size that batches aim at, in bytes.
    pub batch_bytes: usize,
    /// Whether numbers of type HUGEINT come as text.
    pub hugeint_as_text: bool,
}

/// What a query may take and give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimits {
    /// The most rows of the result.
    pub result_rows: u64,
    /// The most bytes of the result, in Arrow's form.
    pub result_bytes: u64,
    /// When it ends, wherever it stands.
    pub deadline: Option<Instant>,
}

impl FileGroup {
    /// Files that Polarway wrote with this schema, of a version of a dataset.
    #[must_use]
    pub fn new(dataset: DatasetName, version: u64, files: Vec<FileReference>, schema: SchemaRef) -> Self {
        Self {
            storage: FileStorage::Datasets,
            dataset,
            version,
            files,
            schema,
            partition_columns: Vec::new(),
            has_exact_types: true,
            has_exact_float_statistics: true,
            whole_micros: Vec::new(),
            refused_columns: Vec::new(),
        }
    }
}
