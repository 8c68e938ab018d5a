//! What the storage takes from the world besides files: the time, fresh ids, and threads to encode and decode on.
//!
//! They are handed in, so that a test can replay a failure from its seed, and need not wait for time to pass.

mod manual_clock;
mod rounds;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};
use polarway_parquet::Workers;
use uuid::Uuid;

pub use manual_clock::ManualClock;
pub use rounds::{Rounds, Stopping};

/// What the storage works with besides files. The default is the machine's clock and random source, and threads of its own.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Tells the time, and when a wait is over.
    pub clock: Arc<dyn Clock>,
    /// Names data files and identifies commits.
    pub ids: Arc<dyn IdSource>,
    /// Encodes and decodes data files.
    pub workers: Workers,
}

impl Environment {
    /// The default but for the clock.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..Self::default() }
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), ids: Arc::new(RandomIds), workers: Workers::default() }
    }
}

/// Tells the time, and when a wait is over.
pub trait Clock: Send + Sync + Debug {
    /// Microseconds since 1970-01-01 UTC. This time can be set, forward and back.
    fn now_us(&self) -> i64;

    /// This moment, to measure how long something takes: it only goes forward, at the pace of time.
    fn instant(&self) -> Instant;

    /// A way for one thread to wait by this clock.
    fn sleeper(&self) -> Arc<dyn Sleeper>;
}

/// How one thread waits by a clock.
pub trait Sleeper: Send + Sync + Debug {
    /// Blocks until the clock's [`instant`](Clock::instant) is this one, or somebody calls [`wake`](Self::wake); without an
    /// instant only the latter counts.
    fn sleep_until(&self, instant: Option<Instant>);

    /// Ends the sleep at hand, or the next one.
    fn wake(&self);
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> i64 {
        micros_since_epoch(SystemTime::now())
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn sleeper(&self) -> Arc<dyn Sleeper> {
        Arc::new(SystemSleeper::default())
    }
}

#[derive(Debug, Default)]
struct SystemSleeper {
    is_woken: Mutex<bool>,
    woken: Condvar,
}

impl Sleeper for SystemSleeper {
    fn sleep_until(&self, instant: Option<Instant>) {
        let mut is_woken = self.is_woken.lock();
        while !*is_woken {
            match instant {
                Some(instant) if self.woken.wait_until(&mut is_woken, instant).timed_out() => break,
                Some(_) => {}
                None => self.woken.wait(&mut is_woken),
            }
        }
        *is_woken = false;
    }

    fn wake(&self) {
        *self.is_woken.lock() = true;
        self.woken.notify_one();
    }
}

/// Makes ids that nobody else makes: the names of data files, the identity of commits.
pub trait IdSource: Send + Sync + Debug {
    /// A fresh UUID, version 7.
    fn fresh(&self) -> Uuid;
}

/// UUIDs from the machine's clock and random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn fresh(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// A duration in microseconds; one that is out of their range is as good as for ever.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A point in time as microseconds since 1970-01-01 UTC; times before that are negative.
pub(crate) fn micros_since_epoch(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => micros(since),
        Err(before) => -micros(before.duration()),
    }
}
