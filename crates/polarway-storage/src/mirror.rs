//! Paths and URLs under which DuckDB reads data files.
//!
//! Files on this machine's disk are read where they are, adopted ones through links. Files that are in no directory are read by
//! ranges. What DuckDB does not read at all is written anew, into a local copy.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::SchemaRef;
use lru::LruCache;
use parking_lot::Mutex;
use polarway_parquet::{EncodeOptions, ReadAt, ReadOptions, TableEncoder, Workers};
use uuid::Uuid;

use crate::backend::{Backend, BackendError, BackendResult, Operation, Outcome};
use crate::error::Result;
use crate::layout::is_data_file;
use crate::links::{Link, Links};
use crate::partition::linked_folder;
use crate::ranges::{RangeCache, RangeFile};

/// The folder in the mirror for links to adopted files.
const LINKS_FOLDER: &str = "links";

/// The files of a storage for DuckDB. Copies are in a folder, bounded in bytes: the least recently used are removed first, but none
/// that is in use.
#[derive(Debug)]
pub struct Mirror {
    places: Places,
    folder: PathBuf,
    capacity_bytes: u64,
    workers: Workers,
    copies: Mutex<LruCache<String, Arc<Copy>>>,
    links: Links,
}

/// Where DuckDB reads the files of a storage that need no copy and no link: those that Polarway wrote.
#[derive(Clone, Debug)]
pub struct Places {
    backend: Arc<dyn Backend>,
    ranges: RangeCache,
    /// Other storages may have files with the same names.
    namespace: Uuid,
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

impl FileToRead<'_> {
    fn open(&self, backend: &dyn Backend) -> BackendResult<Arc<dyn ReadAt>> {
        match self.adopted {
            Some(adopted) => backend.open_pinned(self.path, self.bytes, adopted.identity),
            None => backend.open(self.path, self.bytes),
        }
    }
}

/// What one has to know to read a file that Polarway did not write.
#[derive(Clone, Copy, Debug)]
pub struct AdoptedState<'f> {
    /// Differs whenever the file may hold other rows.
    pub state: Uuid,
    /// What the storage says of this state: of another one, nothing is read.
    pub identity: &'f str,
    /// The values in its folders' names, one for each partition column; `None` is NULL.
    pub partition_values: &'f [Option<String>],
    /// The columns in it, if it uses what DuckDB does not read: it is written anew with these.
    pub rewritten_as: Option<&'f SchemaRef>,
}

/// A file as DuckDB reads it.
#[derive(Clone, Debug)]
pub struct LocalFile {
    path: PathBuf,
    pin: LocalPin,
}

/// Keeps a file where it is as long as it is held: a local copy, the link to it, or a file that is read by ranges.
#[derive(Clone, Debug, Default)]
pub struct LocalPin {
    _copy: Option<Arc<Copy>>,
    _link: Option<Arc<Link>>,
    ranges: Option<Arc<RangeFile>>,
}

impl LocalFile {
    /// Its path, or its URL in the [`RangeCache`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that is read by ranges, if it is one.
    pub(crate) fn ranges(&self) -> Option<&Arc<RangeFile>> {
        self.pin.ranges.as_ref()
    }

    /// Its path or URL, and what keeps it there; `None` for one that needs nothing.
    pub fn into_parts(self) -> (PathBuf, Option<LocalPin>) {
        let LocalPin { _copy, _link, ranges } = &self.pin;
        let is_pinned = _copy.is_some() || _link.is_some() || ranges.is_some();
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

impl Places {
    /// The places of the files of this storage.
    pub fn new(backend: Arc<dyn Backend>, ranges: RangeCache) -> Self {
        Self { backend, ranges, namespace: Uuid::now_v7() }
    }

    /// Whether files are read by ranges, since they are in no directory, or in one that is far away.
    pub fn read_ranges(&self) -> bool {
        self.backend.local_path("").is_none()
    }

    /// A file as DuckDB reads it: where it is, or by ranges.
    pub fn local(&self, file: FileToRead<'_>) -> LocalFile {
        match self.backend.local_path(file.path) {
            Some(path) => LocalFile { path, pin: LocalPin::default() },
            None => self.ranged(file),
        }
    }

    /// Whether the end of a file can be read without a request to the storage: who read some of a file read its end first.
    pub fn has_at_hand(&self, file: FileToRead<'_>) -> bool {
        !self.read_ranges() || self.ranges.has_end(self.id_of(&file), file.bytes)
    }

    fn id_of(&self, file: &FileToRead<'_>) -> Uuid {
        let state = file.adopted.map(|adopted| adopted.state.to_string()).unwrap_or_default();
        Uuid::new_v5(&self.namespace, format!("{}\n{state}", file.path).as_bytes())
    }

    /// A file in a directory.
    pub(crate) fn open_here(&self, file: FileToRead<'_>) -> BackendResult<Arc<dyn ReadAt>> {
        file.open(&*self.backend)
    }

    /// A file in no directory.
    pub(crate) fn range_file(&self, file: FileToRead<'_>) -> Arc<RangeFile> {
        self.ranges.file(self.id_of(&file), &self.backend, file)
    }

    /// The same as DuckDB reads it. Its URL has the folders that its link would have.
    fn ranged(&self, file: FileToRead<'_>) -> LocalFile {
        let ranges = self.range_file(file);
        let values = file.adopted.map(|adopted| adopted.partition_values).unwrap_or_default();
        let mut url = ranges.root();
        for (place, value) in values.iter().enumerate() {
            url.push('/');
            url.push_str(&linked_folder(place, value.as_deref()));
        }
        url.push_str("/data.parquet");
        LocalFile { path: url.into(), pin: LocalPin { ranges: Some(ranges), ..LocalPin::default() } }
    }
}

impl Mirror {
    /// A mirror in this folder, which it owns: copies of an earlier process are removed.
    ///
    /// # Errors
    /// The folder can't be made or emptied.
    pub fn new(places: Places, folder: impl Into<PathBuf>, capacity_bytes: u64) -> BackendResult<Self> {
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
                Operation::PrepareMirror,
                &folder.display().to_string(),
                Outcome::NotDone,
                error,
            )
        })?;
        let links = Links::new(folder.join(LINKS_FOLDER));
        let copies = Mutex::new(LruCache::unbounded());
        Ok(Self { places, folder, capacity_bytes, workers: Workers::default(), copies, links })
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

    /// Where files are that need no copy and no link.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// A file as DuckDB reads it. Blocks while it is written anew.
    ///
    /// # Errors
    /// Errors of the storage and the disk, and of a file that has to be written anew.
    pub fn local(&self, file: FileToRead<'_>) -> Result<LocalFile> {
        let Some(adopted) = file.adopted else { return Ok(self.places.local(file)) };
        let local = match adopted.rewritten_as {
            Some(schema) => self.copied(file, adopted.state, schema)?,
            None => self.places.local(file),
        };
        if local.ranges().is_some() {
            return Ok(local);
        }
        let link = self.links.link(adopted, &local.path)?;
        Ok(LocalFile { path: link.path().to_owned(), pin: LocalPin { _link: Some(link), ..local.pin } })
    }

    fn copied(&self, file: FileToRead<'_>, state: Uuid, schema: &SchemaRef) -> Result<LocalFile> {
        // Adopted files may change: each state has a copy of its own.
        let copy = self.copy_for(format!("{}\n{state}", file.path), file.bytes);
        let mut is_there = copy.is_there.lock();
        if !*is_there {
            self.write_anew(file, schema, &copy.path)?;
            *is_there = true;
        }
        drop(is_there);
        Ok(LocalFile { path: copy.path.clone(), pin: LocalPin { _copy: Some(copy), ..LocalPin::default() } })
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
    fn write_anew(&self, file: FileToRead<'_>, schema: &SchemaRef, target: &Path) -> Result<()> {
        let source = file.open(&*self.places.backend)?;
        let failed = |error| BackendError::of_io(Operation::Copy, file.path, Outcome::NotDone, error);
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
}
