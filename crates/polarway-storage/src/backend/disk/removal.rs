//! Removing what lies below a directory, and never what a symbolic link makes seem to lie there.
//!
//! Whoever can write into a storage could otherwise have files removed anywhere, and so could whoever moved a folder away and
//! put a link in its place: what is behind it may be another storage's.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;

use crate::backend::{BackendError, FailureKind, Operation, Outcome, split};

/// Why something was not removed.
#[derive(Debug)]
pub(super) enum NotRemoved {
    /// A symbolic link leads to it.
    Linked,
    /// The system refused.
    System(io::Error),
}

impl From<Errno> for NotRemoved {
    fn from(error: Errno) -> Self {
        Self::System(error.into())
    }
}

/// Removes a file below the root; one that is not there is removed already.
pub(super) fn remove_file(root: &Path, path: &str) -> Result<(), NotRemoved> {
    let (folder, name) = split(path);
    let Some(folder) = open_folder(root, folder)? else { return Ok(()) };
    match unlinkat(&folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes a folder below the root if it is empty, and tells whether it is gone.
pub(super) fn remove_empty_folder(root: &Path, folder: &str) -> Result<bool, NotRemoved> {
    let (parent, name) = split(folder);
    let Some(parent) = open_folder(root, parent)? else { return Ok(true) };
    match unlinkat(&parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        // POSIX allows either; a file or a link in a folder's place is no folder to remove.
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Opens a folder below the root by its parts, none of which may be a link; `None` where there is none. The root itself may
/// be reached in any way: it was given by whoever set this up.
pub(super) fn open_folder(root: &Path, folder: &str) -> Result<Option<OwnedFd>, NotRemoved> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut opened = openat(CWD, root, flags, Mode::empty())?;
    for part in folder.split('/').filter(|part| !part.is_empty()) {
        opened = match openat(&opened, part, flags | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(child) => child,
            Err(Errno::NOENT) => return Ok(None),
            // Systems differ in which of the two a link is.
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let there = statat(&opened, part, AtFlags::SYMLINK_NOFOLLOW)?;
                let is_link = FileType::from_raw_mode(there.st_mode) == FileType::Symlink;
                return if is_link { Err(NotRemoved::Linked) } else { Ok(None) };
            }
            Err(error) => return Err(error.into()),
        };
    }
    Ok(Some(opened))
}

pub(super) fn failure(path: &str, why: NotRemoved) -> BackendError {
    match why {
        NotRemoved::System(error) => BackendError::of_io(Operation::Remove, path, Outcome::Unknown, error),
        NotRemoved::Linked => BackendError {
            operation: Operation::Remove,
            path: path.to_owned(),
            kind: FailureKind::Linked,
            outcome: Outcome::NotDone,
            source: "removing through a symbolic link is refused".into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_is_removed_behind_a_link_wherever_on_the_way_it_is() {
        let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let precious = elsewhere.path().join("data/precious");
        fs::create_dir_all(precious.parent().unwrap()).unwrap();
        fs::write(&precious, "x").unwrap();
        symlink(elsewhere.path(), root.path().join("whole")).unwrap();
        fs::create_dir(root.path().join("part")).unwrap();
        symlink(elsewhere.path().join("data"), root.path().join("part/data")).unwrap();
        for path in ["whole/data/precious", "part/data/precious"] {
            assert!(matches!(remove_file(root.path(), path), Err(NotRemoved::Linked)), "{path}");
        }
        assert!(matches!(remove_empty_folder(root.path(), "whole/data"), Err(NotRemoved::Linked)));
        assert!(!remove_empty_folder(root.path(), "whole").unwrap(), "a link is no folder");
        assert_eq!(fs::read(&precious).unwrap(), b"x");
    }

    #[test]
    fn a_link_is_removed_itself_and_not_what_it_leads_to() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("precious"), "x").unwrap();
        symlink("precious", root.path().join("link")).unwrap();
        remove_file(root.path(), "link").unwrap();
        assert!(root.path().join("precious").exists() && !root.path().join("link").exists());
    }

    #[test]
    fn what_is_not_there_is_removed_already_and_a_full_folder_stays() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        fs::write(root.path().join("file"), "x").unwrap();
        for absent in ["none", "none/none", "file/none", "a/none"] {
            remove_file(root.path(), absent).unwrap();
        }
        assert!(!remove_empty_folder(root.path(), "a").unwrap());
        assert!(remove_empty_folder(root.path(), "a/b").unwrap());
        assert!(remove_empty_folder(root.path(), "a").unwrap());
        assert!(remove_empty_folder(root.path(), "a").unwrap());
    }
}
