//! Counts what goes over the network.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::DATE;
use parking_lot::Mutex;

/// How long a time that the service said is carried on with this machine's clock.
const CARRIED_ON: Duration = Duration::from_secs(600);

/// What went over the network since the client was made.
#[derive(Debug, Default)]
pub struct Traffic {
    requests: AtomicU64,
    busy: AtomicU64,
    refused_keys: AtomicU64,
    /// A time of the service, in microseconds since 1970-01-01 UTC, and when it was said.
    said: Mutex<Option<(i64, Instant)>>,
}

impl Traffic {
    /// The requests that were sent, each try of one counted.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The requests that the service did not carry out because it was busy or failed, such as `SlowDown`. They are tried again
    /// after a pause.
    pub fn busy(&self) -> u64 {
        self.busy.load(Ordering::Relaxed)
    }

    /// The requests that were refused because their credentials are wrong or have expired.
    pub(crate) fn refused_keys(&self) -> u64 {
        self.refused_keys.load(Ordering::Relaxed)
    }

    /// The service's time, if one of its answers said it lately: microseconds since 1970-01-01 UTC. It has whole seconds only.
    pub fn service_now_us(&self) -> Option<i64> {
        let (said_us, at) = (*self.said.lock())?;
        let elapsed = at.elapsed();
        (elapsed < CARRIED_ON).then(|| said_us.saturating_add(elapsed.as_micros() as i64))
    }

    /// Notes the time in the headers of an answer.
    pub(crate) fn note_time(&self, headers: &HeaderMap) {
        let time = headers.get(DATE).and_then(|date| date.to_str().ok());
        if let Some(time) = time.and_then(|time| chrono::DateTime::parse_from_rfc2822(time).ok()) {
            *self.said.lock() = Some((time.timestamp_micros(), Instant::now()));
        }
    }

    pub(crate) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_refused_key(&self) {
        self.refused_keys.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_busy(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_services_time_is_that_of_its_last_answer() {
        let traffic = Traffic::default();
        assert_eq!(traffic.service_now_us(), None);
        let mut headers = HeaderMap::new();
        for (date, is_time) in [("yesterday", false), ("Thu, 01 Jan 2026 00:00:00 GMT", true)] {
            headers.insert(DATE, HeaderValue::from_static(date));
            traffic.note_time(&headers);
            assert_eq!(traffic.service_now_us().is_some(), is_time, "{date}");
        }
        let since_us = traffic.service_now_us().unwrap() - 1_767_225_600_000_000;
        assert!((0..60_000_000).contains(&since_us), "{since_us}");
    }
}
