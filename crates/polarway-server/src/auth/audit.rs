//! The audit log: who wrote, deleted, was refused, or got other rights. Its lines have their own target.

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

/// Where a call came from, for each line about it.
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
            request_id = $origin.request_id(),
            outcome = $outcome,
            $($what)*
        )
    };
}

impl Origin {
    /// The id of the call as a text.
    pub(super) fn request_id(&self) -> Option<&str> {
        self.id.as_ref()?.to_str().ok()
    }

    /// The caller changed something. A failure is logged only if the change may have happened nevertheless.
    pub(crate) fn changed<T>(&self, what: &str, name: &str, outcome: &Result<T, Failure>) {
        match outcome {
            Ok(_) => line!(self, "done", "{what} {name:?}"),
            Err(failure) if failure.reason == Reason::OutcomeUnknown.as_str() => {
                line!(self, "unknown", "{what} {name:?}");
            }
            Err(_) => {}
        }
    }

    /// The access check refused something.
    pub(super) fn refused(&self, action: Action, target: Target<'_>) {
        line!(self, "refused", "{action} {target}");
    }

    /// The call was refused before its caller was known.
    pub(super) fn turned_away(&self, path: &str, failure: &Failure) {
        line!(self, "refused", reason = failure.reason, "call {path:?}");
    }
}

/// How a change of the file of tokens changed one token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RightsChange {
    name: Arc<str>,
    role: Role,
    what: &'static str,
}

impl RightsChange {
    /// `what` follows the token's name in the line.
    pub(super) fn new(session: &Session, what: &'static str) -> Self {
        Self { name: Arc::clone(&session.name), role: session.rights.role, what }
    }

    /// Writes the line.
    pub(super) fn log(&self) {
        let Self { name, role, what } = self;
        tracing::info!(target: TARGET, caller = &**name, role = role.name(), "the token of {name:?} {what}");
    }
}
