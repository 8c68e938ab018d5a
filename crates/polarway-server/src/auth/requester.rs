//! Who makes a request, from where, and with which rights.

use std::sync::Arc;

use polarway_core::{AccessPolicy, Action, CallIds, Caller, Polarway, Target};

use super::audit::Origin;
use super::session::Session;

/// Who makes a request.
#[derive(Debug)]
pub(crate) struct Requester {
    /// On whose behalf the call is made.
    pub(crate) caller: Caller,
    /// The same for the audit log, with the address of the caller.
    pub(crate) origin: Arc<Origin>,
}

impl Requester {
    /// The engine on this caller's behalf.
    pub(crate) fn engine(&self, engine: &Polarway) -> Polarway {
        engine.on_behalf_of(self.caller.clone())
    }

    /// The same for one call, whose ids follow it.
    pub(crate) fn engine_in_call(&self, engine: &Polarway, traceparent: Option<String>) -> Polarway {
        let request_id = self.origin.request_id().unwrap_or_default().into();
        let ids = CallIds { request_id, traceparent: traceparent.map(Into::into) };
        engine.on_behalf_of(self.caller.clone().in_call(ids))
    }

    /// For a caller who needs no token.
    pub(super) fn anonymous(caller: Caller, origin: Origin) -> Self {
        Self { caller, origin: Arc::new(origin) }
    }

    /// For the owner of a token.
    pub(super) fn with_token(session: Arc<Session>, origin: Origin) -> Self {
        let origin = Arc::new(origin);
        let caller = Caller::named(Arc::clone(&session.name)).with_quota(session.quota);
        let rights = CallRights { session, origin: Arc::clone(&origin) };
        Self { caller: caller.with_rights(Arc::new(rights)), origin }
    }
}

/// The rights of a token in one call, whose refusals are logged with the call.
#[derive(Debug)]
struct CallRights {
    session: Arc<Session>,
    origin: Arc<Origin>,
}

impl AccessPolicy for CallRights {
    fn allows(&self, caller: &Caller, action: Action, target: Target<'_>) -> bool {
        self.session.rights.allow(caller.name(), action, target)
    }

    fn refused(&self, _caller: &Caller, action: Action, target: Target<'_>) {
        self.origin.refused(action, target);
    }
}
