//! Stores tables.

use std::sync::{Arc, Weak};

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use polarway_model::{DatasetName, DeleteOptions, Published, VersionKind, WriteMode, WriteOptions};

use crate::access::{Access, DatasetWriter};
use crate::error::{Error, ErrorKind, Result};
use crate::polarway::Polarway;
use crate::threads::Work;
use polarway_table::{Table, batch_without_duckdb_types, without_duckdb_types};

impl Polarway {
    /// Stores a table under a name and replaces the dataset's rows. It is on stable storage when
    /// this returns; the replaced rows stay readable as an older version.
    ///
    /// # Errors
    /// A name that is not allowed, a column that can't be stored, and errors of the storage. The
    /// dataset is unchanged then.
    pub async fn store(&self, name: &str, table: impl Into<Table>) -> Result<Published> {
        self.store_with(name, table, WriteOptions::default()).await
    }

    /// Appends a table's rows to a dataset that exists. Columns are matched by name; narrower types
    /// are widened if no value can change.
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
        self.writing(&self.engine().threads.publications, move |access, waiter| {
            let schema = table.schema().clone();
            let batches = table.into_batches().into_iter().map(Ok);
            write(access, waiter, &name, schema, batches, options)
        })
        .await
    }

    /// Stores the rows of a reader in bounded memory. The reader runs on a thread that may block; at
    /// most 96 run at a time. If it fails, or if the future is dropped, the dataset is unchanged.
    ///
    /// # Errors
    /// As [`store_with`](Self::store_with), and those of the reader.
    pub async fn store_reader(
        &self,
        name: &str,
        reader: impl RecordBatchReader + Send + 'static,
        options: WriteOptions,
    ) -> Result<Published> {
        let name = DatasetName::new(name)?;
        self.writing(&self.engine().threads.callers, move |access, waiter| {
            let schema = reader.schema();
            let batches = reader.map(|batch| batch.map_err(Error::from));
            write(access, waiter, &name, schema, batches, options)
        })
        .await
    }

    /// Writes on a thread that may block, for as long as somebody waits for it.
    async fn writing<T: Send + 'static>(
        &self,
        kind: &Work,
        work: impl FnOnce(&Access, Waiter) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (_waiting, waiter) = Waiter::waiting();
        self.blocking_as(kind, move |access| work(access, waiter)).await
    }

    /// Stores several tables. Each is published on its own and has its own result, in the given order: a table that fails does
    /// not undo another.
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
    /// A dataset that does not exist, and errors of the storage.
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
        self.blocking(move |access| {
            let deleted = access.delete(&name, request, expected_version);
            if !purge {
                return deleted;
            }
            let deleted = match deleted {
                Err(error) if error.kind() == ErrorKind::UnknownDataset => {
                    deleted_before(access, &name).ok_or(error)
                }
                other => other,
            }?;
            access.purge(&name)?;
            Ok(deleted)
        })
        .await
    }
}

/// The deletion of a dataset, if it is deleted.
fn deleted_before(access: &Access, name: &DatasetName) -> Option<Published> {
    let newest = access.versions(name).ok()?.pop()?;
    (newest.kind == VersionKind::Delete).then(|| Published {
        name: name.clone(),
        version: newest.version,
        rows: newest.rows,
        bytes: newest.bytes,
        time_us: newest.time_us,
        was_retry: true,
    })
}

/// The caller that waits for a write. A thread that blocks can't be stopped from outside, so it checks from time to time
/// whether somebody still waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiter(Weak<()>);

impl Waiter {
    /// A caller that waits until the first value is dropped.
    pub(crate) fn waiting() -> (Arc<()>, Self) {
        let waiting = Arc::new(());
        let waiter = Self(Arc::downgrade(&waiting));
        (waiting, waiter)
    }

    fn check(&self) -> Result<()> {
        match self.0.strong_count() {
            0 => Err(Error::new(ErrorKind::Cancelled, "nobody waits for the write any more")),
            _ => Ok(()),
        }
    }
}

/// Writes rows in the form of datasets, as long as a caller waits.
pub(crate) struct RowWriter {
    access: Access,
    writer: DatasetWriter,
    name: DatasetName,
    mode: WriteMode,
    waiter: Waiter,
    /// The columns as they come.
    schema: SchemaRef,
    /// The same without DuckDB's types in the metadata, which only results have.
    stored: Option<SchemaRef>,
}

impl RowWriter {
    /// Begins to write a dataset. `schema` has the columns as they come.
    pub(crate) fn begin(
        access: &Access,
        waiter: Waiter,
        name: &DatasetName,
        schema: SchemaRef,
        options: WriteOptions,
    ) -> Result<Self> {
        let stored = without_duckdb_types(&schema);
        let writer = access.writer(name, Arc::clone(stored.as_ref().unwrap_or(&schema)), options)?;
        let (access, name, mode) = (access.clone(), name.clone(), options.mode);
        Ok(Self { access, writer, name, mode, waiter, schema, stored })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.waiter.check()?;
        match &self.stored {
            Some(stored) if batch.schema_ref() == &self.schema => {
                self.writer.write(&batch_without_duckdb_types(batch, stored)?)?;
            }
            _ => self.writer.write(batch)?,
        }
        Ok(())
    }

    /// About the memory of the rows that are not in a file yet, in bytes.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.writer.held_bytes()
    }

    /// Writes all rows into a file.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.waiter.check()?;
        Ok(self.writer.flush()?)
    }

    pub(crate) fn publish(self) -> Result<Published> {
        self.waiter.check()?;
        self.access.publish(self.writer, &self.name, self.mode)
    }
}

fn write(
    access: &Access,
    waiter: Waiter,
    name: &DatasetName,
    schema: SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch>>,
    options: WriteOptions,
) -> Result<Published> {
    let mut writer = RowWriter::begin(access, waiter, name, schema, options)?;
    for batch in batches {
        writer.write(&batch?)?;
    }
    writer.publish()
}
