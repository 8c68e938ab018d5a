//! A runtime of tokio's that belongs to one thing.

use std::fmt;
use std::ops::Deref;

use tokio::runtime::Runtime;

use crate::callers::{CallerIsGone, Callers};

/// A runtime that may be dropped anywhere, also in a task of another runtime and in one of its own threads.
pub(crate) struct OwnRuntime {
    runtime: Option<Runtime>,
    callers: Callers,
}

impl OwnRuntime {
    /// The same for threads that work for these callers.
    pub(crate) fn serving(runtime: Runtime, callers: Callers) -> Self {
        Self { runtime: Some(runtime), callers }
    }

    /// Waits for a request, as long as the caller of the current thread does.
    ///
    /// # Errors
    /// That of the request, or that nobody waits for it any more. It may have been carried out.
    pub(crate) fn wait<T>(
        &self,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> object_store::Result<T> {
        let gone = self.callers.gone();
        self.block_on(async {
            tokio::select! {
                biased;
                answer = request => answer,
                () = gone => Err(object_store::Error::Generic { store: "bucket", source: CallerIsGone.into() }),
            }
        })
    }

    /// Whether the current thread works for a caller who is gone.
    pub(crate) fn caller_is_gone(&self) -> bool {
        self.callers.is_gone()
    }
}

impl From<Runtime> for OwnRuntime {
    fn from(runtime: Runtime) -> Self {
        Self::serving(runtime, Callers::default())
    }
}

impl Deref for OwnRuntime {
    type Target = Runtime;

    #[expect(clippy::expect_used, reason = "it is taken out by drop alone")]
    fn deref(&self) -> &Runtime {
        self.runtime.as_ref().expect("it was not dropped")
    }
}

impl fmt::Debug for OwnRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnRuntime").finish_non_exhaustive()
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background(); // waiting for its threads is not allowed everywhere
        }
    }
}
