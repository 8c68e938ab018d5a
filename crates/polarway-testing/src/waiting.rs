//! Waiting for what other threads and processes do.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Far longer than anything takes that tests wait for, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(1);

/// Looks again and again until there is something, and gives it.
///
/// # Panics
/// When there is nothing after two minutes.
#[track_caller]
pub fn wait_for<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "it did not come within {PATIENCE:?}");
        sleep(LOOK);
    }
}

/// Looks again and again until something is so.
///
/// # Panics
/// When it is not so after two minutes.
#[track_caller]
pub fn wait_until(mut is_so: impl FnMut() -> bool) {
    wait_for(|| is_so().then_some(()));
}
