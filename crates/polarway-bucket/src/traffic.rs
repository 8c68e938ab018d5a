//! Counts what goes over the network.

use std::sync::atomic::{AtomicU64, Ordering};

/// What went over the network since the client was made.
#[derive(Debug, Default)]
pub struct Traffic {
    requests: AtomicU64,
    busy: AtomicU64,
}

impl Traffic {
    /// The requests that were sent, each try of one counted.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The requests that the service did not carry out because it was busy or failed, such as `SlowDown`. They are tried again
    /// after a pause.
    pub fn busy(&self) -> u64 {
        self.busy.load(Ordering::Relaxed)
    }

    pub(crate) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_busy(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }
}
