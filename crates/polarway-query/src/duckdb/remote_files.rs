//! Files that are not on this machine, as DuckDB reads them.
//!
//! DuckDB passes the error of a read on as a text. The error itself waits here, under a number in that text.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use polarway_duckdb_files::{Files, OpenError, OpenFile, ReadError, RunningQuery};

use crate::catalog::CatalogError;
use crate::error::Error;
use crate::executor::{RemoteFile, RemoteFiles, RemoteReadError};

/// How the text of a failure begins. Its number and a colon follow.
const MARK: &str = "a read from the storage failed, number ";

/// The most errors that wait for their queries. Older ones belong to queries that ended for another reason.
const MOST_WAITING: usize = 1_000;

/// The files, and the errors of failed reads.
pub(super) struct Remote {
    files: Arc<dyn RemoteFiles>,
    failures: Arc<Failures>,
}

#[derive(Default)]
struct Failures(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    next: u64,
    errors: VecDeque<(u64, CatalogError)>,
}

impl Remote {
    pub(super) fn new(files: Arc<dyn RemoteFiles>) -> Arc<Self> {
        Arc::new(Self { files, failures: Arc::default() })
    }

    /// What all URLs begin with.
    pub(super) fn prefix(&self) -> &str {
        self.files.prefix()
    }

    /// The error of the storage, if DuckDB's error comes from one.
    pub(super) fn restore(&self, error: Error) -> Error {
        let Error::DataFile(text) = &error else { return error };
        match self.failures.take(text) {
            Some(failure) => Error::Catalog(failure),
            None => error,
        }
    }
}

impl Failures {
    /// Keeps an error, and returns the text by which it is found.
    fn keep(&self, error: CatalogError) -> String {
        let mut waiting = self.0.lock();
        let number = waiting.next;
        waiting.next += 1;
        if waiting.errors.len() == MOST_WAITING {
            waiting.errors.pop_front();
        }
        waiting.errors.push_back((number, error));
        format!("{MARK}{number}:")
    }

    fn take(&self, text: &str) -> Option<CatalogError> {
        let (_, rest) = text.split_once(MARK)?;
        let number: u64 = rest.split_once(':')?.0.parse().ok()?;
        let mut waiting = self.0.lock();
        let place = waiting.errors.iter().position(|(waiting, _)| *waiting == number)?;
        waiting.errors.remove(place).map(|(_, error)| error)
    }
}

impl Files for Remote {
    fn open(&self, path: &str) -> Result<Arc<dyn OpenFile>, OpenError> {
        let file = self.files.open(path).ok_or(OpenError::Absent)?;
        Ok(Arc::new(OpenRemoteFile { file, failures: Arc::clone(&self.failures) }))
    }
}

struct OpenRemoteFile {
    file: Arc<dyn RemoteFile>,
    failures: Arc<Failures>,
}

impl OpenFile for OpenRemoteFile {
    fn bytes(&self) -> u64 {
        self.file.bytes()
    }

    fn version(&self) -> &str {
        self.file.tag()
    }

    fn read_at(&self, offset: u64, into: &mut [u8], query: &RunningQuery<'_>) -> Result<(), ReadError> {
        self.file.read(offset, into, &|| query.is_interrupted()).map_err(|error| match error {
            RemoteReadError::Cancelled => ReadError::Interrupted,
            RemoteReadError::Failed(error) => ReadError::Failed(self.failures.keep(error)),
        })
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("prefix", &self.prefix()).finish_non_exhaustive()
    }
}

impl fmt::Debug for OpenRemoteFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenRemoteFile").field("tag", &self.file.tag()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(name: &str) -> CatalogError {
        CatalogError::Changed { name: name.to_owned() }
    }

    #[test]
    fn each_query_gets_its_own_error_back_once() {
        let failures = Failures::default();
        let [one, two] = ["one", "two"].map(|name| format!("{} more text", failures.keep(changed(name))));
        assert_eq!(failures.take(&two).map(|error| error.to_string()), Some(changed("two").to_string()));
        assert_eq!(failures.take(&one).map(|error| error.to_string()), Some(changed("one").to_string()));
        for text in [&one, "no failure", &format!("{MARK}x:"), &format!("{MARK}77:"), MARK] {
            assert!(failures.take(text).is_none(), "{text}");
        }
    }

    #[test]
    fn errors_that_nobody_fetches_are_forgotten() {
        let failures = Failures::default();
        let first = failures.keep(changed("first"));
        let texts: Vec<_> = (0..MOST_WAITING).map(|_| failures.keep(changed("later"))).collect();
        assert!(failures.take(&first).is_none());
        assert!(texts.iter().all(|text| failures.take(text).is_some()));
    }
}
