//! Where a query that has begun is counted, and whether it waits for its reader.

use std::time::{Duration, Instant};

/// What a query that has begun is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It has not begun, or has ended.
    Outside,
    /// It has one of the slots.
    Slot,
    /// It was stopped, and its thread is still at work.
    Stuck,
    /// Its reader takes nothing.
    Parked,
}

/// A query's place, and since when its reader takes nothing: under one lock, so that no slot is taken from a query whose
/// reader has just come back.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) place: Place,
    waits_since: Option<Instant>,
}

impl Seat {
    pub(crate) fn new() -> Self {
        Self { place: Place::Outside, waits_since: None }
    }

    /// The query waits for its reader from now on.
    pub(crate) fn wait(&mut self) {
        self.waits_since = Some(Instant::now());
    }

    /// The reader took what was given. Tells whether the slot is still there.
    pub(crate) fn go_on(&mut self) -> bool {
        self.waits_since = None;
        self.place != Place::Parked
    }

    /// For how long the reader has taken nothing, of a query in this place.
    pub(crate) fn silence_in(&self, place: Place, now: Instant) -> Option<Duration> {
        let since = self.waits_since.filter(|_| self.place == place)?;
        Some(now.saturating_duration_since(since))
    }
}
