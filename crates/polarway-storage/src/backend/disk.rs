//! A directory: acknowledged writes were synced, including the names of files.

mod removal;
mod reserve;

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use polarway_parquet::{LocalFile, ReadAt};

use reserve::Reserve;

use super::{
    Backend, BackendError, BackendResult, Created, DataWriter, Entry, FailureKind, FileMeta, Operation,
    Outcome, is_settled, split,
};
use crate::commit::CONTROL_FOLDER;
use crate::environment::micros_since_epoch;
use crate::layout::TEMPORARY_PREFIX;

/// The folder for files that get their name by a link.
const STAGING_FOLDER: &str = "staging";

/// How often a folder is made again after somebody removed it.
const FOLDER_TRIES: u32 = 100;

/// A directory of a local or network filesystem that has hard links and honours fsync.
///
/// The order of a commit: fsync the data file, fsync its folder (and, for a folder this process
/// has not used before, the folders above), write and fsync the commit under a staging name,
/// link it to its number, fsync the commits folder.
#[derive(Debug)]
pub struct DiskBackend {
    root: PathBuf,
    /// Folders whose own names are known to be on stable storage.
    settled_folders: Mutex<HashSet<PathBuf>>,
    staged: AtomicU64,
    /// Reserved space for commits that free space.
    reserve: Option<Reserve>,
    /// Whether each read waits for a network.
    is_far_away: bool,
}

impl DiskBackend {
    /// Opens a directory, and makes it if it is missing. A directory that can't be written is opened, too: its files can be
    /// read.
    ///
    /// # Errors
    /// The path is not a directory, or does not exist and can't be made.
    pub fn open(root: impl Into<PathBuf>) -> BackendResult<Self> {
        let root = root.into();
        let failed = |error| {
            BackendError::of_io(Operation::OpenFolder, &root.display().to_string(), Outcome::NotDone, error)
        };
        let existing = root.ancestors().position(|folder| folder.is_dir()).unwrap_or_default();
        if !root.is_dir() {
            fs::create_dir_all(&root).map_err(failed)?;
        }
        let root = root.canonicalize().map_err(failed)?;
        // The names of new folders must be on stable storage, and also the root's name: another
        // process may just have made it.
        for parent in root.ancestors().skip(1).take(existing.max(1)) {
            let _ = sync_folder(parent); // this process may have no right to open it
        }
        Ok(Self {
            root,
            settled_folders: Mutex::default(),
            staged: AtomicU64::new(0),
            reserve: None,
            is_far_away: false,
        })
    }

    /// Says that each read waits for a network. Other programs then get its files as those of a bucket: by ranges, through a cache.
    #[must_use]
    pub fn far_away(mut self) -> Self {
        self.is_far_away = true;
        self
    }

    /// Reserves some space in the directory, from the first commit on, so that a dataset can be deleted and its data removed on a
    /// full disk.
    #[must_use]
    pub fn with_reserve(mut self) -> Self {
        self.reserve = Some(Reserve::new(&self.root));
        self
    }

    /// The directory, as an absolute path without symbolic links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn root_name(&self) -> String {
        self.root.display().to_string()
    }

    fn full(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn fresh_name(&self, purpose: &str) -> String {
        let ordinal = self.staged.fetch_add(1, Ordering::Relaxed);
        format!(
            "{TEMPORARY_PREFIX}{purpose}-{}-{ordinal}-{}",
            std::process::id(),
            uuid::Uuid::now_v7().simple()
        )
    }

    /// Makes a folder and its parents, from the root down, and waits until all their names are on
    /// stable storage. Folders that exist already are synced once as well, since the process that
    /// made them may not have done so yet.
    fn ensure_folder(&self, folder: &str) -> io::Result<PathBuf> {
        let full = self.full(folder);
        if self.settled_folders.lock().contains(&full) {
            return Ok(full);
        }
        let mut parent = self.root.clone();
        for part in Path::new(folder) {
            let child = parent.join(part);
            match fs::create_dir(&child) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            sync_folder(&parent)?;
            parent = child;
        }
        self.settled_folders.lock().insert(full.clone());
        Ok(full)
    }

    /// Runs an operation that needs a folder, and makes the folder again if another process has
    /// removed it: empty folders are removed, even if they were made just now.
    fn in_folder<T>(&self, folder: &str, work: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
        let mut tries_left = FOLDER_TRIES;
        loop {
            tries_left -= 1;
            match self.ensure_folder(folder).and_then(|full| work(&full)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries_left > 0 => {
                    let full = self.full(folder);
                    self.settled_folders
                        .lock()
                        .retain(|settled| !settled.starts_with(&full) && !full.starts_with(settled));
                }
                other => return other,
            }
        }
    }

    fn begin_data(&self, path: &str) -> BackendResult<DiskWriter> {
        let (folder, name) = split(path);
        let create = |folder: &Path| {
            let full = folder.join(name);
            let file = OpenOptions::new().write(true).create_new(true).open(&full)?;
            Ok(DiskWriter { file, folder: folder.to_owned(), full, path: path.to_owned(), finished: false })
        };
        self.in_folder(folder, create)
            .map_err(|error| BackendError::of_io(Operation::Create, path, Outcome::NotDone, error))
    }

    /// Gives a staged file the name of its commit.
    fn publish(&self, path: &str, contents: &[u8], staged: io::Result<Staged>) -> BackendResult<Created> {
        let (folder, name) = split(path);
        let staged =
            staged.map_err(|error| BackendError::of_io(Operation::Write, path, Outcome::NotDone, error))?;
        let linked = self.in_folder(folder, |folder| {
            let target = folder.join(name);
            match fs::hard_link(&staged.0, &target) {
                Ok(()) => Ok((folder.to_owned(), Created::New)),
                // If the contents are the same, an earlier try has succeeded.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let is_ours = fs::read(&target)? == contents;
                    Ok((folder.to_owned(), if is_ours { Created::New } else { Created::Taken }))
                }
                Err(error) => Err(error),
            }
        });
        let (folder, created) = linked.map_err(|error| {
            // On a full or read-only disk there is no link; after another error there may be one.
            let failed = BackendError::of_io(Operation::Publish, path, Outcome::NotDone, error);
            let outcome = if failed.kind == FailureKind::Other { Outcome::Unknown } else { Outcome::NotDone };
            BackendError { outcome, ..failed }
        })?;
        sync_folder(&folder)
            .map_err(|error| BackendError::of_io(Operation::Publish, path, Outcome::Unknown, error))?;
        Ok(created)
    }

    /// Stages a file on a full disk, in reserved space.
    fn stage_in_need(&self, path: &str, contents: &[u8], error: io::Error) -> io::Result<Staged> {
        let Some(reserve) = self.reserve.as_ref().filter(|_| is_full(&error)) else { return Err(error) };
        let name = self.fresh_name("staged");
        self.in_folder(&staging_folder(path), |staging| {
            let staged = Staged(staging.join(&name));
            reserve.write_over(&staged.0, contents)?;
            Ok(staged)
        })
    }

    fn release_reserve(&self) -> bool {
        self.reserve.as_ref().is_some_and(Reserve::release)
    }

    /// Writes the file for `path` under a staging name.
    fn stage(&self, path: &str, contents: &[u8], durable: bool) -> io::Result<Staged> {
        let name = self.fresh_name("staged");
        self.in_folder(&staging_folder(path), |staging| {
            let staged = Staged(staging.join(&name));
            let mut file = File::create_new(&staged.0)?;
            file.write_all(contents)?;
            if durable {
                file.sync_all()?;
            }
            Ok(staged)
        })
    }
}

/// The staging name for a path: in the dataset's control folder, which holds only Polarway's files.
fn staging_folder(path: &str) -> String {
    match path.rsplit_once(&format!("/{CONTROL_FOLDER}/")) {
        Some((dataset, _)) => format!("{dataset}/{CONTROL_FOLDER}/{STAGING_FOLDER}"),
        None => super::join(split(path).0, STAGING_FOLDER),
    }
}

/// A staged file; its name is removed when this is dropped.
struct Staged(PathBuf);

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0); // a leftover is the janitor's to find
    }
}

impl Backend for DiskBackend {
    fn get(&self, path: &str) -> BackendResult<Option<Bytes>> {
        match fs::read(self.full(path)) {
            Ok(contents) => Ok(Some(contents.into())),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(BackendError::of_io(Operation::Read, path, Outcome::NotDone, error)),
        }
    }

    fn head(&self, path: &str) -> BackendResult<Option<FileMeta>> {
        match fs::metadata(self.full(path)) {
            Ok(meta) if meta.is_file() => Ok(Some(file_meta(&meta))),
            Ok(_) => Ok(None),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(BackendError::of_io(Operation::LookAt, path, Outcome::NotDone, error)),
        }
    }

    fn list(&self, folder: &str) -> BackendResult<Vec<Entry>> {
        let list = || -> io::Result<Vec<Entry>> {
            let mut entries = Vec::new();
            for entry in fs::read_dir(self.full(folder))? {
                let entry = entry?;
                // A name that is not UTF-8 is not ours, and can't be a path here.
                let Ok(name) = entry.file_name().into_string() else { continue };
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    entries.push(Entry { name, file: None });
                    continue; // told by the folder itself, so that a folder of thousands of folders is one question
                }
                // Follows symbolic links: a link to a file is that file.
                match fs::metadata(entry.path()) {
                    Ok(meta) => {
                        entries.push(Entry { name, file: meta.is_file().then(|| file_meta(&meta)) });
                    }
                    Err(error) if is_absent(&error) => {} // just removed, or a link to nothing
                    // What lies in the root stands for itself: whoever looks into it is told why that can't be.
                    Err(_) if folder.is_empty() => entries.push(Entry { name, file: None }),
                    Err(error) => return Err(error),
                }
            }
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(entries)
        };
        match list() {
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            other => {
                other.map_err(|error| BackendError::of_io(Operation::List, folder, Outcome::NotDone, error))
            }
        }
    }

    fn open(&self, path: &str, _bytes: u64) -> BackendResult<Arc<dyn ReadAt>> {
        let open = || LocalFile::new(File::open(self.full(path))?);
        match open() {
            Ok(source) => Ok(Arc::new(source)),
            Err(error) => Err(BackendError::of_io(Operation::Open, path, Outcome::NotDone, error)),
        }
    }

    fn create_data(&self, path: &str) -> BackendResult<Box<dyn DataWriter>> {
        Ok(Box::new(self.begin_data(path)?))
    }

    fn create_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        let created = self.publish(path, &contents, self.stage(path, &contents, true))?;
        if let Some(reserve) = &self.reserve {
            reserve.fill();
        }
        Ok(created)
    }

    fn create_freeing_commit(&self, path: &str, contents: Bytes) -> BackendResult<Created> {
        loop {
            let staged =
                self.stage(path, &contents, true).or_else(|error| self.stage_in_need(path, &contents, error));
            match self.publish(path, &contents, staged) {
                Err(error) if error.kind == FailureKind::Full && self.release_reserve() => {}
                other => return other,
            }
        }
    }

    fn settle_commit(&self, path: &str) -> BackendResult<()> {
        let (folder, _) = split(path);
        let settle = || sync_folder(&self.ensure_folder(folder)?);
        settle().map_err(|error| BackendError::of_io(Operation::Sync, path, Outcome::Unknown, error))
    }

    fn replace(&self, path: &str, contents: Bytes) -> BackendResult<()> {
        let (folder, name) = split(path);
        let replace = || {
            let staged = self
                .stage(path, &contents, true)
                .or_else(|error| self.stage_in_need(path, &contents, error))?;
            self.in_folder(folder, |folder| fs::rename(&staged.0, folder.join(name)))
        };
        replace().map_err(|error| BackendError::of_io(Operation::Replace, path, Outcome::Unknown, error))
    }

    fn copy_data(&self, from: &str, to: &str) -> BackendResult<()> {
        let failed = |error| BackendError::of_io(Operation::Copy, from, Outcome::NotDone, error);
        let mut source = File::open(self.full(from)).map_err(failed)?;
        let mut writer = self.begin_data(to)?;
        if !reflink(&source, &writer.file) {
            io::copy(&mut source, &mut writer.file).map_err(failed)?;
        }
        Box::new(writer).finish()
    }

    fn remove(&self, path: &str) -> BackendResult<()> {
        removal::remove_file(&self.root, path).map_err(|error| removal::failure(path, error))?;
        if let Some(reserve) = &self.reserve {
            reserve.refill();
        }
        Ok(())
    }

    fn remove_empty_folder(&self, folder: &str) -> BackendResult<bool> {
        removal::remove_empty_folder(&self.root, folder).map_err(|error| removal::failure(folder, error))
    }

    fn check_removable(&self, folder: &str) -> BackendResult<()> {
        removal::open_folder(&self.root, folder).map(drop).map_err(|error| removal::failure(folder, error))
    }

    fn check(&self) -> BackendResult<()> {
        let found = fs::read_dir(&self.root).map(drop);
        found.map_err(|error| {
            BackendError::of_io(Operation::LookInto, &self.root_name(), Outcome::NotDone, error)
        })
    }

    fn probe(&self) -> BackendResult<()> {
        let name = self.fresh_name("probe");
        let (file, link) = (self.root.join(&name), self.root.join(format!("{name}.link")));
        let probed = File::create_new(&file).and_then(|_| fs::hard_link(&file, &link));
        let _ = fs::remove_file(&link); // absent where the link failed
        let _ = fs::remove_file(&file); // absent where the creation failed
        probed.map_err(|error| {
            BackendError::of_io(Operation::LinkFiles, &self.root_name(), Outcome::NotDone, error)
        })
    }

    fn local_path(&self, path: &str) -> Option<PathBuf> {
        (!self.is_far_away).then(|| self.full(path))
    }

    fn now_us(&self, scratch_folder: &str) -> BackendResult<i64> {
        // The time of files may come from another machine's clock: a new file has it.
        let path = super::join(scratch_folder, "clock");
        let touch = || {
            let meta = match (self.stage(&path, b"", false), &self.reserve) {
                (Err(error), Some(reserve)) if is_full(&error) => reserve.touch()?,
                (staged, _) => fs::metadata(&staged?.0)?,
            };
            Ok(file_meta(&meta).modified_us)
        };
        touch()
            .map_err(|error| BackendError::of_io(Operation::WriteIn, scratch_folder, Outcome::NotDone, error))
    }
}

struct DiskWriter {
    file: File,
    folder: PathBuf,
    full: PathBuf,
    path: String,
    finished: bool,
}

impl Write for DiskWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DataWriter for DiskWriter {
    fn finish(mut self: Box<Self>) -> BackendResult<()> {
        let settle = || {
            self.file.sync_all()?;
            sync_folder(&self.folder)
        };
        settle()
            .map_err(|error| BackendError::of_io(Operation::Write, &self.path, Outcome::NotDone, error))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for DiskWriter {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.full); // a leftover is the janitor's to find
        }
    }
}

/// Shares the source's blocks with the target, if the filesystem can.
#[cfg(target_os = "linux")]
fn reflink(source: &File, target: &File) -> bool {
    rustix::fs::ioctl_ficlone(target, source).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn reflink(_source: &File, _target: &File) -> bool {
    false
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn file_meta(meta: &fs::Metadata) -> FileMeta {
    use std::os::unix::fs::MetadataExt;

    // A writer can set the modification time, but not the time of the inode's change.
    let modified = format!("{}.{:09}", meta.mtime(), meta.mtime_nsec());
    let changed = format!("{}.{:09}", meta.ctime(), meta.ctime_nsec());
    let identity = format!("{}-{}-{modified}-{changed}", meta.ino(), meta.size());
    let modified_us = meta.modified().map(micros_since_epoch).unwrap_or_default();
    let changed_us = meta.ctime().saturating_mul(1_000_000).saturating_add(meta.ctime_nsec() / 1_000);
    FileMeta { bytes: meta.len(), modified_us, identity, is_settled: is_settled(changed_us.max(modified_us)) }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
