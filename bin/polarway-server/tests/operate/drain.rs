//! The shutdown of a server: it is no longer ready, running calls may finish, and the remaining ones get a reason.

use futures::StreamExt as _;
use polarway_client::QueryPhase;
use polarway_proto::Reason;
use polarway_proto::v1::QueryRequest;
use tokio::time::timeout;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::observed::Observed;
use crate::support::{
    ENDLESS_SUM, PATIENCE, Server, Upload, ask, channel, numbers, query_in, reason_of, wide,
};

/// What the log says if something did not finish in time.
const TOO_LONG: &str = "calls are still running and are ended";

fn endless() -> QueryRequest {
    QueryRequest { sql: ENDLESS_SUM.to_owned(), ..QueryRequest::default() }
}

#[tokio::test]
async fn a_server_that_ends_is_not_ready_at_once_and_lets_calls_finish() {
    let mut observed = Observed::start(&[]).await;
    observed.page_when("/readyz", 200).await;
    let client = observed.server.client().await;
    client.store("flights", wide(600_000, 1)).await.unwrap();
    let mut stream = client.load_stream("flights").await.unwrap();
    let mut rows = stream.next().await.unwrap().unwrap().num_rows();
    observed.server.signal("-TERM");
    let text = observed.page_when("/readyz", 503).await;
    assert!(text.contains("the server: it is shutting down"), "{text}");
    assert_eq!(observed.page("/healthz").await.0, 200, "it is alive all the same");
    while let Some(batch) = stream.next().await {
        rows += batch.unwrap().num_rows();
    }
    assert_eq!(rows, 600_000);
    drop((stream, client));
    assert!(observed.server.ended().await.success());
    assert!(!observed.server.log().contains(TOO_LONG));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_do_not_finish_in_time_are_told_that_the_server_shuts_down() {
    let mut observed = Observed::start(&["--drain-timeout", "100ms"]).await;
    let server = &observed.server;
    let upload = Upload::of("numbers", &numbers(0..100)).send_with_pause(server, std::future::pending());
    let (query, upload, ()) = tokio::join!(ask(server, endless()), upload, async {
        query_in(QueryPhase::Running, &server.client().await, ENDLESS_SUM).await;
        let begun = r#"polarway_grpc_requests_in_flight{method="Store"}"#;
        observed.metrics_when("an upload", |metrics| metrics.value(begun) == 1.0).await;
        server.signal("-TERM");
    });
    for status in [query.unwrap_err(), upload.unwrap_err()] {
        assert_eq!(
            (reason_of(&status), status.code()),
            (Reason::ShuttingDown, Code::Unavailable),
            "{status:?}"
        );
    }
    server.logged(TOO_LONG).await;
    assert!(observed.server.ended().await.success());
}

#[tokio::test]
async fn streams_that_wait_for_news_do_not_keep_a_server_from_ending() {
    let mut server = Server::start_with(&["--drain-timeout", "1h"]);
    let watched = HealthClient::new(channel(&server).await).watch(HealthCheckRequest::default()).await;
    let mut watched = watched.unwrap().into_inner();
    watched.next().await.unwrap().unwrap();
    let silent = Request::new(futures::stream::pending::<ServerReflectionRequest>());
    let mut described = ServerReflectionClient::new(channel(&server).await)
        .server_reflection_info(silent)
        .await
        .unwrap()
        .into_inner();
    server.signal("-TERM");
    let said = async {
        loop {
            // The first message may be that the server no longer serves.
            if let Err(status) = watched.next().await.expect("it ends with a reason") {
                break status;
            }
        }
    };
    assert_eq!(reason_of(&timeout(PATIENCE, said).await.unwrap()), Reason::ShuttingDown);
    assert!(timeout(PATIENCE, described.next()).await.unwrap().unwrap().is_err());
    drop((watched, described));
    assert!(server.ended().await.success());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut server = Server::start_with(&["--drain-timeout", "1h"]);
    let client = server.client().await;
    let running = tokio::spawn(async move { client.query(ENDLESS_SUM).await });
    query_in(QueryPhase::Running, &server.client().await, ENDLESS_SUM).await;
    server.signal("-TERM");
    server.logged("shutting down").await;
    server.signal("-INT");
    assert_eq!(server.ended().await.code(), Some(130));
    running.abort();
}
