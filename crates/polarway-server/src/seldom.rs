//! Words for the log about what may happen a thousand times a second.

use std::time::{Duration, Instant};

/// How long it is silent between two words.
const SILENCE: Duration = Duration::from_secs(10);

/// Counts what happens, and tells the count now and then.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    told: Option<Instant>,
    count: u64,
}

impl Seldom {
    /// Counts it once more. Where it is time to tell, how often it happened since it was told last.
    pub(crate) fn count(&mut self) -> Option<u64> {
        self.count += 1;
        if self.told.is_some_and(|told| told.elapsed() < SILENCE) {
            return None;
        }
        self.told = Some(Instant::now());
        Some(std::mem::take(&mut self.count))
    }
}
