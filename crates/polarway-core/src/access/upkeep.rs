//! What an engine does on its own, for no caller.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use polarway_query::EngineCondition;
use polarway_storage::{Rounds, StandstillGuard};

use crate::error::Result;
use crate::janitor;
use crate::polarway::EngineParts;

impl EngineParts {
    /// Starts what keeps the cold tier and the handles tidy.
    pub(crate) fn start_janitor(&self, interval: Duration) -> Result<Rounds> {
        let data = self.guarded.without_caller();
        let clock = Arc::clone(&self.environment.clock);
        janitor::start(Arc::clone(&data.tables), Arc::clone(data.handles.store()), interval, clock)
    }

    /// Has it noticed when this process stands still, for a server that takes requests.
    pub(crate) fn watch_for_standstill(&self) -> StandstillGuard {
        self.guarded.without_caller().tables.watch_for_standstill()
    }

    /// Whether handles can be made, for health.
    pub(crate) fn check_handles(&self) -> Result<()> {
        Ok(self.guarded.without_caller().handles.store().check()?)
    }

    /// How the query engine is, for health.
    pub(crate) fn query_engine(&self) -> EngineCondition {
        self.guarded.without_caller().queries.condition()
    }
}

impl fmt::Debug for EngineParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backend = self.guarded.without_caller().tables.backend();
        f.debug_struct("EngineParts").field("backend", backend).finish_non_exhaustive()
    }
}
