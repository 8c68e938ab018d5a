//! A table whose data files several workers write, and one of them publishes.
//!
//! Who publishes it names the files before they are written. So it can remove all that it does not publish, also what was left by
//! a worker that died. Each file that is begun has another name: one that was given up can't come in the place of one that is
//! published.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use polarway_model::{DatasetName, Published};
use polarway_parquet::{Categories, has_narrow_keys, read_categories};
use uuid::Uuid;

use crate::change::Origin;
use crate::commit::{DataFile, data_path};
use crate::error::{Error, Result};
use crate::tables::Tables;
use crate::upload::{Upload, UploadWriter};
use crate::writer::Write;

/// A data file that is durable and that no commit names yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StagedFile {
    /// Its name.
    pub id: Uuid,
    /// The rows in it, one at least.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// What its rows take as Arrow in memory.
    pub arrow_bytes: u64,
}

/// Takes rows for a data file that another worker may publish. Dropped before [`finish`](Self::finish), it leaves nothing.
pub struct StagedWriter {
    upload: UploadWriter,
    id: Uuid,
}

impl StagedWriter {
    /// Adds rows.
    ///
    /// # Errors
    /// As [`TableWriter::write`](crate::TableWriter::write).
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.upload.write(batch)
    }

    /// About what the rows that are not in the file yet take in memory.
    pub fn held_bytes(&self) -> u64 {
        self.upload.held_bytes()
    }

    /// Puts all rows into the file, in a row group that may be small: for a caller that is short of memory.
    ///
    /// # Errors
    /// What the storage says.
    pub fn flush(&mut self) -> Result<()> {
        self.upload.flush()
    }

    /// Waits until the file is durable. `None` if there were no rows: then there is no file. If `is_wanted` says in the end that
    /// nobody will publish it, it is removed.
    ///
    /// # Errors
    /// What the storage says.
    pub fn finish(self, is_wanted: impl FnOnce() -> bool) -> Result<Option<StagedFile>> {
        let Self { upload, id } = self;
        let mut upload = upload.finish()?;
        // Now it is of whoever named it, if anybody wants it.
        upload.was_sent = is_wanted();
        Ok(upload.file.as_ref().map(|file| {
            let &DataFile { rows, bytes, arrow_bytes, .. } = file;
            StagedFile { id, rows, bytes, arrow_bytes }
        }))
    }
}

impl Tables {
    /// Begins to write a data file of this name, which another worker may publish.
    ///
    /// # Errors
    /// A column that can't be stored.
    pub fn stage(&self, name: &DatasetName, id: Uuid, schema: SchemaRef) -> Result<StagedWriter> {
        let (backend, encode) = (Arc::clone(&self.backend), self.settings.encode.clone());
        let upload = UploadWriter::new(name.clone(), backend, file_name(id), schema, encode)?;
        Ok(StagedWriter { upload, id })
    }

    /// Creates a table of staged files, in this order, which is kept for this long while nobody uses it.
    ///
    /// # Errors
    /// As [`TableWriter::publish`](crate::TableWriter::publish), and [`Error::UploadExpired`] if one of the files is not there. They
    /// are removed where the table certainly was not made.
    pub fn publish_staged(
        &self,
        name: &DatasetName,
        schema: &SchemaRef,
        ttl: Duration,
        owner: Arc<str>,
        files: &[StagedFile],
    ) -> Result<Published> {
        let staged: Vec<Upload> = files.iter().map(|file| self.staged(name, schema, file)).collect();
        for (upload, file) in staged.iter().zip(files) {
            let found = self.backend.head(upload.path())?;
            if found.is_none_or(|found| found.bytes != file.bytes) {
                return Err(Error::UploadExpired { name: name.clone() });
            }
        }
        let mut schema = Arc::clone(schema);
        if has_narrow_keys(&schema) {
            let mut categories = Categories::new(&schema);
            for (upload, file) in staged.iter().zip(files) {
                let opened = self.backend.open(upload.path(), file.bytes)?;
                categories.add(&read_categories(opened, &schema)?)?;
            }
            schema = categories.widen_keys(&schema);
        }
        // One without rows has the columns, also where no worker had rows.
        let rows = self.begin_upload(name, schema)?.finish()?;
        let mut origin = Origin::call(self, None)?;
        origin.owner = Some(owner);
        let dataset = self.dataset(name);
        self.publish_with(&dataset, Write::leased(ttl), rows, staged, &origin)
    }

    /// Removes staged files that nobody publishes, if they are there.
    ///
    /// # Errors
    /// What the storage says: what is left then goes with the table's folder, or as a writer's that died.
    pub fn discard_staged(&self, name: &DatasetName, ids: &[Uuid]) -> Result<()> {
        let paths: Vec<String> = ids.iter().map(|id| data_path(name, &file_name(*id))).collect();
        Ok(self.backend.remove_all(&paths)?)
    }

    fn staged(&self, name: &DatasetName, schema: &SchemaRef, file: &StagedFile) -> Upload {
        let &StagedFile { id, rows, bytes, arrow_bytes } = file;
        let file = DataFile { name: file_name(id), rows, bytes, arrow_bytes, nan_safe: true };
        Upload::of_file(Arc::clone(&self.backend), name, Arc::clone(schema), file)
    }
}

fn file_name(id: Uuid) -> String {
    format!("{id}.parquet")
}
