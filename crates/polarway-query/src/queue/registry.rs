//! The queries that have not ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use uuid::Uuid;

use super::activity::Activity;
use crate::status::{QueryObserver, QueryOutcome};

/// All queries from their arrival until their thread's work ends, by id, which is also by age.
#[derive(Default)]
pub(crate) struct Registry {
    queries: Mutex<Queries>,
    changed: Condvar,
    observers: Vec<Arc<dyn QueryObserver>>,
}

#[derive(Debug, Default)]
struct Queries {
    by_id: BTreeMap<Uuid, Arc<Activity>>,
    watch_sleeps: bool,
    is_closed: bool,
}

impl Registry {
    /// A registry that reports each query that has ended.
    pub(crate) fn reporting_to(observers: Vec<Arc<dyn QueryObserver>>) -> Self {
        Self { observers, ..Self::default() }
    }

    pub(crate) fn add(self: &Arc<Self>, activity: Arc<Activity>) -> Registered {
        let registered =
            Registered { registry: Arc::clone(self), activity: Arc::clone(&activity), is_reported: false };
        let mut queries = self.queries.lock();
        queries.by_id.insert(activity.id, activity);
        if std::mem::take(&mut queries.watch_sleeps) {
            self.changed.notify_one();
        }
        registered
    }

    pub(crate) fn get(&self, id: Uuid) -> Option<Arc<Activity>> {
        self.queries.lock().by_id.get(&id).cloned()
    }

    /// The oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Activity>> {
        self.queries.lock().by_id.values().cloned().collect()
    }

    /// Whether a query has ended, or waits.
    pub(crate) fn is_idle(&self, id: Uuid) -> bool {
        self.get(id).is_none_or(|activity| activity.is_waiting())
    }

    /// Sleeps until there is a query to watch; `false` if there will be none any more.
    pub(crate) fn wait_for_any(&self) -> bool {
        let mut queries = self.queries.lock();
        while queries.by_id.is_empty() && !queries.is_closed {
            queries.watch_sleeps = true;
            self.changed.wait(&mut queries);
        }
        !queries.is_closed
    }

    /// Sleeps for a while; `false` if there will be no more queries.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let mut queries = self.queries.lock();
        if !queries.is_closed {
            self.changed.wait_for(&mut queries, time);
        }
        !queries.is_closed
    }

    pub(crate) fn close(&self) {
        self.queries.lock().is_closed = true;
        self.changed.notify_all();
    }
}

/// A query's entry, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    registry: Arc<Registry>,
    activity: Arc<Activity>,
    is_reported: bool,
}

impl Registered {
    pub(crate) fn shared(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// Reports how the query ended, once.
    pub(crate) fn report(&mut self, outcome: QueryOutcome) {
        if std::mem::replace(&mut self.is_reported, true) || self.registry.observers.is_empty() {
            return;
        }
        let query = self.activity.status();
        for observer in &self.registry.observers {
            observer.ended(&query, outcome);
        }
    }
}

impl std::ops::Deref for Registered {
    type Target = Activity;

    fn deref(&self) -> &Activity {
        &self.activity
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.queries.lock().by_id.remove(&self.activity.id);
        // It was not run, or its thread panicked.
        self.report(match (self.activity.control.is_stopped(), self.activity.is_waiting()) {
            (true, _) => QueryOutcome::Stopped,
            (false, true) => QueryOutcome::Refused,
            (false, false) => QueryOutcome::Failed,
        });
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("queries", &self.queries).finish_non_exhaustive()
    }
}
