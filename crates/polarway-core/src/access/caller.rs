//! Who asks.

use std::fmt;
use std::sync::Arc;

use polarway_query::CallIds;

use super::{AccessPolicy, Action, Target};

/// The name of callers who don't say who they are.
const ANONYMOUS: &str = "anonymous";

/// How much of an engine a caller may have at a time. `None` is no bound besides those of the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// What the newest versions of all datasets that it may write take in storage at the most, in bytes.
    pub stored_bytes: Option<u64>,
    /// What its handles may take together, in bytes.
    pub handle_bytes: Option<u64>,
    /// How many of its queries may wait or run.
    pub queries: Option<usize>,
}

/// Who makes a call, by a name, and what it may do. Handles and queries record the name as their owner's.
#[derive(Clone, Debug)]
pub struct Caller {
    name: Arc<str>,
    rights: Option<Arc<dyn AccessPolicy>>,
    quota: Quota,
    call: Option<CallIds>,
}

impl Caller {
    /// A caller of this name. Whoever makes one has found out who it is.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), rights: None, quota: Quota::default(), call: None }
    }

    /// The caller where nobody says who asks: the program around an engine, and all clients of a server that knows none apart.
    pub fn anonymous() -> Self {
        Self::named(ANONYMOUS)
    }

    /// Whether nobody said who asks.
    pub fn is_anonymous(&self) -> bool {
        self.name() == ANONYMOUS
    }

    /// The same caller, who may do only what these rights allow, and of that what the engine's
    /// [policy](crate::Builder::access_policy) allows. Whoever finds out who calls mostly learns the rights as well, such as from
    /// a token, and can give them here.
    #[must_use]
    pub fn with_rights(self, rights: Arc<dyn AccessPolicy>) -> Self {
        Self { rights: Some(rights), ..self }
    }

    /// The same caller with a quota.
    #[must_use]
    pub fn with_quota(self, quota: Quota) -> Self {
        Self { quota, ..self }
    }

    /// The same caller in one of its calls: what its queries log and trace belongs to that call, on whichever worker.
    #[must_use]
    pub fn in_call(self, call: CallIds) -> Self {
        Self { call: Some(call), ..self }
    }

    /// The call that it makes now, if that is known.
    pub(super) fn call(&self) -> Option<&CallIds> {
        self.call.as_ref()
    }

    /// How much it may have at a time.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name, shared.
    pub fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Whether the caller's own rights allow this.
    pub(super) fn allows(&self, action: Action, target: Target<'_>) -> bool {
        self.rights.as_ref().is_none_or(|rights| rights.allows(self, action, target))
    }

    /// Lets whoever gave the rights know that the door refused something.
    pub(super) fn refused(&self, action: Action, target: Target<'_>) {
        if let Some(rights) = &self.rights {
            rights.refused(self, action, target);
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
