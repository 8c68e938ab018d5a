//! Adopted files: Parquet files that Polarway did not write and never changes.
//!
//! A file `x.parquet`, or a folder `x/` of Parquet files, is the dataset `x` at version 0 until
//! something is stored under that name, and stays readable as version 0 afterwards.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};
use lru::LruCache;
use parking_lot::Mutex;
use polarway_model::DatasetName;
use polarway_parquet::FileReader;
use uuid::Uuid;

use crate::backend::{BackendError, FailureKind, FileMeta, join};
use crate::commit::DataFile;
use crate::common::common_schema;
use crate::conform::Conform;
use crate::error::{Error, Result};
use crate::foreign::format_of;
use crate::partition::{column_field, parse_folder, partition_key};
use crate::snapshot::{AdoptedFile, Snapshot, SnapshotFile};
use crate::tables::Tables;
use crate::upload::Upload;

/// The most files whose footer is kept in memory.
const REMEMBERED_FOOTERS: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// Folders deeper than this are not searched.
const MOST_PARTITION_COLUMNS: usize = 16;

/// The footers of adopted files that were read.
#[derive(Debug)]
pub(crate) struct Footers {
    known: Mutex<LruCache<(String, String), Footer>>,
}

#[derive(Clone, Debug)]
struct Footer {
    schema: SchemaRef,
    rows: u64,
    arrow_bytes: u64,
    plain_schema: SchemaRef,
    layout: u64,
    is_uncommon: bool,
    int96_columns: Arc<[usize]>,
    variant_columns: Arc<[usize]>,
    has_exact_types: bool,
}

impl Default for Footers {
    fn default() -> Self {
        Self { known: Mutex::new(LruCache::new(REMEMBERED_FOOTERS)) }
    }
}

/// A Parquet file that was found.
struct Found {
    path: String,
    meta: FileMeta,
    partitions: Vec<(String, Option<String>)>,
}

impl Tables {
    /// The dataset of the adopted files with this name, or `None` if there are none.
    pub(crate) fn adopted(&self, name: &DatasetName) -> Result<Option<Arc<Snapshot>>> {
        let mut found = Vec::new();
        let single = format!("{name}.parquet");
        match self.backend.head(&single)? {
            Some(meta) => found.push(Found { path: single, meta, partitions: Vec::new() }),
            None => self.find_files(name, name.as_str(), &mut Vec::new(), &mut found)?,
        }
        if found.is_empty() { Ok(None) } else { self.adopt(name, found).map(Some) }
    }

    fn find_files(
        &self,
        name: &DatasetName,
        folder: &str,
        partitions: &mut Vec<(String, Option<String>)>,
        found: &mut Vec<Found>,
    ) -> Result<()> {
        let entries = self.backend.list(folder)?;
        if let Some(format) = format_of(self.backend.as_ref(), folder, &entries)? {
            return Err(Error::ForeignTable { name: name.clone(), folder: folder.to_owned(), format });
        }
        for entry in entries {
            if !is_visible(&entry.name) {
                continue;
            }
            let path = join(folder, &entry.name);
            match entry.file {
                Some(meta) if entry.name.ends_with(".parquet") => {
                    found.push(Found { path, meta, partitions: partitions.clone() });
                }
                Some(_) => {}
                None => {
                    if let Some(partition) = parse_folder(&entry.name)
                        && partitions.len() < MOST_PARTITION_COLUMNS
                    {
                        partitions.push(partition);
                        self.find_files(name, &path, partitions, found)?;
                        partitions.pop();
                    }
                }
            }
        }
        Ok(())
    }

    fn adopt(&self, name: &DatasetName, found: Vec<Found>) -> Result<Arc<Snapshot>> {
        let differ = |difference: String| Error::AdoptedFilesDiffer { name: name.clone(), difference };
        let partition_names: Vec<&String> = found[0].partitions.iter().map(|(column, _)| column).collect();
        let mut common: Option<SchemaRef> = None;
        let (mut rows, mut bytes, mut arrow_bytes, mut time_us) = (0, 0, 0, i64::MIN);
        let mut files: Vec<SnapshotFile> = Vec::with_capacity(found.len());
        let mut states = Vec::with_capacity(16 * found.len());
        for file in &found {
            let footer = self.footer(name, file)?;
            // Files with equal schemas share one.
            let before = files.last().and_then(|file| file.adopted.as_ref()).map(|before| &before.schema);
            let schema = match before {
                Some(before) if before.fields() == footer.schema.fields() => Arc::clone(before),
                _ => {
                    common = Some(match common {
                        None => Arc::clone(&footer.schema),
                        Some(common) if common.fields() == footer.schema.fields() => common,
                        Some(common) => {
                            Arc::new(common_schema(&common, &footer.schema).map_err(|difference| {
                                let [a, b] = [&found[0], file].map(|file| &file.path);
                                differ(format!("{a:?} and {b:?} differ in {difference}"))
                            })?)
                        }
                    });
                    footer.schema
                }
            };
            let partition_values = values_of(&file.partitions, &partition_names).ok_or_else(|| {
                differ(format!("{:?} lies under other partition columns than {:?}", file.path, found[0].path))
            })?;
            rows += footer.rows;
            bytes += file.meta.bytes;
            arrow_bytes += footer.arrow_bytes;
            time_us = time_us.max(file.meta.modified_us);
            let state = self.state_of(file);
            states.extend(state.into_bytes());
            let adopted = AdoptedFile {
                identity: file.meta.identity.clone(),
                state,
                schema,
                plain_schema: footer.plain_schema,
                layout: footer.layout,
                is_uncommon: footer.is_uncommon,
                int96_columns: footer.int96_columns,
                variant_columns: footer.variant_columns,
                has_exact_types: footer.has_exact_types,
                partition_values,
            };
            files.push(SnapshotFile {
                path: file.path.clone(),
                rows: footer.rows,
                bytes: file.meta.bytes,
                nan_safe: false,
                adopted: Some(Arc::new(adopted)),
            });
        }
        let partitions: Vec<Field> = partition_names
            .iter()
            .enumerate()
            .map(|(place, column)| {
                let values = files.iter().filter_map(|file| file.adopted.as_ref());
                let values: Vec<Option<&str>> =
                    values.map(|file| file.partition_values[place].as_deref()).collect();
                column_field(column, &values)
            })
            .collect();
        let common = common.unwrap_or_else(|| Arc::new(Schema::empty()));
        for file in &files {
            if let Some(adopted) = &file.adopted {
                self.conform_to(name, file, &adopted.schema, &common)?;
            }
        }
        Ok(Arc::new(Snapshot {
            name: name.clone(),
            version: 0,
            commit: 0,
            uuid: Uuid::new_v5(&Uuid::NAMESPACE_URL, &states),
            kind: None,
            time_us,
            schema: with_partitions(name, &common, &partitions)?,
            rows,
            bytes,
            arrow_bytes,
            files,
            lease: None,
            owner: None,
            partition_columns: partitions.len(),
        }))
    }

    /// Identifies a file for caches: its path and identity, if the identity shows every change.
    fn state_of(&self, file: &Found) -> Uuid {
        if !file.meta.is_settled {
            return self.ids.fresh();
        }
        let state = format!("{}\n{}", file.path, file.meta.identity);
        Uuid::new_v5(&Uuid::NAMESPACE_URL, state.as_bytes())
    }

    /// How to convert these columns of a file to those of its table; `None` if they are equal.
    ///
    /// # Errors
    /// [`Error::AdoptedFilesDiffer`].
    pub(crate) fn conform_to(
        &self,
        name: &DatasetName,
        file: &SnapshotFile,
        columns: &SchemaRef,
        table: &SchemaRef,
    ) -> Result<Option<Conform>> {
        if columns.fields() == table.fields() {
            return Ok(None);
        }
        Conform::new(name, columns, table).map(Some).map_err(|error| match error {
            Error::SchemaMismatch { name, differences } => {
                let difference =
                    format!("{:?} differs from the others: {}", file.path, differences.join("; "));
                Error::AdoptedFilesDiffer { name, difference }
            }
            error => error,
        })
    }

    fn footer(&self, name: &DatasetName, file: &Found) -> Result<Footer> {
        let key = (file.path.clone(), file.meta.identity.clone());
        if let Some(footer) = self.footers.known.lock().get(&key) {
            return Ok(footer.clone());
        }
        let unreadable =
            |source| Error::UnreadableData { name: name.clone(), path: file.path.clone(), source };
        let source = self.backend.open_pinned(&file.path, file.meta.bytes, &file.meta.identity);
        let reader = FileReader::open(source.map_err(|error| changed(name, &file.path, error))?)
            .and_then(FileReader::with_fitting_times)
            .map_err(unreadable)?;
        let footer = Footer {
            schema: Arc::clone(reader.schema()),
            rows: reader.rows(),
            // Dictionaries make the file small, but not the table: it has at least this many values.
            arrow_bytes: reader
                .uncompressed_bytes()
                .max(reader.rows().saturating_mul(row_bytes(reader.schema()))),
            plain_schema: reader.plain_schema(),
            layout: reader.layout(),
            is_uncommon: reader.is_uncommon(),
            int96_columns: reader.int96_columns().into(),
            variant_columns: reader.variant_columns().into(),
            has_exact_types: reader.has_written_schema(),
        };
        if file.meta.is_settled {
            self.footers.known.lock().put(key, footer.clone());
        }
        Ok(footer)
    }

    /// Copies adopted files into the dataset's data folder, before the first append.
    pub(crate) fn take_in(&self, adopted: &Snapshot) -> Result<Vec<Upload>> {
        // Files of a dataset have all of its columns, with exactly its types: other files are rewritten.
        let can_be_copied = |file: &SnapshotFile| {
            file.adopted.as_ref().is_some_and(|file| {
                file.has_exact_types && !file.is_uncommon && file.schema.fields() == adopted.schema.fields()
            })
        };
        if !adopted.files.iter().all(can_be_copied) {
            let mut writer = self.begin_upload(&adopted.name, Arc::clone(&adopted.schema))?;
            for batch in self.read(adopted, 0)? {
                writer.write(&batch?)?;
            }
            return Ok(vec![writer.finish()?]);
        }
        let mut copies = Vec::with_capacity(adopted.files.len());
        for file in &adopted.files {
            let share = adopted.arrow_bytes / adopted.files.len() as u64;
            let copy = DataFile {
                name: self.fresh_file_name(),
                rows: file.rows,
                bytes: file.bytes,
                arrow_bytes: share,
                nan_safe: false,
            };
            let upload =
                Upload::of_file(Arc::clone(&self.backend), &adopted.name, Arc::clone(&adopted.schema), copy);
            let copied = self.backend.copy_pinned(&file.to_open(), upload.path());
            copied.map_err(|error| changed(&adopted.name, &file.path, error))?;
            self.check_unchanged(&adopted.name, file)?;
            copies.push(upload);
        }
        Ok(copies)
    }

    /// Checks that an adopted file has not changed since its snapshot was taken.
    ///
    /// # Errors
    /// [`Error::AdoptedFileChanged`].
    pub fn check_unchanged(&self, name: &DatasetName, file: &SnapshotFile) -> Result<()> {
        let Some(adopted) = &file.adopted else { return Ok(()) };
        match self.backend.head(&file.path)? {
            Some(meta) if meta.identity == adopted.identity => Ok(()),
            _ => Err(Error::AdoptedFileChanged { name: name.clone(), path: file.path.clone() }),
        }
    }
}

/// The error for an adopted file that could not be opened.
pub(crate) fn changed(name: &DatasetName, path: &str, error: BackendError) -> Error {
    match error.kind {
        FailureKind::Changed => Error::AdoptedFileChanged { name: name.clone(), path: path.to_owned() },
        _ => error.into(),
    }
}

/// The estimated size of a row as Arrow, in bytes.
fn row_bytes(schema: &Schema) -> u64 {
    const GUESS: usize = 32;
    let widths = schema.fields().iter().map(|field| field.data_type().primitive_width().unwrap_or(GUESS));
    widths.map(|width| width as u64).sum()
}

fn with_partitions(name: &DatasetName, files: &SchemaRef, partitions: &[Field]) -> Result<SchemaRef> {
    if partitions.is_empty() {
        return Ok(Arc::clone(files));
    }
    let differ = |difference: String| Error::AdoptedFilesDiffer { name: name.clone(), difference };
    let mut fields: Vec<Arc<Field>> = files.fields().iter().cloned().collect();
    for (place, partition) in partitions.iter().enumerate() {
        let column = partition.name();
        if files.fields().find(column).is_some() {
            return Err(differ(format!("column {column:?} is in the files and in the folders' names")));
        }
        if partitions[..place].iter().any(|earlier| earlier.name() == column) {
            return Err(differ(format!("column {column:?} stands twice in the folders' names")));
        }
        if let Some((_, taken)) = files.fields().find(&partition_key(place)) {
            return Err(differ(format!("column {:?} has a name that Polarway uses itself", taken.name())));
        }
        fields.push(Arc::new(partition.clone()));
    }
    Ok(Arc::new(Schema::new_with_metadata(fields, files.metadata().clone())))
}

/// A file's values for the partition columns, which its folders have in any order.
fn values_of(partitions: &[(String, Option<String>)], columns: &[&String]) -> Option<Vec<Option<String>>> {
    let value = |column: &&String| partitions.iter().find(|(name, _)| name == *column);
    let values: Option<Vec<_>> = columns.iter().map(|column| Some(value(column)?.1.clone())).collect();
    values.filter(|values| values.len() == partitions.len())
}

/// Whether a name can be that of a table's file or folder. Others are Polarway's own, and metadata of other writers.
pub(crate) fn is_visible(name: &str) -> bool {
    !name.starts_with(['_', '.'])
}
