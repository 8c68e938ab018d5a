//! Stored files as files of this machine, for the query engine.
//!
//! There is no caller to ask about here: only the executor of the query engine has this, and the files of its plans come from a
//! catalog that asked when it pinned them.

use std::path::PathBuf;
use std::sync::Arc;

use polarway_query::{
    AfterScan, CatalogError, FileGroup, FileReference, FileStorage, LocalFiles, LocalGroup, RemoteFile,
    RemoteFiles, RemoteReadError,
};
use polarway_storage::{
    AdoptedState, FileChecks, FileToRead, LocalFile, Mirror, Places, RANGE_PREFIX, RangeCache, RangeFile,
    ReadFailure,
};

use super::StoredPlanFiles;
use crate::error::{Error, ErrorKind};

/// The files of the storages that queries read.
#[derive(Debug)]
pub(crate) struct StoredFiles {
    datasets: Mirror,
    /// The files of handles, if they are in a storage. Polarway wrote all of them.
    handles: Option<Places>,
    ranges: RangeCache,
    checks: Arc<FileChecks>,
}

impl StoredFiles {
    /// Files are checked against their checksums, some of their bytes after each query.
    pub(crate) fn new(
        datasets: Mirror,
        handles: Option<Places>,
        ranges: RangeCache,
        check_bytes: u64,
    ) -> Self {
        Self { datasets, handles, ranges, checks: Arc::new(FileChecks::new(check_bytes)) }
    }

    /// The same for plans that other workers have made.
    pub(crate) fn for_plans(&self) -> StoredPlanFiles {
        StoredPlanFiles::new(self.datasets.places().clone(), self.handles.clone())
    }

    /// The folder that local copies lie in.
    pub(crate) fn folder(&self) -> PathBuf {
        self.datasets.folder().to_owned()
    }

    fn local(&self, storage: FileStorage, file: &FileReference) -> Result<LocalFile, Error> {
        match (storage, &self.handles) {
            (FileStorage::Datasets, _) => Ok(self.datasets.local(to_read(file))?),
            (FileStorage::Handles, Some(handles)) => Ok(handles.local(to_read(file))),
            (FileStorage::Handles, None) => {
                Err(Error::new(ErrorKind::Internal, "handles are in no storage, and have no files"))
            }
        }
    }
}

impl LocalFiles for StoredFiles {
    fn localize(&self, group: &FileGroup) -> Result<LocalGroup, CatalogError> {
        let mut paths = Vec::with_capacity(group.files.len());
        let mut pins = Vec::with_capacity(group.files.len());
        let mut due = Vec::new();
        for file in &group.files {
            let local = self.local(group.storage, file)?;
            let is_ours = file.foreign.is_none();
            due.extend(is_ours.then(|| self.checks.due(&group.dataset, &file.path, &local)).flatten());
            let (path, pin) = local.into_parts();
            paths.push(path);
            pins.extend(pin);
        }
        let checks = Arc::clone(&self.checks);
        let is_any_due = !due.is_empty();
        let check = move || Ok(checks.check(&due).map_err(Error::from)?);
        let after_scan = is_any_due.then(|| Box::new(check) as AfterScan);
        Ok(LocalGroup { paths, pin: Box::new(pins), after_scan })
    }

    fn has_at_hand(&self, group: &FileGroup) -> bool {
        let places = match group.storage {
            FileStorage::Datasets => Some(self.datasets.places()),
            FileStorage::Handles => self.handles.as_ref(),
        };
        places.is_some_and(|places| group.files.iter().all(|file| places.has_at_hand(to_read(file))))
    }

    fn remote(&self) -> Option<Arc<dyn RemoteFiles>> {
        let are_remote = [self.datasets.places()].into_iter().chain(&self.handles).any(Places::read_ranges);
        are_remote.then(|| Arc::new(Ranges(self.ranges.clone())) as _)
    }
}

/// The files that are in no directory.
struct Ranges(RangeCache);

impl RemoteFiles for Ranges {
    fn prefix(&self) -> &str {
        RANGE_PREFIX
    }

    fn open(&self, url: &str) -> Option<Arc<dyn RemoteFile>> {
        Some(Arc::new(RangedFile(self.0.find(url)?)))
    }
}

/// One of them.
pub(super) struct RangedFile(pub(super) Arc<RangeFile>);

impl RemoteFile for RangedFile {
    fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    fn tag(&self) -> &str {
        self.0.tag()
    }

    fn read(
        &self,
        offset: u64,
        into: &mut [u8],
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<(), RemoteReadError> {
        self.0.read(offset, into, is_cancelled).map_err(|failure| match failure {
            ReadFailure::Cancelled => RemoteReadError::Cancelled,
            ReadFailure::Failed(_) => RemoteReadError::Failed(Error::from(failure).into()),
        })
    }
}

fn to_read(file: &FileReference) -> FileToRead<'_> {
    let adopted = file.foreign.as_ref().map(|foreign| AdoptedState {
        state: foreign.state,
        identity: &foreign.identity,
        partition_values: &foreign.partition_values,
        rewritten_as: foreign.rewritten_as.as_ref(),
    });
    FileToRead { path: &file.path, bytes: file.bytes, adopted }
}
