//! How much a caller has of what is bounded for it.
//!
//! Nothing is written down: what a caller has is added up each time, and only for callers that have a quota. So it is right after
//! a restart, whatever other engines over the same storage have done.

use std::sync::Arc;

use parking_lot::MutexGuard;
use polarway_handles::HandleStore;
use polarway_model::{DatasetName, WriteMode};
use polarway_storage::Tables;

use super::{Access, Action, Target};
use crate::error::{Error, ErrorKind, Result};

/// What the handles of a caller may take, while one more is made.
#[derive(Clone)]
pub(crate) struct HandleQuota {
    access: Access,
    handles: Arc<dyn HandleStore>,
    most_bytes: u64,
}

impl HandleQuota {
    /// How many bytes the caller's next handle may take. It blocks.
    ///
    /// # Errors
    /// None, or the storage fails.
    pub(crate) fn left(&self) -> Result<u64> {
        let owner = self.access.caller().name();
        let handles = self.handles.list()?;
        let own = handles.iter().filter(|handle| handle.owner.as_deref() == Some(owner));
        let used_bytes: u64 = own.map(|handle| handle.bytes).sum();
        match self.most_bytes.checked_sub(used_bytes) {
            Some(left) if left > 0 => Ok(left),
            _ => Err(exceeded(format!(
                "the handles of {owner} take {used_bytes} of the {} bytes that they may take; drop some",
                self.most_bytes
            ))),
        }
    }

    /// Checks whether a handle that takes so many bytes fits into what is left.
    ///
    /// # Errors
    /// It does not.
    pub(crate) fn check(&self, bytes: u64, left: u64) -> Result<()> {
        match bytes > left {
            true => Err(exceeded(format!(
                "the result takes {bytes} bytes, and the handles of {} may take {left} more; drop some, or keep a smaller one",
                self.access.caller()
            ))),
            false => Ok(()),
        }
    }

    /// Keeps others of this engine from adding to what is checked, until the result is dropped.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.access.engine().quotas.lock()
    }
}

impl Access {
    /// The quota of the caller for handles, if it has one.
    pub(crate) fn handle_quota(&self) -> Result<Option<HandleQuota>> {
        let handles = &self.authorize(Action::Keep, Target::Engine)?.handles;
        Ok(self.caller().quota().handle_bytes.map(|most_bytes| HandleQuota {
            access: self.clone(),
            handles: Arc::clone(handles.store()),
            most_bytes,
        }))
    }

    /// How many bytes the caller may still store, if it has a quota: those of the newest versions of all datasets that it may
    /// write count. The dataset that is about to be replaced does not.
    pub(super) fn room_to_store(
        &self,
        tables: &Tables,
        name: &DatasetName,
        mode: WriteMode,
    ) -> Result<Option<u64>> {
        let Some(most_bytes) = self.caller().quota().stored_bytes else { return Ok(None) };
        let counts = |other: &DatasetName| {
            let is_replaced = other == name && mode != WriteMode::Append;
            !is_replaced && self.may(Action::Write, Target::Dataset(other))
        };
        let used_bytes = tables.newest_snapshots(counts)?.iter().map(|snapshot| snapshot.bytes).sum();
        Ok(Some(most_bytes.saturating_sub(used_bytes)))
    }
}

fn exceeded(message: String) -> Error {
    Error::new(ErrorKind::QuotaExceeded, message)
}
