//! Detects that this process has stood still: it was stopped by a signal, or its machine gave it no time.
//!
//! A caller that hears nothing of its write for some seconds sends it again to another worker. There it may have been refused,
//! and the caller may have gone on. After a standstill the first worker must not publish such a write. This holds also for a
//! write that begins right after a standstill: its request may have arrived earlier and not been read.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::environment::{Clock, Rounds};

/// How often the watch records that the process is running, while there is a stretch.
const TICK: Duration = Duration::from_millis(250);

/// Longer than the gaps on a busy machine, and shorter than the time after which callers try another worker.
const STANDSTILL: Duration = Duration::from_secs(3);

/// How long after a standstill it may take to read requests that arrived during it.
const UNREAD: Duration = Duration::from_secs(2);

/// Detects standstills. The thread starts with the first stretch and ends when this is dropped.
#[derive(Debug)]
pub(crate) struct StandstillWatch {
    traces: Arc<Traces>,
    /// Without a thread no standstill is detected, and writes go on.
    thread: Mutex<Thread>,
}

#[derive(Debug)]
enum Thread {
    NotStarted,
    Running(Rounds),
    Refused,
}

#[derive(Debug)]
struct Traces {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the process was last seen running.
    last: Instant,
    /// When the last standstill ended.
    stood_still_until: Option<Instant>,
    /// The number of current stretches.
    stretches: usize,
    /// Whether the thread sleeps until the next stretch begins.
    is_asleep: bool,
}

/// A stretch of time in which standstills are detected.
pub(crate) struct Stretch {
    traces: Arc<Traces>,
    from: Instant,
}

/// While it is held, standstills are detected also when nothing is being written: see
/// [`Tables::watch_for_standstill`](crate::Tables::watch_for_standstill).
#[derive(Debug)]
pub struct StandstillGuard {
    _stretch: Option<Stretch>,
}

impl StandstillWatch {
    /// Watches as long as this is held.
    pub(crate) fn guard(&self) -> StandstillGuard {
        StandstillGuard { _stretch: self.begin() }
    }

    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let last = clock.instant();
        let state = State { last, stood_still_until: None, stretches: 0, is_asleep: false };
        let traces = Traces { clock, state: Mutex::new(state) };
        Self { traces: Arc::new(traces), thread: Mutex::new(Thread::NotStarted) }
    }

    /// Begins a stretch; `None` if no thread can be started.
    pub(crate) fn begin(&self) -> Option<Stretch> {
        let mut thread = self.thread.lock();
        if matches!(*thread, Thread::NotStarted) {
            *thread = self.start().map_or(Thread::Refused, Thread::Running);
        }
        let Thread::Running(rounds) = &*thread else { return None };
        let mut state = self.traces.state.lock();
        let from = self.traces.note(&mut state);
        state.stretches += 1;
        if std::mem::take(&mut state.is_asleep) {
            rounds.wake();
        }
        Some(Stretch { traces: Arc::clone(&self.traces), from })
    }

    fn start(&self) -> Option<Rounds> {
        let traces = Arc::clone(&self.traces);
        let round = move |_: &_| {
            let mut state = traces.state.lock();
            traces.note(&mut state);
            state.is_asleep = state.stretches == 0;
            (!state.is_asleep).then_some(TICK)
        };
        let clock = Arc::clone(&self.traces.clock);
        let started = Rounds::start("polarway-standstill", clock, Some(TICK), round);
        started
            .inspect_err(|error| tracing::warn!(%error, "no thread notices whether the process stands still"))
            .ok()
    }
}

impl Traces {
    /// Records that the process is running, and returns the time.
    fn note(&self, state: &mut State) -> Instant {
        let now = self.clock.instant();
        let has_gap = now.duration_since(state.last) > STANDSTILL;
        // Without a stretch, the thread sleeps and a gap is normal.
        if has_gap && state.stretches > 0 {
            state.stood_still_until = Some(now);
        }
        state.last = now;
        now
    }
}

impl Stretch {
    /// Whether the process stood still since the stretch began, or shortly before it began.
    pub(crate) fn was_interrupted(&self) -> bool {
        let mut state = self.traces.state.lock();
        self.traces.note(&mut state);
        state.stood_still_until.is_some_and(|until| until + UNREAD > self.from)
    }
}

impl Drop for Stretch {
    fn drop(&mut self) {
        self.traces.state.lock().stretches -= 1;
    }
}

impl fmt::Debug for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stretch").field("from", &self.from).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::ManualClock;

    #[test]
    fn a_process_that_runs_is_not_taken_for_one_that_stood_still() {
        let clock = ManualClock::new(0);
        let watch = StandstillWatch::new(clock.clone());
        let stretch = watch.begin().unwrap();
        clock.advance(Duration::from_secs(3_600));
        assert!(!stretch.was_interrupted());
    }

    #[test]
    fn a_stretch_in_which_the_process_stood_still_was_interrupted_and_a_later_one_was_not() {
        let clock = ManualClock::new(0);
        let watch = StandstillWatch::new(clock.clone());
        let stretch = watch.begin().unwrap();
        clock.leap(STANDSTILL + TICK);
        clock.advance(UNREAD);
        let next = watch.begin().unwrap();
        clock.advance(TICK * 3);
        assert!(stretch.was_interrupted() && !next.was_interrupted());
    }

    #[test]
    fn what_begins_right_after_a_standstill_may_have_been_asked_for_before() {
        let clock = ManualClock::new(0);
        let watch = StandstillWatch::new(clock.clone());
        let guard = watch.guard();
        clock.advance(TICK);
        clock.leap(STANDSTILL + TICK);
        let unread = watch.begin().unwrap();
        assert!(unread.was_interrupted());
        drop((unread, guard));
        clock.leap(STANDSTILL + TICK);
        assert!(!watch.begin().unwrap().was_interrupted(), "nobody watched");
    }

    #[test]
    fn what_lies_between_two_stretches_is_no_standstill() {
        let clock = ManualClock::new(0);
        let watch = StandstillWatch::new(clock.clone());
        for _ in 0..3 {
            let stretch = watch.begin().unwrap();
            clock.advance(TICK);
            assert!(!stretch.was_interrupted());
            drop(stretch);
            clock.leap(STANDSTILL * 10);
        }
    }
}
