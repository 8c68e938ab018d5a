//! Files that are read again when their content changes: certificates, tokens, keys.
//!
//! The content is compared, not the time of the last change: Kubernetes swaps symbolic links, and a copy keeps times. A
//! change counts only if the next look finds the same content, so that a half-written file, or a certificate whose key comes
//! a moment later, is not used. Content that can't be used is reported once, and the previous value stays in force.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

use crate::failure::chain;

/// The time between two looks. A change is in force within a second.
const LOOK: Duration = Duration::from_millis(500);

/// The time between a look that finds a change and the look that confirms it.
const SETTLE: Duration = Duration::from_millis(100);

/// The largest file, in bytes. A wrong path, to a log or a device, must not fill the memory.
const MOST_BYTES: u64 = 4 << 20;

/// A file that can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system reports an error.
    #[error("can't read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is a folder, a pipe or a device.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// Its path.
        path: PathBuf,
    },
    /// It is too large.
    #[error("{} has more than {MOST_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

/// A value that is made from the contents of files, and made again when they change. The files are watched until this is
/// dropped.
pub(crate) struct Reloaded<T> {
    value: watch::Receiver<Arc<T>>,
    watching: JoinHandle<()>,
}

impl<T: Send + Sync + 'static> Reloaded<T> {
    /// Reads the files, makes the value from their contents in the order of the paths, and watches the files.
    /// `what` names them in the log, such as "the certificate". It must be called inside a tokio runtime.
    ///
    /// # Errors
    /// A file that can't be read, and what `make` says about the first contents.
    pub(crate) fn start<E, M>(what: &'static str, paths: Vec<PathBuf>, make: M) -> Result<Self, E>
    where
        E: Error + From<FileError> + 'static,
        M: FnMut(&[Vec<u8>]) -> Result<T, E> + Send + 'static,
    {
        let (mut files, first) = Files::open(paths, make)?;
        let (sender, value) = watch::channel(Arc::new(first));
        let watching = tokio::spawn(async move {
            loop {
                sleep(files.pause()).await;
                let looked = spawn_blocking(move || {
                    let found = files.look();
                    // An error may not be `Send`; its text is all that is needed.
                    let found = found.map(|found| found.map_err(|error| chain(&error)));
                    (files, found)
                });
                let Ok((returned, found)) = looked.await else {
                    tracing::error!("{what} can't be read again: reading it panicked");
                    return;
                };
                files = returned;
                match found {
                    None => {}
                    Some(Ok(value)) => {
                        sender.send_replace(Arc::new(value));
                        tracing::info!("{what} changed and was read again");
                    }
                    Some(Err(error)) => {
                        tracing::warn!(
                            "{what} changed and can't be used, so the old state stays in force: {error}"
                        );
                    }
                }
            }
        });
        Ok(Self { value, watching })
    }

    /// The value in force.
    pub(crate) fn current(&self) -> Arc<T> {
        Arc::clone(&self.value.borrow())
    }

    /// The values from now on, for those who must act on a change.
    #[allow(dead_code, reason = "those who act on a change come next")]
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<T>> {
        self.value.clone()
    }
}

impl<T> std::fmt::Debug for Reloaded<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Reloaded").finish_non_exhaustive()
    }
}

impl<T> Drop for Reloaded<T> {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// The files, with their last state.
struct Files<M> {
    paths: Vec<PathBuf>,
    make: M,
    /// The state that the value was made from, or that was reported.
    handled: State,
    /// Another state, if the last look found one.
    unconfirmed: Option<State>,
}

/// What a look found: a digest of all contents, or why there is none.
#[derive(Clone, PartialEq, Eq)]
enum State {
    Read([u8; 32]),
    Unreadable(String),
}

impl<T, E, M> Files<M>
where
    E: Error + From<FileError>,
    M: FnMut(&[Vec<u8>]) -> Result<T, E>,
{
    fn open(paths: Vec<PathBuf>, mut make: M) -> Result<(Self, T), E> {
        let contents = read_all(&paths)?;
        let value = make(&contents)?;
        Ok((Self { paths, make, handled: State::of(&Ok(contents)), unconfirmed: None }, value))
    }

    /// Looks at the files. Returns a value, or an error, if there is a new state and it was found twice.
    fn look(&mut self) -> Option<Result<T, E>> {
        let contents = read_all(&self.paths);
        let state = State::of(&contents);
        if state == self.handled {
            self.unconfirmed = None;
            return None;
        }
        if self.unconfirmed.as_ref() != Some(&state) {
            self.unconfirmed = Some(state);
            return None;
        }
        self.handled = state;
        self.unconfirmed = None;
        Some(contents.map_err(E::from).and_then(|contents| (self.make)(&contents)))
    }
}

impl<M> Files<M> {
    /// The time until the next look.
    fn pause(&self) -> Duration {
        if self.unconfirmed.is_some() { SETTLE } else { LOOK }
    }
}

impl State {
    fn of(contents: &Result<Vec<Vec<u8>>, FileError>) -> Self {
        match contents {
            Ok(contents) => {
                let mut all = Sha256::new();
                for content in contents {
                    all.update((content.len() as u64).to_le_bytes());
                    all.update(content);
                }
                Self::Read(all.finalize().into())
            }
            Err(error) => Self::Unreadable(chain(error)),
        }
    }
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, FileError> {
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let owned = || path.to_owned();
    let failed = |source| FileError::Read { path: owned(), source };
    // Before it is opened: to open a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(FileError::NotAFile { path: owned() });
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > MOST_BYTES {
        return Err(FileError::TooLarge { path: owned() });
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Wrong {
        #[error(transparent)]
        File(#[from] FileError),
        #[error("no text")]
        NoText(#[from] std::string::FromUtf8Error),
    }

    fn text(contents: &[Vec<u8>]) -> Result<String, Wrong> {
        Ok(String::from_utf8(contents.concat())?)
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(files: &[(&str, &str)]) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            for (name, content) in files {
                folder.write(name, content);
            }
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, content: &str) {
            fs::write(self.path(name), content).unwrap();
        }
    }

    type Made = Option<Result<String, String>>;

    /// Two looks, of which the first may find a change and the second confirms it.
    fn look_twice<M: FnMut(&[Vec<u8>]) -> Result<String, Wrong>>(files: &mut Files<M>) -> Made {
        assert!(files.look().is_none(), "a change counts when it was found twice");
        files.look().map(|made| made.map_err(|error| chain(&error)))
    }

    #[test]
    fn a_changed_content_makes_a_new_value_and_the_same_content_none() {
        let folder = Folder::with(&[("a", "1"), ("b", "2")]);
        let (mut files, first) = Files::open(vec![folder.path("a"), folder.path("b")], text).unwrap();
        assert_eq!(first, "12");
        folder.write("a", "1");
        assert_eq!(look_twice(&mut files), None);
        folder.write("b", "3");
        assert_eq!(look_twice(&mut files), Some(Ok("13".to_owned())));
        assert_eq!(look_twice(&mut files), None);
        // The same bytes in all, otherwise divided.
        folder.write("a", "");
        folder.write("b", "13");
        assert_eq!(look_twice(&mut files), Some(Ok("13".to_owned())));
    }

    #[cfg(unix)]
    #[test]
    fn a_swapped_link_is_a_change() {
        let folder = Folder::with(&[("old", "1"), ("new", "2")]);
        std::os::unix::fs::symlink(folder.path("old"), folder.path("link")).unwrap();
        let (mut files, _) = Files::open(vec![folder.path("link")], text).unwrap();
        std::os::unix::fs::symlink(folder.path("new"), folder.path("swapped")).unwrap();
        fs::rename(folder.path("swapped"), folder.path("link")).unwrap();
        assert_eq!(look_twice(&mut files), Some(Ok("2".to_owned())));
    }

    #[test]
    fn what_changes_between_two_looks_is_not_taken() {
        let folder = Folder::with(&[("a", "1")]);
        let (mut files, _) = Files::open(vec![folder.path("a")], text).unwrap();
        folder.write("a", "ha");
        assert!(files.look().is_none());
        assert_eq!(files.pause(), SETTLE);
        folder.write("a", "half");
        assert_eq!(look_twice(&mut files), Some(Ok("half".to_owned())));
        assert_eq!(files.pause(), LOOK);
    }

    #[test]
    fn what_cannot_be_used_is_said_once_and_so_is_what_can_be_used_again() {
        let folder = Folder::with(&[("a", "1")]);
        let (mut files, _) = Files::open(vec![folder.path("a")], text).unwrap();
        fs::write(folder.path("a"), b"\xff").unwrap();
        let said = look_twice(&mut files).unwrap().unwrap_err();
        assert!(said.contains("no text"), "{said}");
        assert_eq!(look_twice(&mut files), None);
        fs::remove_file(folder.path("a")).unwrap();
        let said = look_twice(&mut files).unwrap().unwrap_err();
        assert!(said.contains(&folder.path("a").display().to_string()), "{said}");
        assert_eq!(look_twice(&mut files), None);
        folder.write("a", "1");
        assert_eq!(look_twice(&mut files), Some(Ok("1".to_owned())));
    }

    #[test]
    fn what_is_no_file_or_too_large_is_refused_by_name() {
        let folder = Folder::with(&[]);
        let refused = |name: &str| read(&folder.path(name)).unwrap_err().to_string();
        assert!(refused("none").contains("none"));
        fs::create_dir(folder.path("folder")).unwrap();
        assert!(refused("folder").contains("folder is not a regular file"));
        File::create(folder.path("large")).unwrap().set_len(MOST_BYTES + 1).unwrap();
        assert!(refused("large").contains("large has more than"));
        File::create(folder.path("full")).unwrap().set_len(MOST_BYTES).unwrap();
        assert_eq!(read(&folder.path("full")).unwrap().len() as u64, MOST_BYTES);
    }

    #[tokio::test]
    async fn those_who_wait_hear_of_a_change_and_the_old_value_outlives_an_error() {
        let folder = Folder::with(&[("a", "1")]);
        let reloaded = Reloaded::start("the test", vec![folder.path("a")], text).unwrap();
        let mut changes = reloaded.changes();
        folder.write("a", "2");
        changes.changed().await.unwrap();
        assert_eq!(*reloaded.current(), "2");
        fs::write(folder.path("a"), b"\xff").unwrap();
        folder.write("a", "3");
        changes.changed().await.unwrap();
        assert_eq!(*reloaded.current(), "3");
        drop(reloaded);
        assert!(changes.changed().await.is_err(), "it is no longer watched");
    }
}
