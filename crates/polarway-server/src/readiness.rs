//! Whether this worker should get calls, and the reasons if not.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::timeout;

use crate::failure::chain;

/// How long a storage may take to answer a check.
const TOO_LONG: Duration = Duration::from_secs(10);

/// Whether a worker is ready. Clones share the state. Tasks that watch the parts write it, and `/readyz` only reads it, so that
/// `/readyz` answers at once even if a storage hangs.
#[derive(Clone)]
pub(crate) struct Readiness(Arc<Mutex<BTreeMap<Part, String>>>);

/// What a worker needs to answer calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// It must not be shutting down.
    Service,
    /// The cold tier must be reachable.
    ColdTier,
    /// The storage of handles must be reachable.
    Handles,
    /// Queries must be answered.
    Queries,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "the server",
            Self::ColdTier => "the cold tier",
            Self::Handles => "the state store",
            Self::Queries => "the query engine",
        })
    }
}

impl Readiness {
    /// The state of a worker that has not checked its parts yet.
    pub(crate) fn starting() -> Self {
        let parts = [Part::ColdTier, Part::Handles, Part::Queries];
        let unchecked = parts.map(|part| (part, "it has not been checked yet".to_owned()));
        Self(Arc::new(Mutex::new(BTreeMap::from(unchecked))))
    }

    /// Sets what is wrong with a part, or that nothing is.
    pub(crate) fn set(&self, part: Part, problem: Option<String>) {
        let mut problems = self.0.lock();
        match problem {
            Some(problem) => problems.insert(part, problem),
            None => problems.remove(&part),
        };
    }

    /// Sets the result of a check of a part. A check that takes too long is a problem until it ends.
    pub(crate) async fn check(
        &self,
        part: Part,
        check: impl Future<Output = polarway_core::Result<()>>,
    ) -> polarway_core::Result<()> {
        let mut check = std::pin::pin!(check);
        let checked = match timeout(TOO_LONG, &mut check).await {
            Ok(checked) => checked,
            Err(_) => {
                self.set(part, Some(format!("it does not answer within {TOO_LONG:?}")));
                check.await
            }
        };
        self.set(part, checked.as_ref().err().map(|error| chain(error)));
        checked
    }

    /// What is wrong, part by part; nothing if the worker is ready.
    pub(crate) fn problems(&self) -> Vec<(Part, String)> {
        self.0.lock().iter().map(|(part, problem)| (*part, problem.clone())).collect()
    }
}
