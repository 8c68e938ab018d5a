//! Which threads work for a caller, and whether the caller still waits.
//!
//! A thread that waits for a bucket can't be stopped from outside. But the request that it waits for can be dropped, and then the
//! thread goes on with an error.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, ThreadId};

use parking_lot::Mutex;
use tokio::sync::watch;

/// The threads that work for callers, or nothing where nobody needs to know. Clones share them.
///
/// The default knows of no caller, and costs nothing: where no work waits for a bucket, there is nothing to drop.
#[derive(Clone, Debug, Default)]
pub struct Callers(Option<Arc<Mutex<Served>>>);

/// The caller that each thread works for.
type Served = HashMap<ThreadId, watch::Receiver<()>>;

/// A caller that waits, as long as this is not dropped.
#[derive(Debug)]
pub struct WaitingCaller {
    _waiting: Option<watch::Sender<()>>,
}

/// The caller, as a thread sees it that works for it.
#[derive(Clone, Debug)]
pub struct ServedCaller(Option<watch::Receiver<()>>);

/// The reason why a request was dropped.
#[derive(Debug, thiserror::Error)]
#[error("nobody waits for it any more")]
pub(crate) struct CallerIsGone;

impl Callers {
    /// Callers that are known.
    pub fn known() -> Self {
        Self(Some(Arc::default()))
    }

    /// A caller that begins to wait.
    pub fn waiting(&self) -> (WaitingCaller, ServedCaller) {
        let (waiting, served) = self.0.as_ref().map(|_| watch::channel(())).unzip();
        (WaitingCaller { _waiting: waiting }, ServedCaller(served))
    }

    /// Works for a caller on the current thread. Requests to a bucket that this thread waits for are dropped when the caller is
    /// gone.
    pub fn serve<T>(&self, caller: ServedCaller, work: impl FnOnce() -> T) -> T {
        /// Sets what was there before.
        struct Before<'c> {
            served: &'c Mutex<Served>,
            thread: ThreadId,
            before: Option<watch::Receiver<()>>,
        }

        impl Drop for Before<'_> {
            fn drop(&mut self) {
                let mut served = self.served.lock();
                match self.before.take() {
                    Some(before) => served.insert(self.thread, before),
                    None => served.remove(&self.thread),
                };
            }
        }

        let (Some(served), Some(caller)) = (&self.0, caller.0) else { return work() };
        let thread = thread::current().id();
        let before = served.lock().insert(thread, caller);
        let _before = Before { served, thread, before };
        work()
    }

    /// Waits until the caller for whom the current thread works is gone; for ever where it works for none.
    pub(crate) fn gone(&self) -> impl Future<Output = ()> + use<> {
        let caller = self.current();
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
        self.current().is_some_and(|caller| caller.has_changed().is_err())
    }

    /// The caller for whom the current thread works.
    fn current(&self) -> Option<watch::Receiver<()>> {
        self.0.as_ref()?.lock().get(&thread::current().id()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_knows_whether_its_caller_waits_and_forgets_it_after_the_work() {
        let callers = Callers::known();
        assert!(!callers.is_gone(), "it works for none");
        let (waiting, served) = callers.waiting();
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

    #[test]
    fn where_nobody_needs_to_know_work_is_done_and_no_caller_is_ever_gone() {
        let callers = Callers::default();
        let (waiting, served) = callers.waiting();
        drop(waiting);
        assert!(!callers.serve(served, || callers.is_gone()));
    }
}
