//! The environment of a storage: the time, fresh ids, and threads to encode and decode on.
//!
//! All of it is passed in, so that a test can repeat a failure from its seed, and does not have to wait for time to pass.

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

/// The environment of a storage. The default is the machine's clock and random source, and threads of its own.
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
    /// The default, with another clock.
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

    /// The present instant, to measure durations: it never goes back.
    fn instant(&self) -> Instant;

    /// A way for one thread to wait by this clock.
    fn sleeper(&self) -> Arc<dyn Sleeper>;
}

/// How one thread waits by a clock.
pub trait Sleeper: Send + Sync + Debug {
    /// Blocks until the clock's [`instant`](Clock::instant) has reached this one, or [`wake`](Self::wake) is called. Without an
    /// instant, only `wake` ends it.
    fn sleep_until(&self, instant: Option<Instant>);

    /// Ends the current sleep; without one, the next sleep ends at once.
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

/// Makes unique ids, for the names of data files and the identities of commits.
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

/// A duration in microseconds; a longer one than fits becomes the longest.
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
