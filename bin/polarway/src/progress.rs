//! Progress bars on standard error, if that is a terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

/// How often a bar is drawn.
const TICK: Duration = Duration::from_millis(100);

/// How long a query runs before its progress is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar that shows a count until it is dropped.
pub(crate) struct Progress {
    bar: ProgressBar,
    follower: JoinHandle<()>,
}

impl Progress {
    /// Bytes that are sent to the server. Without a total there is no bar, only the count and the speed.
    pub(crate) fn of_bytes(name: &str, count: Arc<AtomicU64>, total: Option<u64>) -> Self {
        let template = match total {
            Some(_) => "{msg} {bar:30} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}",
            None => "{msg} {decimal_bytes} {decimal_bytes_per_sec}",
        };
        Self::start(name, template, count, total)
    }

    /// Rows that arrive from the server.
    pub(crate) fn of_rows(name: &str, count: Arc<AtomicU64>, total: Option<u64>) -> Self {
        let template = match total {
            Some(_) => "{msg} {bar:30} {human_pos}/{human_len} rows {eta}",
            None => "{msg} {human_pos} rows {elapsed}",
        };
        Self::start(name, template, count, total)
    }

    /// A query at a prompt. A fast one shows nothing.
    pub(crate) fn of_query(count: Arc<AtomicU64>) -> Self {
        let bar = ProgressBar::hidden();
        let template = "running for {elapsed}, {human_pos} rows so far; Ctrl-C cancels";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let following = bar.clone();
        let follower = tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            following.set_draw_target(ProgressDrawTarget::stderr());
            follow(&following, &count, None).await;
        });
        Self { bar, follower }
    }

    fn start(name: &str, template: &str, count: Arc<AtomicU64>, total: Option<u64>) -> Self {
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::no_length(),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(name.to_owned());
        let following = bar.clone();
        let follower = tokio::spawn(async move { follow(&following, &count, total).await });
        Self { bar, follower }
    }
}

async fn follow(bar: &ProgressBar, count: &AtomicU64, total: Option<u64>) {
    loop {
        tokio::time::sleep(TICK).await;
        bar.set_position(count.load(Ordering::Relaxed).min(total.unwrap_or(u64::MAX)));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.follower.abort();
        self.bar.finish_and_clear();
    }
}
