//! Queries that took long, in the log.

use std::time::Duration;

use polarway_core::{QueryObserver, QueryOutcome, QueryStatus};

/// Notes slow queries. The log has no texts here: they may have secrets in them, and have a target of their own.
pub(crate) struct SlowQueries {
    threshold: Duration,
}

impl SlowQueries {
    /// Notes queries that take this long.
    pub(crate) fn from(threshold: Duration) -> Self {
        Self { threshold }
    }
}

impl QueryObserver for SlowQueries {
    fn ended(&self, query: &QueryStatus, outcome: QueryOutcome) {
        let times = query.summary.times;
        let total = times.total();
        if total < self.threshold {
            return;
        }
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(
            target: "polarway::slow_query",
            query_id = %query.id,
            owner = %query.owner,
            ?outcome,
            rows = query.summary.rows,
            bytes = query.summary.bytes,
            total_ms = ms(total),
            waiting_ms = ms(times.waiting),
            checking_ms = ms(times.checking),
            resolving_ms = ms(times.resolving),
            planning_ms = ms(times.planning),
            running_ms = ms(times.running),
            "a slow query"
        );
    }
}
