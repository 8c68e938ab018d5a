//! For how long a table is kept that is kept only while it is used.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::environment::micros;

/// For how long a table is kept while nobody uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// When the table was made: microseconds since 1970-01-01 UTC.
    pub since_us: i64,
    /// How long a use keeps it, in microseconds.
    pub ttl_us: i64,
    /// When it ends unless it is renewed: microseconds since 1970-01-01 UTC.
    pub expires_us: i64,
}

impl Lease {
    /// A lease that starts at this time.
    pub fn starting(now_us: i64, ttl: Duration) -> Self {
        // Longer times would overflow, and mean for ever.
        let ttl_us = micros(ttl).min(i64::MAX / 4);
        Self { since_us: now_us, ttl_us, expires_us: now_us.saturating_add(ttl_us) }
    }

    /// The same from this time on, for as long as before or for another time.
    #[must_use]
    pub fn renewed(self, now_us: i64, ttl: Option<Duration>) -> Self {
        let renewed = Self::starting(now_us, ttl.unwrap_or_else(|| self.ttl()));
        Self { since_us: self.since_us, ..renewed }
    }

    /// How long a use keeps the table.
    pub fn ttl(self) -> Duration {
        Duration::from_micros(self.ttl_us.unsigned_abs())
    }

    /// Whether it has run out.
    pub fn has_ended(self, now_us: i64) -> bool {
        now_us >= self.expires_us
    }

    /// Whether less than half of it is left: until then, a use need not be written down.
    pub fn is_due(self, now_us: i64) -> bool {
        self.expires_us.saturating_sub(now_us) < self.ttl_us / 2
    }
}
