//! Names for adopted files, for DuckDB to read them under.
//!
//! DuckDB keeps what it knows of a file by its path and the second of its last change, takes the characters of a glob in
//! a path for one, and guesses values out of folders' names. So each state of an adopted file has a symbolic link of its
//! own, below folders that say exactly the values that the file's own folders mean.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::backend::{BackendError, BackendResult, Outcome};
use crate::partition::linked_folder;
use crate::snapshot::AdoptedFile;

/// Links that are kept for the next query. Those in use are kept besides.
const MOST_LINKS: usize = 16_384;

/// A folder of links.
#[derive(Debug)]
pub(crate) struct Links {
    folder: PathBuf,
    links: Mutex<LruCache<Uuid, Arc<Link>>>,
}

/// A link, which goes when nobody holds it.
#[derive(Debug)]
pub(crate) struct Link {
    path: PathBuf,
    /// The folder that was made for it alone.
    folder: PathBuf,
}

impl Link {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder); // it does not follow links; the rest goes at the next start
    }
}

impl Links {
    /// Links in this folder, which is there and empty.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, links: Mutex::new(LruCache::unbounded()) }
    }

    /// The link for this state of a file that lies at `target`.
    pub(crate) fn link(&self, adopted: &AdoptedFile, target: &Path) -> BackendResult<Arc<Link>> {
        let mut links = self.links.lock();
        if let Some(link) = links.get(&adopted.state) {
            return Ok(Arc::clone(link));
        }
        let link = Arc::new(self.make(adopted, target).map_err(|error| {
            BackendError::of_io("link", &target.display().to_string(), Outcome::NotDone, error)
        })?);
        links.put(adopted.state, Arc::clone(&link));
        let surplus = links.len().saturating_sub(MOST_LINKS);
        let oldest: Vec<Uuid> = links.iter().rev().take(surplus).map(|(state, _)| *state).collect();
        let gone: Vec<_> = oldest.iter().filter_map(|state| links.pop(state)).collect();
        drop(links);
        drop(gone); // to remove folders takes a moment
        Ok(link)
    }

    fn make(&self, adopted: &AdoptedFile, target: &Path) -> io::Result<Link> {
        // A link of the same state that was let go may still be on its way out.
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
