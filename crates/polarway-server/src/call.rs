//! A call, as its method sees it: the engine it may use, and its deadline.

use std::sync::Arc;
use std::time::Duration;

use polarway_core::{Error, Polarway};
use polarway_proto::v1::Failure;
use tokio::time::Instant;

use crate::auth::Origin;
use crate::failure;
use crate::limits::Place;
use crate::metrics::Metrics;
use crate::traces::TraceParent;

/// One call of one method. It is made once, at the edge, and passed on: a method does everything through it.
pub(crate) struct Call {
    /// The engine, for this caller.
    pub(crate) engine: Polarway,
    /// When it must have ended.
    pub(crate) deadline: Option<Instant>,
    /// Where rows are counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Who makes it and from where, for the audit log.
    pub(crate) origin: Arc<Origin>,
    /// The parent of the spans of its parts, if it is recorded.
    pub(crate) trace: Option<TraceParent>,
    /// The call counts as in flight until this is dropped.
    pub(crate) place: Place,
}

impl Call {
    /// The time that is left until the deadline.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The failure that the caller gets for an error. A bug is also logged, with its chain of causes.
    pub(crate) fn failure(&self, error: &Error) -> Failure {
        failure::failure(error)
    }
}
