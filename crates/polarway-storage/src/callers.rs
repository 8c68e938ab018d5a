//! Which threads work for a caller, and whether the caller still waits.
//!
//! A thread that waits for a bucket can't be stopped from outside. But the request that it waits for can be dropped, and then the
//! thread goes on with an error.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, ThreadId};

use parking_lot::Mutex;
use tokio::sync::watch;

/// The threads that work for callers. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Callers(Arc<Mutex<HashMap<ThreadId, watch::Receiver<()>>>>);

/// A caller that waits, as long as this is not dropped.
#[derive(Debug)]
pub struct WaitingCaller {
    _waiting: watch::Sender<()>,
}

/// The caller, as a thread sees it that works for it.
#[derive(Clone, Debug)]
pub struct ServedCaller(watch::Receiver<()>);

/// The reason why a request was dropped.
#[derive(Debug, thiserror::Error)]
#[error("nobody waits for it any more")]
pub(crate) struct CallerIsGone;

impl Callers {
    /// A caller that begins to wait.
    pub fn waiting() -> (WaitingCaller, ServedCaller) {
        let (waiting, served) = watch::channel(());
        (WaitingCaller { _waiting: waiting }, ServedCaller(served))
    }

    /// Works for a caller on the current thread. Requests to a bucket that this thread waits for are dropped when the caller is
    /// gone.
    pub fn serve<T>(&self, caller: ServedCaller, work: impl FnOnce() -> T) -> T {
        /// Sets what was there before.
        struct Served<'c> {
            callers: &'c Callers,
            thread: ThreadId,
            before: Option<watch::Receiver<()>>,
        }

        impl Drop for Served<'_> {
            fn drop(&mut self) {
                let mut served = self.callers.0.lock();
                match self.before.take() {
                    Some(before) => served.insert(self.thread, before),
                    None => served.remove(&self.thread),
                };
            }
        }

        let thread = thread::current().id();
        let before = self.0.lock().insert(thread, caller.0);
        let _served = Served { callers: self, thread, before };
        work()
    }

    /// Waits until the caller for whom the current thread works is gone; for ever where it works for none.
    pub(crate) fn gone(&self) -> impl Future<Output = ()> + use<> {
        let caller = self.0.lock().get(&thread::current().id()).cloned();
        async move {
            match caller {
                // It never changes: it ends when the other side is dropped.
                Some(mut caller) => while caller.changed().await.is_ok() {},
                None => std::future::pending().await,
            }
        }
    }

    /// Whether the current thread works for a caller who is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.lock().get(&thread::current().id()).is_some_and(|caller| caller.has_changed().is_err())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_knows_whether_its_caller_waits_and_forgets_it_after_the_work() {
        let callers = Callers::default();
        assert!(!callers.is_gone(), "it works for none");
        let (waiting, served) = Callers::waiting();
        callers.serve(served.clone(), || {
            assert!(!callers.is_gone());
            drop(waiting);
            assert!(callers.is_gone());
            thread::scope(|scope| scope.spawn(|| assert!(!callers.is_gone(), "another thread")).join())
                .unwrap();
        });
        assert!(!callers.is_gone());
        let panicking = std::panic::AssertUnwindSafe(|| callers.serve(served, || panic!("a bug")));
        assert!(std::panic::catch_unwind(panicking).is_err() && !callers.is_gone());
    }
}
