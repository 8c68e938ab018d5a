//! Storing tables.

use std::sync::{Arc, Weak};

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use polarway_storage::{CommitKind, DatasetName, RequestId, Tables};

use crate::error::{Error, ErrorKind, Result};
use crate::polarway::{EngineParts, Polarway};
use polarway_table::{Table, batch_without_duckdb_types, without_duckdb_types};

pub use polarway_storage::{Published, WriteMode, WriteOptions};

/// How a dataset is deleted, where it matters.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeleteOptions {
    /// With it, the same call made again is answered and not carried out again.
    pub request: Option<RequestId>,
    /// With it, the dataset is deleted only if it is at this version.
    pub expected_version: Option<u64>,
    /// Whether its data goes at once, instead of when retention lets it go: older versions can't be read any more. Of a
    /// dataset that is deleted already, what is left goes.
    pub purge: bool,
}

impl Polarway {
    /// Stores a table under a name, in the place of what was there. It is on stable storage when
    /// this returns; what was there stays readable as an older version.
    ///
    /// # Errors
    /// A name outside the grammar, a column that can't be stored, and what the storage says. The
    /// dataset is as it was then.
    pub async fn store(&self, name: &str, table: impl Into<Table>) -> Result<Published> {
        self.store_with(name, table, WriteOptions::default()).await
    }

    /// Puts a table's rows behind those of a dataset that exists. Columns are matched by name;
    /// narrower types are widened where nothing can be lost.
    ///
    /// # Errors
    /// As [`store`](Self::store); besides, a dataset that does not exist, and rows that don't
    /// fit its schema.
    pub async fn append(&self, name: &str, table: impl Into<Table>) -> Result<Published> {
        self.store_with(name, table, WriteOptions::new(WriteMode::Append)).await
    }

    /// Stores a table with conditions.
    ///
    /// # Errors
    /// As [`store`](Self::store) and [`append`](Self::append); besides, a condition that is not met.
    pub async fn store_with(
        &self,
        name: &str,
        table: impl Into<Table>,
        options: WriteOptions,
    ) -> Result<Published> {
        let name = DatasetName::new(name)?;
        let table = table.into();
        self.writing(move |engine, caller| {
            let schema = table.schema().clone();
            let batches = table.into_batches().into_iter().map(Ok);
            write(&engine.tables, caller, &name, schema, batches, options)
        })
        .await
    }

    /// Stores rows as they come, in bounded memory. The reader is asked for them on a thread that
    /// may block. When it fails, or when nobody waits for this any more, the dataset stays as it was.
    ///
    /// # Errors
    /// As [`store_with`](Self::store_with), and the reader's own.
    pub async fn store_reader(
        &self,
        name: &str,
        reader: impl RecordBatchReader + Send + 'static,
        options: WriteOptions,
    ) -> Result<Published> {
        self.store_from(name, move || Ok(reader), options).await
    }

    /// As [`store_reader`](Self::store_reader), with a reader that is opened on the thread that may block: for one whose
    /// schema has to be waited for.
    ///
    /// # Errors
    /// As [`store_reader`](Self::store_reader), and what opening it says.
    pub async fn store_from<R: RecordBatchReader>(
        &self,
        name: &str,
        open: impl FnOnce() -> Result<R, ArrowError> + Send + 'static,
        options: WriteOptions,
    ) -> Result<Published> {
        let name = DatasetName::new(name)?;
        self.writing(move |engine, caller| {
            let reader = open()?;
            let schema = reader.schema();
            let batches = reader.map(|batch| batch.map_err(Error::from));
            write(&engine.tables, caller, &name, schema, batches, options)
        })
        .await
    }

    /// Writes on a thread that may block, for as long as the caller waits.
    async fn writing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&EngineParts, &Caller) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let waiting = Arc::new(());
        let caller = Caller(Arc::downgrade(&waiting));
        let written = self.blocking(move |engine| work(engine, &caller)).await;
        drop(waiting);
        written
    }

    /// Stores several tables. Each is published on its own and has its own result, in the order
    /// in which they were given: one that fails does not undo another.
    pub async fn store_batch<N, T>(&self, tables: impl IntoIterator<Item = (N, T)>) -> Vec<Result<Published>>
    where
        N: AsRef<str>,
        T: Into<Table>,
    {
        let mut results = Vec::new();
        for (name, table) in tables {
            results.push(self.store(name.as_ref(), table).await);
        }
        results
    }

    /// Deletes a dataset. Older versions stay readable by number until retention removes them;
    /// Parquet files that Polarway did not write are never touched.
    ///
    /// # Errors
    /// A dataset that does not exist, and what the storage says.
    pub async fn delete(&self, name: &str) -> Result<Published> {
        self.delete_with(name, DeleteOptions::default()).await
    }

    /// Deletes a dataset with conditions.
    ///
    /// # Errors
    /// As [`delete`](Self::delete); besides, a condition that is not met.
    pub async fn delete_with(&self, name: &str, options: DeleteOptions) -> Result<Published> {
        let name = DatasetName::new(name)?;
        let DeleteOptions { request, expected_version, purge } = options;
        self.blocking(move |engine| {
            let deleted = engine.tables.delete(&name, request, expected_version);
            if !purge {
                return Ok(deleted?);
            }
            let deleted = match deleted {
                Err(error @ polarway_storage::Error::UnknownDataset { .. }) => {
                    deleted_before(&engine.tables, &name).ok_or(error)
                }
                other => other,
            }?;
            engine.tables.purge(&name)?;
            Ok(deleted)
        })
        .await
    }
}

/// The version that says that a dataset is deleted, if it is.
fn deleted_before(tables: &Tables, name: &DatasetName) -> Option<Published> {
    let newest = tables.versions(name).ok()?.pop()?;
    (newest.kind == Some(CommitKind::Delete)).then(|| Published {
        name: name.clone(),
        version: newest.version,
        rows: newest.rows,
        bytes: newest.bytes,
        time_us: newest.time_us,
        was_retry: true,
    })
}

/// Whoever waits for a write. A thread that blocks can't be ended from outside: it looks here from time to time.
struct Caller(Weak<()>);

impl Caller {
    fn check(&self) -> Result<()> {
        match self.0.strong_count() {
            0 => Err(Error::new(ErrorKind::Cancelled, "nobody waits for the write any more")),
            _ => Ok(()),
        }
    }
}

fn write(
    tables: &Tables,
    caller: &Caller,
    name: &DatasetName,
    schema: SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch>>,
    options: WriteOptions,
) -> Result<Published> {
    // What a column was in a query is told of a result, not of a dataset.
    let stored = without_duckdb_types(&schema);
    let mut writer =
        tables.writer(name, stored.as_ref().map_or_else(|| Arc::clone(&schema), Arc::clone), options)?;
    for batch in batches {
        caller.check()?;
        let batch = batch?;
        match &stored {
            Some(stored) if batch.schema_ref() == &schema => {
                writer.write(&batch_without_duckdb_types(&batch, stored)?)?;
            }
            _ => writer.write(&batch)?,
        }
    }
    caller.check()?;
    Ok(writer.publish()?)
}
