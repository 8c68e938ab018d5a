//! How queries ended that were to run on several workers.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::distributed::DistributedFailure;
use crate::error::Error;

/// How a query ended that was to run on several workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DistributedOutcome {
    /// Several workers ran it to its end.
    Done,
    /// It asked for several workers, which can't run it.
    Refused,
    /// A worker was lost, and the query could not run again.
    Lost,
    /// It failed, or was stopped.
    Failed,
    /// The worker that was asked ran it alone.
    Local(StayCause),
}

/// Why a query ran on one worker that was to run on several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StayCause {
    /// Something in it is not known to run on several workers exactly.
    Plan,
    /// One of its tables, or its result, is in the memory of one worker.
    Memory,
    /// Too few workers were ready, or none of them took it.
    Workers,
    /// Workers were lost before the first row.
    Lost,
    /// It failed on several workers before the first row.
    Failed,
}

impl DistributedOutcome {
    /// All outcomes.
    pub const ALL: [Self; 9] = [
        Self::Done,
        Self::Refused,
        Self::Lost,
        Self::Failed,
        Self::Local(StayCause::Plan),
        Self::Local(StayCause::Memory),
        Self::Local(StayCause::Workers),
        Self::Local(StayCause::Lost),
        Self::Local(StayCause::Failed),
    ];

    /// What an error means that ended the query.
    pub(crate) fn of_error(error: &Error) -> Self {
        match error {
            Error::NotDistributable(_) => Self::Refused,
            Error::WorkerLost(_) => Self::Lost,
            _ => Self::Failed,
        }
    }
}

impl StayCause {
    /// What a failure means after which the query runs on one worker.
    pub(crate) fn of_failure(failure: &DistributedFailure) -> Self {
        match failure {
            DistributedFailure::Refused(_) => Self::Plan,
            DistributedFailure::NoWorkers(_) => Self::Workers,
            DistributedFailure::WorkerLost(_) => Self::Lost,
            DistributedFailure::Query(_) => Self::Failed,
        }
    }
}

/// How many queries ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DistributedCounts([u64; DistributedOutcome::ALL.len()]);

impl DistributedCounts {
    /// How many ended in this way.
    #[must_use]
    pub fn of(&self, outcome: DistributedOutcome) -> u64 {
        place(outcome).map_or(0, |place| self.0[place])
    }
}

/// The same while queries end.
#[derive(Debug, Default)]
pub(crate) struct CountedOutcomes([AtomicU64; DistributedOutcome::ALL.len()]);

impl CountedOutcomes {
    pub(crate) fn count(&self, outcome: DistributedOutcome) {
        if let Some(place) = place(outcome) {
            self.0[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn now(&self) -> DistributedCounts {
        DistributedCounts(std::array::from_fn(|place| self.0[place].load(Ordering::Relaxed)))
    }
}

fn place(outcome: DistributedOutcome) -> Option<usize> {
    DistributedOutcome::ALL.iter().position(|other| *other == outcome)
}
