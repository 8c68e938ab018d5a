//! Who may run, who waits, and who is turned away.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::activity::Activity;
use crate::config::Limits;
use crate::control::StopReason;
use crate::error::Error;
use crate::threads::{Job, Threads};

/// The queue in front of DuckDB, first come, first served. Whoever waits takes no thread.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: Limits,
    threads: Arc<Threads>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    activity: Arc<Activity>,
    job: Job,
}

impl Admission {
    pub(crate) fn new(limits: Limits, threads: Arc<Threads>) -> Arc<Self> {
        Arc::new(Self { limits, threads, state: Mutex::default() })
    }

    /// Runs the job now if there is a free slot, else when one is free. Its slot is taken until it returns.
    pub(crate) fn submit(self: &Arc<Self>, activity: &Arc<Activity>, job: Job) -> Result<(), Error> {
        {
            let mut state = self.state.lock();
            if state.running >= self.limits.running {
                if state.waiting.len() >= self.limits.waiting {
                    return Err(Error::Busy(format!(
                        "{} queries run and {} wait; try again when fewer do",
                        state.running,
                        state.waiting.len()
                    )));
                }
                state.waiting.push_back(Waiting { activity: Arc::clone(activity), job });
                return Ok(());
            }
            state.running += 1;
        }
        let admission = Arc::clone(self);
        self.threads.run(Box::new(move || admission.work(job))).map_err(|error| {
            self.state.lock().running -= 1;
            Error::Busy(format!("there is no thread for the query: {error}"))
        })
    }

    /// Runs a job, and those that wait for its slot.
    fn work(&self, first: Job) {
        let mut job = Some(first);
        while let Some(current) = job {
            // A bug in one query must not take the slot from all others. Whoever waits for its result sees it end.
            let _ = catch_unwind(AssertUnwindSafe(current));
            job = self.next();
        }
    }

    /// The job that takes over a slot; without one the slot is free.
    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        while let Some(waiting) = state.waiting.pop_front() {
            if !waiting.activity.control.is_stopped() {
                return Some(waiting.job);
            }
        }
        state.running -= 1;
        None
    }

    /// Turns away who waited too long, and forgets who was stopped.
    pub(crate) fn sweep(&self, now: Instant) {
        let swept: Vec<Waiting> = {
            let mut state = self.state.lock();
            let (gone, staying) = std::mem::take(&mut state.waiting).into_iter().partition(|waiting| {
                let activity = &waiting.activity;
                activity.control.is_stopped() || now.duration_since(activity.began) >= self.limits.wait
            });
            state.waiting = staying;
            Vec::from(gone)
        };
        for waiting in swept {
            waiting.activity.control.stop(StopReason::Waited(now.duration_since(waiting.activity.began)));
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("running", &self.running).field("waiting", &self.waiting.len()).finish()
    }
}
