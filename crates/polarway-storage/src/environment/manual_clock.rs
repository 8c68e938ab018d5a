//! A clock that moves only when it is told to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{Clock, Sleeper, micros};

/// A clock that moves only by calls of [`advance`](Self::advance) and [`leap`](Self::leap), for tests.
///
/// Threads that wait by this clock run when their time comes, in the order of these times, and `advance` returns when all of
/// them wait again. So each run of a test gives the same result.
#[derive(Debug)]
pub struct ManualClock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The time or the state of a sleeper changed.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    now_us: i64,
    instant: Instant,
    sleepers: BTreeMap<u64, Slot>,
    next_number: u64,
}

#[derive(Debug, Default)]
struct Slot {
    /// The sleep of its thread; `None` while it is awake.
    sleep: Option<Sleep>,
    is_woken: bool,
}

#[derive(Clone, Copy, Debug)]
struct Sleep {
    until: Option<Instant>,
}

impl Slot {
    /// Whether its thread sleeps, and goes on sleeping at this time.
    fn rests_at(&self, instant: Instant) -> bool {
        let rests = |sleep: Sleep| sleep.until.is_none_or(|until| until > instant);
        !self.is_woken && self.sleep.is_some_and(rests)
    }
}

impl ManualClock {
    /// A clock that shows this time: microseconds since 1970-01-01 UTC.
    pub fn new(now_us: i64) -> Arc<Self> {
        let state = State { now_us, instant: Instant::now(), sleepers: BTreeMap::new(), next_number: 0 };
        Arc::new(Self(Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() })))
    }

    /// Lets time pass. A thread that waits for a time in between runs at that time, and waits again when this returns.
    pub fn advance(&self, by: Duration) {
        let mut state = self.0.state.lock();
        let target = state.instant + by;
        loop {
            self.0.wait_until_all_rest(&mut state);
            let dues = state.sleepers.values().filter_map(|slot| slot.sleep?.until);
            let Some(due) = dues.min().filter(|due| *due <= target) else { break };
            self.0.set(&mut state, due);
        }
        self.0.set(&mut state, target);
    }

    /// Lets time pass at once, as for a process that is stopped and continued. A thread that waits for a time in between runs
    /// once, at the end, and waits again when this returns.
    pub fn leap(&self, by: Duration) {
        let mut state = self.0.state.lock();
        self.0.wait_until_all_rest(&mut state);
        let target = state.instant + by;
        self.0.set(&mut state, target);
        self.0.wait_until_all_rest(&mut state);
    }
}

impl Shared {
    fn set(&self, state: &mut State, instant: Instant) {
        let passed = instant.duration_since(state.instant);
        state.now_us = state.now_us.saturating_add(micros(passed));
        state.instant = instant;
        self.changed.notify_all();
    }

    fn wait_until_all_rest(&self, state: &mut parking_lot::MutexGuard<'_, State>) {
        while !state.sleepers.values().all(|slot| slot.rests_at(state.instant)) {
            self.changed.wait(state);
        }
    }
}

impl Clock for ManualClock {
    fn now_us(&self) -> i64 {
        self.0.state.lock().now_us
    }

    fn instant(&self) -> Instant {
        self.0.state.lock().instant
    }

    /// The thread counts as awake until it sleeps: [`advance`](Self::advance) waits for it.
    fn sleeper(&self) -> Arc<dyn Sleeper> {
        let mut state = self.0.state.lock();
        let number = state.next_number;
        state.next_number += 1;
        state.sleepers.insert(number, Slot::default());
        Arc::new(ManualSleeper { clock: Arc::clone(&self.0), number })
    }
}

#[derive(Debug)]
struct ManualSleeper {
    clock: Arc<Shared>,
    number: u64,
}

impl Sleeper for ManualSleeper {
    fn sleep_until(&self, until: Option<Instant>) {
        let mut state = self.clock.state.lock();
        loop {
            let instant = state.instant;
            let Some(slot) = state.sleepers.get_mut(&self.number) else { return };
            slot.sleep = Some(Sleep { until });
            if !slot.rests_at(instant) {
                *slot = Slot::default();
                return;
            }
            self.clock.changed.notify_all();
            self.clock.changed.wait(&mut state);
        }
    }

    fn wake(&self) {
        let mut state = self.clock.state.lock();
        if let Some(slot) = state.sleepers.get_mut(&self.number) {
            slot.is_woken = true;
        }
        self.clock.changed.notify_all();
    }
}

impl Drop for ManualSleeper {
    fn drop(&mut self) {
        self.clock.state.lock().sleepers.remove(&self.number);
        self.clock.changed.notify_all();
    }
}
