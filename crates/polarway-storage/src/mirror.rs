//! Local copies of data files for DuckDB, which reads only files.
//!
//! Data files never change, so a copy is never stale. Files on this machine's disk are read where
//! they are, adopted files through links.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::SchemaRef;
use lru::LruCache;
use parking_lot::Mutex;
use polarway_parquet::{EncodeOptions, ReadOptions, TableEncoder, Workers};
use uuid::Uuid;

use crate::backend::{Backend, BackendError, BackendResult, Outcome};
use crate::error::Result;
use crate::layout::is_data_file;
use crate::links::{Link, Links};

/// The folder in the mirror for links to adopted files.
const LINKS_FOLDER: &str = "links";

/// The number of bytes that are copied at a time.
const COPY_BYTES: usize = 8 << 20;

/// A folder of copies, bounded in bytes. The least recently used are removed first, but none that is in use.
#[derive(Debug)]
pub struct Mirror {
    backend: Arc<dyn Backend>,
    folder: PathBuf,
    capacity_bytes: u64,
    workers: Workers,
    copies: Mutex<LruCache<String, Arc<Copy>>>,
    links: Links,
}

/// A file of a storage, and what one has to know to read it.
#[derive(Clone, Copy, Debug)]
pub struct FileToRead<'f> {
    /// Its path in the storage.
    pub path: &'f str,
    /// Its length.
    pub bytes: u64,
    /// What is known of a file that Polarway did not write.
    pub adopted: Option<AdoptedState<'f>>,
}

/// What one has to know to read a file that Polarway did not write.
#[derive(Clone, Copy, Debug)]
pub struct AdoptedState<'f> {
    /// Differs whenever the file may hold other rows.
    pub state: Uuid,
    /// The values in its folders' names, one for each partition column; `None` is NULL.
    pub partition_values: &'f [Option<String>],
    /// The columns in it, if it uses what DuckDB does not read: it is written anew with these.
    pub rewritten_as: Option<&'f SchemaRef>,
}

/// A file that other programs on this machine can read.
#[derive(Clone, Debug)]
pub struct LocalFile {
    path: PathBuf,
    pin: LocalPin,
}

/// Keeps a local copy of a file, and the link to it, as long as it is held.
#[derive(Clone, Debug, Default)]
pub struct LocalPin {
    _copy: Option<Arc<Copy>>,
    _link: Option<Arc<Link>>,
}

impl LocalFile {
    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it lies, and what keeps it there; `None` for one that needs nothing.
    pub fn into_parts(self) -> (PathBuf, Option<LocalPin>) {
        let is_pinned = self.pin._copy.is_some() || self.pin._link.is_some();
        (self.path, is_pinned.then_some(self.pin))
    }
}

/// One copy. The first caller makes it while others wait.
#[derive(Debug)]
struct Copy {
    path: PathBuf,
    bytes: u64,
    is_there: Mutex<bool>,
}

impl Drop for Copy {
    fn drop(&mut self) {
        if *self.is_there.get_mut() {
            let _ = fs::remove_file(&self.path); // the folder is emptied at the next start
        }
    }
}

impl Mirror {
    /// A mirror in this folder, which it owns: copies of an earlier process are removed.
    ///
    /// # Errors
    /// The folder can't be made or emptied.
    pub fn new(
        backend: Arc<dyn Backend>,
        folder: impl Into<PathBuf>,
        capacity_bytes: u64,
    ) -> BackendResult<Self> {
        let folder = folder.into();
        let prepare = || {
            // The target of a link does not belong to the mirror.
            fs::create_dir_all(folder.join(LINKS_FOLDER))?;
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_file() && is_data_file(&entry.file_name().to_string_lossy()) {
                    fs::remove_file(entry.path())?;
                }
            }
            folder.canonicalize()
        };
        let folder = prepare().map_err(|error| {
            BackendError::of_io(
                "prepare the mirror in",
                &folder.display().to_string(),
                Outcome::NotDone,
                error,
            )
        })?;
        let links = Links::new(folder.join(LINKS_FOLDER));
        let copies = Mutex::new(LruCache::unbounded());
        Ok(Self { backend, folder, capacity_bytes, workers: Workers::default(), copies, links })
    }

    /// The same mirror, with threads to encode and decode that it shares with others.
    #[must_use]
    pub fn sharing(self, workers: Workers) -> Self {
        Self { workers, ..self }
    }

    /// The folder of the copies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file on this machine. Blocks while it is copied.
    ///
    /// # Errors
    /// Errors of the storage and the disk, and of a file that has to be rewritten.
    pub fn local(&self, file: FileToRead<'_>) -> Result<LocalFile> {
        let is_common = file.adopted.is_none_or(|adopted| adopted.rewritten_as.is_none());
        let local = match self.backend.local_path(file.path).filter(|_| is_common) {
            Some(path) => LocalFile { path, pin: LocalPin::default() },
            None => self.copied(file)?,
        };
        let Some(adopted) = file.adopted else { return Ok(local) };
        let link = self.links.link(adopted, &local.path)?;
        Ok(LocalFile { path: link.path().to_owned(), pin: LocalPin { _link: Some(link), ..local.pin } })
    }

    fn copied(&self, file: FileToRead<'_>) -> Result<LocalFile> {
        // Adopted files may change: each state has a copy of its own.
        let state = file.adopted.map(|adopted| adopted.state.to_string()).unwrap_or_default();
        let key = format!("{}\n{state}", file.path);
        let copy = self.copy_for(key, file.bytes);
        let mut is_there = copy.is_there.lock();
        if !*is_there {
            match file.adopted.and_then(|adopted| adopted.rewritten_as) {
                Some(schema) => self.write_anew(file.path, schema, &copy.path)?,
                None => self.fetch(file.path, &copy.path)?,
            }
            *is_there = true;
        }
        drop(is_there);
        Ok(LocalFile { path: copy.path.clone(), pin: LocalPin { _copy: Some(copy), _link: None } })
    }

    fn copy_for(&self, key: String, bytes: u64) -> Arc<Copy> {
        let mut copies = self.copies.lock();
        if let Some(copy) = copies.get(&key) {
            return Arc::clone(copy);
        }
        let path = self.folder.join(format!("{}.parquet", uuid::Uuid::now_v7()));
        let copy = Arc::new(Copy { path, bytes, is_there: Mutex::new(false) });
        copies.put(key, Arc::clone(&copy));
        self.make_room(&mut copies);
        copy
    }

    /// Removes unused copies until the rest fits.
    fn make_room(&self, copies: &mut LruCache<String, Arc<Copy>>) {
        let mut bytes: u64 = copies.iter().map(|(_, copy)| copy.bytes).sum();
        let oldest_first: Vec<String> = copies.iter().rev().map(|(key, _)| key.clone()).collect();
        for key in oldest_first {
            if bytes <= self.capacity_bytes {
                return;
            }
            let is_unused = copies.peek(&key).is_some_and(|copy| Arc::strong_count(copy) == 1);
            if is_unused && let Some(copy) = copies.pop(&key) {
                bytes -= copy.bytes;
            }
        }
    }

    /// Rewrites a file that DuckDB does not read as one that it reads.
    fn write_anew(&self, path: &str, schema: &SchemaRef, target: &Path) -> Result<()> {
        let source = self.backend.open(path)?;
        let failed = |error| BackendError::of_io("copy", path, Outcome::NotDone, error);
        let write = || -> Result<()> {
            let sink = io::BufWriter::new(File::create_new(target).map_err(failed)?);
            let encoding = EncodeOptions::default().with_workers(self.workers.clone());
            let reading = ReadOptions::default().with_workers(self.workers.clone());
            let mut encoder = TableEncoder::new(sink, Arc::clone(schema), encoding)?;
            for batch in polarway_parquet::read(vec![source], schema, reading)? {
                encoder.write(&batch?)?;
            }
            Ok(encoder.finish()?.0.flush().map_err(failed)?)
        };
        write().inspect_err(|_| {
            let _ = fs::remove_file(target); // half a copy is none
        })
    }

    fn fetch(&self, path: &str, target: &Path) -> BackendResult<()> {
        let source = self.backend.open(path)?;
        let copy = || -> io::Result<()> {
            let mut target = File::create_new(target)?;
            let mut offset = 0;
            while offset < source.len() {
                let length = (source.len() - offset).min(COPY_BYTES as u64);
                target.write_all(&source.read_at(offset, length as usize)?)?;
                offset += length;
            }
            Ok(())
        };
        copy().map_err(|error| {
            let _ = fs::remove_file(target); // half a copy is none
            BackendError::of_io("copy", path, Outcome::NotDone, error)
        })
    }
}
