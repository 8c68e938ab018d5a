//! The threads that encode and decode, shared by the whole process.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// A pool of our own: a caller may sit on a thread of rayon's global pool and wait for us there.
static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    ThreadPoolBuilder::new().thread_name(|index| format!("polarway-parquet-{index}")).build().ok()
});

/// Runs `task` on the pool; on the calling thread where the system gave us no threads.
pub(crate) fn spawn(task: impl FnOnce() + Send + 'static) {
    match POOL.as_ref() {
        Some(pool) => pool.spawn(task),
        None => task(),
    }
}

/// How many tasks run at the same time.
pub(crate) fn threads() -> usize {
    POOL.as_ref().map_or(1, ThreadPool::current_num_threads)
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
