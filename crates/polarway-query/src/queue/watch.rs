//! The thread that enforces the limits of queries that run or wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::activity::Activity;
use super::admission::Admission;
use super::control::StopReason;
use super::registry::Registry;
use crate::executor::Executor;
use crate::memory::ProcessMemory;

/// How often deadlines and the queue are checked.
const TICK: Duration = Duration::from_millis(20);

/// How many ticks pass between two checks of the process's memory.
const TICKS_PER_MEMORY: u32 = 3;

/// A query that has run for less time has hardly used much memory: it is not the one to stop.
const SHORT: Duration = Duration::from_millis(100);

/// How long a stopped query has to release its memory before the next one is stopped.
const RECOVERY: Duration = Duration::from_millis(500);

/// What is watched, and the limits.
pub(crate) struct Watched {
    pub(crate) registry: Arc<Registry>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) process_bytes: u64,
}

/// Starts the watch over an engine's queries. It ends when the registry is closed.
pub(crate) fn start(watched: Watched) -> std::io::Result<()> {
    let mut watch = Watch { watched, memory: ProcessMemory::new(), stopped: None };
    std::thread::Builder::new().name("polarway-watch".to_owned()).spawn(move || watch.run()).map(drop)
}

struct Watch {
    watched: Watched,
    memory: ProcessMemory,
    /// When a query was last stopped because of memory.
    stopped: Option<Instant>,
}

impl Watch {
    fn run(&mut self) {
        while self.watched.registry.wait_for_any() {
            // Short queries come in series: to keep checking for a second costs less than a wake-up for each.
            for tick in 0..(Duration::from_secs(1).as_millis() / TICK.as_millis()) as u32 {
                if !self.watched.registry.pause(TICK) {
                    return;
                }
                // Without a watch no query would end in time: a bug in one check must not end the thread.
                if catch_unwind(AssertUnwindSafe(|| self.look(tick))).is_err() {
                    tracing::error!("the watch over queries failed, and goes on");
                }
            }
            if self.watched.registry.all().is_empty() {
                self.watched.executor.rest();
            }
        }
    }

    /// Checks deadlines, the queue and, less often, the memory.
    fn look(&mut self, tick: u32) {
        let now = Instant::now();
        let queries = self.watched.registry.all();
        for query in &queries {
            query.control.stop_if_late(now);
            query.control.interrupt_if_stopped();
        }
        self.watched.admission.sweep(&queries, now);
        self.watched.executor.tend(now);
        if tick.is_multiple_of(TICKS_PER_MEMORY) {
            self.look_at_memory(&queries, now);
        }
    }

    /// Stops the newest large query before the operating system kills the process.
    fn look_at_memory(&mut self, queries: &[Arc<Activity>], now: Instant) {
        let recovers = self.stopped.is_some_and(|stopped| now.duration_since(stopped) < RECOVERY);
        if queries.is_empty() || recovers || self.memory.resident_bytes() <= self.watched.process_bytes {
            return;
        }
        let runs = |query: &&Arc<Activity>| !query.is_waiting() && !query.control.is_stopped();
        let is_large = |query: &&Arc<Activity>| now.duration_since(query.began) >= SHORT;
        if let Some(newest) = queries.iter().rev().find(|query| runs(query) && is_large(query)) {
            newest.control.stop(StopReason::Memory);
            self.stopped = Some(now);
        }
    }
}
