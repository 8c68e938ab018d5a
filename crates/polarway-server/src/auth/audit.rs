//! The audit log: who wrote, deleted, was refused, or got other rights. Its lines have a target of their own.

use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderValue;
use polarway_core::{Action, Target};
use polarway_proto::Reason;
use polarway_proto::v1::Failure;

use super::rights::Role;
use super::session::Session;

/// The target of the lines, for filters of the log.
const TARGET: &str = "polarway::audit";

/// Where a call came from: what each line says of it.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The caller's name.
    pub(crate) caller: Arc<str>,
    /// The address.
    pub(crate) from: Option<SocketAddr>,
    /// The id of the call.
    pub(crate) id: Option<HeaderValue>,
}

/// Writes a line about a call.
macro_rules! line {
    ($origin:expr, $outcome:expr, $($what:tt)*) => {
        tracing::info!(
            target: TARGET,
            caller = &*$origin.caller,
            from = $origin.from.map(tracing::field::display),
            request_id = $origin.id.as_ref().and_then(|id| id.to_str().ok()),
            outcome = $outcome,
            $($what)*
        )
    };
}

impl Origin {
    /// The caller changed something. What failed is told only if it may have been done all the same.
    pub(crate) fn changed<T>(&self, what: &str, name: &str, outcome: &Result<T, Failure>) {
        match outcome {
            Ok(_) => line!(self, "done", "{what} {name:?}"),
            Err(failure) if failure.reason == Reason::OutcomeUnknown.as_str() => {
                line!(self, "unknown", "{what} {name:?}");
            }
            Err(_) => {}
        }
    }

    /// The door refused something.
    pub(super) fn refused(&self, action: Action, target: Target<'_>) {
        line!(self, "refused", "{action} {target}");
    }

    /// The call was refused before anybody knew who makes it.
    pub(super) fn turned_away(&self, path: &str, failure: &Failure) {
        line!(self, "refused", reason = failure.reason, "call {path:?}");
    }
}

/// What became of a token in a new state of its file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RightsChange {
    name: Arc<str>,
    role: Role,
    what: &'static str,
}

impl RightsChange {
    pub(super) fn new(session: &Session, what: &'static str) -> Self {
        Self { name: Arc::clone(&session.name), role: session.rights.role, what }
    }

    pub(super) fn log(&self) {
        let Self { name, role, what } = self;
        tracing::info!(target: TARGET, caller = &**name, role = role.name(), "the token of {name:?} {what}");
    }
}
