//! What all stores of handles can do.

use std::fmt::Debug;
use std::time::Duration;

use polarway_model::HandleId;

use crate::error::{Error, Result};
use crate::handle::Handle;

/// Where handles are looked up, put off, and dropped. One conformance suite holds all stores to these words.
///
/// Each method tells apart what was never there ([`Error::Unknown`](crate::Error::Unknown)), what expired, and what was
/// dropped; the latter two are forgotten after a while.
pub trait HandleStore: Send + Sync + Debug {
    /// What this store says where there is no such handle, for whoever may not know of one that there is.
    fn unknown(&self, id: HandleId) -> Error;

    /// A handle. To ask is not to use it.
    ///
    /// # Errors
    /// There is none, or no more.
    fn get(&self, id: HandleId) -> Result<Handle>;

    /// All handles, in any order.
    ///
    /// # Errors
    /// What the storage says.
    fn list(&self) -> Result<Vec<Handle>>;

    /// Puts a handle's expiry off from now on, for the time that it had or another.
    ///
    /// # Errors
    /// There is none, or no more.
    fn extend(&self, id: HandleId, ttl: Option<Duration>) -> Result<Handle>;

    /// Puts a handle's expiry off as a use of it does; where that is written down, at most once per half of its time.
    ///
    /// # Errors
    /// There is none, or no more.
    fn touch(&self, id: HandleId) -> Result<Handle>;

    /// Drops a handle; it may be dropped already.
    ///
    /// # Errors
    /// There never was one, or it has expired.
    fn remove(&self, id: HandleId) -> Result<()>;

    /// Removes what has expired and forgets what did so long ago.
    ///
    /// # Errors
    /// What the storage says.
    fn tidy(&self) -> Result<()>;

    /// Whether other processes may serve the same handles. Then one janitor tidies them for all; otherwise each process tidies
    /// its own.
    fn is_shared(&self) -> bool;

    /// Whether the store can take a handle now.
    ///
    /// # Errors
    /// What the storage says.
    fn check(&self) -> Result<()>;
}
