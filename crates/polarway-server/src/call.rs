//! A call, as its method sees it: the engine it may use, its deadline, and its id in the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use polarway_core::{Error, Polarway};
use polarway_proto::transport::{TIMEOUT_HEADER, decode_timeout};
use polarway_proto::v1::Failure;
use polarway_proto::{Method, Reason};
use tracing::Span;
use uuid::Uuid;

use crate::auth::Requester;
use crate::failure;
use crate::metrics::Metrics;

/// The header with the call's id: a caller may set it, and each response has it.
pub(crate) const ID_HEADER: &str = "x-request-id";

/// The longest id that a caller may set, in characters.
const MOST_ID_CHARACTERS: usize = 128;

/// One call of one method. It is made once, at the edge, and passed on: a method does everything through it.
#[derive(Clone)]
pub(crate) struct Call {
    /// The engine, for this caller.
    pub(crate) engine: Polarway,
    /// When it must have ended.
    deadline: Option<Instant>,
    /// Where rows are counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Its id, in the log and for its caller.
    pub(crate) id: HeaderValue,
    method: Method,
}

impl Call {
    /// A call with this head of its request, for the caller that the layer of tokens found.
    ///
    /// # Errors
    /// The request did not come through that layer.
    pub(crate) fn begin(
        method: Method,
        head: &Parts,
        engine: &Polarway,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, Failure> {
        let Some(Requester { caller }) = head.extensions.get() else {
            return Err(Reason::Internal.failure("nobody asked who makes this call"));
        };
        let headers = &head.headers;
        let timeout = headers.get(TIMEOUT_HEADER).and_then(decode_timeout);
        let mut id = given_id(headers).unwrap_or_else(fresh_id);
        // It does not come again, so it has no use in the table of headers that both ends of a connection keep (RFC 7541,
        // section 6.2.3).
        id.set_sensitive(true);
        Ok(Self {
            engine: engine.on_behalf_of(caller.clone()),
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            metrics: Arc::clone(metrics),
            id,
            method,
        })
    }

    /// The time that is left until the deadline.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The failure that the caller gets for an error. A bug is also logged, with its chain of causes and the call's id.
    pub(crate) fn failure(&self, error: &Error) -> Failure {
        self.span().in_scope(|| failure::failure(error))
    }

    /// What lines of the log about this call are written under. It is made when there is such a line: to make one for each
    /// call would cost more than all else that is done here.
    fn span(&self) -> Span {
        let id = self.id.to_str().unwrap_or_default();
        tracing::info_span!("call", method = self.method.name(), id, caller = %self.engine.caller())
    }
}

/// The id that the caller set, if it is safe to write in a line of the log.
fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(ID_HEADER)?;
    let is_plain =
        (1..=MOST_ID_CHARACTERS).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
    is_plain.then(|| id.clone())
}

fn fresh_id() -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    let text = Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_callers_if_a_log_can_hold_it() {
        let given = |id: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(ID_HEADER, HeaderValue::from_bytes(id).unwrap());
            given_id(&headers)
        };
        for id in ["1", "01985f2e-3c1d-7a6b-9f00-5a4b3c2d1e0f", &"x".repeat(128)] {
            assert_eq!(given(id.as_bytes()).unwrap(), id);
        }
        for id in [&b""[..], b"a b", b"a\tb", "größe".as_bytes(), "x".repeat(129).as_bytes()] {
            assert_eq!(given(id), None, "{id:?}");
        }
        assert_eq!(fresh_id().len(), 36);
    }
}
