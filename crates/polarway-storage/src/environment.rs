//! What the storage takes from the world besides files: the time and fresh ids.
//!
//! Both are handed in, so that a test can replay a failure from its seed.

use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// Tells the time.
pub trait Clock: Send + Sync + Debug {
    /// Microseconds since 1970-01-01 UTC.
    fn now_us(&self) -> i64;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> i64 {
        micros_since_epoch(SystemTime::now())
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
