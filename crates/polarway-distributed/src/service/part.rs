//! The part that a worker takes in a query, as logs and traces know it.

use std::any::Any;
use std::fmt::Debug;

use tracing::Span;
use uuid::Uuid;

use crate::wire::JoinRequest;

/// The target of the lines and spans about parts, for filters of the log.
pub(crate) const PART: &str = "polarway::part";

/// The longest id of a call.
const ID_BYTES: usize = 128;

/// The part that a worker takes in a query, as logs and traces know it. All workers of a query have the same ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The id of the query, at the worker that was asked.
    pub query: Uuid,
    /// The id of the call that the query came by.
    pub request_id: Option<String>,
    /// The call's place in a trace, if it is recorded: a header of W3C Trace Context.
    pub traceparent: Option<String>,
}

/// Learns of the parts that a worker takes.
pub trait PartObserver: Debug + Send + Sync {
    /// The worker begins a part, which ends when the answer is dropped.
    fn begins(&self, part: &Part) -> Option<Box<dyn Any + Send + Sync>>;
}

impl Part {
    /// What a coordinator says of itself. Ids that no line of a log can have are left out.
    pub(super) fn of(request: &JoinRequest) -> Self {
        let plain = |id: &Option<String>| id.clone().filter(|id| is_plain(id));
        Self {
            query: Uuid::from_slice(&request.engine_query).unwrap_or_default(),
            request_id: plain(&request.request_id),
            traceparent: plain(&request.traceparent),
        }
    }

    /// The span of the lines that the log has about it.
    pub(super) fn span(&self) -> Span {
        let trace_id = self.traceparent.as_deref().and_then(|header| header.split('-').nth(1));
        tracing::info_span!(
            target: PART,
            "part",
            query_id = %self.query,
            request_id = self.request_id.as_deref(),
            trace_id,
        )
    }
}

fn is_plain(id: &str) -> bool {
    (1..=ID_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_no_line_of_a_log_can_have_are_left_out() {
        let part = |request_id: &str| {
            let given = Some(request_id.to_owned());
            Part::of(&JoinRequest { request_id: given.clone(), traceparent: given, ..JoinRequest::default() })
        };
        for id in ["1", "01985f2e-3c1d-7a6b-9f00-5a4b3c2d1e0f", &"x".repeat(ID_BYTES)] {
            assert_eq!(part(id).request_id.as_deref(), Some(id));
            assert_eq!(part(id).traceparent.as_deref(), Some(id));
        }
        for id in ["", "a b", "a\nb", "größe", &"x".repeat(ID_BYTES + 1)] {
            assert_eq!((part(id).request_id, part(id).traceparent), (None, None), "{id:?}");
        }
    }
}
