//! Threads that repeat a task.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Clock, Sleeper};

/// A thread that repeats a task in rounds, with pauses by a clock. Dropping it waits for the current round and ends the thread.
pub struct Rounds {
    sleeper: Arc<dyn Sleeper>,
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Shows a long round whether it should end early.
#[derive(Clone, Debug)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    /// Whether the rounds should end.
    pub fn is_asked_for(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Rounds {
    /// Starts the thread. After the first pause it runs `round`, which returns the length of the next pause, and so on. `None` is
    /// a pause that lasts until the thread is [woken](Self::wake). If a round panics, the panic is logged and the previous
    /// pause is used again.
    ///
    /// # Errors
    /// The thread can't be started.
    pub fn start(
        name: &str,
        clock: Arc<dyn Clock>,
        first_pause: Option<Duration>,
        mut round: impl FnMut(&Stopping) -> Option<Duration> + Send + 'static,
    ) -> std::io::Result<Self> {
        let sleeper = clock.sleeper();
        let is_stopping = Arc::new(AtomicBool::new(false));
        let mut pause = first_pause;
        let mut until = clock.instant().checked_add(pause.unwrap_or(Duration::MAX));
        let run = {
            let (sleeper, stopping) = (Arc::clone(&sleeper), Stopping(Arc::clone(&is_stopping)));
            move || loop {
                sleeper.sleep_until(until);
                if stopping.is_asked_for() {
                    return;
                }
                match catch_unwind(AssertUnwindSafe(|| round(&stopping))) {
                    Ok(next) => pause = next,
                    Err(_) => {
                        let name = std::thread::current();
                        tracing::error!(
                            thread = name.name(),
                            "a bug ended a round of this thread, which goes on"
                        );
                    }
                }
                until = clock.instant().checked_add(pause.unwrap_or(Duration::MAX));
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self { sleeper, is_stopping, thread: Some(thread) })
    }

    /// Ends the current pause; during a round, ends the pause after it.
    pub fn wake(&self) {
        self.sleeper.wake();
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::Release);
        self.sleeper.wake();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join(); // a panic was reported when it happened
        }
    }
}

impl fmt::Debug for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.thread.as_ref().and_then(|thread| thread.thread().name().map(str::to_owned));
        f.debug_struct("Rounds").field("thread", &name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::environment::ManualClock;

    const SECOND: Duration = Duration::from_secs(1);

    /// Rounds that record their times in seconds, and the record.
    fn noted(
        clock: &Arc<ManualClock>,
        first_pause: Option<Duration>,
        pause: impl Fn(usize) -> Option<Duration> + Send + 'static,
    ) -> (Rounds, Arc<Mutex<Vec<i64>>>) {
        let times = Arc::new(Mutex::new(Vec::new()));
        let (round_clock, round_times) = (Arc::clone(clock), Arc::clone(&times));
        let round = move |_: &Stopping| {
            let mut times = round_times.lock();
            times.push(round_clock.now_us() / 1_000_000);
            pause(times.len())
        };
        (Rounds::start("rounds", clock.clone(), first_pause, round).unwrap(), times)
    }

    #[test]
    fn each_round_is_made_at_its_moment_however_far_the_clock_is_moved() {
        let clock = ManualClock::new(0);
        let (_rounds, times) = noted(&clock, Some(SECOND), |rounds| Some(SECOND * rounds as u32));
        clock.advance(SECOND * 8);
        assert_eq!(*times.lock(), [1, 2, 4, 7]);
        clock.leap(SECOND * 100);
        assert_eq!(*times.lock(), [1, 2, 4, 7, 108], "one round for all that was missed");
    }

    #[test]
    fn a_pause_without_a_length_lasts_until_the_thread_is_woken() {
        let clock = ManualClock::new(0);
        let (rounds, times) = noted(&clock, None, |_| None);
        clock.advance(SECOND * 1_000_000);
        assert!(times.lock().is_empty());
        rounds.wake();
        clock.advance(SECOND);
        assert_eq!(*times.lock(), [1_000_000]);
    }

    #[test]
    fn a_round_that_panics_is_followed_by_the_next_one() {
        let clock = ManualClock::new(0);
        let (_rounds, times) = noted(&clock, Some(SECOND), |rounds| {
            assert_ne!(rounds, 2, "a bug in a round");
            Some(SECOND)
        });
        clock.advance(SECOND * 3);
        assert_eq!(*times.lock(), [1, 2, 3]);
    }

    #[test]
    fn rounds_that_are_dropped_end_by_any_clock() {
        let clocks: [Arc<dyn Clock>; 2] = [ManualClock::new(0), Arc::new(crate::environment::SystemClock)];
        for clock in clocks {
            let held = Arc::new(());
            let watched = Arc::downgrade(&held);
            let rounds = Rounds::start("rounds", clock, None, move |_| {
                let _by_the_thread = &held;
                None
            });
            drop(rounds.unwrap());
            assert_eq!(watched.strong_count(), 0, "the thread is over");
        }
    }
}
