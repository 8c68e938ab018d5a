//! Whether a storage is one for handles.
//!
//! What lies in such a storage is removed when it ends, so nothing else may be taken for it: not a folder that somebody pointed
//! at by mistake, and not the datasets of a server. A storage that handles are kept in says so, from the first time on.

use std::error::Error as _;

use polarway_model::HandleId;
use polarway_storage::{Backend, FailureKind};

use crate::error::{Error, Result};

/// The folder that holds what Polarway keeps beside handles, and what a handle keeps beside nothing.
const CONTROL_FOLDER: &str = "_polarway";

/// The file that says so.
const MARK: &str = "_polarway/handles";

const MARK_TEXT: &str = "Polarway keeps the results of queries in this place, and removes them from it. Keep nothing else here.\n";

/// What lies in the root of a filesystem by itself.
const SYSTEM_FOLDER: &str = "lost+found";

/// How the names of files begin that Polarway makes in passing.
const TEMPORARY_PREFIX: &str = ".polarway-";

/// Makes sure that a storage is one for handles: it says so, or it is empty, or it holds handles and nothing else, as those do
/// that were made before there was a mark. Then it is marked.
///
/// # Errors
/// [`Error::NotForHandles`] with what else lies there, and what the storage says. One that can be read and not be written is
/// taken as it is: nothing can be removed there either.
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
            if matches!(error.kind, FailureKind::ReadOnly | FailureKind::Denied | FailureKind::Full) =>
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
    // A handle that was removed halfway may be an empty folder.
    let inside = storage.list(folder).map_err(failed)?;
    Ok(inside.iter().all(|entry| entry.file.is_none() && entry.name == CONTROL_FOLDER))
}

fn failed(error: polarway_storage::BackendError) -> Error {
    Error::Storage(error.into())
}
