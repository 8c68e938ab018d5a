//! What the HTTP port answers.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{DefaultBodyLimit, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Form, Router};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use polarway_core::Polarway;

use super::status::{self, Status};
use super::visitor::{FormKey, Peer, Refusal, visitor};
use crate::auth::{Authenticator, Requester};
use crate::failure::failure;
use crate::metrics::{Exporter, Metrics};
use crate::peers::PeerView;
use crate::readiness::{Part, Readiness};
use crate::slow_queries::SlowQueries;
use crate::tls::Tls;

/// The text format of Prometheus.
const METRICS_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The most bytes of a form.
const FORM_BYTES: usize = 4 << 10;

/// The headers of each page for browsers: only the style is loaded, no script runs, no other site can show the page in a frame,
/// and no copy is kept.
const PAGE_HEADERS: [(header::HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// What the pages are made from.
pub(crate) struct Pages {
    pub(crate) engine: Polarway,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) exporter: Exporter,
    pub(crate) readiness: Readiness,
    pub(crate) authenticator: Arc<Authenticator>,
    /// The TLS of the port for calls.
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) slow_queries: Option<Arc<SlowQueries>>,
    pub(crate) peers: Option<PeerView>,
}

/// The pages, with the state that lasts until the server ends.
struct Site {
    pages: Pages,
    started: SystemTime,
    forms: FormKey,
}

/// The paths.
///
/// # Errors
/// The machine gives no random bytes.
pub(crate) fn routes(pages: Pages) -> Result<Router, getrandom::Error> {
    let site = Site { pages, started: SystemTime::now(), forms: FormKey::fresh()? };
    Ok(Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/", get(status_page))
        .route("/status.css", get(style))
        .route("/cancel", post(cancel))
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .with_state(Arc::new(site)))
}

async fn metrics(State(site): State<Arc<Site>>) -> Response {
    let Pages { engine, metrics, exporter, readiness, tls, peers, .. } = &site.pages;
    engine.sample_metrics().await;
    metrics.ready.set(if readiness.problems().is_empty() { 1.0 } else { 0.0 });
    if let Some(expiry) = tls.as_ref().and_then(|tls| tls.valid_until().duration_since(UNIX_EPOCH).ok()) {
        metrics.certificate_expiry.set(expiry.as_secs_f64());
    }
    if let Some(peers) = peers {
        metrics.together.sample(&peers.peers(), &peers.status(), &peers.counts());
    }
    ([(header::CONTENT_TYPE, METRICS_TYPE)], exporter.render()).into_response()
}

async fn ready(State(site): State<Arc<Site>>) -> (StatusCode, String) {
    let problems = site.pages.readiness.problems();
    let (status, mut text) = match problems.is_empty() {
        true => (StatusCode::OK, "ready\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned()),
    };
    for (part, problem) in problems {
        let _ = writeln!(text, "{part}: {problem}");
    }
    if let Some(reason) = site.pages.engine.cold_tier_refuses_writes() {
        let _ = writeln!(text, "{} takes no writes: {reason}", Part::ColdTier);
    }
    (status, text)
}

async fn style() -> Response {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    (PAGE_HEADERS, [(header::CONTENT_TYPE, kind)], include_str!("status.css")).into_response()
}

async fn status_page(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    let requester = match site.visitor(&headers, peer, "/").await {
        Ok(requester) => requester,
        Err(refusal) => return refused(&refusal),
    };
    let Pages { engine, readiness, slow_queries, peers, .. } = &site.pages;
    let slow_queries = slow_queries.as_ref().map(|slow| slow.recent());
    let (engine, problems) = (requester.engine(engine), readiness.problems());
    let status = Status::look(&engine, site.started, problems, slow_queries, peers.as_ref()).await;
    let caller = &requester.caller;
    page(StatusCode::OK, status.page(caller.name(), &site.forms.mark(caller)))
}

/// Cancels a query, and shows the status page again.
async fn cancel(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let requester = match site.visitor(&headers, peer, "/cancel").await {
        Ok(requester) => requester,
        Err(refusal) => return refused(&refusal),
    };
    let field = |name| form.get(name).map(String::as_str).unwrap_or_default();
    if !site.forms.made(&requester.caller, field("mark")) {
        return refused(&Refusal::Way(
            "This form is not from the status page, or from before the server was started.",
        ));
    }
    let query = field("query");
    let engine = requester.engine(&site.pages.engine);
    let cancelled = engine.cancel_query(query).map_err(|error| failure(&error));
    requester.origin.changed("cancel", query, &cancelled);
    match cancelled {
        Ok(()) => (PAGE_HEADERS, Redirect::to("/")).into_response(),
        Err(failure) => page(StatusCode::CONFLICT, status::message("Not cancelled", failure.message)),
    }
}

impl Site {
    async fn visitor(&self, headers: &HeaderMap, peer: Peer, path: &str) -> Result<Requester, Refusal> {
        let Pages { authenticator, tls, .. } = &self.pages;
        visitor(authenticator, tls.is_some(), headers, peer, path).await
    }
}

fn page(status: StatusCode, text: String) -> Response {
    (status, PAGE_HEADERS, Html(text)).into_response()
}

fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Way(reason) => page(StatusCode::FORBIDDEN, status::message("Not shown", reason)),
        Refusal::Token(failure) => {
            let ask = HeaderValue::from_static(
                "Basic realm=\"Polarway: the password is a token\", charset=\"UTF-8\"",
            );
            let text = status::message("A token is needed", &failure.message);
            ([(header::WWW_AUTHENTICATE, ask)], page(StatusCode::UNAUTHORIZED, text)).into_response()
        }
    }
}
