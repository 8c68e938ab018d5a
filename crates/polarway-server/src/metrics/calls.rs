//! Calls: how many, how long, how they ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderValue, Response};
use metrics::{Counter, Gauge, Histogram, Recorder};
use polarway_proto::v1::Failure;
use polarway_proto::{Method, Reason};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::Span;

use super::{Metrics, list};
use crate::body::{Filter, NextFrame, filtered};
use crate::ending::{AnswerEnd, Watch};
use crate::foreign;
use crate::limits::CallOfConnection;
use crate::traces::{CallTrace, TraceParent, Traces};

/// Calls of other services, as in the label `method`.
const OTHERS: [(&str, &str); 2] = [(foreign::HEALTH, "Health"), (foreign::REFLECTION, "Reflection")];

/// The label of calls to unknown methods.
const UNKNOWN: &str = "Unknown";

/// The label of errors that have no reason of ours.
const NO_REASON: &str = "NONE";

/// The codes of gRPC by their numbers, as its specification writes them.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The calls of a server.
pub(crate) struct Calls {
    /// Our methods in their order, the other services, and unknown methods.
    kinds: Vec<Kind>,
    reasons: HashMap<&'static str, Counter>,
    without_reason: [Counter; CODES.len()],
}

/// The calls of one method.
struct Kind {
    name: &'static str,
    ended: [Counter; CODES.len()],
    duration: Histogram,
    in_flight: Gauge,
}

impl Calls {
    pub(super) fn new(recorder: &dyn Recorder) -> Self {
        let methods = Method::ALL.iter().map(|method| method.name());
        let names = methods.chain(OTHERS.map(|(_, name)| name)).chain([UNKNOWN]);
        let kinds = names.map(|name| Kind {
            name,
            ended: CODES.map(|code| list::REQUESTS.register_counter(recorder, &[name, code])),
            duration: list::REQUEST_DURATION.register_histogram(recorder, &[name]),
            in_flight: list::IN_FLIGHT.register_gauge(recorder, &[name]),
        });
        let reasons = Reason::ALL.iter().map(|reason| {
            let labels = [CODES[reason.code() as usize], reason.as_str()];
            (reason.as_str(), list::ERRORS.register_counter(recorder, &labels))
        });
        Self {
            kinds: kinds.collect(),
            reasons: reasons.collect(),
            without_reason: CODES.map(|code| match code {
                "OK" => Counter::noop(),
                code => list::ERRORS.register_counter(recorder, &[code, NO_REASON]),
            }),
        }
    }

    fn kind_of(method: Option<Method>, path: &str) -> usize {
        match method {
            Some(method) => method as usize,
            None => {
                let other = OTHERS.iter().position(|(prefix, _)| path.starts_with(prefix));
                Method::ALL.len() + other.unwrap_or(OTHERS.len())
            }
        }
    }

    /// Counts an error. Returns its reason.
    fn count_error(&self, status: &Status) -> &'static str {
        let (reason, counter) = match self.reasons.get_key_value(Failure::from(status).reason.as_str()) {
            Some((reason, counter)) => (*reason, counter),
            None => (NO_REASON, &self.without_reason[status.code() as usize]),
        };
        counter.increment(1);
        reason
    }
}

/// What is known of a call when it begins.
pub(crate) struct Beginning<'a> {
    /// Its method, if it is one of ours.
    pub(crate) method: Option<Method>,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) id: &'a HeaderValue,
    /// The name of its caller, if it is known already.
    pub(crate) caller: Option<&'a str>,
    /// Its place among the calls of its connection.
    pub(crate) connection: CallOfConnection,
}

/// A call. If it is dropped before its end, its caller has disconnected.
pub(crate) struct OpenCall {
    /// Log lines that are written while the call is worked on have its fields.
    pub(crate) span: Span,
    pub(crate) began: Instant,
    metrics: Arc<Metrics>,
    kind: usize,
    has_ended: bool,
    trace: Option<CallTrace>,
    connection: CallOfConnection,
}

impl OpenCall {
    /// Counts a call that begins, and records it if it is to be traced.
    pub(crate) fn begin(metrics: &Arc<Metrics>, traces: Option<&Traces>, call: Beginning<'_>) -> Self {
        let kind = Calls::kind_of(call.method, call.path);
        let of_kind = &metrics.calls.kinds[kind];
        of_kind.in_flight.increment(1.0);
        let (method, request_id) = (of_kind.name, call.id.to_str().unwrap_or_default());
        let trace = traces.and_then(|traces| traces.begin(method, request_id, call.headers));
        let trace_id = trace.as_ref().map(CallTrace::trace_id);
        // With all of its fields at once, the span is formatted once.
        let span = tracing::info_span!(target: "polarway::call", "call", method, request_id, caller = call.caller, trace_id);
        Self {
            span,
            began: Instant::now(),
            metrics: Arc::clone(metrics),
            kind,
            has_ended: false,
            trace,
            connection: call.connection,
        }
    }

    /// The name of its caller was found after it began.
    pub(crate) fn found_caller(&self, name: &str) {
        self.span.record("caller", name);
    }

    /// The parent of the spans of its parts, if it is recorded.
    pub(crate) fn trace(&self) -> Option<TraceParent> {
        self.trace.as_ref().map(CallTrace::parent)
    }

    /// The same response. The call ends now if its status is known, otherwise with its last message. The response ends early if
    /// the call must.
    pub(crate) fn until_end_of(mut self, response: Response<Body>, watch: Watch) -> Response<Body> {
        match outcome(response.headers()) {
            Some(outcome) => {
                self.end_by_itself(outcome);
                response
            }
            None => response.map(|body| filtered(body, Answer { call: self, end: watch.into() })),
        }
    }

    fn end_by_itself(&mut self, outcome: Result<(), Status>) {
        self.connection.end();
        self.end(outcome);
    }

    fn end(&mut self, outcome: Result<(), Status>) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let code = outcome.as_ref().err().map_or(Code::Ok, Status::code);
        let calls = &self.metrics.calls;
        let kind = &calls.kinds[self.kind];
        kind.in_flight.decrement(1.0);
        kind.ended[code as usize].increment(1);
        kind.duration.record(self.began.elapsed());
        let reason = outcome.err().map(|status| calls.count_error(&status));
        if let Some(mut trace) = self.trace.take() {
            trace.set_outcome(code, reason);
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if !self.has_ended {
            self.end(Err(Reason::Cancelled.failure("").into()));
        }
    }
}

/// How a call ended, if these headers or trailers contain its status.
fn outcome(headers: &HeaderMap) -> Option<Result<(), Status>> {
    match headers.get(Status::GRPC_STATUS)?.as_bytes() {
        b"0" => Some(Ok(())),
        _ => Status::from_header_map(headers).map(Err),
    }
}

/// The body of a call's response, with which the call ends.
struct Answer {
    call: OpenCall,
    end: AnswerEnd,
}

impl Filter for Answer {
    fn poll_frame(&mut self, body: &mut Body, context: &mut Context<'_>) -> Poll<NextFrame> {
        let Self { call, end } = self;
        let frame = ready!(call.span.in_scope(|| end.poll_frame(body, context)));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(outcome) = frame.trailers_ref().and_then(outcome) {
                    call.end_by_itself(outcome);
                }
            }
            Some(Err(status)) => call.end_by_itself(Err(status.clone())),
            None => {}
        }
        Poll::Ready(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_of_each_code_is_at_its_number() {
        for (number, name) in CODES.iter().enumerate() {
            let code = Code::from_i32(i32::try_from(number).unwrap());
            let joined = name.replace('_', "").to_lowercase();
            assert_eq!(
                format!("{code:?}").to_lowercase(),
                if number == 0 { "ok".to_owned() } else { joined }
            );
        }
    }

    #[test]
    fn a_path_is_counted_as_its_method_and_a_strange_one_as_unknown() {
        for (number, method) in Method::ALL.iter().enumerate() {
            assert_eq!(Calls::kind_of(Some(*method), method.path()), number);
        }
        let others =
            ["/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/X", "/", "/a/b", ""];
        let kinds = others.map(|path| Calls::kind_of(None, path) - Method::ALL.len());
        assert_eq!(kinds, [0, 1, 2, 2, 2]);
    }
}
