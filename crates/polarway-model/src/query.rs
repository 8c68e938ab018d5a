//! Queries: how they are run, and what is known of them.

use std::time::Duration;

use crate::dataset::DatasetVersion;

/// A stage in the life of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueryPhase {
    /// It waits for other queries to end.
    Waiting,
    /// Its text is parsed and checked.
    Checking,
    /// Its names are looked up and pinned.
    Resolving,
    /// It is planned.
    Planning,
    /// It runs, and its rows are taken.
    Running,
    /// One that only a later version of Polarway knows.
    Unknown,
}

/// How long a query spent in each phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryTimes {
    /// Waiting for other queries to end.
    pub waiting: Duration,
    /// Parsing and checking the text; next to nothing for one that was seen before.
    pub checking: Duration,
    /// Looking names up and pinning their versions.
    pub resolving: Duration,
    /// Planning.
    pub planning: Duration,
    /// From the start of execution until the last row was taken: a slow reader counts.
    pub running: Duration,
}

impl QueryTimes {
    /// Counts time spent in a phase in.
    pub fn add(&mut self, phase: QueryPhase, time: Duration) {
        let total = match phase {
            QueryPhase::Waiting => &mut self.waiting,
            QueryPhase::Checking => &mut self.checking,
            QueryPhase::Resolving => &mut self.resolving,
            QueryPhase::Planning => &mut self.planning,
            QueryPhase::Running => &mut self.running,
            QueryPhase::Unknown => return,
        };
        *total += time;
    }
}

/// What a query did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuerySummary {
    /// The rows of its result.
    pub rows: u64,
    /// The bytes of its result in Arrow's form.
    pub bytes: u64,
    /// The datasets that it read, each once per version, by name and version.
    pub datasets: Vec<DatasetVersion>,
    /// How long it spent in each phase.
    pub times: QueryTimes,
}

/// A query that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningQuery {
    /// What to cancel it by.
    pub query_id: String,
    /// Its text.
    pub sql: String,
    /// What it is at.
    pub phase: QueryPhase,
    /// When it came: microseconds since 1970-01-01 UTC.
    pub started_us: i64,
    /// How long ago that is.
    pub elapsed: Duration,
    /// The rows of its result until now.
    pub rows: u64,
    /// The bytes of those rows in Arrow's form.
    pub bytes: u64,
}
