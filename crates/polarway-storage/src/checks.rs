//! Checks data files against their checksums, since DuckDB does not.

use std::collections::HashSet;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;
use polarway_model::DatasetName;
use polarway_parquet::FileReader;

use crate::error::{Error, Result};
use crate::mirror::LocalFile;
use crate::ranges::RangeFile;

/// The most files whose progress is remembered.
const REMEMBERED_FILES: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Checks each data file against its checksums, once in a process, some of it at a time.
///
/// A published file never changes, so a part that was right once is not checked again. Of a file that is read by ranges, what came
/// from the storage is checked.
#[derive(Debug)]
pub struct FileChecks {
    most_bytes: u64,
    /// What was right in each file.
    known: Mutex<LruCache<PathBuf, Progress>>,
}

/// What was right in a file.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// The first row groups, of a file on this machine.
    row_groups: usize,
    /// Column chunks, of a file that is read by ranges.
    chunks: Arc<HashSet<(usize, usize)>>,
    /// Whether there is nothing left to check.
    is_whole: bool,
}

/// A file that DuckDB reads, with its place.
#[derive(Clone, Debug)]
pub struct FileToCheck {
    /// The dataset that it belongs to.
    name: DatasetName,
    /// Its path in the storage.
    path: String,
    /// Where the reader reads it.
    local: PathBuf,
    ranges: Option<Arc<RangeFile>>,
}

impl FileChecks {
    /// One check reads about this many bytes; 0 checks nothing.
    pub fn new(most_bytes: u64) -> Self {
        Self { most_bytes, known: Mutex::new(LruCache::new(REMEMBERED_FILES)) }
    }

    /// The file of a dataset, with its path in the storage and where it is read, if a part of it is not checked yet. Files that
    /// others wrote have no checksums.
    pub fn due(&self, name: &DatasetName, path: &str, file: &LocalFile) -> Option<FileToCheck> {
        let is_due = self.most_bytes > 0 && !self.progress(file.path()).is_whole;
        is_due.then(|| FileToCheck {
            name: name.clone(),
            path: path.to_owned(),
            local: file.path().to_owned(),
            ranges: file.ranges().cloned(),
        })
    }

    /// Continues where the last check of each file stopped, as far as one check may read.
    ///
    /// # Errors
    /// [`Error::UnreadableData`] with the first file that is damaged, or can't be read.
    pub fn check(&self, files: &[FileToCheck]) -> Result<()> {
        let mut left = self.most_bytes;
        for file in files {
            let progress = self.progress(&file.local);
            if progress.is_whole {
                continue;
            }
            if left == 0 {
                return Ok(());
            }
            let checked = match &file.ranges {
                Some(ranges) if ranges.fetched_bytes() == 0 => continue,
                Some(ranges) => check_fetched(ranges, progress, left),
                None => check_next(&file.local, progress, left),
            };
            let (progress, bytes) = checked.map_err(|source| Error::UnreadableData {
                name: file.name.clone(),
                path: file.path.clone(),
                source,
            })?;
            left = left.saturating_sub(bytes);
            self.known.lock().put(file.local.clone(), progress);
        }
        Ok(())
    }

    fn progress(&self, local: &Path) -> Progress {
        self.known.lock().get(local).cloned().unwrap_or_default()
    }
}

/// Checks the next row groups of a file on this machine. Returns what was right, and how much was read.
fn check_next(path: &Path, progress: Progress, most_bytes: u64) -> polarway_parquet::Result<(Progress, u64)> {
    let source = polarway_parquet::LocalFile::open(path).map_err(polarway_parquet::Error::Read)?;
    let reader = FileReader::open(Arc::new(source))?;
    let checked = reader.check(progress.row_groups, most_bytes)?;
    let is_whole = checked.row_groups == reader.row_groups();
    Ok((Progress { row_groups: checked.row_groups, is_whole, ..progress }, checked.bytes))
}

/// The same for the column chunks that came from the storage and are still in the cache.
fn check_fetched(
    file: &Arc<RangeFile>,
    mut progress: Progress,
    most_bytes: u64,
) -> polarway_parquet::Result<(Progress, u64)> {
    let reader = match FileReader::open(Arc::new(file.cached())) {
        Ok(reader) => reader,
        // The footer left the cache again.
        Err(polarway_parquet::Error::Read(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((progress, 0));
        }
        Err(error) => return Err(error),
    };
    let chunks = Arc::make_mut(&mut progress.chunks);
    let bytes = reader.check_present(chunks, most_bytes)?;
    progress.is_whole = chunks.len() == reader.chunks_with_checksum();
    Ok((progress, bytes))
}
