//! Writing a table: check early, upload, publish.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use polarway_model::{DatasetName, Published, WriteMode, WriteOptions};

use crate::change::{Conclusion, Origin};
use crate::conform::Conform;
use crate::error::{Error, Result};
use crate::tables::{Dataset, Tables};
use crate::upload::UploadWriter;

/// A write, as the storage takes it.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    pub(crate) options: WriteOptions,
    /// The table is kept for this long while nobody uses it, see [`Tables::renew`].
    pub(crate) ttl: Option<Duration>,
}

impl Write {
    /// Creates a table that is kept for this long while nobody uses it.
    pub fn leased(ttl: Duration) -> Self {
        Self { options: WriteOptions::new(WriteMode::Create), ttl: Some(ttl) }
    }
}

impl From<WriteOptions> for Write {
    fn from(options: WriteOptions) -> Self {
        Self { options, ttl: None }
    }
}

/// Takes one table's rows and publishes them as a new version.
///
/// Dropped before [`publish`](Self::publish), it leaves the dataset as it was and nothing behind.
pub struct TableWriter<T> {
    tables: T,
    dataset: Arc<Dataset>,
    write: Write,
    state: State,
    origin: Origin,
    /// The most bytes that the rows may take in the storage.
    most_bytes: u64,
}

enum State {
    /// The request was carried out before: the rows are taken and dropped.
    Done(Published),
    Uploading {
        upload: Box<UploadWriter>,
        conform: Option<Conform>,
    },
    /// A batch was refused: the rows so far are not the whole table.
    Failed,
}

impl Tables {
    /// Begins to write a table with this schema.
    ///
    /// What can be refused before the rows have come is refused here.
    ///
    /// # Errors
    /// A column that can't be stored ([`Error::Table`]), [`Error::AlreadyExists`],
    /// [`Error::VersionConflict`], for an append [`Error::UnknownDataset`] and
    /// [`Error::SchemaMismatch`], [`Error::RequestExpired`], and what the storage says.
    pub fn writer(
        &self,
        name: &DatasetName,
        schema: SchemaRef,
        write: impl Into<Write>,
    ) -> Result<TableWriter<&Self>> {
        TableWriter::begin(self, name, schema, write.into())
    }

    /// As [`writer`](Self::writer), for a writer that is kept for longer than a borrow lasts.
    ///
    /// # Errors
    /// As [`writer`](Self::writer).
    pub fn shared_writer(
        self: &Arc<Self>,
        name: &DatasetName,
        schema: SchemaRef,
        write: impl Into<Write>,
    ) -> Result<TableWriter<Arc<Self>>> {
        TableWriter::begin(Arc::clone(self), name, schema, write.into())
    }

    pub(crate) fn begin_upload(&self, name: &DatasetName, schema: SchemaRef) -> Result<UploadWriter> {
        let backend = Arc::clone(&self.backend);
        UploadWriter::new(name.clone(), backend, self.fresh_file_name(), schema, self.settings.encode.clone())
    }

    pub(crate) fn fresh_file_name(&self) -> String {
        format!("{}.parquet", self.ids.fresh())
    }
}

impl<T: Deref<Target = Tables>> TableWriter<T> {
    fn begin(tables: T, name: &DatasetName, schema: SchemaRef, write: Write) -> Result<Self> {
        let origin = Origin::call(&tables, write.options.request)?;
        let dataset = tables.dataset(name);
        let newest = dataset.log.newest(0)?;
        let origin = origin.begun_at(newest.as_ref().map_or(0, |commit| commit.number));
        let state = match tables.done_before(&dataset, origin.request, newest.as_deref())? {
            Some(done) => State::Done(Conclusion::DoneBefore(done).published(name)),
            None => {
                let present = tables.check(&dataset, &write, newest.as_deref())?;
                let (schema, conform) = match present {
                    Some(present) if write.options.mode == WriteMode::Append => {
                        let conform = Conform::new(name, &schema, &present.schema)?;
                        (Arc::clone(&present.schema), Some(conform))
                    }
                    _ => (schema, None),
                };
                State::Uploading { upload: Box::new(tables.begin_upload(name, schema)?), conform }
            }
        };
        Ok(Self { tables, dataset, write, state, origin, most_bytes: u64::MAX })
    }

    /// Writes down who makes the table.
    #[must_use]
    pub fn owned_by(mut self, owner: Arc<str>) -> Self {
        self.origin.owner = Some(owner);
        self
    }

    /// The most bytes that the rows may take in the storage: beyond it the table is refused with [`Error::TooLarge`], while it is
    /// written or when it is published.
    #[must_use]
    pub fn at_most(self, bytes: u64) -> Self {
        Self { most_bytes: bytes, ..self }
    }

    /// The schema in which the rows are stored: for an append, the dataset's.
    pub fn stored_schema(&self) -> Option<&SchemaRef> {
        match &self.state {
            State::Done(_) | State::Failed => None,
            State::Uploading { upload, .. } => Some(upload.schema()),
        }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// A batch of another schema, a cell over the limit, and what the storage says. The table
    /// can't be published after an error.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let written = match &mut self.state {
            State::Done(_) => Ok(()),
            State::Uploading { upload, conform: None } => upload.write(batch),
            State::Uploading { upload, conform: Some(conform) } => {
                conform.apply_in_parts(batch, |part| upload.write(part))
            }
            State::Failed => Err(failed_before()),
        };
        let written = written.and_then(|()| match &self.state {
            State::Uploading { upload, .. } => check_size(upload.file_bytes(), self.most_bytes),
            State::Done(_) | State::Failed => Ok(()),
        });
        if written.is_err() {
            self.state = State::Failed;
        }
        written
    }

    /// About what the rows that are not in the data file yet take in memory.
    pub fn held_bytes(&self) -> u64 {
        match &self.state {
            State::Uploading { upload, .. } => upload.held_bytes(),
            State::Done(_) | State::Failed => 0,
        }
    }

    /// Puts all rows into the data file, in a row group that may be small: for a caller that is short of memory.
    ///
    /// # Errors
    /// What the storage says. The table can't be published after an error.
    pub fn flush(&mut self) -> Result<()> {
        let State::Uploading { upload, .. } = &mut self.state else { return Ok(()) };
        let flushed = upload.flush();
        if flushed.is_err() {
            self.state = State::Failed;
        }
        flushed
    }

    /// Waits until the rows are durable, and makes them the dataset's next version.
    ///
    /// When it returns, the version is on stable storage. When it fails with
    /// [`Error::OutcomeUnknown`] the version may be there, or appear yet; after any other error
    /// the dataset is as it was.
    ///
    /// # Errors
    /// Those of [`Tables::writer`], as another writer may have come first.
    pub fn publish(self) -> Result<Published> {
        let Self { tables, dataset, write, state, origin, most_bytes } = self;
        match state {
            State::Done(published) => Ok(published),
            State::Failed => Err(failed_before()),
            State::Uploading { upload, .. } => {
                let upload = upload.finish()?;
                check_size(upload.file.as_ref().map_or(0, |file| file.bytes), most_bytes)?;
                tables.publish(&dataset, write, upload, &origin)
            }
        }
    }
}

fn check_size(bytes: u64, most_bytes: u64) -> Result<()> {
    if bytes > most_bytes { Err(Error::TooLarge { most_bytes }) } else { Ok(()) }
}

fn failed_before() -> Error {
    polarway_parquet::Error::EncoderFailed.into()
}
