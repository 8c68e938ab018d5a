//! Slow queries: in the log, and the most recent ones on the status page.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use polarway_core::{QueryObserver, QueryOutcome, QueryStatus, QueryTimes};

/// How many slow queries are remembered.
const MOST_REMEMBERED: usize = 20;

/// How much of a text is remembered, in bytes.
const MOST_TEXT_BYTES: usize = 2_000;

/// Logs and remembers slow queries. The log line does not contain the text, which may contain secrets: texts are logged under a
/// target of their own.
pub(crate) struct SlowQueries {
    threshold: Duration,
    recent: Mutex<VecDeque<SlowQuery>>,
}

/// A slow query.
#[derive(Clone)]
pub(crate) struct SlowQuery {
    pub(crate) ended: SystemTime,
    pub(crate) owner: Arc<str>,
    /// The beginning of its text.
    pub(crate) sql: String,
    pub(crate) outcome: QueryOutcome,
    pub(crate) rows: u64,
    pub(crate) times: QueryTimes,
}

impl SlowQueries {
    /// For queries that take this long or longer.
    pub(crate) fn from(threshold: Duration) -> Self {
        Self { threshold, recent: Mutex::default() }
    }

    /// The last ones, the newest first.
    pub(crate) fn recent(&self) -> Vec<SlowQuery> {
        self.recent.lock().iter().rev().cloned().collect()
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
        let cut = query.sql.floor_char_boundary(MOST_TEXT_BYTES);
        let slow = SlowQuery {
            ended: SystemTime::now(),
            owner: Arc::clone(&query.owner),
            sql: query.sql[..cut].to_owned(),
            outcome,
            rows: query.summary.rows,
            times,
        };
        let mut recent = self.recent.lock();
        if recent.len() == MOST_REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(slow);
    }
}
