//! What the log says, and what it never says.

use std::process::Output;

use polarway_client::Reason;
use polarway_proto::v1::QueryRequest;
use serde_json::Value;
use tonic::Request;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{Server, channel, numbers, raw, refused, until};

/// The lines of a log of JSON that have this target.
fn lines_of(server: &Server, target: &str) -> Vec<Value> {
    let log = server.log();
    // The last line may not be whole yet.
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == target).collect()
}

/// Waits for the first line of a target.
async fn line_of(server: &Server, target: &str) -> Value {
    until(&format!("a line of {target}"), async || lines_of(server, target).into_iter().next()).await
}

/// Runs a query with an id of the caller's own, to its end.
async fn query_as(server: &Server, id: &str, sql: &str) {
    let mut request = Request::new(QueryRequest { sql: sql.to_owned(), ..QueryRequest::default() });
    request.metadata_mut().insert("x-request-id", id.parse().unwrap());
    let mut answer = raw(server).await.query(request).await.unwrap().into_inner();
    while answer.message().await.unwrap().is_some() {}
}

#[tokio::test]
async fn a_slow_query_is_logged_with_its_phases_its_rows_and_its_callers_id() {
    let server = Server::start_with(&["--log-format", "json", "--slow-query", "1us"]);
    query_as(&server, "report-7", "SELECT 'canary' FROM range(3)").await;
    let line = line_of(&server, "polarway::slow_query").await;
    assert_eq!((&line["level"], &line["message"]), (&"WARN".into(), &"a slow query".into()));
    assert_eq!((&line["rows"], &line["outcome"]), (&3.into(), &"Succeeded".into()));
    let span = &line["span"];
    assert_eq!((&span["name"], &span["method"]), (&"call".into(), &"Query".into()), "{line}");
    assert_eq!(span["request_id"], "report-7");
    for phase in ["total_ms", "waiting_ms", "checking_ms", "resolving_ms", "planning_ms", "running_ms"] {
        assert!(line[phase].is_u64(), "{phase}: {line}");
    }
    assert!(!server.log().contains("canary"), "a text is in the log:\n{}", server.log());
}

#[tokio::test]
async fn the_text_of_queries_is_logged_at_a_target_of_its_own_alone() {
    let variables = [("RUST_LOG", "info,polarway::sql=debug"), ("POLARWAY_LOG_FORMAT", "json")];
    let server = Server::start_with_variables(&variables, &["--slow-query", "never"]);
    query_as(&server, "report-8", "SELECT 'canary\n42'").await;
    let line = line_of(&server, "polarway::sql").await;
    assert_eq!((&line["level"], &line["sql"]), (&"DEBUG".into(), &"SELECT 'canary\n42'".into()));
    assert_eq!(line["span"]["request_id"], "report-8");
    assert_eq!(server.log().matches("canary").count(), 1);
    assert_eq!(lines_of(&server, "polarway::slow_query"), Vec::<Value>::new());
}

#[tokio::test]
async fn a_clients_error_has_the_id_under_which_the_log_tells_more() {
    let server = Server::start();
    let client = server.client().await;
    std::fs::write(server.folder().join("cold/trades.parquet"), "PAR1 and no more").unwrap();
    let error = client.load("trades").await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::Corrupt), "{error}");
    let id = error.request_id().unwrap().to_owned();
    server.logged(&format!("request_id=\"{id}\"")).await;
    let log = server.log();
    let line = log.lines().find(|line| line.contains(&id)).unwrap();
    assert!(line.contains("call{method=\"Load\"") && line.contains("a call failed"), "{line}");

    let of_a_table = client.append("missing", numbers(0..3)).await.unwrap_err();
    let of_an_answer = client.query("SELECT * FROM missing").await.unwrap_err();
    for error in [&of_a_table, &of_an_answer] {
        assert_eq!(error.request_id().map(str::len), Some(36), "{error:?}");
    }
    assert_ne!(of_a_table.request_id(), of_an_answer.request_id());
}

#[tokio::test]
async fn answers_of_all_services_have_an_id_and_those_that_refuse_too() {
    let server = Server::start_with_variables(&[("POLARWAY_AUTH_TOKEN", "canary")], &[]);
    let mut health = HealthClient::new(channel(&server).await);
    let answer = health.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap().len(), 36);
    let refused = raw(&server).await.query(QueryRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    assert_eq!(refused.metadata().get("x-request-id").unwrap().len(), 36);
}

#[tokio::test]
async fn an_id_that_forges_a_line_of_the_log_is_not_taken() {
    let server = Server::start_with(&["--slow-query", "1us"]);
    query_as(&server, "a canary=1", "SELECT 42").await;
    server.logged("a slow query").await;
    assert!(!server.log().contains("canary"), "{}", server.log());
}

#[test]
fn a_form_of_the_log_that_is_none_is_refused() {
    let refusal = |flags: &[&str]| {
        let Output { status, stderr, .. } = Server::command().args(flags).output().unwrap();
        assert!(!status.success());
        String::from_utf8(stderr).unwrap()
    };
    let format = refusal(&["--log-format", "xml"]);
    assert!(format.contains("--log-format") && format.contains("text or json"), "{format}");
    let slow = refusal(&["--slow-query", "soon"]);
    assert!(slow.contains("--slow-query") && slow.contains("never"), "{slow}");
}

#[tokio::test]
async fn a_refused_query_leaves_no_text_in_the_log() {
    let server = Server::start();
    let client = server.client().await;
    for sql in
        ["SELECT 'canary' +", "DROP TABLE canary", "SELECT * FROM canary", "SELECT CAST('canary' AS INTEGER)"]
    {
        refused(client.query(sql).await);
    }
    assert!(!server.log().contains("canary"), "{}", server.log());
}
