//! What is known of a query from outside: what it is doing, and what it has done.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

/// A stage in the life of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It waits for other queries to end.
    Waiting,
    /// Its text is parsed and checked.
    Checking,
    /// Its names are looked up and pinned.
    Resolving,
    /// DuckDB plans it.
    Planning,
    /// DuckDB runs it, and its rows are taken.
    Running,
}

/// How long a query spent in each phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PhaseTimes {
    /// Waiting for other queries to end.
    pub waiting: Duration,
    /// Parsing and checking the text; next to nothing for one that was seen before.
    pub checking: Duration,
    /// Looking names up and pinning their versions.
    pub resolving: Duration,
    /// DuckDB's planning.
    pub planning: Duration,
    /// From the start of execution until the last row was taken: a slow reader counts.
    pub running: Duration,
}

impl PhaseTimes {
    pub(crate) fn add(&mut self, phase: Phase, time: Duration) {
        let total = match phase {
            Phase::Waiting => &mut self.waiting,
            Phase::Checking => &mut self.checking,
            Phase::Resolving => &mut self.resolving,
            Phase::Planning => &mut self.planning,
            Phase::Running => &mut self.running,
        };
        *total += time;
    }
}

/// What a query did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// The rows of its result.
    pub rows: u64,
    /// The bytes of its result in Arrow's form.
    pub bytes: u64,
    /// How long each phase took.
    pub times: PhaseTimes,
}

/// A query that has not ended.
#[derive(Debug, Clone)]
pub struct QueryStatus {
    /// What to call it by when it is to be cancelled.
    pub id: Uuid,
    /// Its text.
    pub sql: Arc<str>,
    /// When it came.
    pub started: SystemTime,
    /// What it is at.
    pub phase: Phase,
    /// What it did until now.
    pub summary: Summary,
}
