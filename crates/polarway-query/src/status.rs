//! What can be seen of a query from outside: what it is doing, and what it has done.

use std::sync::Arc;
use std::time::SystemTime;

use polarway_model::EngineUsed;
pub(crate) use polarway_model::{QueryPhase as Phase, QueryTimes as PhaseTimes};
use uuid::Uuid;

/// What a query did, as far as the engine knows; its [catalog](crate::Catalog) knows which versions it read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The rows of its result.
    pub rows: u64,
    /// The size of its result as Arrow, in bytes.
    pub bytes: u64,
    /// How long each phase took.
    pub times: PhaseTimes,
    /// Which engine ran it.
    pub engine: EngineUsed,
}

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryOutcome {
    /// Its reader got all rows.
    Succeeded,
    /// It failed.
    Failed,
    /// It was stopped: cancelled, too late, or read too slowly.
    Stopped,
    /// It was not run, since the queue was full.
    Refused,
}

/// Learns of each query that has ended.
pub trait QueryObserver: Send + Sync {
    /// A query has ended. The call comes from the query's own thread, or from another one if the query did not run; it must not
    /// block.
    fn ended(&self, query: &QueryStatus, outcome: QueryOutcome);
}

/// How many queries are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueState {
    /// Queries that run in a slot.
    pub running: usize,
    /// Queries that wait for a slot.
    pub waiting: usize,
    /// Queries that were stopped and whose threads still work beside the slots.
    pub stuck: usize,
}

/// A query, as it is seen from outside.
#[derive(Debug, Clone)]
pub struct QueryStatus {
    /// The id to cancel it by.
    pub id: Uuid,
    /// Its text.
    pub sql: Arc<str>,
    /// Its owner.
    pub owner: Arc<str>,
    /// When it arrived.
    pub started: SystemTime,
    /// What it is doing.
    pub phase: Phase,
    /// What it has done so far.
    pub summary: Summary,
}
