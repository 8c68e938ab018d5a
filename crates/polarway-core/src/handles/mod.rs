//! Handles: results of queries that are kept, used as tables, and removed when nobody uses them.

mod create;
mod external;
mod in_use;
mod keeping;
mod memory;
mod results;
mod staging;
mod store;

use std::str::FromStr;
use std::time::Duration;

use polarway_handles::{Handle, HandleId};
use polarway_storage::DatasetName;

use crate::error::{Error, Result};
use crate::polarway::Polarway;

pub use create::KeptResult;
pub(crate) use external::ExternalResults;
pub(crate) use in_use::{InUse, Use};
pub(crate) use memory::MemoryResults;
pub(crate) use results::{HandleRows, ResultStore};
pub(crate) use store::Handles;

/// What a name means in a load.
pub(crate) enum Named {
    Dataset(DatasetName),
    Handle(HandleId),
}

impl FromStr for Named {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name.parse() {
            Ok(id) => Ok(Self::Handle(id)),
            Err(_) => Ok(Self::Dataset(DatasetName::new(name)?)),
        }
    }
}

impl Polarway {
    /// Describes a handle. This does not extend its lifetime.
    ///
    /// # Errors
    /// A text that is not an id; a handle that never existed, has expired, or was dropped.
    pub async fn handle(&self, id: &str) -> Result<Handle> {
        let id = parse(id)?;
        self.blocking(move |access| access.handle(id)).await
    }

    /// All handles, ordered by id: those of this engine if they are in memory, else those of all engines that share the storage.
    ///
    /// # Errors
    /// Errors of the storage.
    pub async fn handles(&self) -> Result<Vec<Handle>> {
        let mut handles = self.blocking(|access| access.handles()).await?;
        handles.sort_by_cached_key(|handle| handle.id.to_string());
        Ok(handles)
    }

    /// Extends a handle's lifetime: it expires after its time to live from now, or after another time, which becomes its time
    /// to live.
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
    pub async fn extend_handle(&self, id: &str, ttl: Option<Duration>) -> Result<Handle> {
        let id = parse(id)?;
        self.blocking(move |access| access.extend_handle(id, ttl)).await
    }

    /// Drops a handle. Reads that have begun go on. Dropping it twice is no error.
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
    pub async fn drop_handle(&self, id: &str) -> Result<()> {
        let id = parse(id)?;
        self.blocking(move |access| access.drop_handle(id)).await
    }

    /// Checks whether handles can be made.
    ///
    /// # Errors
    /// Errors of the storage.
    pub async fn check_handles(&self) -> Result<()> {
        self.blocking(|access| access.engine().check_handles()).await
    }
}

fn parse(id: &str) -> Result<HandleId> {
    id.parse().map_err(|error| polarway_handles::Error::Invalid(error).into())
}
