//! What `/metrics` counts and measures.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use http::uri::PathAndQuery;
use polarway_client::{Parameters, QueryPhase, Reason, RequestId, WriteMode, WriteOptions};
use polarway_server::metrics;
use polarway_testing::not_run;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tonic::client::Grpc;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

use crate::observed::Observed;
use crate::support::{ENDLESS_SUM, all_ended, channel, in_background, numbers, query_in, refused};

#[tokio::test]
async fn every_metric_is_there_from_the_start_and_none_that_is_not_in_the_list() {
    let observed = Observed::start(&["--handle-store", "external"]).await;
    let samples = observed.metrics().await;
    for metric in metrics::all() {
        assert_eq!(samples.types.get(metric.name), Some(&metric.kind.to_string()), "{}", metric.name);
    }
    for name in samples.types.keys() {
        assert!(metrics::all().any(|metric| metric.name == name), "{name} is not in the list");
    }
    for (series, value) in samples.of("polarway_grpc_requests_total") {
        assert!(value == 0.0, "{series} {value}");
    }
    // Sixteen methods, health, reflection and strange calls, each with seventeen codes.
    assert_eq!(samples.of("polarway_grpc_requests_total").count(), 19 * 17);
    let buckets = "polarway_grpc_request_duration_seconds_bucket{method=\"Load\",le=";
    assert_eq!(samples.value(&format!("{buckets}\"0.0002\"}}")), 0.0);
    assert_eq!(samples.value(&format!("{buckets}\"300\"}}")), 0.0);
    let info = samples.of("polarway_build_info").next().unwrap();
    assert!(info.0.contains("duckdb=\"1.") && info.1 == 1.0, "{info:?}");
    for name in
        ["process_resident_memory_bytes", "process_open_fds", "process_threads", "process_start_time_seconds"]
    {
        assert!(samples.value(name) > 1.0, "{name}");
    }
}

#[tokio::test]
async fn calls_are_counted_by_method_and_code_and_errors_by_reason() {
    let observed = Observed::start(&[]).await;
    let client = observed.server.client().await;
    client.store("numbers", numbers(0..1_000)).await.unwrap();
    client.load("numbers").await.unwrap();
    client.query("SELECT 42").await.unwrap();
    let (reason, _) = refused(client.load("missing").await);
    assert_eq!(reason, Reason::UnknownDataset);
    let (reason, _) = refused(client.query("DROP TABLE numbers").await);
    assert_eq!(reason, Reason::QueryNotAllowed);
    let samples = observed
        .metrics_when("five calls", |samples| {
            let ended = |series| samples.value(&format!("polarway_grpc_requests_total{{{series}}}"));
            ended("method=\"Load\",code=\"NOT_FOUND\"") == 1.0
                && ended("method=\"Load\",code=\"OK\"") == 1.0
                && ended("method=\"Store\",code=\"OK\"") == 1.0
                && ended("method=\"Query\",code=\"OK\"") == 1.0
                && ended("method=\"Query\",code=\"PERMISSION_DENIED\"") == 1.0
        })
        .await;
    let errors = |series| samples.value(&format!("polarway_grpc_errors_total{{{series}}}"));
    assert_eq!(errors("code=\"NOT_FOUND\",reason=\"UNKNOWN_DATASET\""), 1.0);
    assert_eq!(errors("code=\"PERMISSION_DENIED\",reason=\"QUERY_NOT_ALLOWED\""), 1.0);
    assert_eq!(samples.sum("polarway_grpc_errors_total"), 2.0);
    assert_eq!(samples.value("polarway_grpc_request_duration_seconds_count{method=\"Load\"}"), 2.0);
    assert_eq!(samples.sum("polarway_grpc_requests_in_flight"), 0.0);
    for (call, rows) in [("Store", 1_000.0), ("Load", 1_000.0), ("Query", 1.0)] {
        assert_eq!(samples.value(&format!("polarway_rows_moved_total{{call=\"{call}\"}}")), rows, "{call}");
        assert!(samples.value(&format!("polarway_bytes_moved_total{{call=\"{call}\"}}")) > 0.0, "{call}");
    }
    assert!(samples.value("polarway_connections") >= 1.0);
}

#[tokio::test]
async fn what_strangers_send_makes_no_new_series() {
    let observed = Observed::start(&[]).await;
    let client = observed.server.client().await;
    let before = observed.metrics().await.of("polarway_grpc_requests_total").count();
    for _ in 0..3 {
        let mut grpc = Grpc::new(channel(&observed.server).await);
        grpc.ready().await.unwrap();
        let path = PathAndQuery::from_static("/canary.v1.Canary/Sing");
        let answer = grpc.unary(Request::new(()), path, ProstCodec::<(), ()>::default()).await;
        assert_eq!(answer.unwrap_err().code(), Code::Unimplemented);
    }
    refused(client.load("canary").await);
    let unknown = "polarway_grpc_requests_total{method=\"Unknown\",code=\"UNIMPLEMENTED\"}";
    let samples = observed.metrics_when("three strange calls", |samples| samples.value(unknown) == 3.0).await;
    assert_eq!(samples.of("polarway_grpc_requests_total").count(), before);
    assert!(!observed.page("/metrics").await.1.to_lowercase().contains("canary"));
}

#[tokio::test]
async fn a_call_whose_caller_goes_away_is_cancelled_and_no_longer_in_flight() {
    let observed = Observed::start(&[]).await;
    let client = observed.server.client().await;
    let query = in_background(&client, ENDLESS_SUM, Parameters::new());
    query_in(QueryPhase::Running, &client, ENDLESS_SUM).await;
    let samples = observed.metrics().await;
    assert_eq!(samples.value("polarway_grpc_requests_in_flight{method=\"Query\"}"), 1.0);
    assert_eq!(samples.value("polarway_queries_running"), 1.0);
    query.abort();
    all_ended(&client).await;
    observed
        .metrics_when("a cancelled call and a stopped query", |samples| {
            samples.value("polarway_grpc_requests_total{method=\"Query\",code=\"CANCELLED\"}") == 1.0
                && samples.value("polarway_grpc_requests_in_flight{method=\"Query\"}") == 0.0
                && samples.value("polarway_queries_total{outcome=\"stopped\"}") == 1.0
                && samples.value("polarway_queries_running") == 0.0
        })
        .await;
}

#[tokio::test]
async fn the_engine_is_measured_from_the_cache_to_the_storage() {
    let observed = Observed::start(&[]).await;
    let client = observed.server.client().await;
    let options =
        WriteOptions { request: Some(RequestId::fresh()), ..WriteOptions::new(WriteMode::Overwrite) };
    for _ in 0..2 {
        client.store_with("numbers", numbers(0..1_000), options).await.unwrap();
    }
    for _ in 0..4 {
        client.load("numbers").await.unwrap();
    }
    client.query("SELECT sum(n) FROM numbers").await.unwrap();
    refused(client.query("SELECT * FROM missing").await);
    let kept = client.query_handle("FROM numbers LIMIT 10").await.unwrap();
    let samples = observed.metrics().await;
    assert_eq!(samples.value("polarway_commits_total{storage=\"cold\",kind=\"overwrite\"}"), 1.0);
    assert_eq!(samples.value("polarway_repeated_requests_total{storage=\"cold\"}"), 1.0);
    assert_eq!(
        (samples.value("polarway_cache_hits_total"), samples.value("polarway_cache_misses_total")),
        (3.0, 1.0)
    );
    assert_eq!(samples.value("polarway_cache_hit_rate"), 0.75);
    assert_eq!(samples.value("polarway_cache_tables"), 1.0);
    assert!(samples.value("polarway_cache_bytes") >= 8_000.0);
    assert_eq!(samples.value("polarway_queries_total{outcome=\"succeeded\"}"), 2.0);
    assert_eq!(samples.value("polarway_queries_total{outcome=\"failed\"}"), 1.0);
    assert_eq!(samples.value("polarway_query_duration_seconds_count"), 3.0);
    assert_eq!(samples.value("polarway_query_phase_duration_seconds_count{phase=\"running\"}"), 2.0);
    assert_eq!((samples.value("polarway_handles"), samples.value("polarway_handles_made_total")), (1.0, 1.0));
    assert!(samples.value("polarway_handles_bytes") >= 80.0);
    let cold = "storage=\"cold\",backend=\"directory\"";
    for operation in ["get", "write", "create_commit", "read"] {
        let count =
            format!("polarway_storage_operation_duration_seconds_count{{{cold},operation=\"{operation}\"}}");
        assert!(samples.value(&count) >= 1.0, "{operation}");
    }
    assert!(samples.value(&format!("polarway_storage_written_bytes_total{{{cold}}}")) > 1_000.0);
    assert_eq!(samples.value("polarway_state_store_bytes_written"), 0.0);
    kept.discard().await.unwrap();
    observed.metrics_when("no handle", |samples| samples.value("polarway_handles") == 0.0).await;
}

#[tokio::test]
async fn the_traffic_of_the_state_store_is_counted() {
    let observed = Observed::start(&["--handle-store", "external"]).await;
    let client = observed.server.client().await;
    client.store("numbers", numbers(0..1_000)).await.unwrap();
    let kept = client.query_handle("FROM numbers").await.unwrap();
    client.load(kept.id()).await.unwrap();
    let samples = observed.metrics().await;
    assert!(samples.value("polarway_state_store_bytes_written") > 1_000.0);
    assert!(samples.value("polarway_state_store_bytes_read") > 1_000.0);
    assert_eq!(samples.value("polarway_commits_total{storage=\"state\",kind=\"overwrite\"}"), 1.0);
}

#[tokio::test]
async fn promtool_finds_nothing_wrong_but_two_names_that_were_promised() {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut checking) = promtool.spawn() else {
        return not_run("there is no promtool (on Debian: apt-get install prometheus)");
    };
    let observed = Observed::start(&["--handle-store", "external"]).await;
    observed.server.client().await.query("SELECT 42").await.unwrap();
    let (_, text) = observed.page("/metrics").await;
    checking.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let checked = checking.wait_with_output().unwrap();
    let complaints = String::from_utf8([checked.stdout, checked.stderr].concat()).unwrap();
    for complaint in complaints.lines() {
        let promised = ["polarway_state_store_bytes_read ", "polarway_state_store_bytes_written "];
        assert!(promised.iter().any(|name| complaint.starts_with(name)), "{complaint}");
    }
}

#[tokio::test]
async fn a_client_of_another_protocol_is_counted_as_a_handshake_that_failed() {
    let observed = Observed::start(&[]).await;
    let mut stranger = TcpStream::connect(observed.server.address()).await.unwrap();
    // A TLS client at a server without TLS.
    stranger.write_all(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00aaaaaaaaaaaaaaaaaaaaaaaaaa").await.unwrap();
    let samples = observed
        .metrics_when("a failed handshake", |samples| {
            samples.value("polarway_handshakes_failed_total") == 1.0
        })
        .await;
    assert_eq!(samples.value("polarway_tls_certificate_expiry_seconds"), 0.0);
}

#[tokio::test]
async fn the_time_at_which_the_certificate_expires_is_a_metric() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let observed = Observed::start(&["--tls-cert", &path("cert.pem"), "--tls-key", &path("key.pem")]).await;
    let expiry = observed.metrics().await.value("polarway_tls_certificate_expiry_seconds");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    assert!(expiry > now, "{expiry}");
}
