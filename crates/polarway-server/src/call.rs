//! A call, as its method sees it: what it may use, until when it may run, and what it is called in the log.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};
use polarway_core::{Caller, Error, Polarway};
use polarway_proto::Method;
use polarway_proto::transport::{TIMEOUT_HEADER, decode_timeout};
use polarway_proto::v1::Failure;
use tracing::Span;
use uuid::Uuid;

use crate::failure;

/// The header that carries the call's id: a caller may give one, and each answer has it.
pub(crate) const ID_HEADER: &str = "x-request-id";

/// The longest id that a caller may give, in characters.
const MOST_ID_CHARACTERS: usize = 128;

/// One call of one method. It is made once, at the edge, and handed on: what a method does, it does through this.
#[derive(Clone)]
pub(crate) struct Call {
    /// The engine, for this caller.
    pub(crate) engine: Polarway,
    /// When it has to be over.
    deadline: Option<Instant>,
    /// What it is called in the log, and by its caller.
    pub(crate) id: HeaderValue,
    span: Span,
}

impl Call {
    /// A call that has come with these headers. Here it is found out who the caller is: for now all are one.
    pub(crate) fn begin(method: Method, headers: &HeaderMap, engine: &Polarway) -> Self {
        let timeout = headers.get(TIMEOUT_HEADER).and_then(decode_timeout);
        let id = given_id(headers).unwrap_or_else(fresh_id);
        let caller = Caller::anonymous();
        let (method, named) = (method.name(), id.to_str().unwrap_or_default());
        let span = tracing::info_span!("call", method, id = named, %caller);
        Self {
            engine: engine.on_behalf_of(caller),
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            id,
            span,
        }
    }

    /// How long it may still take.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// What the caller is told of an error. A bug is also logged, with all that led to it and under the call's id.
    pub(crate) fn failure(&self, error: &Error) -> Failure {
        self.span.in_scope(|| failure::failure(error))
    }
}

/// The id that the caller gave, if it is one that a line of a log can hold.
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
