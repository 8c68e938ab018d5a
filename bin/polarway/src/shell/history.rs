//! The history of inputs, in a file that only its owner can read: statements contain values.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use reedline::FileBackedHistory;

use crate::failure::{Failure, Result};

/// How many inputs are kept.
const MOST_ENTRIES: usize = 10_000;

/// The history, if there is a directory for it.
pub(super) fn open() -> Result<Option<FileBackedHistory>> {
    let Some(file) = file(std::env::var_os("XDG_STATE_HOME").map(PathBuf::from), std::env::home_dir()) else {
        return Ok(None);
    };
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::new(format!(
            "what is typed will not be remembered: {} can't be used: {error}",
            file.display()
        ))
    };
    make_private(&file).map_err(|error| unusable(&error))?;
    FileBackedHistory::with_file(MOST_ENTRIES, file.clone()).map(Some).map_err(|error| unusable(&error))
}

/// The place for state between runs; the specification says to ignore a relative path.
fn file(state: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let state = state.filter(|state| state.is_absolute());
    let state = state.or_else(|| home.map(|home| home.join(".local/state")))?;
    Some(state.join("polarway/history"))
}

/// Creates the file with access only for its owner, before anything is written to it.
fn make_private(file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

        options.mode(0o600).open(file)?.set_permissions(std::fs::Permissions::from_mode(0o600))
    }
    #[cfg(not(unix))]
    options.open(file).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_lies_with_the_state_of_programs() {
        let home = Some(PathBuf::from("/home/ada"));
        let at_home = Some(PathBuf::from("/home/ada/.local/state/polarway/history"));
        assert_eq!(file(None, home.clone()), at_home);
        assert_eq!(file(Some("relative".into()), home.clone()), at_home);
        assert_eq!(file(Some("/state".into()), home), Some("/state/polarway/history".into()));
        assert_eq!(file(None, None), None);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone_even_if_it_was_not() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b/history");
        let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        make_private(&file).unwrap();
        assert_eq!(mode(), 0o600);
        std::fs::write(&file, "SELECT 1;\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        make_private(&file).unwrap();
        assert_eq!(mode(), 0o600);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "SELECT 1;\n");
    }
}
