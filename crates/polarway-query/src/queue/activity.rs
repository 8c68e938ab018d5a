//! What a query that has not ended is doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;
use polarway_model::EngineUsed;
use uuid::Uuid;

use super::control::Control;
use super::seat::Seat;
use crate::status::{Phase, PhaseTimes, QueryStatus, Summary};

/// One query that waits or runs.
#[derive(Debug)]
pub(crate) struct Activity {
    pub(crate) id: Uuid,
    pub(crate) sql: Arc<str>,
    pub(crate) owner: Arc<str>,
    pub(crate) control: Arc<Control>,
    pub(crate) began: Instant,
    pub(crate) seat: Mutex<Seat>,
    started: SystemTime,
    clock: Mutex<Clock>,
    rows: AtomicU64,
    bytes: AtomicU64,
    engine: Mutex<EngineUsed>,
}

#[derive(Debug)]
struct Clock {
    phase: Phase,
    since: Instant,
    times: PhaseTimes,
}

impl Activity {
    pub(crate) fn new(sql: &str, owner: Arc<str>, control: Arc<Control>) -> Self {
        let now = Instant::now();
        Self {
            id: Uuid::now_v7(),
            sql: Arc::from(sql),
            owner,
            control,
            began: now,
            seat: Mutex::new(Seat::new()),
            started: SystemTime::now(),
            clock: Mutex::new(Clock { phase: Phase::Waiting, since: now, times: PhaseTimes::default() }),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            engine: Mutex::default(),
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        let now = Instant::now();
        let mut clock = self.clock.lock();
        let time = now - clock.since;
        let left = clock.phase;
        clock.times.add(left, time);
        (clock.phase, clock.since) = (phase, now);
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.clock.lock().phase == Phase::Waiting
    }

    /// Counts rows in; gives the totals.
    pub(crate) fn count(&self, rows: u64, bytes: u64) -> (u64, u64) {
        let before =
            (self.rows.fetch_add(rows, Ordering::Relaxed), self.bytes.fetch_add(bytes, Ordering::Relaxed));
        (before.0 + rows, before.1 + bytes)
    }

    /// Sets the size of a result that is not given piece by piece.
    pub(crate) fn set_size(&self, rows: u64, bytes: u64) {
        self.rows.store(rows, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Notes which engine runs it.
    pub(crate) fn ran_on(&self, engine: EngineUsed) {
        *self.engine.lock() = engine;
    }

    pub(crate) fn summary(&self) -> Summary {
        let clock = self.clock.lock();
        let mut times = clock.times;
        times.add(clock.phase, clock.since.elapsed());
        Summary {
            rows: self.rows.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            times,
            engine: self.engine.lock().clone(),
        }
    }

    pub(crate) fn status(&self) -> QueryStatus {
        let phase = self.clock.lock().phase;
        QueryStatus {
            id: self.id,
            sql: Arc::clone(&self.sql),
            owner: Arc::clone(&self.owner),
            started: self.started,
            phase,
            summary: self.summary(),
        }
    }
}
