//! When to try again: exponential backoff with full jitter, inside a deadline.
//!
//! "Full jitter" draws each wait evenly between zero and a bound that doubles; see Marc Brooker, "Exponential Backoff
//! And Jitter", AWS Architecture Blog, 2015.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::{Error, ErrorKind, Result};

/// The bound of the first wait. It doubles with each wait.
const FIRST: Duration = Duration::from_millis(50);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(2);

/// How often a call may break after the server began to work on it, by default, once its timeout has passed since it began. A
/// call that breaks each time would break again. Before that, breaks may be quick and many: a balancer that has just lost one
/// worker after the other answers each try with an error, for some seconds.
const MOST_BREAKS: u32 = 10;

/// The tries of one call.
pub(crate) struct Tries {
    timeout: Duration,
    /// When the call began, or last made progress.
    began: Instant,
    deadline: Instant,
    failed: u32,
    /// Whether the server began to work on this try.
    is_going: bool,
    breaks_left: u32,
    most_breaks: u32,
    /// Whether breaks are counted from the beginning.
    counts_early_breaks: bool,
    /// What a busy server said to the last try, if this one has not got going.
    busy: Option<Error>,
}

impl Tries {
    /// A call that begins now.
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            began: Instant::now(),
            deadline: Instant::now() + timeout,
            failed: 0,
            is_going: false,
            breaks_left: MOST_BREAKS,
            most_breaks: MOST_BREAKS,
            counts_early_breaks: false,
            busy: None,
        }
    }

    /// The same for a call that may break at most this often after the server began to work on it, at any time.
    pub(crate) fn with_most_breaks(mut self, most_breaks: u32) -> Self {
        self.breaks_left = most_breaks;
        self.most_breaks = most_breaks;
        self.counts_early_breaks = true;
        self
    }

    /// The timeout of the call.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How much time is left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The server works on the call: the timeout starts again.
    pub(crate) fn going(&mut self) {
        self.deadline = Instant::now() + self.timeout;
        self.is_going = true;
        self.busy = None;
    }

    /// The call made progress that a retry keeps.
    pub(crate) fn progress(&mut self) {
        self.going();
        self.began = Instant::now();
        self.failed = 0;
        self.breaks_left = self.most_breaks;
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// The error itself, if a retry can't help or there is no time for one. If the time ended during a try, what a busy server said
    /// to the one before: it tells the user more.
    pub(crate) async fn after(&mut self, error: Error) -> Result<()> {
        let busy = self.busy.take();
        if !error.is_transient() {
            let is_late = error.kind() == ErrorKind::TimedOut && error.reason().is_none();
            return Err(busy.filter(|_| is_late).unwrap_or(error));
        }
        let was_going = std::mem::take(&mut self.is_going);
        let is_busy = error.is_of_busy_server();
        if is_busy {
            // A busy server has broken nothing: this is bounded by time only.
            self.deadline = self.began + self.timeout;
        } else if was_going && (self.counts_early_breaks || self.began.elapsed() >= self.timeout) {
            if self.breaks_left == 0 {
                return Err(error);
            }
            self.breaks_left -= 1;
        }
        let bound = FIRST.saturating_mul(2_u32.saturating_pow(self.failed)).min(LONGEST);
        let wait = bound.mul_f64(fastrand::f64()).max(error.retry_delay().unwrap_or_default());
        if wait >= self.left() {
            return Err(self.out_of_time(error));
        }
        self.failed += 1;
        tracing::debug!(%error, ?wait, "trying again");
        self.busy = is_busy.then_some(error);
        sleep(wait).await;
        Ok(())
    }

    fn out_of_time(&self, error: Error) -> Error {
        match error.kind() {
            // That a worker is busy is useful to the user; that a connection broke only says how the time ended.
            ErrorKind::Unreachable if self.failed > 0 => {
                let tries = self.failed + 1;
                let message =
                    format!("no answer within {:?}, in {tries} tries; the last said: {error}", self.timeout);
                Error::new(ErrorKind::Unreachable, message).caused_by(error)
            }
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use polarway_proto::Reason;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn to_be_turned_away_after_waiting_is_bounded_by_time_alone() {
        let start = Instant::now();
        let mut tries = Tries::new(Duration::from_secs(60)).with_most_breaks(2);
        let mut count = 0;
        let error = loop {
            tries.going();
            let busy = Error::from_failure(Reason::ResourceExhausted.failure("others run"));
            if let Err(error) = tries.after(busy).await {
                break error;
            }
            count += 1;
        };
        assert!(count > 10, "{count} tries");
        assert!(start.elapsed() <= Duration::from_secs(60), "{:?}", start.elapsed());
        assert_eq!(error.reason(), Some(Reason::ResourceExhausted));
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_the_time_cuts_off_hides_no_busy_server() {
        let busy = || Error::from_failure(Reason::ResourceExhausted.failure("others run"));
        let late = || Error::new(ErrorKind::TimedOut, "the server did not answer within 10s".to_owned());
        let mut tries = Tries::new(Duration::from_secs(10));
        tries.after(busy()).await.unwrap();
        assert_eq!(tries.after(late()).await.unwrap_err().reason(), Some(Reason::ResourceExhausted));
        // What the server said since then is newer.
        tries.after(busy()).await.unwrap();
        tries.after(Error::unreachable("reset")).await.unwrap();
        assert_eq!(tries.after(late()).await.unwrap_err().kind(), ErrorKind::TimedOut);
        tries.after(busy()).await.unwrap();
        tries.going();
        assert_eq!(tries.after(late()).await.unwrap_err().kind(), ErrorKind::TimedOut);
        tries.after(busy()).await.unwrap();
        let stopped = Error::from_failure(Reason::DeadlineExceeded.failure("the query took too long"));
        assert_eq!(tries.after(stopped).await.unwrap_err().reason(), Some(Reason::DeadlineExceeded));
    }

    #[tokio::test(start_paused = true)]
    async fn tries_end_with_the_deadline_and_not_before() {
        let start = Instant::now();
        let mut tries = Tries::new(Duration::from_secs(10));
        let mut count = 0;
        let error = loop {
            if let Err(error) = tries.after(Error::unreachable("reset")).await {
                break error;
            }
            count += 1;
        };
        assert!(count > 5, "{count} tries");
        assert!(start.elapsed() <= Duration::from_secs(10));
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        assert!(error.to_string().contains("within 10s"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_is_not_tried_again() {
        let mut tries = Tries::new(Duration::from_secs(10));
        let start = Instant::now();
        let refused = Error::from_failure(Reason::UnknownDataset.failure("there is none"));
        assert_eq!(tries.after(refused).await.unwrap_err().reason(), Some(Reason::UnknownDataset));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_says_how_long_to_wait_at_least() {
        let mut tries = Tries::new(Duration::from_secs(10));
        let start = Instant::now();
        let busy = Reason::ResourceExhausted.failure("busy").with_retry_delay(Duration::from_secs(3));
        tries.after(Error::from_failure(busy)).await.unwrap();
        assert!(start.elapsed() >= Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_breaks_each_time_it_got_going_is_not_made_for_ever() {
        let mut tries = Tries::new(Duration::from_secs(10)).with_most_breaks(2);
        for _ in 0..2 {
            tries.going();
            tries.after(Error::unreachable("reset")).await.unwrap();
        }
        tries.going();
        assert!(tries.after(Error::unreachable("reset")).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn breaks_are_counted_once_the_timeout_has_passed() {
        let start = Instant::now();
        let mut tries = Tries::new(Duration::from_secs(30));
        let mut breaks = 0;
        loop {
            tries.going();
            if tries.after(Error::unreachable("a proxy answered 502")).await.is_err() {
                break;
            }
            breaks += 1;
        }
        assert!(breaks > MOST_BREAKS, "{breaks}");
        let longest = Duration::from_secs(30) + LONGEST * (MOST_BREAKS + 1);
        assert!((Duration::from_secs(30)..=longest).contains(&start.elapsed()), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_gets_on_may_break_any_number_of_times() {
        let mut tries = Tries::new(Duration::from_secs(10)).with_most_breaks(2);
        for _ in 0..100 {
            tries.progress();
            tries.after(Error::unreachable("reset")).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn progress_gives_the_whole_timeout_again() {
        let mut tries = Tries::new(Duration::from_secs(1));
        for _ in 0..10 {
            sleep(Duration::from_millis(900)).await;
            tries.progress();
            assert_eq!(tries.left(), Duration::from_secs(1));
        }
    }
}
