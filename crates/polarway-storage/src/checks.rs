//! Checks data files against their checksums, since DuckDB does not.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;
use polarway_model::DatasetName;
use polarway_parquet::FileReader;

use crate::error::{Error, Result};

/// The most files whose progress is remembered.
const REMEMBERED_FILES: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Checks each data file against its checksums, once in a process, some of it at a time.
///
/// A published file never changes, so a part that was right once is not checked again.
#[derive(Debug)]
pub struct FileChecks {
    most_bytes: u64,
    /// The row groups of each file that were right, and whether these are all.
    known: Mutex<LruCache<PathBuf, (usize, bool)>>,
}

/// A file that DuckDB reads, with its place on this machine.
#[derive(Clone, Debug)]
pub struct FileToCheck {
    /// The dataset that it belongs to.
    name: DatasetName,
    /// Its path in the storage.
    path: String,
    /// Where the reader reads it.
    local: PathBuf,
}

impl FileChecks {
    /// One check reads about this many bytes; 0 checks nothing.
    pub fn new(most_bytes: u64) -> Self {
        Self { most_bytes, known: Mutex::new(LruCache::new(REMEMBERED_FILES)) }
    }

    /// The file of a dataset, with its path in the storage and where it is read, if a part of it is not checked yet. Files that
    /// others wrote have no checksums.
    pub fn due(&self, name: &DatasetName, path: &str, local: &Path) -> Option<FileToCheck> {
        let is_due = self.most_bytes > 0 && !self.progress(local).1;
        is_due.then(|| FileToCheck { name: name.clone(), path: path.to_owned(), local: local.to_owned() })
    }

    /// Continues where the last check of each file stopped, as far as one check may read.
    ///
    /// # Errors
    /// [`Error::UnreadableData`] with the first file that is damaged, or can't be read.
    pub fn check(&self, files: &[FileToCheck]) -> Result<()> {
        let mut left = self.most_bytes;
        for FileToCheck { name, path, local } in files {
            let (row_groups, is_whole) = self.progress(local);
            if is_whole {
                continue;
            }
            if left == 0 {
                return Ok(());
            }
            let unreadable =
                |source| Error::UnreadableData { name: name.clone(), path: path.clone(), source };
            let source = polarway_parquet::LocalFile::open(local);
            let source = source.map_err(|error| unreadable(polarway_parquet::Error::Read(error)))?;
            let reader = FileReader::open(Arc::new(source)).map_err(unreadable)?;
            let checked = reader.check(row_groups, left).map_err(unreadable)?;
            left = left.saturating_sub(checked.bytes);
            let progress = (checked.row_groups, checked.row_groups == reader.row_groups());
            self.known.lock().put(local.clone(), progress);
        }
        Ok(())
    }

    fn progress(&self, local: &Path) -> (usize, bool) {
        self.known.lock().get(local).copied().unwrap_or_default()
    }
}
