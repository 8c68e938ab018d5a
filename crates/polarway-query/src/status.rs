//! What is known of a query from outside: what it is doing, and what it has done.

use std::sync::Arc;
use std::time::SystemTime;

pub(crate) use polarway_model::{QueryPhase as Phase, QueryTimes as PhaseTimes};
use uuid::Uuid;

/// What a query did, as far as the engine knows: which versions it read, its [catalog](crate::Catalog) knows.
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
    /// Whose it is.
    pub owner: Arc<str>,
    /// When it came.
    pub started: SystemTime,
    /// What it is at.
    pub phase: Phase,
    /// What it did until now.
    pub summary: Summary,
}
