//! Adopted files: Parquet files that Polarway did not write and never changes.
//!
//! A file `x.parquet`, or a folder `x/` of Parquet files, is the dataset `x` at version 0 until
//! something is stored under that name, and stays readable as version 0 afterwards.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};
use lru::LruCache;
use parking_lot::Mutex;
use polarway_parquet::FileReader;
use uuid::Uuid;

use crate::backend::{FileMeta, join};
use crate::commit::DataFile;
use crate::error::{Error, Result};
use crate::foreign::format_of;
use crate::name::DatasetName;
use crate::partition::{column_field, parse_folder};
use crate::snapshot::{AdoptedFile, Snapshot, SnapshotFile};
use crate::tables::Tables;
use crate::upload::Upload;

/// Files whose footer is remembered.
const REMEMBERED_FOOTERS: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// Folders deeper than this are not looked into.
const MOST_PARTITION_COLUMNS: usize = 16;

/// The footers of adopted files, as far as they were read.
#[derive(Debug)]
pub(crate) struct Footers {
    known: Mutex<LruCache<(String, String), Footer>>,
}

#[derive(Clone, Debug)]
struct Footer {
    schema: SchemaRef,
    rows: u64,
    arrow_bytes: u64,
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
    /// The dataset that adopted files of this name make, or `None` where there are none.
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
            if entry.name.starts_with(['_', '.']) {
                continue; // Polarway's own, and what other writers keep beside their data
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
        let first = self.footer(name, &found[0])?;
        let partition_names: Vec<&String> = found[0].partitions.iter().map(|(column, _)| column).collect();
        let (mut rows, mut bytes, mut arrow_bytes, mut time_us) = (0, 0, 0, i64::MIN);
        let mut files = Vec::with_capacity(found.len());
        let mut identity = String::new();
        for file in &found {
            let footer = self.footer(name, file)?;
            if footer.schema.fields() != first.schema.fields() {
                let [a, b] = [&found[0], file].map(|file| &file.path);
                return Err(differ(format!(
                    "{a:?} and {b:?} differ in {}",
                    difference(&first.schema, &footer.schema)
                )));
            }
            if !file.partitions.iter().map(|(column, _)| column).eq(partition_names.iter().copied()) {
                return Err(differ(format!(
                    "{:?} lies under other partition columns than {:?}",
                    file.path, found[0].path
                )));
            }
            rows += footer.rows;
            bytes += file.meta.bytes;
            arrow_bytes += footer.arrow_bytes;
            time_us = time_us.max(file.meta.modified_us);
            identity.extend([&file.path, "\n", &file.meta.identity, "\n"]);
            let adopted = AdoptedFile {
                identity: file.meta.identity.clone(),
                partition_values: file.partitions.iter().map(|(_, value)| value.clone()).collect(),
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
                let values: Vec<Option<&str>> =
                    found.iter().map(|file| file.partitions[place].1.as_deref()).collect();
                column_field(column, &values)
            })
            .collect();
        Ok(Arc::new(Snapshot {
            name: name.clone(),
            version: 0,
            commit: 0,
            uuid: Uuid::new_v5(&Uuid::NAMESPACE_URL, identity.as_bytes()),
            kind: None,
            time_us,
            schema: with_partitions(name, &first.schema, &partitions)?,
            rows,
            bytes,
            arrow_bytes,
            files,
            lease: None,
            partition_columns: partitions.len(),
        }))
    }

    fn footer(&self, name: &DatasetName, file: &Found) -> Result<Footer> {
        let key = (file.path.clone(), file.meta.identity.clone());
        if let Some(footer) = self.footers.known.lock().get(&key) {
            return Ok(footer.clone());
        }
        let unreadable =
            |source| Error::UnreadableData { name: name.clone(), path: file.path.clone(), source };
        let reader = FileReader::open(self.backend.open(&file.path)?)
            .and_then(FileReader::with_fitting_times)
            .map_err(unreadable)?;
        let footer = Footer {
            schema: Arc::clone(reader.schema()),
            rows: reader.rows(),
            // Dictionaries make a file small and not the table: it has so many values at least.
            arrow_bytes: reader
                .uncompressed_bytes()
                .max(reader.rows().saturating_mul(row_bytes(reader.schema()))),
        };
        self.footers.known.lock().put(key, footer.clone());
        Ok(footer)
    }

    /// Copies adopted files into the dataset's data folder, for the first append to stand on.
    pub(crate) fn take_in(&self, adopted: &Snapshot) -> Result<Vec<Upload>> {
        if adopted.partition_columns > 0 {
            // The partition columns must be in the files: the table is written anew.
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
            self.backend.copy_data(&file.path, upload.path())?;
            self.check_unchanged(&adopted.name, file)?;
            copies.push(upload);
        }
        Ok(copies)
    }

    /// Makes sure that an adopted file is what it was when its snapshot was taken.
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

/// What a row may take as Arrow, in bytes; for texts and nested values a guess.
fn row_bytes(schema: &Schema) -> u64 {
    const GUESS: usize = 32;
    let widths = schema.fields().iter().map(|field| field.data_type().primitive_width().unwrap_or(GUESS));
    widths.map(|width| width as u64).sum()
}

fn with_partitions(name: &DatasetName, files: &SchemaRef, partitions: &[Field]) -> Result<SchemaRef> {
    if partitions.is_empty() {
        return Ok(Arc::clone(files));
    }
    let mut fields: Vec<Arc<Field>> = files.fields().iter().cloned().collect();
    for partition in partitions {
        if files.fields().find(partition.name()).is_some() {
            let column = partition.name();
            let difference = format!("column {column:?} is in the files and in the folders' names");
            return Err(Error::AdoptedFilesDiffer { name: name.clone(), difference });
        }
        fields.push(Arc::new(partition.clone()));
    }
    Ok(Arc::new(Schema::new_with_metadata(fields, files.metadata().clone())))
}

/// The first difference of two schemas, in words.
fn difference(a: &Schema, b: &Schema) -> String {
    let mismatch = a.fields().iter().zip(b.fields()).find(|(a, b)| a != b);
    match mismatch {
        Some((a, b)) if a.name() == b.name() && a.data_type() == b.data_type() => {
            format!("column {:?}", a.name())
        }
        Some((a, b)) => {
            format!("column {:?} ({}) against {:?} ({})", a.name(), a.data_type(), b.name(), b.data_type())
        }
        None => format!("the number of columns: {} and {}", a.fields().len(), b.fields().len()),
    }
}
