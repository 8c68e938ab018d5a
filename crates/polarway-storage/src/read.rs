//! Reads a pinned version, in row order.

use std::ops::{Deref, Range};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use polarway_model::{At, DatasetName};
use polarway_parquet::{BatchReader, ReadAt, ReadOptions};

use crate::adopt::changed;
use crate::backend::{self, BackendResult, FailureKind};
use crate::conform::Conform;
use crate::error::{Error, Result};
use crate::openings::Openings;
use crate::part::Part;
use crate::snapshot::{Snapshot, SnapshotFile};
use crate::sources::Sources;
use crate::tables::Tables;
use crate::upload::Upload;

/// The most files that are open at a time in one read.
const FILES_AT_A_TIME: usize = 64;

/// Converts a batch on the threads that decode it, given the number of its first row.
pub(crate) type Make<R> = Arc<dyn Fn(RecordBatch, u64) -> Result<R> + Send + Sync>;

/// The rows of one version, in order, decoded on all cores, in bounded memory.
pub struct TableReader<T, R = RecordBatch> {
    tables: T,
    snapshot: Snapshot,
    make: Make<R>,
    reading: ReadOptions,
    sources: Sources,
    openings: Openings,
    /// Files that are read together: they share their partition values.
    groups: std::vec::IntoIter<Vec<SnapshotFile>>,
    /// Rows to pass over in what is next.
    skip: u64,
    /// The number of the first row of what is next.
    next_row: u64,
    /// The row behind the last.
    end_row: u64,
    current: Option<Group<R>>,
    failed: bool,
}

struct Group<R> {
    made: BatchReader<Result<R>>,
    files: Vec<SnapshotFile>,
}

impl Tables {
    /// Reads a version from a row on, counted from 0.
    ///
    /// # Errors
    /// [`Error::DataFileMissing`] or [`Error::VersionVacuumed`] where a file is gone,
    /// [`Error::UnreadableData`], and errors of the storage. Batches carry the same errors, and
    /// [`Error::AdoptedFileChanged`].
    pub fn read(&self, snapshot: &Snapshot, first_row: u64) -> Result<TableReader<&Self>> {
        let make = Arc::new(|batch, _| Ok(batch));
        let part = Part::from_row(snapshot, first_row);
        TableReader::open(self, snapshot, &part, make, ReadOptions::default(), Openings::default())
    }

    /// Opens a data file of a snapshot. If it is gone, the error says why.
    pub(crate) fn open_file(&self, snapshot: &Snapshot, file: &SnapshotFile) -> Result<Arc<dyn ReadAt>> {
        self.checked(snapshot, file, file.open(&*self.backend))
    }

    /// A data file that was opened, if it is the one that it should be.
    fn checked(
        &self,
        snapshot: &Snapshot,
        file: &SnapshotFile,
        opened: BackendResult<Arc<dyn ReadAt>>,
    ) -> Result<Arc<dyn ReadAt>> {
        let source = opened.map_err(|error| match error.kind {
            FailureKind::NotFound => self.why_missing(snapshot, file),
            _ => changed(&snapshot.name, &file.path, error),
        })?;
        if source.len() == file.bytes {
            return Ok(source);
        }
        self.check_unchanged(&snapshot.name, file)?;
        let detail = format!("it has {} bytes and should have {}", source.len(), file.bytes);
        let (name, path) = (snapshot.name.clone(), file.path.clone());
        Err(Error::UnreadableData { name, path, source: polarway_parquet::Error::Corrupt { detail } })
    }

    /// The error for a data file that is not there.
    pub(crate) fn why_missing(&self, snapshot: &Snapshot, file: &SnapshotFile) -> Error {
        let name = snapshot.name.clone();
        if file.adopted.is_some() {
            return Error::AdoptedFileChanged { name, path: file.path.clone() };
        }
        match self.is_condemned(snapshot, file) {
            Ok(true) => Error::VersionVacuumed { name, version: snapshot.version },
            Ok(false) => Error::DataFileMissing { name, path: file.path.clone() },
            Err(error) => error,
        }
    }

    fn is_condemned(&self, snapshot: &Snapshot, file: &SnapshotFile) -> Result<bool> {
        let dataset = self.dataset(&snapshot.name);
        let newest = dataset.log.newest(0)?.map_or(0, |commit| commit.number);
        for number in snapshot.commit + 1..=newest {
            let commit = dataset.log.read_existing(number)?;
            let condemned = commit.vacuum.as_ref().map_or(&[][..], |vacuum| &vacuum.condemned);
            if condemned.iter().any(|name| file.path.ends_with(&format!("/{name}"))) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads an upload and writes it as another one, converted to another schema.
    pub(crate) fn rewrite(
        &self,
        name: &DatasetName,
        upload: &Upload,
        schema: &SchemaRef,
        conform: &Conform,
    ) -> Result<Upload> {
        let mut writer = self.begin_upload(name, Arc::clone(schema))?;
        if let Some(file) = &upload.file {
            let source = self.backend.open(upload.path(), file.bytes)?;
            let reading = ReadOptions::default().with_workers(self.workers().clone());
            for batch in polarway_parquet::read(vec![source], &upload.schema, reading)? {
                conform.apply_in_parts(&batch?, |part| writer.write(part))?;
            }
        }
        writer.finish()
    }

    /// Loads a version whole.
    ///
    /// # Errors
    /// Those of [`snapshot`](Self::snapshot) and [`read`](Self::read).
    pub fn load(&self, name: &DatasetName, at: At) -> Result<(Arc<Snapshot>, Vec<RecordBatch>)> {
        let snapshot = self.snapshot(name, at)?;
        let batches = self.read(&snapshot, 0)?.collect::<Result<_>>()?;
        Ok((snapshot, batches))
    }
}

/// Whether two files have the same columns with the same types, and the same values in their folders' names.
fn are_read_alike(a: &SnapshotFile, b: &SnapshotFile) -> bool {
    let schemas_agree = match (&a.adopted, &b.adopted) {
        (Some(a), Some(b)) => a.schema.fields() == b.schema.fields(),
        _ => true,
    };
    schemas_agree && partition_values(a) == partition_values(b)
}

fn partition_values(file: &SnapshotFile) -> &[Option<String>] {
    file.adopted.as_ref().map_or(&[], |adopted| &adopted.partition_values)
}

impl<T: Deref<Target = Tables>, R: Send + 'static> TableReader<T, R> {
    pub(crate) fn open(
        tables: T,
        snapshot: &Snapshot,
        part: &Part,
        make: Make<R>,
        reading: ReadOptions,
        openings: Openings,
    ) -> Result<Self> {
        let openings = match openings.is_empty() {
            true => Openings::begin(&*tables.backend, snapshot, part),
            false => openings,
        };
        let reading = reading.with_workers(tables.workers().clone());
        let Range { start: first_row, end: end_row } = part.rows;
        let mut skip = first_row;
        let mut groups: Vec<Vec<SnapshotFile>> = Vec::new();
        let mut row = 0;
        for file in &snapshot.files {
            if row >= end_row {
                break;
            }
            row += file.rows;
            if groups.is_empty() && skip >= file.rows {
                skip -= file.rows;
                continue;
            }
            let shares_group =
                |group: &Vec<SnapshotFile>| group.len() < FILES_AT_A_TIME && are_read_alike(&group[0], file);
            match groups.last_mut() {
                Some(group) if shares_group(group) => group.push(file.clone()),
                _ => groups.push(vec![file.clone()]),
            }
        }
        let mut reader = Self {
            tables,
            snapshot: snapshot.clone(),
            make,
            reading,
            sources: Sources::new(snapshot, part),
            openings,
            groups: groups.into_iter(),
            skip,
            next_row: first_row,
            end_row,
            current: None,
            failed: false,
        };
        reader.current = reader.open_next()?; // a missing file is an error at once
        Ok(reader)
    }

    fn open_next(&mut self) -> Result<Option<Group<R>>> {
        let Some(files) = self.groups.next() else { return Ok(None) };
        let mut opened = Vec::with_capacity(files.len());
        let mut next = &files[..];
        while let [file, after @ ..] = next {
            let source = self.openings.open(&*self.tables.backend, file, after);
            opened.push(self.tables.checked(&self.snapshot, file, source)?);
            next = after;
        }
        let skip = std::mem::take(&mut self.skip);
        let first_row = self.next_row;
        let options = self
            .reading
            .clone()
            .with_first_row(skip)
            .with_end_row(skip.saturating_add(self.end_row.saturating_sub(first_row)));
        self.next_row += files.iter().map(|file| file.rows).sum::<u64>() - skip;

        let make = Arc::clone(&self.make);
        let values = partition_values(&files[0]).to_vec();
        let sources = self.sources.clone();
        let table_schema = Arc::clone(sources.in_files());
        let (file_schema, conform) = match sources.in_adopted(&files[0]) {
            Some(own) => {
                let name = &self.snapshot.name;
                let conform = self.tables.conform_to(name, &files[0], &own, &table_schema)?;
                (if conform.is_some() { own } else { table_schema }, conform)
            }
            None => (table_schema, None),
        };
        let make_in_group = move |batch: RecordBatch, row| {
            let batch = match &conform {
                Some(conform) => conform.apply_whole(&batch)?,
                None => batch,
            };
            make(sources.gather(batch, &values)?, first_row + (row - skip))
        };
        let made = polarway_parquet::read_map(opened, &file_schema, options, make_in_group)
            .map_err(|source| self.unreadable(&files, source))?;
        Ok(Some(Group { made, files }))
    }

    fn unreadable(&self, files: &[SnapshotFile], source: polarway_parquet::Error) -> Error {
        // If a file was overwritten while it was read, that is the error, and not what was read.
        for file in files {
            if let Err(changed) = self.tables.check_unchanged(&self.snapshot.name, file) {
                return changed;
            }
        }
        let name = self.snapshot.name.clone();
        // It may have become again what it was meanwhile.
        if let Some(file) = files.iter().find(|file| file.adopted.is_some())
            && is_of_change(&source)
        {
            return Error::AdoptedFileChanged { name, path: file.path.clone() };
        }
        match source {
            polarway_parquet::Error::InFile { index, source } if index < files.len() => {
                Error::UnreadableData { name, path: files[index].path.clone(), source: *source }
            }
            source => Error::UnreadableData { path: name.to_string(), name, source },
        }
    }

    fn advance(&mut self) -> Result<Option<R>> {
        loop {
            let Some(group) = &mut self.current else { return Ok(None) };
            match group.made.next() {
                Some(Ok(made)) => return made.map(Some),
                Some(Err(source)) => {
                    let files = group.files.clone();
                    return Err(self.unreadable(&files, source));
                }
                None => {
                    for file in &group.files {
                        self.tables.check_unchanged(&self.snapshot.name, file)?;
                    }
                    self.current = self.open_next()?;
                }
            }
        }
    }
}

impl<T: Deref<Target = Tables>, R: Send + 'static> Iterator for TableReader<T, R> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let made = self.advance().transpose();
        self.failed = matches!(made, Some(Err(_)));
        made
    }
}

/// Whether a file could not be read because it had changed since it was pinned.
fn is_of_change(error: &polarway_parquet::Error) -> bool {
    match error {
        polarway_parquet::Error::InFile { source, .. } => is_of_change(source),
        polarway_parquet::Error::Read(error) => backend::is_of_change(error),
        _ => false,
    }
}
