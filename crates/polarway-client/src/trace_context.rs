//! Passes the program's trace to the server: W3C Trace Context.

use http::{HeaderMap, HeaderName};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// Adds the program's current trace to a request, if there is one. OpenTelemetry sets it; for spans of `tracing`, the crate
/// `tracing-opentelemetry` does.
pub(crate) fn add(headers: &mut HeaderMap) {
    Context::map_current(|current| {
        if !current.has_active_span() {
            return;
        }
        let span = current.span();
        let span = span.span_context();
        if !span.is_valid() {
            return;
        }
        let (trace, parent, flags) = (span.trace_id(), span.span_id(), span.trace_flags().to_u8());
        if let Ok(header) = format!("00-{trace}-{parent}-{flags:02x}").try_into() {
            headers.insert(TRACE_PARENT, header);
        }
        let state = span.trace_state().header();
        if !state.is_empty()
            && let Ok(header) = state.try_into()
        {
            headers.insert(TRACE_STATE, header);
        }
    });
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    #[test]
    fn a_program_in_a_trace_passes_it_on_and_one_in_none_adds_nothing() {
        let mut headers = HeaderMap::new();
        add(&mut headers);
        assert!(headers.is_empty());
        let state = TraceState::from_key_value([("vendor", "7")]).unwrap();
        let span =
            SpanContext::new(TraceId::from(0xa1), SpanId::from(0xb2), TraceFlags::SAMPLED, false, state);
        let _inside = Context::new().with_remote_span_context(span).attach();
        add(&mut headers);
        assert_eq!(
            headers.get("traceparent").unwrap(),
            "00-000000000000000000000000000000a1-00000000000000b2-01"
        );
        assert_eq!(headers.get("tracestate").unwrap(), "vendor=7");
    }
}
