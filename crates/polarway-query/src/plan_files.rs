//! The files of one query over several workers: listed once by the worker that coordinates it, and named by their numbers from
//! then on.

use std::fmt::Debug;
use std::sync::Arc;

use polarway_model::DatasetName;

use crate::catalog::CatalogError;
use crate::executor::RemoteFile;
use crate::plan::{FileGroup, FileReference, FileStorage};

/// A data file that a query may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedFile {
    /// The storage that holds it.
    pub storage: FileStorage,
    /// The dataset or handle that it belongs to.
    pub dataset: DatasetName,
    /// The version of that dataset.
    pub version: u64,
    /// Its path in the storage: see [`is_plain_path`].
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// For a file that others wrote: what the storage says of the pinned state.
    pub identity: Option<String>,
}

/// The files of a query, each with its number: a plan names files only by these.
#[derive(Debug, Clone, Default)]
pub struct PinnedFiles {
    files: Vec<PinnedFile>,
}

impl PinnedFiles {
    /// Adds a file of a group and returns its number.
    pub fn add(&mut self, group: &FileGroup, file: &FileReference) -> usize {
        self.files.push(PinnedFile {
            storage: group.storage,
            dataset: group.dataset.clone(),
            version: group.version,
            path: file.path.clone(),
            bytes: file.bytes,
            identity: file.foreign.as_ref().map(|foreign| foreign.identity.clone()),
        });
        self.files.len() - 1
    }

    /// All of them, by number.
    #[must_use]
    pub fn all(&self) -> &[PinnedFile] {
        &self.files
    }

    /// The sum of their lengths.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Whether a path stays below its storage's root, whatever opens it: names joined by single slashes, none of them `.` or `..`, no
/// backslash and no zero byte.
#[must_use]
pub fn is_plain_path(path: &str) -> bool {
    !path.contains(['\0', '\\']) && path.split('/').all(|name| !matches!(name, "" | "." | ".."))
}

/// Opens the files of queries on this worker, through its own storages and their caches.
///
/// A worker asks it about files that another worker named. It must judge for itself whether they are data that a query may read.
pub trait PlanFiles: Debug + Send + Sync {
    /// Whether queries may read this file: it has the place of a data file of that dataset, or is a file that was adopted. It is
    /// asked for each file before a query is accepted, and does not look for the file.
    ///
    /// # Errors
    /// Why not, in words for the log of an operator.
    fn allow(&self, file: &PinnedFile) -> Result<(), String>;

    /// Opens a file that was allowed. It may block.
    ///
    /// # Errors
    /// The file is missing, or in another state than the pinned one.
    fn open(&self, file: &PinnedFile) -> Result<Arc<dyn RemoteFile>, CatalogError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_leave_its_storage_is_not_plain() {
        for path in ["flights/_polarway/data/1.parquet", "a/year=2024/x y*.parquet", "ä.parquet", "..."] {
            assert!(is_plain_path(path), "{path}");
        }
        for path in ["", "/etc/passwd", "a/../b", "..", "a//b", "a/", "./a", "a/.", "a\\..\\b", "a\0b"] {
            assert!(!is_plain_path(path), "{path}");
        }
    }
}
