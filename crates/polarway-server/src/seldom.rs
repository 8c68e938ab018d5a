//! Limits how often the log reports events that may happen a thousand times a second.

use std::time::{Duration, Instant};

/// The time between two reports.
const SILENCE: Duration = Duration::from_secs(10);

/// Counts an event, and reports the count at intervals.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    told: Option<Instant>,
    count: u64,
}

impl Seldom {
    /// Counts one more. If a report is due, returns the count since the last report.
    pub(crate) fn count(&mut self) -> Option<u64> {
        self.count += 1;
        if self.told.is_some_and(|told| told.elapsed() < SILENCE) {
            return None;
        }
        self.told = Some(Instant::now());
        Some(std::mem::take(&mut self.count))
    }
}
