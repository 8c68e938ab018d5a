//! What the HTTP port answers.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use polarway_core::Polarway;

use crate::metrics::{Exporter, Metrics};
use crate::readiness::Readiness;

/// The text format of Prometheus.
const METRICS_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What the pages are made from.
pub(crate) struct Pages {
    pub(crate) engine: Polarway,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) exporter: Exporter,
    pub(crate) readiness: Readiness,
}

/// The paths.
pub(crate) fn routes(pages: Pages) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .with_state(Arc::new(pages))
}

async fn metrics(State(pages): State<Arc<Pages>>) -> Response {
    pages.engine.sample_metrics().await;
    pages.metrics.ready.set(if pages.readiness.problems().is_empty() { 1.0 } else { 0.0 });
    ([(header::CONTENT_TYPE, METRICS_TYPE)], pages.exporter.render()).into_response()
}

async fn ready(State(pages): State<Arc<Pages>>) -> (StatusCode, String) {
    let problems = pages.readiness.problems();
    if problems.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    let mut text = "not ready\n".to_owned();
    for (part, problem) in problems {
        let _ = writeln!(text, "{part}: {problem}");
    }
    (StatusCode::SERVICE_UNAVAILABLE, text)
}
