//! Threads for work that blocks, shared out so that no kind of work can take them all.
//!
//! A tokio runtime has 512 of them, unless it was built with others. `block_in_place` needs one too: it hands the worker's
//! other tasks to it, and where none is left they stand still. So each kind of work has a bounded part, in which those
//! that come later wait in turn without a thread, and the parts leave some over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{Error, ErrorKind, Result};

/// How many threads a tokio runtime has for work that blocks, unless told otherwise.
const THREADS_OF_A_RUNTIME: usize = 512;

/// An engine's threads, by the kind of work that they do.
#[derive(Debug)]
pub(crate) struct Threads {
    /// A look at the storage, or a change of one thing in it.
    pub(crate) calls: Work,
    /// The next rows of a table that is loaded.
    pub(crate) loads: Work,
    /// The next rows of a table that is stored. Few, since what a chunk is decoded to is counted only when it is there.
    pub(crate) stores: Work,
    /// The end of a table that is stored, where writers of one dataset wait for each other.
    pub(crate) publications: Work,
    /// Work that waits for code that is not ours to say how long: a caller's reader, a query.
    pub(crate) callers: Work,
}

const _: () = assert!(128 + 64 + 16 + 96 + 96 <= THREADS_OF_A_RUNTIME - 64, "block_in_place needs some too");

impl Threads {
    pub(crate) fn new() -> Self {
        Self {
            calls: Work::with_threads(128),
            loads: Work::with_threads(64),
            stores: Work::with_threads(16),
            publications: Work::with_threads(96),
            callers: Work::with_threads(96),
        }
    }
}

/// A kind of work that blocks, with its part of the threads.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    free: Arc<Semaphore>,
}

impl Work {
    fn with_threads(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)) }
    }

    /// Runs work on a thread that may block, once one is free.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(|_| shutting_down())?;
        let work = move || {
            let done = work();
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

    /// Runs work that most likely blocks for a moment only: where the runtime has other threads to go on with, it is done
    /// right here, since to wake one takes longer.
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

/// Drops a value that blocks in its end.
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

    /// As many as a kind of work has threads, and some.
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
        // It waits in turn, and holds neither a thread nor the one worker.
        let mut brief = Box::pin(calls.run_briefly(|| Ok(7)));
        assert!((&mut brief).now_or_never().is_none());
        // What is done in place has a thread to hand the worker's other tasks to.
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
