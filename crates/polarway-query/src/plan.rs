//! A query after its text has passed the gate and its names are resolved: all that an executor needs, and nothing from the
//! process that made it. A plan names files as their storage does, so any worker with that storage can find them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use polarway_model::{DatasetName, EngineChoice};
use uuid::Uuid;

use crate::analytics::AttachedTable;
use crate::catalog::Listed;
use crate::config::{CallIds, Keep};
use crate::error::Error;
use crate::gate::{Dialect, NamedColumns, Read, explained_from};
use crate::listing::Listing;
use crate::parameters::ParameterValues;

/// A query that may run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The statement to run. Shared by all queries with the same text.
    pub statement: Arc<Statement>,
    /// The tables that the statement reads, each once. Their files are pinned while the query runs.
    pub tables: Vec<PlannedTable>,
    /// The values of the statement's parameters.
    pub parameters: ParameterValues,
    /// The form of the result's rows.
    pub form: ResultForm,
    /// What happens with the result.
    pub keep: Keep,
    /// The limits of the result.
    pub limits: PlanLimits,
    /// Which engine runs it.
    pub engine: EngineChoice,
    /// The id of its query.
    pub query: Uuid,
    /// The call that its query belongs to.
    pub call: Option<CallIds>,
}

impl Plan {
    /// The bytes of all its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let stored = self.tables.iter().filter_map(|table| match &table.source {
            TableSource::Stored(stored) => Some(&stored.files),
            TableSource::Kept(_) | TableSource::Listing(..) => None,
        });
        stored.flatten().flat_map(|group| &group.files).map(|file| file.bytes).sum()
    }

    /// Whether it can only run in the executor that keeps some of its tables.
    #[must_use]
    pub fn reads_kept_tables(&self) -> bool {
        self.tables.iter().any(|table| matches!(table.source, TableSource::Kept(_)))
    }
}

/// A text that passed the gate: one SELECT in DuckDB's dialect, which reads only the tables of its plan and those of the
/// analytics database.
#[derive(Debug)]
pub struct Statement {
    /// The author's text, with names of the plan's tables in place of versions and file paths.
    pub text: String,
    /// Whether `text` is what the author wrote, so that a position in it is useful.
    pub is_own_text: bool,
    /// The parameters in `text`, each with the name of its value.
    pub bound: BTreeMap<String, String>,
    /// Whether it may be prepared once and run again. DuckDB plans a text that reads files again each time; other texts are
    /// planned once, and `now()` would keep its first value.
    pub is_repeatable: bool,
    /// For an EXPLAIN: what it asks for.
    pub explained: Option<Explained>,
    /// What it reads, by the author's names.
    pub(crate) reads: Vec<Read>,
    /// The columns of these tables that it may refer to, once somebody asked.
    pub(crate) columns: OnceLock<NamedColumns>,
    /// The tables of the analytics database that it reads.
    pub(crate) attached: Vec<AttachedTable>,
    /// The names of all parameters, sorted: those in `AT (…)` are not in `text`.
    pub(crate) parameters: Vec<String>,
}

impl Statement {
    /// The SELECT: `text`, for an EXPLAIN without what comes before it.
    pub(crate) fn select(&self) -> &str {
        let front = match self.explained {
            Some(_) => explained_from(&self.text),
            None => 0,
        };
        &self.text[front..]
    }

    /// The columns of its tables that the text may refer to. To find them takes parsing the text again, the first time.
    pub(crate) fn columns(&self, dialect: &dyn Dialect) -> Result<&NamedColumns, Error> {
        if let Some(columns) = self.columns.get() {
            return Ok(columns);
        }
        let columns = NamedColumns::of_text(dialect, &self.text)?;
        Ok(self.columns.get_or_init(|| columns))
    }
}

/// What an EXPLAIN asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explained {
    /// The form of the answer.
    pub format: ExplainFormat,
    /// Whether the query is run, and the answer says what that took.
    pub is_analyzed: bool,
}

/// The form of EXPLAIN's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainFormat {
    /// Boxes, side by side where a plan has branches.
    Text,
    /// JSON.
    Json,
    /// The stages, tasks and workers of a query over several workers, in place of DuckDB's plan.
    Distributed,
}

/// A table that a statement reads.
#[derive(Debug, Clone)]
pub struct PlannedTable {
    /// Its name in the statement.
    pub name: String,
    /// Its name in messages, which the query's author reads.
    pub described: String,
    /// Its rows.
    pub source: TableSource,
}

/// Where the rows of a table are.
#[derive(Debug, Clone)]
pub enum TableSource {
    /// In files.
    Stored(StoredTable),
    /// In a table with this name that an executor keeps, see [`Keep::AsTable`](crate::Keep::AsTable).
    Kept(String),
    /// A table about tables.
    Listing(Listing, Vec<Listed>),
}

impl TableSource {
    /// Whether both are the same files, read in the same way.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Stored(one), Self::Stored(other)) => one == other,
            (Self::Kept(_) | Self::Listing(..), _) | (_, Self::Kept(_) | Self::Listing(..)) => false,
        }
    }
}

/// A table whose rows are in Parquet files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTable {
    /// The columns. SQL sees these names and types, or refuses a column that can't be read correctly.
    pub schema: SchemaRef,
    /// The files in row order, grouped if they are read in the same way. No files means a table without rows.
    pub files: Vec<FileGroup>,
    /// Whether the files hold the result of a query. If so, SQL sees the DuckDB types recorded in its fields, which are the
    /// query's own types.
    pub is_result: bool,
}

/// Files of one version of a dataset that have the same columns and are read in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileGroup {
    /// The storage that holds them.
    pub storage: FileStorage,
    /// The dataset or handle that they belong to, by its name in the storage.
    pub dataset: DatasetName,
    /// Its version.
    pub version: u64,
    /// The files.
    pub files: Vec<FileReference>,
    /// Their columns, in their order, followed by the partition columns. A column of the table that is not among them is NULL
    /// here; one with another type is cast to the table's type.
    pub schema: SchemaRef,
    /// Columns of `schema` that come from folders named `key=value`, not from the files.
    pub partition_columns: Vec<PartitionColumn>,
    /// Whether every file was written with exactly the types of `schema`. If so, only columns that DuckDB reads as another type
    /// are cast, which makes planning of wide tables faster; otherwise all are.
    pub has_exact_types: bool,
    /// Whether the files' statistics include NaNs. Most writers leave them out, and DuckDB assumes that no value is above the
    /// recorded maximum: it may not use such files' statistics of floating-point columns.
    pub has_exact_float_statistics: bool,
    /// Columns that [hold nanoseconds with a zone](crate::holds_zoned_nanos) and are known to hold only whole microseconds: SQL
    /// has no higher precision for a time with a zone. Other such columns are refused.
    pub whole_micros: Vec<String>,
    /// Columns that DuckDB would read incorrectly, and why: selecting one gives this error.
    pub refused_columns: Vec<(String, String)>,
}

/// A storage of data files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileStorage {
    /// The cold tier.
    Datasets,
    /// The storage of results that handles keep.
    Handles,
}

/// A data file, by its name in its storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReference {
    /// Its path in the storage.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its rows, for estimates.
    pub rows: u64,
    /// Information about a file that Polarway did not write; its own files never change.
    pub foreign: Option<ForeignFile>,
}

/// A file that others wrote and may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignFile {
    /// Changes whenever the file may hold other rows.
    pub state: Uuid,
    /// What the storage says of this state: of another one, nothing is read.
    pub identity: String,
    /// The value of each partition column; `None` is NULL.
    pub partition_values: Vec<Option<String>>,
    /// The file's columns, if DuckDB can't read its format: DuckDB then reads a rewritten copy with these columns.
    pub rewritten_as: Option<SchemaRef>,
}

/// A column that comes from the names of folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionColumn {
    /// Its name.
    pub name: String,
    /// Its name in the folders, before the `=`.
    pub key: String,
}

/// The form of a result's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultForm {
    /// The target size of batches, in bytes.
    pub batch_bytes: usize,
    /// Whether HUGEINT numbers are returned as text.
    pub hugeint_as_text: bool,
}

/// The limits of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimits {
    /// The most rows of the result.
    pub result_rows: u64,
    /// The most bytes of the result, as Arrow.
    pub result_bytes: u64,
    /// When it ends, whatever its state.
    pub deadline: Option<Instant>,
}

impl FileGroup {
    /// Files that Polarway wrote with this schema, in a version of a dataset.
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
