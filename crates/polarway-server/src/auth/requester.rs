//! Who makes a request.

use polarway_core::Caller;

/// Who makes a request. [`AuthLayer`](super::AuthLayer) adds it to the extensions of each request that it lets pass.
#[derive(Clone, Debug)]
pub(crate) struct Requester {
    /// On whose behalf the call is made.
    pub(crate) caller: Caller,
}

impl Requester {
    /// Everybody, where no token is needed.
    pub(crate) fn anonymous() -> Self {
        Self { caller: Caller::anonymous() }
    }
}
