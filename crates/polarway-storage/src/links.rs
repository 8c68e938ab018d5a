//! Symbolic links through which DuckDB reads adopted files.
//!
//! DuckDB caches metadata of a file by its path and the second of its last change, expands glob characters in a path, and reads
//! values from folders' names. So each state of an adopted file has a link of its own, below folders whose names give exactly
//! the partition values that the file has.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::backend::{BackendError, BackendResult, Operation, Outcome};
use crate::mirror::AdoptedState;
use crate::partition::linked_folder;

/// The most unused links that are kept for the next query.
const MOST_LINKS: usize = 16_384;

/// A folder of links.
#[derive(Debug)]
pub(crate) struct Links {
    folder: PathBuf,
    links: Mutex<LruCache<Uuid, Arc<Link>>>,
}

/// A link, which is removed when nobody holds it.
#[derive(Debug)]
pub(crate) struct Link {
    path: PathBuf,
    /// The folder that holds only this link.
    folder: PathBuf,
}

impl Link {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder); // it does not follow links; what is left is removed at the next start
    }
}

impl Links {
    /// Links in this folder, which must exist and be empty.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, links: Mutex::new(LruCache::unbounded()) }
    }

    /// The link for this state of a file that lies at `target`.
    pub(crate) fn link(&self, adopted: AdoptedState<'_>, target: &Path) -> BackendResult<Arc<Link>> {
        let mut links = self.links.lock();
        if let Some(link) = links.get(&adopted.state) {
            return Ok(Arc::clone(link));
        }
        let link = Arc::new(self.make(adopted, target).map_err(|error| {
            BackendError::of_io(Operation::Link, &target.display().to_string(), Outcome::NotDone, error)
        })?);
        links.put(adopted.state, Arc::clone(&link));
        let surplus = links.len().saturating_sub(MOST_LINKS);
        let oldest: Vec<Uuid> = links.iter().rev().take(surplus).map(|(state, _)| *state).collect();
        let gone: Vec<_> = oldest.iter().filter_map(|state| links.pop(state)).collect();
        drop(links);
        drop(gone); // removing folders takes a moment
        Ok(link)
    }

    fn make(&self, adopted: AdoptedState<'_>, target: &Path) -> io::Result<Link> {
        // An unused link of the same state may still be being removed.
        let folder = self.folder.join(Uuid::now_v7().simple().to_string());
        let values = adopted.partition_values.iter().enumerate();
        let below: PathBuf = values.map(|(place, value)| linked_folder(place, value.as_deref())).collect();
        let path = folder.join(below).join("data.parquet");
        let link = Link { path, folder };
        fs::create_dir_all(link.path.parent().unwrap_or(&self.folder))?;
        std::os::unix::fs::symlink(target, &link.path)?;
        Ok(link)
    }
}
