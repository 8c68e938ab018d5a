//! Traces over OTLP, and the traces of callers.

use opentelemetry::Context;
use opentelemetry::trace::{
    FutureExt as _, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use polarway_proto::v1::GetServerInfoRequest;
use tokio::net::TcpListener;
use tonic::Request;

use crate::collector::{Collector, attribute};
use crate::support::{Server, numbers, raw, refused};

/// A server that sends its traces there.
fn server_with(url: &str) -> Server {
    Server::start_with(&["--otlp-endpoint", url])
}

/// The trace of a program, with one span.
fn trace_of_program(flags: TraceFlags) -> Context {
    let span = SpanContext::new(TraceId::from(0xa1), SpanId::from(0xb2), flags, false, TraceState::default());
    Context::new().with_remote_span_context(span)
}

fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
}

#[tokio::test]
async fn a_call_is_a_span_of_its_callers_trace_and_a_query_has_its_phases_below_it() {
    let collector = Collector::start().await;
    let mut server = server_with(&collector.url());
    let client = server.client().await;
    client.store("numbers", numbers(0..10)).await.unwrap();
    let query = client.query("SELECT sum(n), 'canary' FROM numbers");
    query.with_context(trace_of_program(TraceFlags::SAMPLED)).await.unwrap();
    let error = client.load("missing_canary").await.unwrap_err();
    // Queued spans are sent before the server ends.
    server.signal("-15");
    assert!(server.ended().await.success());

    let spans = collector.spans();
    let query = named(&spans, "Query");
    assert_eq!(query.trace_id, 0xa1_u128.to_be_bytes());
    assert_eq!(query.parent_span_id, 0xb2_u64.to_be_bytes());
    assert_eq!(attribute(query, "rpc.grpc.status_code").unwrap(), "0");
    for phase in ["checking", "resolving", "planning", "running"] {
        let phase = named(&spans, phase);
        assert_eq!((&phase.trace_id, &phase.parent_span_id), (&query.trace_id, &query.span_id), "{phase:?}");
        assert!(phase.start_time_unix_nano <= phase.end_time_unix_nano);
    }
    let load = named(&spans, "Load");
    assert_eq!(attribute(load, "polarway.reason").unwrap(), "UNKNOWN_DATASET");
    assert_eq!(attribute(load, "polarway.request_id").as_deref(), error.request_id());
    assert_eq!(load.status.as_ref().unwrap().code(), StatusCode::Error);
    assert_ne!(load.trace_id, query.trace_id, "the program was in no trace any more");
    named(&spans, "Store");
    assert!(!collector.text().contains("canary"), "a text or a name is in a trace");
}

#[tokio::test]
async fn a_caller_decides_whether_its_call_is_recorded_and_a_strange_header_decides_nothing() {
    let collector = Collector::start().await;
    let mut server = server_with(&collector.url());
    let client = server.client().await;
    client.query("SELECT 42").with_context(trace_of_program(TraceFlags::default())).await.unwrap();
    let mut raw = raw(&server).await;
    for header in
        ["", "00-0-0-01", "canary", "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff", "ff-1-2-3"]
    {
        let mut request = Request::new(GetServerInfoRequest {});
        request.metadata_mut().insert("traceparent", header.parse().unwrap());
        raw.get_server_info(request).await.unwrap();
    }
    server.signal("-15");
    assert!(server.ended().await.success());
    let spans = collector.spans();
    assert!(spans.iter().all(|span| span.name != "Query"), "{spans:#?}");
    // One more is from the client, which makes a call when it connects.
    let asked = spans.iter().filter(|span| span.name == "GetServerInfo");
    assert!(asked.clone().all(|span| span.parent_span_id.is_empty()), "{spans:#?}");
    assert!(asked.count() >= 6, "{spans:#?}");
}

#[tokio::test]
async fn a_collector_that_is_gone_or_hangs_costs_no_call_and_the_server_ends_all_the_same() {
    // It accepts connections and never answers.
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let urls = [address(&hanging), address(&gone)];
    drop(gone);
    for url in urls {
        let mut server = server_with(&url);
        let client = server.client().await;
        for number in 0..50 {
            client.query(&format!("SELECT {number}")).await.unwrap();
        }
        refused(client.load("missing").await);
        server.signal("-15");
        assert!(server.ended().await.success());
        server.logged("could not be sent").await;
    }
}

#[test]
fn an_endpoint_that_is_no_url_is_refused_and_one_with_a_password_too() {
    for url in ["localhost:4317", "http://user:canary@localhost:4317"] {
        let refusal = Server::command().args(["--otlp-endpoint", url]).output().unwrap();
        let said = String::from_utf8(refusal.stderr).unwrap();
        assert!(!refusal.status.success() && said.contains("--otlp-endpoint"), "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
}
