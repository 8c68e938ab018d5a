//! Threads for work that blocks, divided so that no kind of work can take all of them.
//!
//! A tokio runtime has 512 such threads by default. `block_in_place` needs one as well: it hands the worker's other tasks to
//! it, and if no thread is free, these tasks stop. So each kind of work has a limit. Work beyond the limit waits in a queue and
//! takes no thread, and the sum of all limits leaves some threads free.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use polarway_storage::Callers;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{Error, ErrorKind, Result};

/// The default number of threads that a tokio runtime has for work that blocks.
const THREADS_OF_A_RUNTIME: usize = 512;

/// An engine's threads, by the kind of work that they do.
#[derive(Debug)]
pub(crate) struct Threads {
    /// The callers that they work for.
    pub(crate) served: Callers,
    /// Calls that read or change one thing in the storage.
    pub(crate) calls: Work,
    /// Reading the next rows of a table that is loaded.
    pub(crate) loads: Work,
    /// Writing the next rows of a table that is stored. Few, since the memory of a decoded chunk is counted only after decoding.
    pub(crate) stores: Work,
    /// Publishing a table, where writers of one dataset wait for each other.
    pub(crate) publications: Work,
    /// Work that waits for a caller's reader or for a query, for an unknown time.
    pub(crate) callers: Work,
}

const _: () = assert!(128 + 64 + 16 + 96 + 96 <= THREADS_OF_A_RUNTIME - 64, "block_in_place needs some too");

impl Threads {
    /// `served` are the callers whose requests are dropped with them.
    pub(crate) fn new(served: Callers) -> Self {
        let work = |count| Work { served: served.clone(), ..Work::with_threads(count) };
        Self {
            calls: work(128),
            loads: work(64),
            stores: work(16),
            publications: work(96),
            callers: work(96),
            served,
        }
    }
}

/// A kind of work that blocks, with its limit.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    free: Arc<Semaphore>,
    served: Callers,
}

impl Work {
    fn with_threads(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), served: Callers::default() }
    }

    /// Runs work on a thread that may block, as soon as one is free. If the future is dropped, requests to a bucket that the work
    /// waits for are dropped too.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(|_| shutting_down())?;
        // Log lines about the work belong to what its caller is doing.
        let span = tracing::Span::current();
        let (_waiting, caller) = self.served.waiting();
        let served = self.served.clone();
        let work = move || {
            let done = span.in_scope(|| served.serve(caller, work));
            drop(permit);
            done
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Err(Error::from_panic(&*panic)),
                Err(_) => Err(shutting_down()),
            },
        }
    }

    /// Runs work that most likely blocks only for a moment. If the runtime has several threads, it runs on the current one,
    /// since waking another thread takes longer.
    pub(crate) async fn run_briefly<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match self.right_here() {
            Some(_permit) => catch_unwind(AssertUnwindSafe(|| tokio::task::block_in_place(work)))
                .unwrap_or_else(|panic| Err(Error::from_panic(&*panic))),
            None => self.run(work).await,
        }
    }

    fn right_here(&self) -> Option<SemaphorePermit<'_>> {
        let has_others = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        has_others.then(|| self.free.try_acquire().ok()).flatten()
    }
}

/// Drops a value whose `drop` blocks.
pub(crate) fn drop_on_thread<T: Send + 'static>(value: T) {
    if let Ok(runtime) = Handle::try_current() {
        drop(runtime.spawn_blocking(move || drop(value)));
    }
}

fn shutting_down() -> Error {
    Error::new(ErrorKind::Cancelled, "the runtime is shutting down")
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use futures::FutureExt as _;

    use super::*;

    /// More than the limit of a kind of work.
    const MANY: usize = 200;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn calls_that_take_all_their_threads_leave_the_runtime_at_work() {
        let (calls, others) = (Work::with_threads(128), Work::with_threads(1));
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        let stuck: Vec<_> = (0..MANY)
            .map(|_| {
                let (calls, released) = (calls.clone(), Arc::clone(&released));
                tokio::spawn(async move {
                    let wait = move || {
                        let _ = released.lock().unwrap().recv();
                        Ok(())
                    };
                    calls.run(wait).await
                })
            })
            .collect();
        while calls.free.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        // It waits in the queue, and takes neither a thread nor the one worker.
        let mut brief = Box::pin(calls.run_briefly(|| Ok(7)));
        assert!((&mut brief).now_or_never().is_none());
        // Work on the current thread finds a free thread for the worker's other tasks.
        assert_eq!(others.run_briefly(|| Ok(8)).await.unwrap(), 8);
        assert!((&mut brief).now_or_never().is_none());
        drop(release);
        for call in stuck {
            call.await.unwrap().unwrap();
        }
        assert_eq!(brief.await.unwrap(), 7);
        assert_eq!(calls.free.available_permits(), 128);
    }

    #[tokio::test]
    async fn a_panic_in_work_is_an_error_and_gives_the_thread_back() {
        let calls = Work::with_threads(1);
        for _ in 0..3 {
            let failed: Result<()> = calls.run(|| panic!("a bug")).await;
            assert_eq!(failed.unwrap_err().kind(), ErrorKind::Internal);
        }
        assert_eq!(calls.run_briefly(|| Ok(1)).await.unwrap(), 1);
    }
}
