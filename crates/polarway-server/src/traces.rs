//! Traces: a span for each call, sent to a collector over OTLP.
//!
//! A caller's `traceparent` (W3C Trace Context) makes the span a part of the caller's trace, and says whether it is recorded. Spans
//! wait in a bounded queue for a thread that sends them. If a collector is slow or down, spans are lost, and calls are not affected.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanKind, Status as SpanStatus, TraceContextExt as _, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span, SpanData, SpanExporter};
use parking_lot::Mutex;
use polarway_core::QueryTimes;
use polarway_distributed::{Part, PartObserver};
use tonic::Code;

use crate::failure::chain;
use crate::seldom::Seldom;

/// How long one message to the collector may take.
const EXPORT_TIME: Duration = Duration::from_secs(10);

/// How long the last spans may take when the server ends.
const FLUSH_TIME: Duration = Duration::from_secs(5);

/// The name of the service, if `OTEL_SERVICE_NAME` gives no other.
const SERVICE_NAME: &str = "polarway";

/// The name of the span of a part in a query of several workers.
const PART: &str = "part";

/// Sends spans to a collector.
#[derive(Clone)]
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    propagator: Arc<TraceContextPropagator>,
}

impl Traces {
    /// Traces that go to the collector at this URL. It need not be there yet.
    ///
    /// # Errors
    /// The URL can't be used.
    pub(crate) fn to(endpoint: &str) -> Result<Self, ExporterBuildError> {
        let mut exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(EXPORT_TIME);
        if endpoint.starts_with("https://") {
            exporter = exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
        }
        let exporter = Reporting { exporter: exporter.build()?, failures: Mutex::default() };
        let name = std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| SERVICE_NAME.to_owned());
        let resource = Resource::builder()
            .with_service_name(name)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider =
            SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
        let tracer = provider.tracer("polarway");
        Ok(Self { provider, tracer, propagator: Arc::new(TraceContextPropagator::new()) })
    }

    /// Begins the span of a call, if the call is to be recorded.
    pub(crate) fn begin(&self, method: &'static str, id: &str, headers: &HeaderMap) -> Option<CallTrace> {
        let parent = self.propagator.extract_with_context(&Context::new(), &Headers(headers));
        let attributes = [KeyValue::new("rpc.system", "grpc"), KeyValue::new("rpc.method", method)];
        let mut span = self
            .tracer
            .span_builder(method)
            .with_kind(SpanKind::Server)
            .with_attributes(attributes)
            .start_with_context(&self.tracer, &parent);
        if !span.is_recording() {
            return None;
        }
        span.set_attribute(KeyValue::new("polarway.request_id", id.to_owned()));
        Some(CallTrace { span, tracer: self.tracer.clone() })
    }

    /// Begins the span of a part that this worker takes in a query of a call that another worker records. It ends when it is
    /// dropped.
    fn begin_part(&self, part: &Part) -> Option<Span> {
        let header = [("traceparent".to_owned(), part.traceparent.clone()?)];
        let parent = self.propagator.extract_with_context(&Context::new(), &HashMap::from(header));
        let mut attributes = vec![KeyValue::new("polarway.query_id", part.query.to_string())];
        attributes.extend(part.request_id.clone().map(|id| KeyValue::new("polarway.request_id", id)));
        let span = self.tracer.span_builder(PART).with_kind(SpanKind::Server).with_attributes(attributes);
        Some(span.start_with_context(&self.tracer, &parent))
    }

    /// Sends the spans that are still queued.
    pub(crate) async fn finish(self) {
        // It blocks until they are sent.
        let finished =
            tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(FLUSH_TIME)).await;
        if let Ok(Err(error)) = finished {
            tracing::warn!(error = chain(&error), "the last traces could not be sent");
        }
    }
}

impl PartObserver for Traces {
    fn begins(&self, part: &Part) -> Option<Box<dyn Any + Send + Sync>> {
        self.begin_part(part).map(|span| Box::new(span) as _)
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").finish_non_exhaustive()
    }
}

/// The span of a call that is recorded. It ends when this is dropped.
pub(crate) struct CallTrace {
    span: Span,
    tracer: SdkTracer,
}

impl CallTrace {
    /// The parent for spans of parts of the call.
    pub(crate) fn parent(&self) -> TraceParent {
        TraceParent { tracer: self.tracer.clone(), context: self.span.span_context().clone() }
    }

    /// The id of the trace, for the log.
    pub(crate) fn trace_id(&self) -> String {
        self.span.span_context().trace_id().to_string()
    }

    /// Records how the call ended.
    pub(crate) fn set_outcome(&mut self, code: Code, reason: Option<&str>) {
        self.span.set_attribute(KeyValue::new("rpc.grpc.status_code", i64::from(code as i32)));
        if let Some(reason) = reason {
            self.span.set_attribute(KeyValue::new("polarway.reason", reason.to_owned()));
            // Not the message: it may contain names that only the caller may see.
            self.span.set_status(SpanStatus::error(reason.to_owned()));
        }
    }
}

/// The parent for spans of parts of a call.
pub(crate) struct TraceParent {
    tracer: SdkTracer,
    context: SpanContext,
}

impl TraceParent {
    /// The same for another worker: a header of W3C Trace Context.
    pub(crate) fn header(&self) -> String {
        let Self { context, .. } = self;
        format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8())
    }

    /// Records the phases of a query that ends now.
    pub(crate) fn record_query(&self, times: QueryTimes) {
        let parent = Context::new().with_remote_span_context(self.context.clone());
        let mut began = SystemTime::now() - times.total();
        for (name, time) in [
            ("waiting", times.waiting),
            ("checking", times.checking),
            ("resolving", times.resolving),
            ("planning", times.planning),
            ("running", times.running),
        ] {
            let ended = began + time;
            if !time.is_zero() {
                let phase = self.tracer.span_builder(name).with_start_time(began);
                phase.start_with_context(&self.tracer, &parent).end_with_timestamp(ended);
            }
            began = ended;
        }
    }
}

/// The headers of a request.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Logs at intervals that spans could not be sent.
#[derive(Debug)]
struct Reporting {
    exporter: opentelemetry_otlp::SpanExporter,
    failures: Mutex<Seldom>,
}

impl SpanExporter for Reporting {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exported = self.exporter.export(batch).await;
        if let Err(error) = &exported
            && let Some(count) = self.failures.lock().count()
        {
            tracing::warn!(error = chain(error), count, "traces could not be sent");
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
