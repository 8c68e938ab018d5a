//! The threads that encode and decode.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Threads that encode and decode, as many as the machine has cores.
///
/// They start with the first work, are shared by all clones, and end with the last of them. A program makes one and gives it to
/// all that it reads and writes: more threads than cores gain nothing.
#[derive(Clone, Default)]
pub struct Workers(Arc<OnceLock<Option<ThreadPool>>>);

impl Workers {
    /// A pool of our own: a caller may sit on a thread of rayon's global pool and wait for us there.
    fn pool(&self) -> Option<&ThreadPool> {
        let start =
            || ThreadPoolBuilder::new().thread_name(|index| format!("polarway-parquet-{index}")).build().ok();
        self.0.get_or_init(start).as_ref()
    }

    /// Runs `task` on one of the threads; on the calling one where the system gave us none.
    pub(crate) fn spawn(&self, task: impl FnOnce() + Send + 'static) {
        match self.pool() {
            Some(pool) => pool.spawn(task),
            None => task(),
        }
    }

    /// How many tasks run at the same time.
    pub(crate) fn threads(&self) -> usize {
        self.pool().map_or(1, ThreadPool::current_num_threads)
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("started", &self.0.get().is_some()).finish()
    }
}

/// Runs code that can panic on malformed input, and turns a panic into its payload.
///
/// The state that `task` touched must not be used again after a panic.
pub(crate) fn fence<T>(task: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(task))
}

/// The message of a panic's payload.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}
