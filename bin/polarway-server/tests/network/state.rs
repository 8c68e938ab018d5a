//! The folder of handles in trouble: full, read-only, gone. The worker says so and does everything else.

use std::path::Path;

use futures::TryStreamExt as _;
use polarway_client::{DistributedClient, Reason};
use polarway_proto::v1::{CreateHandleRequest, LoadRequest};
use polarway_testing::Mounted;
use tonic::{Response, Status, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{Server, channel, numbers, raw, reason_of, sum_of, until};

/// Numbers without a pattern, so that they can't be made small: 8 MB of them.
const LARGE: &str = "SELECT hash(range) AS h FROM range(1000000)";

async fn server_with(state: &Path) -> (Server, DistributedClient) {
    let state = state.to_str().unwrap();
    let server = Server::start_with(&["--handle-store", "external", "--state-dir", state]);
    let client = server.client().await;
    client.store("numbers", numbers(0..1000)).await.unwrap();
    (server, client)
}

/// Why a result can't be kept. The client would try again for as long as it may, as storages that fail may recover.
async fn refusal(server: &Server, sql: &str) -> Reason {
    let request = CreateHandleRequest { sql: sql.to_owned(), ..CreateHandleRequest::default() };
    reason_of(&answer_of(raw(server).await.create_handle(request).await).await.unwrap_err())
}

/// Why a result can't be loaded.
async fn refusal_to_load(server: &Server, id: &str) -> Reason {
    let request = LoadRequest { name: id.to_owned(), ..LoadRequest::default() };
    reason_of(&answer_of(raw(server).await.load(request).await).await.unwrap_err())
}

/// All that a stream says.
async fn answer_of<M>(opened: Result<Response<Streaming<M>>, Status>) -> Result<Vec<M>, Status> {
    opened?.into_inner().try_collect().await
}

/// Everything that is not about handles.
async fn works(client: &DistributedClient) {
    client.store("others", numbers(0..10)).await.unwrap();
    assert_eq!(client.load("others").await.unwrap().num_rows(), 10);
    assert_eq!(sum_of(&client.query("SELECT sum(n)::BIGINT FROM numbers").await.unwrap()), 499_500);
    client.health_check().await.unwrap();
}

async fn health_says(server: &Server, expected: ServingStatus) {
    let mut health = HealthClient::new(channel(server).await);
    let mut ask = async || {
        let request = HealthCheckRequest { service: "polarway.v1.handles".to_owned() };
        health.check(request).await.is_ok_and(|answer| answer.get_ref().status() == expected).then_some(())
    };
    until(&format!("health to say {expected:?}"), &mut ask).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_folder_refuses_what_does_not_fit_and_keeps_the_rest() {
    let Some(mounted) = Mounted::in_memory("size=2m") else { return };
    let (server, client) = server_with(mounted.path()).await;
    let kept = client.query_handle("FROM numbers").await.unwrap();
    assert_eq!(refusal(&server, LARGE).await, Reason::StorageFull);
    works(&client).await;
    assert_eq!(kept.load().await.unwrap().num_rows(), 1000);
    client.query_handle("FROM numbers LIMIT 10").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_turns_read_only_serves_what_is_in_it_and_health_tells() {
    let Some(mounted) = Mounted::in_memory("size=2m") else { return };
    let (server, client) = server_with(mounted.path()).await;
    let kept = client.query_handle("FROM numbers").await.unwrap();
    health_says(&server, ServingStatus::Serving).await;
    mounted.remount("ro");
    assert_eq!(refusal(&server, "FROM numbers").await, Reason::ReadOnly);
    assert_eq!(kept.load().await.unwrap().num_rows(), 1000);
    let sum = client.query(&format!("SELECT sum(n)::BIGINT FROM {}", kept.id())).await.unwrap();
    assert_eq!(sum_of(&sum), 499_500);
    works(&client).await;
    health_says(&server, ServingStatus::NotServing).await;
    mounted.remount("rw");
    health_says(&server, ServingStatus::Serving).await;
    client.query_handle("FROM numbers").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_gone_is_said_to_be_gone_and_used_again_when_it_is_back() {
    let parent = tempfile::tempdir().unwrap();
    let (state, away) = (parent.path().join("state"), parent.path().join("away"));
    let (server, client) = server_with(&state).await;
    let kept = client.query_handle("FROM numbers").await.unwrap();
    std::fs::rename(&state, &away).unwrap();
    assert_eq!(refusal(&server, "FROM numbers").await, Reason::StorageFailed);
    assert_eq!(refusal_to_load(&server, kept.id()).await, Reason::StorageFailed);
    works(&client).await;
    health_says(&server, ServingStatus::NotServing).await;
    std::fs::rename(&away, &state).unwrap();
    health_says(&server, ServingStatus::Serving).await;
    assert_eq!(kept.load().await.unwrap().num_rows(), 1000);
    client.query_handle("FROM numbers").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_did_not_make_a_handle_in_memory_says_where_it_may_be() {
    let (first, second) = (Server::start(), Server::start());
    let (first, second) = (first.client().await, second.client().await);
    let kept = first.query_handle("SELECT 42 AS answer").await.unwrap();
    for refused in [
        second.load(kept.id()).await.unwrap_err(),
        second.query(&format!("FROM {}", kept.id())).await.unwrap_err(),
    ] {
        assert_eq!(refused.reason(), Some(Reason::UnknownHandle), "{refused}");
        assert!(refused.to_string().contains("--handle-store external"), "{refused}");
    }
    assert_eq!(kept.load().await.unwrap().num_rows(), 1);
}
