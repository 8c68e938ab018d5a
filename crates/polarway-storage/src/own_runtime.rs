//! A runtime of tokio's that belongs to one thing.

use std::fmt;
use std::ops::Deref;

use tokio::runtime::Runtime;

/// A runtime that may be dropped anywhere, also in a task of another runtime and in one of its own threads.
pub(crate) struct OwnRuntime(Option<Runtime>);

impl From<Runtime> for OwnRuntime {
    fn from(runtime: Runtime) -> Self {
        Self(Some(runtime))
    }
}

impl Deref for OwnRuntime {
    type Target = Runtime;

    #[expect(clippy::expect_used, reason = "it is taken out by drop alone")]
    fn deref(&self) -> &Runtime {
        self.0.as_ref().expect("it was not dropped")
    }
}

impl fmt::Debug for OwnRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnRuntime").finish_non_exhaustive()
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background(); // waiting for its threads is not allowed everywhere
        }
    }
}
