//! How a started query is counted, and whether it waits for its reader.

use std::time::{Duration, Instant};

/// How a started query is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It has not started, or has ended.
    Outside,
    /// It has one of the slots.
    Slot,
    /// It was stopped, and its thread is still at work.
    Stuck,
    /// Its reader takes nothing.
    Parked,
}

/// A query's place, and since when its reader takes nothing. Both are under one lock, so that a query whose reader has just
/// come back does not lose its slot.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) place: Place,
    waits_since: Option<Instant>,
}

impl Seat {
    pub(crate) fn new() -> Self {
        Self { place: Place::Outside, waits_since: None }
    }

    /// From now on the query waits for its reader.
    pub(crate) fn wait(&mut self) {
        self.waits_since = Some(Instant::now());
    }

    /// The reader took the data. Returns whether the query still has its slot.
    pub(crate) fn go_on(&mut self) -> bool {
        self.waits_since = None;
        self.place != Place::Parked
    }

    /// How long the reader has taken nothing, if the query is in this place.
    pub(crate) fn silence_in(&self, place: Place, now: Instant) -> Option<Duration> {
        let since = self.waits_since.filter(|_| self.place == place)?;
        Some(now.saturating_duration_since(since))
    }
}
