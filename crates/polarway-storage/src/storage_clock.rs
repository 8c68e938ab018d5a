//! Compares the storage's clock with this machine's clock, which may be wrong.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::backend::{Backend, BackendResult};
use crate::environment::Clock;

/// How far this machine's clock may be ahead of the storage's for writes. It is also the time window of request ids.
pub(crate) const MOST_AHEAD_US: i64 = 10 * 60 * 1_000_000;

/// How long a comparison is used.
const COMPARED_US: i64 = 60 * 1_000_000;

/// Smaller differences are ignored: a bucket's clock has only whole seconds.
const NOISE_US: i64 = 2_000_000;

/// The difference between the two clocks. The storage is asked once a minute.
#[derive(Debug)]
pub(crate) struct StorageClock {
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    compared: Mutex<Option<Compared>>,
}

#[derive(Clone, Copy, Debug)]
struct Compared {
    /// When, by this machine's clock.
    at_us: i64,
    /// How far this machine's clock is ahead; below zero if it is behind.
    ahead_us: i64,
}

impl StorageClock {
    pub(crate) fn new(backend: Arc<dyn Backend>, clock: Arc<dyn Clock>) -> Self {
        Self { backend, clock, compared: Mutex::default() }
    }

    /// About the storage's time; this machine's time if the storage's is not known, as for a storage that takes no writes.
    pub(crate) fn now_us(&self, scratch_folder: &str) -> i64 {
        self.clock.now_us().saturating_sub(self.ahead_us(scratch_folder))
    }

    /// How far this machine's clock is ahead of the storage's; 0 if that is not known.
    pub(crate) fn ahead_us(&self, scratch_folder: &str) -> i64 {
        let now_us = self.clock.now_us();
        let mut compared = self.compared.lock();
        // Outside of this range the comparison is too old, or this machine's clock was set.
        let is_good = |known: &Compared| (0..COMPARED_US).contains(&now_us.saturating_sub(known.at_us));
        if let Some(known) = compared.as_ref().filter(|known| is_good(known)) {
            return known.ahead_us;
        }
        let ahead_us = self.compare(scratch_folder).unwrap_or_else(|error| {
            tracing::debug!(%error, "the storage does not tell its time");
            0
        });
        *compared = Some(Compared { at_us: now_us, ahead_us });
        ahead_us
    }

    fn compare(&self, scratch_folder: &str) -> BackendResult<i64> {
        let before_us = self.clock.now_us();
        let storage_us = self.backend.about_now_us(scratch_folder)?;
        let after_us = self.clock.now_us();
        // The storage read its clock at some time between the two.
        let ahead_us =
            before_us.saturating_sub(storage_us).max(0) + after_us.saturating_sub(storage_us).min(0);
        Ok(if ahead_us.abs() > NOISE_US { ahead_us } else { 0 })
    }
}
