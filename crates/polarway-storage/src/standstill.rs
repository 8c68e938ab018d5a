//! Whether this process has stood still: stopped by a signal, or not given any time by its machine.
//!
//! Who made a write under a request id makes it again elsewhere when nothing is heard of it for some seconds, and may have been
//! refused there and have gone on. A writer that wakes up after that must not publish what was given up. Nor must one that begins
//! right after that: its request may have come while the process stood still, and waited unread.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::environment::{Clock, Rounds};

/// How often it is noted that the process is running, as long as a stretch lasts.
const TICK: Duration = Duration::from_millis(250);

/// The longest gap that a busy machine makes, and shorter than the time after which callers go elsewhere.
const STANDSTILL: Duration = Duration::from_secs(3);

/// For how long after a standstill requests are read that came while it lasted.
const UNREAD: Duration = Duration::from_secs(2);

/// Notices when the process stands still. Its thread is started with the first stretch and ends with it.
#[derive(Debug)]
pub(crate) struct StandstillWatch {
    traces: Arc<Traces>,
    /// Without a thread nothing is noticed, and writes go on.
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
    /// When the last standstill was over.
    stood_still_until: Option<Instant>,
    /// How many stretches last now.
    stretches: usize,
    /// Whether the thread sleeps until there is a stretch again.
    is_asleep: bool,
}

/// A stretch of time that this process should be running through.
pub(crate) struct Stretch {
    traces: Arc<Traces>,
    from: Instant,
}

/// While it is held, standstills are noticed also when nothing is being written: see
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

    /// A stretch that begins now; nothing where no thread can watch over it.
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
    /// Notes that the process runs, and gives the time.
    fn note(&self, state: &mut State) -> Instant {
        let now = self.clock.instant();
        let has_gap = now.duration_since(state.last) > STANDSTILL;
        // While nobody watches, a gap means nothing.
        if has_gap && state.stretches > 0 {
            state.stood_still_until = Some(now);
        }
        state.last = now;
        now
    }
}

impl Stretch {
    /// Whether the process stood still since it began, or so shortly before that its request may be from before.
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
