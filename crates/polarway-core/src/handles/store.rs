//! The handles of an engine.

use std::sync::Arc;
use std::time::Duration;

use polarway_handles::{HandleId, HandleStore};
use polarway_query::Relation;
use polarway_storage::Clock;

use super::InUse;
use super::results::{HandleRows, ResultStore};
use crate::error::Result;

/// The handles of an engine: the store of results, and those that are in use.
pub(crate) struct Handles {
    results: Arc<dyn ResultStore>,
    /// How long a handle is kept unless its maker asked for another time.
    pub(crate) ttl: Duration,
    pub(crate) in_use: InUse,
}

impl Handles {
    /// Starts to serve the handles of a store.
    pub(crate) fn start(results: Arc<dyn ResultStore>, ttl: Duration, clock: Arc<dyn Clock>) -> Result<Self> {
        let in_use = InUse::start(Arc::clone(results.handles()), clock)?;
        Ok(Self { results, ttl, in_use })
    }

    pub(crate) fn results(&self) -> &Arc<dyn ResultStore> {
        &self.results
    }

    pub(crate) fn store(&self) -> &Arc<dyn HandleStore> {
        self.results.handles()
    }

    /// The rows of a handle that is about to be used.
    pub(crate) fn open(&self, id: HandleId) -> Result<Box<dyn HandleRows>> {
        self.results.open(id)
    }

    /// A handle as a relation of a query; it is in use until the query ends.
    pub(crate) fn relation(&self, rows: Box<dyn HandleRows>) -> Relation {
        let used = self.in_use.begin(rows.handle());
        let Relation { source, pin, after_scan } = rows.relation();
        Relation { source, pin: Box::new((used, pin)), after_scan }
    }
}
