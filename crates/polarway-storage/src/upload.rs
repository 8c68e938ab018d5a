//! A table that is written as Parquet for a dataset, and not published yet.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parking_lot::Mutex;
use polarway_model::DatasetName;
use polarway_parquet::{Categories, EncodeOptions, TableEncoder};

use crate::backend::{Backend, BackendError, BackendResult, DataWriter, Operation, Outcome};
use crate::commit::{DataFile, data_path};
use crate::error::{Error, Result};

/// Writes one table's rows into a data file that nobody sees before it is published.
///
/// If it is dropped before, the file is removed.
pub(crate) struct UploadWriter {
    name: DatasetName,
    backend: Arc<dyn Backend>,
    file_name: String,
    schema: SchemaRef,
    options: EncodeOptions,
    /// `None` before the first row.
    encoder: Option<TableEncoder<Sink>>,
    /// The storage's error, which is more precise than the encoder's.
    refusal: Refusal,
    /// How many bytes the file has so far.
    file_bytes: Arc<AtomicU64>,
}

/// Where a [`Sink`] puts the storage's error.
type Refusal = Arc<Mutex<Option<BackendError>>>;

/// A table that is durable and waits to be published.
#[derive(Debug)]
pub(crate) struct Upload {
    backend: Arc<dyn Backend>,
    /// With keys wide enough for its dictionaries.
    pub(crate) schema: SchemaRef,
    /// `None` when the table has no rows.
    pub(crate) file: Option<DataFile>,
    /// Its dictionary values; not known for a file that others wrote.
    pub(crate) categories: Option<Arc<Categories>>,
    path: String,
    /// Whether a commit that refers to the file may exist: then it must not be removed.
    pub(crate) was_sent: bool,
}

impl UploadWriter {
    /// Begins an upload of a table with this schema.
    ///
    /// # Errors
    /// A column that Parquet can't hold.
    pub(crate) fn new(
        name: DatasetName,
        backend: Arc<dyn Backend>,
        file_name: String,
        schema: SchemaRef,
        options: EncodeOptions,
    ) -> Result<Self> {
        polarway_parquet::check_schema(&schema).map_err(polarway_parquet::Error::from)?;
        let (refusal, file_bytes) = (Refusal::default(), Arc::default());
        Ok(Self { name, backend, file_name, schema, options, encoder: None, refusal, file_bytes })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Adds rows. A failure ends the upload.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            None => {
                let sink = Sink {
                    backend: Arc::clone(&self.backend),
                    path: self.path(),
                    writer: None,
                    refusal: Arc::clone(&self.refusal),
                    file_bytes: Arc::clone(&self.file_bytes),
                };
                let encoder = TableEncoder::new(sink, Arc::clone(&self.schema), self.options.clone())?;
                self.encoder.insert(encoder)
            }
        };
        encoder.write(batch).map_err(|error| self.refused_or(error))
    }

    /// About the memory of the rows that are not in the file yet, in bytes.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.encoder.as_ref().map_or(0, TableEncoder::held_bytes)
    }

    /// How many bytes the file has so far.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file_bytes.load(Ordering::Relaxed)
    }

    /// Writes all rows into the file. A failure ends the upload.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let flushed = self.encoder.as_mut().map_or(Ok(()), TableEncoder::flush);
        flushed.map_err(|error| self.refused_or(error))
    }

    /// Waits until the file is durable.
    pub(crate) fn finish(mut self) -> Result<Upload> {
        let path = self.path();
        let Some(encoder) = self.encoder.take() else {
            let (backend, schema) = (self.backend, self.schema);
            return Ok(Upload { backend, schema, file: None, categories: None, path, was_sent: false });
        };
        let (sink, summary) = encoder.finish().map_err(|error| self.refused_or(error))?;
        if let Some(writer) = sink.writer {
            writer.finish()?;
        }
        let file = DataFile {
            name: self.file_name,
            rows: summary.rows,
            bytes: summary.bytes,
            arrow_bytes: summary.arrow_bytes,
            nan_safe: true,
        };
        Ok(Upload {
            backend: self.backend,
            schema: summary.schema,
            file: Some(file),
            categories: Some(Arc::new(summary.categories)),
            path,
            was_sent: false,
        })
    }

    /// The storage's error, if it is why encoding failed.
    fn refused_or(&self, error: polarway_parquet::Error) -> Error {
        self.refusal.lock().take().map_or_else(|| error.into(), Error::from)
    }

    fn path(&self) -> String {
        data_path(&self.name, &self.file_name)
    }
}

/// A data file that keeps the storage's error. The file is made with the first bytes: a table without written rows holds no open
/// file.
struct Sink {
    backend: Arc<dyn Backend>,
    path: String,
    writer: Option<Box<dyn DataWriter>>,
    refusal: Refusal,
    file_bytes: Arc<AtomicU64>,
}

impl Sink {
    fn opened(&mut self) -> BackendResult<&mut Box<dyn DataWriter>> {
        match &mut self.writer {
            Some(writer) => Ok(writer),
            unopened => Ok(unopened.insert(self.backend.create_data(&self.path)?)),
        }
    }

    /// Keeps the storage's error, and returns one for the encoder.
    fn refused(&self, error: io::Error) -> io::Error {
        let kind = error.kind();
        *self.refusal.lock() =
            Some(BackendError::of_io(Operation::Write, &self.path, Outcome::NotDone, error));
        kind.into()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self.opened() {
            Ok(writer) => writer.write(bytes),
            Err(refused) => {
                *self.refusal.lock() = Some(refused);
                return Err(io::ErrorKind::Other.into());
            }
        };
        if let Ok(count) = written {
            self.file_bytes.fetch_add(count as u64, Ordering::Relaxed);
        }
        written.map_err(|error| self.refused(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.writer.as_mut().map_or(Ok(()), |writer| writer.flush());
        flushed.map_err(|error| self.refused(error))
    }
}

impl Upload {
    /// An upload of a file that is durable already.
    pub(crate) fn of_file(
        backend: Arc<dyn Backend>,
        name: &DatasetName,
        schema: SchemaRef,
        file: DataFile,
    ) -> Self {
        let path = data_path(name, &file.name);
        Self { backend, schema, file: Some(file), categories: None, path, was_sent: false }
    }

    /// The path of the file, which exists only if there are rows.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.was_sent
            && self.file.is_some()
            && let Err(error) = self.backend.remove(&self.path)
        {
            tracing::warn!(path = self.path, %error, "an upload that was given up is left to the janitor");
        }
    }
}
