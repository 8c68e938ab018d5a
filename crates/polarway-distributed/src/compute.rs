//! The threads on which plans run.
//!
//! An operator may compute for a long time before it waits, and nothing else runs on its thread meanwhile. So plans run apart from
//! the calls between workers, which are answered at once.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;
use tracing::Instrument as _;

/// The stack of a thread: the plan of a query nests as deep as its text.
const STACK_BYTES: usize = 8 << 20;

#[derive(Debug)]
pub(crate) struct Compute {
    handle: Handle,
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

impl Compute {
    pub(crate) fn open(threads: usize) -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(threads.max(1)).thread_name("polarway-plans").thread_stack_size(STACK_BYTES);
        // What a thread has dropped from a map without locks waits on that thread until it uses such a map again.
        builder.on_thread_park(|| crossbeam_epoch::pin().flush());
        let runtime = builder.enable_all().build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Runs work there. What it logs belongs to the caller's span.
    pub(crate) fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Work<T> {
        let mut tasks = JoinSet::new();
        tasks.spawn_on(work.in_current_span(), &self.handle);
        Work(tasks)
    }

    /// Spawns work there that nobody waits for. It ends with the worker at the latest.
    pub(crate) fn detach(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(work);
    }
}

/// Work on the threads of plans. Dropping it ends the work where it next waits.
pub(crate) struct Work<T>(JoinSet<T>);

impl<T: Send + 'static> Work<T> {
    /// What the work gives; `None` if it panicked.
    pub(crate) async fn done(mut self) -> Option<T> {
        self.0.join_next().await?.ok()
    }
}

impl Drop for Compute {
    fn drop(&mut self) {
        // It may be dropped where nothing may block.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
