//! The files of plans that other workers have made.
//!
//! There is no caller to ask about here: the worker that made a plan has asked, and its files are pinned. This worker judges for
//! itself only whether they are data at all.

use std::sync::Arc;

use polarway_query::{
    CatalogError, FileStorage, PinnedFile, PlanFiles, RemoteFile, RemoteReadError, is_plain_path,
};
use polarway_storage::{AdoptedState, FileToRead, PlacedFile, Places, ReadAt, is_place_of_data};
use uuid::Uuid;

use super::local_files::RangedFile;
use crate::error::{Error, ErrorKind};

/// The storages whose files plans may read.
#[derive(Debug)]
pub(crate) struct StoredPlanFiles {
    datasets: Places,
    /// The files of handles, if they are in a storage.
    handles: Option<Places>,
}

impl StoredPlanFiles {
    pub(crate) fn new(datasets: Places, handles: Option<Places>) -> Self {
        Self { datasets, handles }
    }

    fn places(&self, storage: FileStorage) -> Option<&Places> {
        match storage {
            FileStorage::Datasets => Some(&self.datasets),
            FileStorage::Handles => self.handles.as_ref(),
        }
    }
}

impl PlanFiles for StoredPlanFiles {
    fn allow(&self, file: &PinnedFile) -> Result<(), String> {
        // Only files of datasets can be those of other programs.
        let is_adopted = file.identity.is_some() && file.storage == FileStorage::Datasets;
        if self.places(file.storage).is_none() {
            return Err("handles are in no storage here".to_owned());
        }
        match is_plain_path(&file.path) && is_place_of_data(&file.dataset, &file.path, is_adopted) {
            true => Ok(()),
            false => Err(format!("it is not where the data of {:?} is", file.dataset.as_str())),
        }
    }

    fn open(&self, file: &PinnedFile) -> Result<Arc<dyn RemoteFile>, CatalogError> {
        let places = self.allow(file).ok().and_then(|()| self.places(file.storage));
        let places = places.ok_or_else(|| {
            Error::new(ErrorKind::PermissionDenied, format!("{:?} is no data of a table", file.path))
        })?;
        let adopted = file.identity.as_deref().map(|identity| AdoptedState {
            // The cache keeps the ranges of each state apart.
            state: Uuid::new_v5(&Uuid::NAMESPACE_URL, identity.as_bytes()),
            identity,
            partition_values: &[],
            rewritten_as: None,
        });
        let to_read = FileToRead { path: &file.path, bytes: file.bytes, adopted };
        Ok(match places.open(to_read).map_err(Error::from)? {
            PlacedFile::Ranged(ranged) => Arc::new(RangedFile(ranged)),
            PlacedFile::Opened(opened) => Arc::new(OpenedFile(opened)),
        })
    }
}

/// A file in a directory.
struct OpenedFile(Arc<dyn ReadAt>);

impl RemoteFile for OpenedFile {
    fn bytes(&self) -> u64 {
        self.0.len()
    }

    fn tag(&self) -> &str {
        "" // plans know their files by number
    }

    fn read(
        &self,
        offset: u64,
        into: &mut [u8],
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<(), RemoteReadError> {
        if is_cancelled() {
            return Err(RemoteReadError::Cancelled);
        }
        let bytes = self.0.read_at(offset, into.len()).map_err(|error| {
            let failed = Error::new(ErrorKind::StorageFailed, "a data file can't be read").caused_by(error);
            RemoteReadError::Failed(failed.into())
        })?;
        into.copy_from_slice(&bytes);
        Ok(())
    }
}
