//! What a worker has done since it was opened: numbers that only grow.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a worker counts. Its connections count as well, and know nothing of the worker.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) tries: Count,
    pub(crate) plans: Count,
    pub(crate) plans_refused: Count,
    pub(crate) sent_bytes: Count,
    pub(crate) received_bytes: Count,
}

impl Counters {
    pub(crate) fn now(&self) -> WorkerCounts {
        WorkerCounts {
            tries: self.tries.now(),
            plans: self.plans.now(),
            plans_refused: self.plans_refused.now(),
            sent_bytes: self.sent_bytes.now(),
            received_bytes: self.received_bytes.now(),
        }
    }
}

/// What a worker has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerCounts {
    /// Tries to run a query over several workers that it coordinated: a query that runs again has more than one.
    pub tries: u64,
    /// Plans of tasks that it took from coordinators, itself among them.
    pub plans: u64,
    /// Plans that it refused, since they do more than compute over the files of their query.
    pub plans_refused: u64,
    /// Bytes of rows that it sent to other workers.
    pub sent_bytes: u64,
    /// Bytes of rows that it received from other workers.
    pub received_bytes: u64,
}
