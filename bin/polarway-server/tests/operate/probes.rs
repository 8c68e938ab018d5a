//! `/healthz` and `/readyz`.

use std::fs;

use polarway_client::{Parameters, QueryPhase};

use crate::observed::Observed;
use crate::support::{ENDLESS_SUM, in_background, query_in};

#[tokio::test]
async fn a_server_is_alive_and_ready() {
    let observed = Observed::start(&[]).await;
    assert_eq!(observed.page("/healthz").await, (200, "alive\n".to_owned()));
    assert_eq!(observed.page_when("/readyz", 200).await, "ready\n");
    assert_eq!(observed.metrics().await.value("polarway_ready"), 1.0);
}

#[tokio::test]
async fn a_worker_without_its_cold_tier_is_not_ready_and_says_why_until_it_is_back() {
    let observed = Observed::start(&[]).await;
    observed.page_when("/readyz", 200).await;
    let (cold, away) = (observed.server.folder().join("cold"), observed.server.folder().join("away"));
    fs::rename(&cold, &away).unwrap();
    let text = observed.page_when("/readyz", 503).await;
    assert!(text.starts_with("not ready\nthe cold tier: "), "{text}");
    assert_eq!(observed.metrics().await.value("polarway_ready"), 0.0);
    assert_eq!(observed.page("/healthz").await.0, 200, "it is alive all the same");
    fs::rename(&away, &cold).unwrap();
    observed.page_when("/readyz", 200).await;
}

#[tokio::test]
async fn a_worker_without_its_state_store_is_not_ready() {
    let observed = Observed::start(&["--handle-store", "external"]).await;
    observed.page_when("/readyz", 200).await;
    let (state, away) = (observed.server.folder().join("state"), observed.server.folder().join("away"));
    fs::rename(&state, &away).unwrap();
    let text = observed.page_when("/readyz", 503).await;
    assert!(text.starts_with("not ready\nthe state store: "), "{text}");
    fs::rename(&away, &state).unwrap();
    observed.page_when("/readyz", 200).await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_end_is_not_ready_while_it_lets_calls_finish_and_still_shows_its_metrics() {
    let mut observed = Observed::start(&["--shutdown-grace", "1h"]).await;
    observed.page_when("/readyz", 200).await;
    let client = observed.server.client().await;
    let running = in_background(&client, ENDLESS_SUM, Parameters::new());
    query_in(QueryPhase::Running, &client, ENDLESS_SUM).await;
    observed.server.signal("-15");
    let text = observed.page_when("/readyz", 503).await;
    assert!(text.contains("the server: "), "{text}");
    assert_eq!(observed.page("/healthz").await.0, 200);
    let samples = observed.metrics().await;
    assert_eq!((samples.value("polarway_ready"), samples.value("polarway_queries_running")), (0.0, 1.0));
    running.abort();
    assert!(observed.server.ended().await.success());
}
