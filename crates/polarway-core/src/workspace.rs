//! The folder for one process's temporary files: `tmp/worker-…` under the data directory.
//!
//! Processes may share a data directory. Each holds a lock on its own folder. A process that starts removes the folders
//! that nobody locks: their processes have died, perhaps while they made or removed them.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;

use crate::error::{Error, ErrorKind, Result};

/// The folder under the data directory that holds the folders of processes.
pub(crate) const TEMPORARY_FOLDER: &str = "tmp";

/// The folder for links to adopted files, and for copies of those that DuckDB can't read.
pub(crate) const MIRROR_FOLDER: &str = "mirror";

/// The folder for ranges of files that are in no directory. SQL can't read there.
pub(crate) const RANGES_FOLDER: &str = "ranges";

/// The folder for what plans over several workers spill.
pub(crate) const PLAN_SPILL_FOLDER: &str = "plans";

/// The folder for what DuckDB writes when it runs out of memory.
pub(crate) const SPILL_FOLDER: &str = "spill";

/// All folders of a process.
const FOLDERS: [&str; 4] = [MIRROR_FOLDER, RANGES_FOLDER, PLAN_SPILL_FOLDER, SPILL_FOLDER];

const PREFIX: &str = "worker-";
const LOCK_FILE: &str = "lock";

/// A folder for this process alone. It is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Workspace {
    folder: TempDir,
    /// Held as long as the folder is in use.
    _lock: File,
}

impl Workspace {
    /// Makes a folder under this data directory, and the data directory if it is missing. Removes folders of dead processes.
    pub(crate) fn open(data_dir: &Path) -> Result<Self> {
        let open = || -> io::Result<Self> {
            let parent = data_dir.join(TEMPORARY_FOLDER);
            fs::create_dir_all(&parent)?;
            remove_left_over(&parent)?;
            loop {
                let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent.canonicalize()?)?;
                // Until it is locked, another process may remove it as left over.
                let lock = match File::create_new(folder.path().join(LOCK_FILE)) {
                    Err(error) if is_taken(&error) => continue,
                    made => made?,
                };
                lock.lock()?;
                if folder.path().join(LOCK_FILE).exists() {
                    return Ok(Self { folder, _lock: lock });
                }
            }
        };
        open().map_err(|error| {
            let message = format!("can't work in the data directory {:?}", data_dir.display().to_string());
            Error::new(ErrorKind::Configuration, message).caused_by(error)
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Whether another process has locked a folder, or removed it.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists)
}

fn remove_left_over(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        // A link is never a workspace, whatever it points to.
        let is_workers =
            entry.file_name().to_string_lossy().starts_with(PREFIX) && entry.file_type()?.is_dir();
        let folder = entry.path();
        if !is_workers || !holds_only_ours(&folder).unwrap_or(false) {
            continue;
        }
        // Without a lock file it is being made or removed, or its process died in the middle of that. Whoever makes it takes
        // another one if there is a lock file already.
        let path = folder.join(LOCK_FILE);
        let Ok(lock) = File::open(&path).or_else(|_| File::create_new(&path)) else { continue };
        if lock.try_lock().is_ok() {
            tracing::debug!(folder = %folder.display(), "removing what a dead process left");
            let _ = fs::remove_dir_all(&folder); // another process may remove it too
        }
    }
    Ok(())
}

/// Whether a folder holds nothing but what a process puts into its own folder.
fn holds_only_ours(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_ours = match entry.file_name().to_str() {
            Some(LOCK_FILE) => entry.file_type()?.is_file(),
            Some(name) => FOLDERS.contains(&name) && entry.file_type()?.is_dir(),
            None => false,
        };
        if !is_ours {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_the_dead_go_and_those_of_the_living_stay() {
        let data = tempfile::tempdir().unwrap();
        let living = Workspace::open(data.path()).unwrap();
        let dead = data.path().join("tmp/worker-dead");
        fs::create_dir(&dead).unwrap();
        File::create(dead.join(LOCK_FILE)).unwrap();
        for folder in FOLDERS {
            fs::create_dir(dead.join(folder)).unwrap();
            fs::write(dead.join(folder).join("left"), "x").unwrap();
        }
        let half_made = data.path().join("tmp/worker-half-made");
        fs::create_dir(&half_made).unwrap();
        let half_removed = data.path().join("tmp/worker-half-removed");
        fs::create_dir_all(half_removed.join(SPILL_FOLDER)).unwrap();
        fs::write(half_removed.join(SPILL_FOLDER).join("left"), "x").unwrap();
        let foreign = data.path().join("tmp/mine");
        fs::create_dir(&foreign).unwrap();
        let _other = Workspace::open(data.path()).unwrap();
        assert!(living.path().exists() && foreign.exists());
        assert!(!dead.exists() && !half_made.exists() && !half_removed.exists());
    }

    #[test]
    fn what_others_put_beside_the_workspaces_is_not_removed() {
        use std::os::unix::fs::symlink;

        let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tmp = data.path().join(TEMPORARY_FOLDER);
        // Each of these could be taken for a dead process's folder: it has the name, and a lock that nobody holds.
        let (thesis, project, link) = (tmp.join("worker-thesis"), elsewhere.path(), tmp.join("worker-link"));
        fs::create_dir_all(&thesis).unwrap();
        fs::write(thesis.join("chapter1"), "x").unwrap();
        for folder in [thesis.as_path(), project] {
            File::create(folder.join(LOCK_FILE)).unwrap();
        }
        symlink(project, &link).unwrap();
        let _workspace = Workspace::open(data.path()).unwrap();
        assert!(thesis.join("chapter1").exists() && link.exists() && project.join(LOCK_FILE).exists());
    }

    #[test]
    fn a_data_directory_that_is_a_file_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Workspace::open(file.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
    }
}
