//! Where things are: the checkout, the cache that outlives it, and folders that go away by themselves.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use anyhow::{Context as _, Result, bail};

/// The root of the checkout that `cargo xtask` was called in.
pub(crate) fn workspace_root() -> PathBuf {
    // What `cargo run` says comes first: with one build folder for several checkouts, this program may have been compiled
    // in another one.
    let xtask =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().map_or_else(|| xtask.clone(), Path::to_path_buf)
}

/// The folder for what is fetched or generated once per machine: `polarway` in the user's cache folder.
///
/// # Errors
/// When neither `XDG_CACHE_HOME` nor `HOME` says where that is.
pub(crate) fn cache_folder() -> Result<PathBuf> {
    cache_folder_from(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME"))
}

fn cache_folder_from(xdg_cache_home: Option<OsString>, home: Option<OsString>) -> Result<PathBuf> {
    // The XDG specification has relative paths ignored.
    let xdg_cache_home = xdg_cache_home.map(PathBuf::from).filter(|path| path.is_absolute());
    let home = home.map(PathBuf::from).filter(|path| path.is_absolute());
    match (xdg_cache_home, home) {
        (Some(cache), _) => Ok(cache.join("polarway")),
        (None, Some(home)) => Ok(home.join(".cache").join("polarway")),
        (None, None) => {
            bail!("set HOME or XDG_CACHE_HOME to an absolute path: there is no folder for the cache")
        }
    }
}

/// The folder `name` in `cache`, which `make` fills the first time. It is there whole or not at all, also when two processes
/// make it at once.
///
/// # Errors
/// When `make` fails, or the folder can't be kept.
pub(crate) fn made_once(
    cache: &Path,
    name: &Path,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let folder = cache.join(name);
    if !folder.is_dir() {
        let staging = ScratchFolder::create_in(cache, ".made-once")?;
        make(staging.path())?;
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        }
        if let Err(error) = fs::rename(staging.path(), &folder)
            && !folder.is_dir()
        {
            return Err(error).with_context(|| format!("keeping {}", folder.display()));
        }
    }
    Ok(folder)
}

/// A folder of this process's own that is removed when this value is dropped.
pub(crate) struct ScratchFolder(PathBuf);

impl ScratchFolder {
    /// Makes an empty folder in `parent` whose name starts with `prefix`.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub(crate) fn create_in(parent: &Path, prefix: &str) -> Result<Self> {
        let path = parent.join(format!("{prefix}-{}", process::id()));
        // A process of the same id that was killed may have left one behind.
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", path.display()));
            }
            _ => {}
        }
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            eprintln!("warning: {} could not be removed: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(xdg_cache_home: Option<&str>, home: Option<&str>, expect: Option<&str>) {
        let actual = cache_folder_from(xdg_cache_home.map(OsString::from), home.map(OsString::from));
        assert_eq!(actual.ok(), expect.map(PathBuf::from));
    }

    #[test]
    fn the_cache_is_in_the_xdg_folder_or_else_under_home() {
        check(Some("/x"), Some("/home/u"), Some("/x/polarway"));
        check(None, Some("/home/u"), Some("/home/u/.cache/polarway"));
    }

    #[test]
    fn empty_and_relative_folders_are_ignored() {
        check(Some(""), Some("/home/u"), Some("/home/u/.cache/polarway"));
        check(Some("relative"), Some("/home/u"), Some("/home/u/.cache/polarway"));
        check(Some("relative"), Some(""), None);
        check(None, None, None);
    }

    #[test]
    fn a_scratch_folder_starts_empty_and_is_gone_after_use() {
        let parent = env::temp_dir();
        let path = parent.join(format!("polarway-scratch-test-{}", process::id()));
        fs::create_dir_all(path.join("left-behind")).unwrap();
        let scratch = ScratchFolder::create_in(&parent, "polarway-scratch-test").unwrap();
        assert_eq!(scratch.path(), path);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_is_made_once_and_kept_only_when_it_is_whole() {
        let cache = ScratchFolder::create_in(&env::temp_dir(), "polarway-made-once-test").unwrap();
        let made = |text: &'static str, succeeds: bool| {
            made_once(cache.path(), Path::new("tables/small"), |folder| {
                fs::write(folder.join("table"), text)?;
                if succeeds { Ok(()) } else { bail!("half of it is missing") }
            })
        };
        assert!(made("half", false).is_err());
        assert!(!cache.path().join("tables/small").exists());
        for text in ["whole", "never made"] {
            let folder = made(text, true).unwrap();
            assert_eq!(fs::read_to_string(folder.join("table")).unwrap(), "whole");
        }
    }
}
