//! What can be seen of a query from outside: what it is doing, and what it has done.

use std::sync::Arc;
use std::time::SystemTime;

pub(crate) use polarway_model::{QueryPhase as Phase, QueryTimes as PhaseTimes};
use uuid::Uuid;

/// What a query did, as far as the engine knows; its [catalog](crate::Catalog) knows which versions it read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// The rows of its result.
    pub rows: u64,
    /// The size of its result as Arrow, in bytes.
    pub bytes: u64,
    /// How long each phase took.
    pub times: PhaseTimes,
}

/// A query that has not ended.
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
