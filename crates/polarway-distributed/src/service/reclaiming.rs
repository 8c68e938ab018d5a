//! Frees what a query has left, though nobody asks for it any more.
//!
//! datafusion-distributed keeps the plans of tasks in a map without locks (moka, over crossbeam-epoch). Such a map frees what it has
//! dropped only when no thread may still read it, and looks for that only while somebody uses such a map. So the plans of the last
//! query would stay, with their files, until the next query comes. Here somebody looks again until they are gone; what each thread
//! of plans has dropped it shows when it goes idle.

use std::sync::Weak;
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnv;

use super::Shared;

/// How long to wait between tries, at first and at most.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(1);

impl Shared {
    /// Frees what is dropped until nothing of a query that has ended is left.
    pub(super) fn reclaim(&self, runtime: Weak<RuntimeEnv>) {
        self.compute.detach(async move {
            let mut pause = SHORTEST;
            while runtime.strong_count() > 0 {
                tokio::time::sleep(pause).await;
                pause = LONGEST.min(pause * 2);
                crossbeam_epoch::pin().flush();
            }
        });
    }
}
