//! Whether this process has stood still: stopped by a signal, or not given any time by its machine.
//!
//! Who made a write under a request id makes it again elsewhere when nothing is heard of it for some seconds, and may have been
//! refused there and have gone on. A writer that wakes up after that must not publish what was given up.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a thread shows that the process is running.
const TICK: Duration = Duration::from_millis(250);

/// The longest gap that a busy machine makes, and shorter than the time after which callers go elsewhere.
const STANDSTILL: Duration = Duration::from_secs(3);

/// The thread's traces, in milliseconds since it began.
struct Ticks {
    began: Instant,
    last: AtomicU64,
    /// When the last standstill ended; 0 before the first.
    stood_still_until: AtomicU64,
}

static TICKS: OnceLock<Ticks> = OnceLock::new();

/// A stretch of time that this process should be running through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    /// Milliseconds since the thread began; nothing where there is no thread.
    from: Option<u64>,
}

impl Stretch {
    /// One that begins now.
    pub(crate) fn begin() -> Self {
        Self { from: ticks().map(Ticks::now) }
    }

    /// Whether the process stood still since.
    pub(crate) fn was_interrupted(self) -> bool {
        let (Some(from), Some(ticks)) = (self.from, TICKS.get()) else { return false };
        let is_standing = ticks.now().saturating_sub(ticks.last.load(Ordering::Acquire)) > millis(STANDSTILL);
        is_standing || ticks.stood_still_until.load(Ordering::Acquire) > from
    }
}

impl Ticks {
    fn now(&self) -> u64 {
        millis(self.began.elapsed())
    }

    fn run(&self) {
        loop {
            std::thread::sleep(TICK);
            let now = self.now();
            if now.saturating_sub(self.last.load(Ordering::Acquire)) > millis(STANDSTILL) {
                // First this: whoever looks in between sees one or the other.
                self.stood_still_until.store(now, Ordering::Release);
            }
            self.last.store(now, Ordering::Release);
        }
    }
}

/// Starts the thread with the first write. Without a thread nothing is noticed, as before.
fn ticks() -> Option<&'static Ticks> {
    static IS_RUNNING: OnceLock<bool> = OnceLock::new();
    let ticks = TICKS.get_or_init(|| Ticks {
        began: Instant::now(),
        last: AtomicU64::new(0),
        stood_still_until: AtomicU64::new(0),
    });
    let is_running = IS_RUNNING.get_or_init(|| {
        ticks.last.store(ticks.now(), Ordering::Release);
        let thread = std::thread::Builder::new().name("polarway-ticks".to_owned());
        thread.spawn(move || ticks.run()).is_ok()
    });
    is_running.then_some(ticks)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_runs_is_not_taken_for_one_that_stood_still() {
        let stretch = Stretch::begin();
        std::thread::sleep(TICK * 3);
        assert!(!stretch.was_interrupted());
    }
}
