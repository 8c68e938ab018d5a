//! Threads that do the same thing again and again.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Clock, Sleeper};

/// A thread of its own that does something in rounds, with pauses that a clock measures. Dropping it ends the thread, behind
/// the round at hand.
pub struct Rounds {
    sleeper: Arc<dyn Sleeper>,
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Tells a round that takes long whether it should end.
#[derive(Clone, Debug)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    /// Whether the rounds are to end.
    pub fn is_asked_for(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Rounds {
    /// Starts the thread. After a first pause it does one round, which says how long the next pause is, and so on; without a
    /// length, a pause lasts until somebody [wakes](Self::wake) the thread. A round that panics is reported, and followed by a
    /// pause as long as the one before.
    ///
    /// # Errors
    /// The system has no thread to give.
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

    /// Ends the pause at hand, or the one behind the round at hand.
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
