//! Checks that a storage is meant for handles.
//!
//! Handles in such a storage are removed when they end, so no other storage may be mistaken for it: neither a folder that was
//! configured by mistake nor a server's datasets. A storage for handles is marked on first use.

use std::error::Error as _;

use polarway_model::HandleId;
use polarway_storage::{Backend, FailureKind};

use crate::error::{Error, Result};

/// The folder for Polarway's own files beside the handles, and the only entry in a handle's folder.
const CONTROL_FOLDER: &str = "_polarway";

/// The file that marks the storage.
const MARK: &str = "_polarway/handles";

const MARK_TEXT: &str = "Polarway keeps the results of queries in this place, and removes them from it. Keep nothing else here.\n";

/// A folder that exists by default in the root of a filesystem.
const SYSTEM_FOLDER: &str = "lost+found";

/// The prefix of Polarway's temporary file names.
const TEMPORARY_PREFIX: &str = ".polarway-";

/// Checks that a storage is for handles, then marks it. It must have the mark, be empty, or hold only handles, as do storages
/// from before the mark existed.
///
/// # Errors
/// [`Error::NotForHandles`] with the other content, or an error of the storage. A storage that can be read but not written is
/// accepted without a mark: nothing can be removed there either.
pub fn claim_storage(storage: &dyn Backend) -> Result<()> {
    if storage.head(MARK).map_err(failed)?.is_some() {
        return Ok(());
    }
    for entry in storage.list("").map_err(failed)? {
        let is_ours = entry.name.starts_with(TEMPORARY_PREFIX)
            || (entry.file.is_none() && is_for_handles(storage, &entry.name)?);
        if !is_ours {
            return Err(Error::NotForHandles { found: entry.name });
        }
    }
    match storage.replace(MARK, MARK_TEXT.into()) {
        Err(error)
            if matches!(
                error.kind,
                FailureKind::ReadOnly | FailureKind::Denied | FailureKind::WriteDenied | FailureKind::Full
            ) =>
        {
            let cause = error.source().map(ToString::to_string);
            tracing::warn!(%error, cause, "the storage of handles can't be marked as one");
            Ok(())
        }
        other => other.map_err(failed),
    }
}

fn is_for_handles(storage: &dyn Backend, folder: &str) -> Result<bool> {
    if folder == CONTROL_FOLDER || folder == SYSTEM_FOLDER {
        return Ok(true);
    }
    if HandleId::from_code(folder).is_none() {
        return Ok(false);
    }
    // A handle whose removal was not finished may be an empty folder.
    let inside = storage.list(folder).map_err(failed)?;
    Ok(inside.iter().all(|entry| entry.file.is_none() && entry.name == CONTROL_FOLDER))
}

fn failed(error: polarway_storage::BackendError) -> Error {
    Error::Storage(error.into())
}
