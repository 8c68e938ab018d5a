//! Threads for queries: they have large stacks and are reused.
//!
//! A new thread for each query would be simpler, but its memory allocator starts cold: a scan of a few milliseconds then takes
//! one and a half times as long.

use std::sync::{Arc, Weak};

use crossbeam_channel::Sender;
use parking_lot::Mutex;

/// Parsing and planning recurse as deep as a query nests; on 2 MiB some hundred CTEs crash the process.
const STACK_BYTES: usize = 16 << 20;

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// As many threads as queries run at once, and some idle ones for the next query.
#[derive(Debug)]
pub(crate) struct Threads {
    idle: Mutex<Vec<Sender<Job>>>,
    most_idle: usize,
}

impl Threads {
    pub(crate) fn new(most_idle: usize) -> Arc<Self> {
        Arc::new(Self { idle: Mutex::new(Vec::new()), most_idle })
    }

    /// Runs the job on an idle thread, or on a new one.
    pub(crate) fn run(self: &Arc<Self>, job: Job) -> std::io::Result<()> {
        let idle = self.idle.lock().pop();
        let job = match idle {
            // A thread that has ended returns the job.
            Some(thread) => match thread.send(job) {
                Ok(()) => return Ok(()),
                Err(returned) => returned.into_inner(),
            },
            None => job,
        };
        let threads = Arc::downgrade(self);
        std::thread::Builder::new()
            .name("polarway-query".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || work(job, &threads))
            .map(drop)
    }

    /// Notes that a thread waits for jobs; `false` if enough threads wait already.
    fn wait(&self, thread: Sender<Job>) -> bool {
        let mut idle = self.idle.lock();
        let is_wanted = idle.len() < self.most_idle;
        if is_wanted {
            idle.push(thread);
        }
        is_wanted
    }
}

/// Runs jobs until the thread is no longer needed.
fn work(first: Job, threads: &Weak<Threads>) {
    let mut job = first;
    loop {
        job();
        let (sender, jobs) = crossbeam_channel::bounded(1);
        let is_wanted = threads.upgrade().is_some_and(|threads| threads.wait(sender));
        // The sender is dropped with the engine.
        job = match jobs.recv() {
            Ok(next) if is_wanted => next,
            _ => return,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_end_when_the_pool_does_and_after_a_panic_the_next_job_runs() {
        let threads = Threads::new(1);
        let (sender, results) = crossbeam_channel::unbounded();
        threads.run(Box::new(|| panic!("a bug in a job"))).unwrap();
        for number in 0..10 {
            let sender = sender.clone();
            threads.run(Box::new(move || sender.send(number).unwrap())).unwrap();
        }
        drop(sender);
        let mut numbers: Vec<i32> = results.iter().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..10).collect::<Vec<_>>());
        drop(threads);
    }
}
