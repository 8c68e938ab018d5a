//! The folder of handles in trouble: full, read-only, gone. The worker says so and does everything else.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use polarway_client::{DistributedClient, Reason};
use tempfile::TempDir;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{Server, channel, numbers, sum_of, until};

/// Numbers without a pattern, so that they can't be made small: 8 MB of them.
const LARGE: &str = "SELECT hash(range) AS h FROM range(1000000)";

/// A small filesystem for the state folder, which goes with its guard. It needs root.
struct Mounted(TempDir);

impl Mounted {
    fn new() -> Option<Self> {
        let point = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "none"]).arg(point.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(point)),
            _ => {
                println!("NOT TESTED: this user can't mount, so a full or read-only folder can't be made");
                None
            }
        }
    }

    fn remount(&self, mode: &str) {
        let options = format!("remount,{mode}");
        let done = Command::new("mount").args(["-o", &options]).arg(self.0.path()).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

async fn server_with(state: &Path) -> (Server, DistributedClient) {
    let state = state.to_str().unwrap();
    let server = Server::start_with(&["--handle-store", "external", "--state-dir", state]);
    // A storage that fails is tried again for as long as the client may.
    let hasty = DistributedClient::builder().url(server.url()).timeout(Duration::from_secs(5));
    let client = hasty.connect().await.unwrap();
    client.store("numbers", numbers(0..1000)).await.unwrap();
    (server, client)
}

async fn refusal(client: &DistributedClient, sql: &str) -> Reason {
    client.query_handle(sql).await.map(drop).unwrap_err().reason().unwrap()
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
    let Some(mounted) = Mounted::new() else { return };
    let (_server, client) = server_with(mounted.0.path()).await;
    let kept = client.query_handle("FROM numbers").await.unwrap();
    assert_eq!(refusal(&client, LARGE).await, Reason::StorageFull);
    works(&client).await;
    assert_eq!(kept.load().await.unwrap().num_rows(), 1000);
    client.query_handle("FROM numbers LIMIT 10").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_turns_read_only_serves_what_is_in_it_and_health_tells() {
    let Some(mounted) = Mounted::new() else { return };
    let (server, client) = server_with(mounted.0.path()).await;
    let kept = client.query_handle("FROM numbers").await.unwrap();
    health_says(&server, ServingStatus::Serving).await;
    mounted.remount("ro");
    assert_eq!(refusal(&client, "FROM numbers").await, Reason::ReadOnly);
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
    assert_eq!(refusal(&client, "FROM numbers").await, Reason::StorageFailed);
    assert_eq!(kept.load().await.unwrap_err().reason(), Some(Reason::StorageFailed));
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
