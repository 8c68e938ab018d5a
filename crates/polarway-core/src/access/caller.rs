//! Who asks.

use std::fmt;
use std::sync::Arc;

/// The name of callers who don't say who they are.
const ANONYMOUS: &str = "anonymous";

/// Who makes a call, by a name. Handles and queries record it as their owner's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller(Arc<str>);

impl Caller {
    /// A caller of this name. Whoever makes one has found out who it is.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The caller where nobody says who asks: the program around an engine, and all clients of a server that knows none apart.
    pub fn anonymous() -> Self {
        Self::named(ANONYMOUS)
    }

    /// Whether nobody said who asks.
    pub fn is_anonymous(&self) -> bool {
        self.name() == ANONYMOUS
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
