//! Writing a table: check early, upload, publish.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use polarway_model::{DatasetName, Published, RequestId, WriteMode, WriteOptions};
use polarway_parquet::Categories;

use crate::commit::{Commit, CommitKind, DataFile, DoneRequest, FORMAT, encode_schema};
use crate::conform::Conform;
use crate::dictionaries::differ_in_keys_only;
use crate::error::{Error, Result};
use crate::lease::Lease;
use crate::log::Attempt;
use crate::retry::{check_window, next_requests};
use crate::snapshot::Snapshot;
use crate::standstill::Stretch;
use crate::tables::{Dataset, Tables};
use crate::upload::{Upload, UploadWriter};

/// A write, as the storage takes it.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    options: WriteOptions,
    /// The table is kept for this long while nobody uses it, see [`Tables::renew`].
    ttl: Option<Duration>,
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
    /// The newest commit before the upload began: a vacuum after it may have condemned the upload.
    base: u64,
    /// Since the write began, if its caller may make it again.
    stretch: Option<Stretch>,
}

enum State {
    /// The request was carried out before: the rows are taken and dropped.
    Done(Published),
    Uploading {
        upload: Box<UploadWriter>,
        conform: Option<Conform>,
    },
    /// A batch was refused: what there is, is not the table.
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

    /// Deletes a dataset: its newest version becomes its deletion, and older versions stay
    /// readable until retention removes their data. Files that were adopted stay as they are.
    ///
    /// # Errors
    /// [`Error::UnknownDataset`], [`Error::VersionConflict`], [`Error::RequestExpired`], and
    /// what the storage says.
    pub fn delete(
        &self,
        name: &DatasetName,
        request: Option<RequestId>,
        expected_version: Option<u64>,
    ) -> Result<Published> {
        let stretch = request.and_then(|_| self.standstill.begin());
        let dataset = self.dataset(name);
        if let Some(request) = request {
            check_window(request, self.clock.now_us())?;
        }
        let _turn = dataset.log.turn.lock();
        loop {
            let newest = dataset.log.newest(0)?;
            if let Some(published) = self.done_before(&dataset, request, newest.as_deref())? {
                return Ok(published);
            }
            self.check_version(name, expected_version, newest.as_deref())?;
            if self.present(name, newest.as_deref())?.is_none() {
                return Err(self.unknown(name, newest.is_some()));
            }
            let mut commit =
                self.next_commit(&dataset, newest.as_deref(), CommitKind::Delete, None, vec![], request);
            commit.lease = None;
            check_not_given_up(name, stretch.as_ref())?;
            if let Attempt::Won(commit) = dataset.log.attempt(commit)? {
                return Ok(published(name, &commit, false));
            }
        }
    }

    pub(crate) fn begin_upload(&self, name: &DatasetName, schema: SchemaRef) -> Result<UploadWriter> {
        let backend = Arc::clone(&self.backend);
        UploadWriter::new(name.clone(), backend, self.fresh_file_name(), schema, self.settings.encode.clone())
    }

    pub(crate) fn fresh_file_name(&self) -> String {
        format!("{}.parquet", self.ids.fresh())
    }

    /// The commit that carried out a request, if one did.
    fn done_before(
        &self,
        dataset: &Dataset,
        request: Option<RequestId>,
        newest: Option<&Commit>,
    ) -> Result<Option<Published>> {
        let (Some(request), Some(newest)) = (request, newest) else { return Ok(None) };
        let Some(number) = dataset.requests.find(request, &dataset.log, newest, self.clock.now_us())? else {
            return Ok(None);
        };
        // Whoever made it may have died before it was durable.
        dataset.log.settle(number)?;
        let commit = dataset.log.read_existing(number)?;
        Ok(Some(published(&dataset.name, &commit, true)))
    }

    /// What the dataset is now, adopted files included; `None` where there is nothing to read.
    fn present(&self, name: &DatasetName, newest: Option<&Commit>) -> Result<Option<Arc<Snapshot>>> {
        match newest {
            Some(commit) if commit.is_deleted() => Ok(None),
            Some(commit) => self.snapshot_of(name, commit).map(Some),
            None => self.adopted(name),
        }
    }

    fn check_version(
        &self,
        name: &DatasetName,
        expected: Option<u64>,
        newest: Option<&Commit>,
    ) -> Result<()> {
        let actual = newest.map_or(0, |commit| commit.version);
        match expected {
            Some(expected) if expected != actual => {
                Err(Error::VersionConflict { name: name.clone(), expected, actual })
            }
            _ => Ok(()),
        }
    }

    /// Checks a write against what the dataset is now, and returns that.
    fn check(
        &self,
        dataset: &Dataset,
        write: &Write,
        newest: Option<&Commit>,
    ) -> Result<Option<Arc<Snapshot>>> {
        let (name, mode) = (&dataset.name, write.options.mode);
        self.check_version(name, write.options.expected_version, newest)?;
        // An overwrite need not be able to read what it replaces.
        if mode == WriteMode::Overwrite {
            return Ok(None);
        }
        match (mode, self.present(name, newest)?) {
            (WriteMode::Create, Some(present)) => {
                Err(Error::AlreadyExists { name: name.clone(), version: present.version })
            }
            // A table that is kept while it is used is made once: one that ended stays so.
            (WriteMode::Create, None) if write.ttl.is_some() => match newest {
                Some(ended) if !ended.is_claim() => {
                    Err(Error::AlreadyExists { name: name.clone(), version: ended.version })
                }
                _ => Ok(None),
            },
            (WriteMode::Append, None) => Err(self.unknown(name, newest.is_some())),
            (_, present) => Ok(present),
        }
    }

    pub(crate) fn next_commit(
        &self,
        dataset: &Dataset,
        newest: Option<&Commit>,
        kind: CommitKind,
        schema: Option<Arc<str>>,
        files: Vec<DataFile>,
        request: Option<RequestId>,
    ) -> Commit {
        let number = newest.map_or(1, |commit| commit.number + 1);
        let (time_us, ascending_from) = dataset.log.next_time(newest);
        let uuid = self.ids.fresh();
        let makes_version = kind.makes_version();
        Commit {
            format: FORMAT,
            number,
            kind,
            version: newest.map_or(0, |commit| commit.version) + u64::from(makes_version),
            time_us,
            ascending_from,
            uuid,
            version_uuid: newest.filter(|_| !makes_version).map_or(uuid, |commit| commit.version_uuid),
            files,
            schema,
            requests: match request {
                Some(id) => next_requests(newest, DoneRequest { id, commit: number, time_us }),
                None => newest.map(|commit| commit.requests.clone()).unwrap_or_default(),
            },
            lease: newest.and_then(|commit| commit.lease),
            vacuum: None,
        }
    }
}

impl<T: Deref<Target = Tables>> TableWriter<T> {
    fn begin(tables: T, name: &DatasetName, schema: SchemaRef, write: Write) -> Result<Self> {
        let stretch = write.options.request.and_then(|_| tables.standstill.begin());
        let dataset = tables.dataset(name);
        if let Some(request) = write.options.request {
            check_window(request, tables.clock.now_us())?;
        }
        let newest = dataset.log.newest(0)?;
        let base = newest.as_ref().map_or(0, |commit| commit.number);
        let state = match tables.done_before(&dataset, write.options.request, newest.as_deref())? {
            Some(published) => State::Done(published),
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
        Ok(Self { tables, dataset, write, state, base, stretch })
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
        if written.is_err() {
            self.state = State::Failed;
        }
        written
    }

    /// What the rows that are not in the data file yet take in memory, about.
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
        let Self { tables, dataset, write, state, base, stretch } = self;
        match state {
            State::Done(published) => Ok(published),
            State::Failed => Err(failed_before()),
            State::Uploading { upload, .. } => Publication {
                tables: &tables,
                dataset: &dataset,
                write,
                upload: upload.finish()?,
                copies: Vec::new(),
                categories: None,
                base,
                stretch,
            }
            .run(),
        }
    }
}

/// An upload that looks for its place behind the newest commit.
struct Publication<'a> {
    tables: &'a Tables,
    dataset: &'a Dataset,
    write: Write,
    upload: Upload,
    /// The adopted files that a first append takes in.
    copies: Vec<Upload>,
    /// What the dictionaries of the version will hold, if that is known.
    categories: Option<Arc<Categories>>,
    /// The vacuums up to this commit are known not to have condemned the upload.
    base: u64,
    /// Since the write began, if its caller may make it again.
    stretch: Option<Stretch>,
}

impl Publication<'_> {
    fn run(mut self) -> Result<Published> {
        let name = &self.dataset.name;
        let log = &self.dataset.log;
        let _turn = log.turn.lock();
        loop {
            let newest = log.newest(0)?;
            let newest = newest.as_deref();
            if let Some(done) = self.tables.done_before(self.dataset, self.write.options.request, newest)? {
                return Ok(done);
            }
            if let Some(newest) = newest
                && let Some(done) = self.catch_up(newest.number)?
            {
                return Ok(published(name, &done, true));
            }
            let present = self.tables.check(self.dataset, &self.write, newest)?;
            let commit = match (self.write.options.mode, present) {
                (WriteMode::Append, Some(present)) => self.append_to(&present, newest)?,
                _ => {
                    self.categories = self.upload.categories.clone();
                    let files = self.upload.file.iter().cloned().collect();
                    self.next(newest, CommitKind::Overwrite, &self.upload.schema, files)
                }
            };
            check_not_given_up(name, self.stretch.as_ref())?;
            self.set_sent(true);
            match log.attempt(commit) {
                Ok(Attempt::Won(commit)) => {
                    self.check_kept(&commit)?;
                    if let Some(categories) = &self.categories {
                        self.tables.categories.remember(commit.version_uuid, categories);
                    }
                    return Ok(published(name, &commit, false));
                }
                Ok(Attempt::Lost) => self.set_sent(false),
                Err(unknown @ Error::OutcomeUnknown { .. }) => return Err(unknown),
                Err(not_done) => {
                    self.set_sent(false);
                    return Err(not_done);
                }
            }
        }
    }

    /// Of a table that is kept while it is used, commits are removed in the end. A writer that slept while all of that happened
    /// to what it had begun finds its number free and its file gone.
    fn check_kept(&self, commit: &Arc<Commit>) -> Result<()> {
        if self.write.ttl.is_none() || self.upload.file.is_none() {
            return Ok(());
        }
        if self.tables.backend.head(self.upload.path())?.is_some() {
            return Ok(());
        }
        let _ = self.dataset.log.attempt(self.tables.end(self.dataset, commit)); // without its rows it can't be read anyway
        Err(Error::UploadExpired { name: self.dataset.name.clone() })
    }

    fn set_sent(&mut self, was_sent: bool) {
        for upload in self.copies.iter_mut().chain([&mut self.upload]) {
            upload.was_sent = was_sent;
        }
    }

    fn next(
        &self,
        newest: Option<&Commit>,
        kind: CommitKind,
        schema: &SchemaRef,
        files: Vec<DataFile>,
    ) -> Commit {
        let schema = Some(encode_schema(schema));
        let mut commit =
            self.tables.next_commit(self.dataset, newest, kind, schema, files, self.write.options.request);
        if let Some(ttl) = self.write.ttl {
            // By the later of the two clocks: to no other worker may it look as if it had run out already.
            let storage_now_us =
                self.tables.storage_clock.now_us(&Tables::control_folder(&self.dataset.name));
            commit.lease = Some(Lease::starting(commit.time_us.max(storage_now_us), ttl));
        }
        commit
    }

    /// The commit that puts the upload behind the rows there are.
    fn append_to(&mut self, present: &Snapshot, newest: Option<&Commit>) -> Result<Commit> {
        if !differ_in_keys_only(&present.schema, &self.upload.schema) {
            // Another writer replaced the table meanwhile: fit the rows to what it is now.
            let conform = Conform::new(&self.dataset.name, &self.upload.schema, &present.schema)?;
            self.upload = self.tables.rewrite(&self.dataset.name, &self.upload, &present.schema, &conform)?;
        }
        let mut files = match newest {
            Some(commit) => {
                self.copies.clear(); // another writer's first append took the files in
                commit.files.clone()
            }
            None => {
                if self.copies.is_empty() {
                    self.copies = self.tables.take_in(present)?;
                }
                self.copies.iter().filter_map(|copy| copy.file.clone()).collect()
            }
        };
        files.extend(self.upload.file.clone());
        let (schema, categories) = self.tables.schema_with(present, &self.upload)?;
        self.categories = categories;
        Ok(self.next(newest, CommitKind::Append, &schema, files))
    }

    /// Looks at the commits that were made since the upload began. Where one of them is this very
    /// request, by an earlier try that was still under way then, it is the answer, however long
    /// ago. Where one condemned an uploaded file as a leftover, the file is uploaded again.
    fn catch_up(&mut self, newest: u64) -> Result<Option<Arc<Commit>>> {
        let log = &self.dataset.log;
        while self.base < newest {
            self.base += 1;
            let commit = log.read_existing(self.base)?;
            if self.write.options.request.is_some_and(|request| commit.carries_out(request)) {
                log.settle(commit.number)?;
                return Ok(Some(commit));
            }
            for upload in self.copies.iter_mut().chain([&mut self.upload]) {
                if commit.condemns(upload) {
                    *upload = self.tables.upload_again(&self.dataset.name, upload)?;
                }
            }
        }
        Ok(None)
    }
}

impl Tables {
    /// The same upload under another name, as long as its file is there.
    fn upload_again(&self, name: &DatasetName, upload: &Upload) -> Result<Upload> {
        let Some(file) = &upload.file else { return Err(Error::UploadExpired { name: name.clone() }) };
        let copy = DataFile { name: self.fresh_file_name(), ..file.clone() };
        let mut fresh = Upload::of_file(Arc::clone(&self.backend), name, Arc::clone(&upload.schema), copy);
        fresh.categories.clone_from(&upload.categories);
        match self.backend.copy_data(upload.path(), fresh.path()) {
            Ok(()) => Ok(fresh),
            Err(error) if error.kind == crate::backend::FailureKind::NotFound => {
                Err(Error::UploadExpired { name: name.clone() })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Refuses to publish what its caller may have made again elsewhere and taken the answer to.
fn check_not_given_up(name: &DatasetName, stretch: Option<&Stretch>) -> Result<()> {
    match stretch {
        Some(stretch) if stretch.was_interrupted() => Err(Error::StoodStill { name: name.clone() }),
        _ => Ok(()),
    }
}

fn failed_before() -> Error {
    polarway_parquet::Error::EncoderFailed.into()
}

fn published(name: &DatasetName, commit: &Commit, was_retry: bool) -> Published {
    Published {
        name: name.clone(),
        version: commit.version,
        rows: commit.rows(),
        bytes: commit.bytes(),
        time_us: commit.time_us,
        was_retry,
    }
}
