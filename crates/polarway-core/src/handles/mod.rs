//! Results that stay in the engine: made by a query, used as tables, gone when nobody uses them.

mod create;
mod in_use;
mod store;

use std::str::FromStr;
use std::time::Duration;

use polarway_handles::{Handle, HandleId};
use polarway_storage::DatasetName;

use crate::error::{Error, Result};
use crate::polarway::Polarway;

pub use create::{HandleOptions, KeptResult};
pub(crate) use in_use::{InUse, Use};
pub(crate) use store::{External, Handles, Rows};

/// What a name that can be loaded stands for.
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
    /// A handle, described. That is not a use of it.
    ///
    /// # Errors
    /// A text that is no id; a handle that never was, expired, or was dropped.
    pub async fn handle(&self, id: &str) -> Result<Handle> {
        let id = parse(id)?;
        self.blocking(move |engine| Ok(engine.handles.store().get(id)?)).await
    }

    /// All handles, by id: in memory those of this engine, in a storage those of all that share it.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn handles(&self) -> Result<Vec<Handle>> {
        let mut handles = self.blocking(|engine| Ok(engine.handles.store().list()?)).await?;
        handles.sort_by_cached_key(|handle| handle.id.to_string());
        Ok(handles)
    }

    /// Puts off when a handle expires: to as long from now as before, or another time.
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
    pub async fn extend_handle(&self, id: &str, ttl: Option<Duration>) -> Result<Handle> {
        let id = parse(id)?;
        self.blocking(move |engine| Ok(engine.handles.store().extend(id, ttl)?)).await
    }

    /// Drops a handle. What reads it reads on; one that was dropped before is dropped.
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
    pub async fn drop_handle(&self, id: &str) -> Result<()> {
        let id = parse(id)?;
        self.blocking(move |engine| Ok(engine.handles.store().remove(id)?)).await
    }

    /// Whether handles can be made: the storage takes them.
    ///
    /// # Errors
    /// Why not.
    pub async fn check_handles(&self) -> Result<()> {
        self.blocking(|engine| engine.handles.check()).await
    }
}

fn parse(id: &str) -> Result<HandleId> {
    id.parse().map_err(|error| polarway_handles::Error::Invalid(error).into())
}
