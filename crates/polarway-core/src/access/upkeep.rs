//! What an engine does on its own, for no caller.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use polarway_query::{DistributedExecutor, EngineCondition, PlanFiles, ResultFiles};
use polarway_storage::{Rounds, StandstillGuard};

use crate::error::Result;
use crate::janitor;
use crate::metrics::Sample;
use crate::polarway::EngineParts;

impl EngineParts {
    /// Starts what keeps the cold tier and the handles tidy.
    pub(crate) fn start_janitor(&self, interval: Duration) -> Result<Rounds> {
        let data = self.guarded.without_caller();
        let clock = Arc::clone(&self.environment.clock);
        janitor::start(Arc::clone(&data.tables), Arc::clone(data.handles.store()), interval, clock)
    }

    /// The files of plans that other workers have made.
    pub(crate) fn plan_files(&self) -> Arc<dyn PlanFiles> {
        Arc::clone(&self.guarded.without_caller().plan_files)
    }

    /// Writes files of kept results for queries that other workers coordinate.
    pub(crate) fn result_files(&self) -> Option<Arc<dyn ResultFiles>> {
        self.guarded.without_caller().handles.results().result_files()
    }

    /// Sets the executor over several workers.
    pub(crate) fn set_distributed(&self, executor: Arc<dyn DistributedExecutor>) -> Result<()> {
        Ok(self.guarded.without_caller().queries.set_distributed(executor)?)
    }

    /// Has it noticed when this process stands still, for a server that takes requests.
    pub(crate) fn watch_for_standstill(&self) -> StandstillGuard {
        self.guarded.without_caller().tables.watch_for_standstill()
    }

    /// Whether handles can be made, for health.
    pub(crate) fn check_handles(&self) -> Result<()> {
        Ok(self.guarded.without_caller().handles.store().check()?)
    }

    /// Whether the cold tier can be reached, for health.
    pub(crate) fn check_cold_tier(&self) -> Result<()> {
        let checked = self.guarded.without_caller().tables.backend().check();
        Ok(checked.map_err(polarway_storage::Error::from)?)
    }

    /// Sets the metrics of what changes all the time.
    pub(crate) fn sample_metrics(&self) {
        let Some(metrics) = &self.metrics else { return };
        let data = self.guarded.without_caller();
        let sample = Sample {
            cache: data.loader.cache_stats(),
            queue: data.queries.queue(),
            condition: data.queries.condition(),
            distributed: data.queries.distributed_counts(),
            cold: data.tables.change_counts(),
            state: data.handles.store().change_counts(),
        };
        metrics.sample(&self.memory, &sample);
    }

    /// Whether other processes serve the same handles.
    pub(crate) fn handles_are_shared(&self) -> bool {
        self.guarded.without_caller().handles.store().is_shared()
    }

    /// Counts the handles for metrics, if the last count is too old.
    pub(crate) fn count_handles(&self) {
        let store = self.guarded.without_caller().handles.store();
        if let Some(metrics) = &self.metrics
            && metrics.should_count_handles(store.is_shared())
        {
            match store.list() {
                Ok(handles) => metrics.count_handles(&handles),
                Err(error) => tracing::debug!(%error, "the handles can't be counted"),
            }
        }
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
