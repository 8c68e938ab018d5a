//! A pinned version of a dataset: exact files that never change.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use polarway_model::DatasetName;
use polarway_parquet::ReadAt;
use uuid::Uuid;

use crate::backend::{Backend, BackendResult, FileToOpen, Opening};
use crate::commit::{CommitKind, data_path};
use crate::lease::Lease;

/// One version of a dataset, pinned: whatever is written meanwhile, its files stay the same.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The dataset.
    pub name: DatasetName,
    /// Its version, from 1; 0 for adopted files.
    pub version: u64,
    /// The number of the commit that names these files; 0 for adopted files.
    pub commit: u64,
    /// Differs whenever the rows or their order differ: a key for caches.
    pub uuid: Uuid,
    /// The kind of commit that made it, or `None` for adopted files.
    pub kind: Option<CommitKind>,
    /// When it was made: microseconds since 1970-01-01 UTC.
    pub time_us: i64,
    /// The table's schema, as it was stored.
    pub schema: SchemaRef,
    /// Its rows.
    pub rows: u64,
    /// The size of its files, in bytes.
    pub bytes: u64,
    /// The table's size as Arrow in memory, in bytes; for adopted files an estimate.
    pub arrow_bytes: u64,
    /// Its lease, if it is not kept for ever.
    pub lease: Option<Lease>,
    /// Who made it, where its writer said so.
    pub owner: Option<Arc<str>>,
    /// Its files, in row order.
    pub files: Vec<SnapshotFile>,
    /// The number of columns in the folders' names, and not in the files; they are the last in the schema.
    pub partition_columns: usize,
}

/// One file of a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotFile {
    /// Its path in the storage.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// Whether its statistics have no bounds for floats with a NaN. Only then may a reader for which NaN is a value skip rows by
    /// them.
    pub nan_safe: bool,
    /// Set for a file that Polarway did not write.
    pub adopted: Option<Arc<AdoptedFile>>,
}

impl SnapshotFile {
    /// Opens it in the storage that has it, as it was when the snapshot was taken.
    ///
    /// # Errors
    /// As [`Backend::open_pinned`].
    pub fn open(&self, backend: &dyn Backend) -> BackendResult<Arc<dyn ReadAt>> {
        match &self.adopted {
            Some(adopted) => backend.open_pinned(&self.path, self.bytes, &adopted.identity),
            None => backend.open(&self.path, self.bytes),
        }
    }

    /// Begins to open it, where that takes time.
    pub(crate) fn begin_to_open(&self, backend: &dyn Backend, is_read_whole: bool) -> Option<Opening> {
        backend.begin_to_open(&FileToOpen { is_read_whole, ..self.to_open() })
    }

    /// How it is opened, in the state that it had when the snapshot was taken.
    pub(crate) fn to_open(&self) -> FileToOpen<'_> {
        let identity = self.adopted.as_ref().map(|adopted| &*adopted.identity);
        FileToOpen { identity, ..FileToOpen::new(&self.path, self.bytes) }
    }
}

/// Properties of a file that Polarway did not write.
#[derive(Clone, Debug, PartialEq)]
pub struct AdoptedFile {
    /// The file's identity when the snapshot was taken. It differs when the file changes.
    pub identity: String,
    /// Differs whenever the file may have other rows, even if its identity does not show it yet.
    pub state: Uuid,
    /// The columns in the file, in its own order, with the types for reading.
    pub schema: SchemaRef,
    /// The same, with the types for readers that ignore the Arrow schema in the file.
    pub plain_schema: SchemaRef,
    /// Differs between files whose columns are stored under other names or types, or in another order.
    pub layout: u64,
    /// Whether DuckDB can't read it: then the mirror rewrites it.
    pub is_uncommon: bool,
    /// The indices of the columns that are INT96 timestamps, or contain some.
    pub int96_columns: Arc<[usize]>,
    /// The indices of the columns that are VARIANTs, or contain some.
    pub variant_columns: Arc<[usize]>,
    /// Whether the file says itself that its columns had exactly these types when they were written.
    pub has_exact_types: bool,
    /// The values in its folders' names, one for each partition column; `None` is NULL.
    pub partition_values: Vec<Option<String>>,
}

impl Snapshot {
    /// The part of the schema that is in the files.
    pub fn file_schema(&self) -> SchemaRef {
        if self.partition_columns == 0 {
            return Arc::clone(&self.schema);
        }
        let in_files = self.schema.fields().len() - self.partition_columns;
        let fields = self.schema.fields().iter().take(in_files).cloned().collect::<Vec<_>>();
        Arc::new(arrow_schema::Schema::new_with_metadata(fields, self.schema.metadata().clone()))
    }

    pub(crate) fn data_file(name: &DatasetName, file: &crate::commit::DataFile) -> SnapshotFile {
        SnapshotFile {
            path: data_path(name, &file.name),
            rows: file.rows,
            bytes: file.bytes,
            nan_safe: file.nan_safe,
            adopted: None,
        }
    }
}
