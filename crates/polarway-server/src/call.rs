//! A call, as its method sees it: the engine it may use, and its deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use polarway_core::{Error, Polarway};
use polarway_proto::Reason;
use polarway_proto::transport::{TIMEOUT_HEADER, decode_timeout};
use polarway_proto::v1::Failure;
use tonic::transport::server::TcpConnectInfo;
use tracing::Span;

use crate::auth::{Origin, Requester};
use crate::failure;
use crate::limits::{InFlight, Place};
use crate::metrics::Metrics;
use crate::traces::TraceParent;

/// One call of one method. It is made once, at the edge, and passed on: a method does everything through it.
#[derive(Clone)]
pub(crate) struct Call {
    /// The engine, for this caller.
    pub(crate) engine: Polarway,
    /// When it must have ended.
    deadline: Option<Instant>,
    /// Where rows are counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Who makes it and from where, for the audit log.
    pub(crate) origin: Arc<Origin>,
    /// The parent of the spans of its parts, if it is recorded.
    pub(crate) trace: Option<TraceParent>,
    /// The call counts as in flight until this is dropped.
    pub(crate) place: Arc<Place>,
}

impl Call {
    /// A call with this head of its request, for the caller that the layer of tokens found.
    ///
    /// # Errors
    /// The request did not come through that layer, or too many calls are in flight.
    pub(crate) fn begin(
        head: &Parts,
        engine: &Polarway,
        metrics: &Arc<Metrics>,
        in_flight: &InFlight,
    ) -> Result<Self, Failure> {
        let Some(requester) = head.extensions.get::<Requester>() else {
            return Err(Reason::Internal.failure("the caller of this call was not determined"));
        };
        let Requester { caller, origin } = requester;
        let address = head.extensions.get().and_then(TcpConnectInfo::remote_addr);
        let place = in_flight.enter(caller, address.map(|address| address.ip()))?;
        let timeout = head.headers.get(TIMEOUT_HEADER).and_then(decode_timeout);
        if !caller.is_anonymous() {
            Span::current().record("caller", caller.name());
        }
        Ok(Self {
            engine: requester.engine(engine),
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            metrics: Arc::clone(metrics),
            origin: Arc::clone(origin),
            trace: head.extensions.get().cloned(),
            place: Arc::new(place),
        })
    }

    /// The time that is left until the deadline.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The failure that the caller gets for an error. A bug is also logged, with its chain of causes.
    pub(crate) fn failure(&self, error: &Error) -> Failure {
        failure::failure(error)
    }
}
