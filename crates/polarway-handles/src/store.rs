//! What all stores of handles can do.

use std::fmt::Debug;
use std::time::Duration;

use polarway_model::HandleId;
use polarway_storage::ChangeCounts;

use crate::error::{Error, Result};
use crate::handle::Handle;

/// Where handles are looked up, extended, and dropped. One conformance suite checks all stores against this text.
///
/// Each method distinguishes handles that never existed ([`Error::Unknown`](crate::Error::Unknown)), expired, and were dropped;
/// the last two are forgotten after a while.
pub trait HandleStore: Send + Sync + Debug {
    /// This store's error for an unknown handle. The handle may exist where this store can't see it.
    fn unknown(&self, id: HandleId) -> Error;

    /// Returns a handle. This does not count as a use.
    ///
    /// # Errors
    /// There is no such handle, or it has ended.
    fn get(&self, id: HandleId) -> Result<Handle>;

    /// All handles, in any order.
    ///
    /// # Errors
    /// An error of the storage.
    fn list(&self) -> Result<Vec<Handle>>;

    /// Restarts a handle's lease now, with the same duration or another.
    ///
    /// # Errors
    /// There is no such handle, or it has ended.
    fn extend(&self, id: HandleId, ttl: Option<Duration>) -> Result<Handle>;

    /// Restarts a handle's lease because it is used. A stored lease is written at most once per half of its duration.
    ///
    /// # Errors
    /// There is no such handle, or it has ended.
    fn touch(&self, id: HandleId) -> Result<Handle>;

    /// Drops a handle. A handle that is already dropped is no error.
    ///
    /// # Errors
    /// It never existed, or it has expired.
    fn remove(&self, id: HandleId) -> Result<()>;

    /// Removes handles that have expired, and forgets those that ended long ago.
    ///
    /// # Errors
    /// An error of the storage.
    fn tidy(&self) -> Result<()>;

    /// Whether other processes may serve the same handles. If so, one janitor tidies them for all; otherwise each process
    /// tidies its own.
    fn is_shared(&self) -> bool;

    /// What this process's changes of the store's storage came to; `None` if it has no storage.
    fn change_counts(&self) -> Option<ChangeCounts>;

    /// Whether the store can accept a handle now.
    ///
    /// # Errors
    /// An error of the storage.
    fn check(&self) -> Result<()>;
}
