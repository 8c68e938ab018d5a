//! What was done, how long it took, and what went wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

/// Counts of everything that happened.
#[derive(Default)]
pub(super) struct Report {
    done: Mutex<BTreeMap<String, Times>>,
    wrong: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Times {
    count: u64,
    total: Duration,
    longest: Duration,
}

impl Report {
    pub(super) fn done(&self, what: &str, took: Duration) {
        let mut done = self.done.lock().unwrap();
        let times = done.entry(what.to_owned()).or_default();
        times.count += 1;
        times.total += took;
        times.longest = times.longest.max(took);
    }

    /// How often something was done.
    pub(super) fn count(&self, what: &str) -> u64 {
        self.done.lock().unwrap().get(what).map_or(0, |times| times.count)
    }

    pub(super) fn wrong(&self, what: String) {
        println!("chaos: WRONG: {what}");
        self.wrong.lock().unwrap().push(what);
    }

    #[track_caller]
    pub(super) fn assert_nothing_went_wrong(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "chaos: {:24} {:>8} {:>10} {:>10}", "what", "times", "mean", "longest")?;
        for (what, times) in &*self.done.lock().unwrap() {
            let mean = times.total.as_secs_f64() / times.count as f64;
            let longest = times.longest.as_secs_f64();
            writeln!(f, "chaos: {what:24} {:8} {mean:8.3} s {longest:8.3} s", times.count)?;
        }
        Ok(())
    }
}
