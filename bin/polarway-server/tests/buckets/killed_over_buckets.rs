//! A worker that is killed while it uploads a table.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use polarway_client::Reason;
use polarway_cloud::{Action, Request};

use crate::place::Place;
use crate::support::{Upload, numbers, refused, scattered, sum_of, until};

/// Enough for some parts of an upload, and more row groups.
const ROWS: i64 = 6_500_000;

/// Longer than the test.
const FOR_EVER: Duration = Duration::from_secs(600);

/// Whether a request sends a part of an upload.
fn is_part(request: &Request) -> bool {
    request.method == "PUT"
        && (request.target.contains("partNumber=") || request.target.contains("comp=block&"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_while_it_uploads_leaves_nothing_that_anybody_sees() {
    for place in Place::all() {
        let scheme = place.scheme();
        let mut dying = place.worker(&[]).await;
        let client = dying.server.client().await;
        client.store("numbers", numbers(0..10)).await.unwrap();
        for name in ["numbers", "large"] {
            // The first part arrives, and the second one is on its way for ever.
            let parts = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&parts);
            place.now(move |request| match is_part(request) {
                true if counted.fetch_add(1, Ordering::SeqCst) > 0 => Action::Stall(FOR_EVER),
                _ => Action::Pass,
            });
            let upload = Upload::of(name, &scattered(ROWS));
            tokio::join!(
                async {
                    let failed = upload.send(&dying.server).await;
                    assert!(failed.is_err(), "{scheme}: the worker was killed too late");
                },
                async {
                    until("a part that stalls", async || (place.stalled() > 0).then_some(())).await;
                    dying.server.signal("-KILL");
                }
            );
            place.heal();
            dying = place.worker(&[]).await;
        }
        let other = place.worker(&["--janitor-interval", "100ms"]).await;
        let client = other.server.client().await;
        let names: Vec<String> =
            client.datasets().await.unwrap().into_iter().map(|dataset| dataset.name.to_string()).collect();
        assert_eq!(names, ["numbers"], "{scheme}");
        assert_eq!(refused(client.load("large").await).0, Reason::UnknownDataset, "{scheme}");
        assert_eq!(sum_of(&client.load("numbers").await.unwrap()), 45, "{scheme}");
        assert_eq!(client.versions("numbers").await.unwrap().len(), 1, "{scheme}");
        assert_eq!(client.store("large", numbers(0..3)).await.unwrap().version, 1, "{scheme}");
        assert_eq!(client.append("numbers", numbers(10..20)).await.unwrap().version, 2, "{scheme}");
        assert_eq!(sum_of(&client.load("numbers").await.unwrap()), 190, "{scheme}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_janitor_of_another_worker_removes_what_a_killed_one_left() {
    for place in Place::all() {
        let dying = place.worker(&[]).await;
        let uploads = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&uploads);
        place.now(move |request| match is_part(request) {
            true if counted.fetch_add(1, Ordering::SeqCst) > 0 => Action::Stall(FOR_EVER),
            _ => Action::Pass,
        });
        let upload = Upload::of("large", &scattered(ROWS));
        tokio::join!(async { drop(upload.send(&dying.server).await) }, async {
            until("a part that stalls", async || (place.stalled() > 0).then_some(())).await;
            dying.server.signal("-KILL");
        });
        let aborted = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&aborted);
        place.now(move |request| {
            if request.method == "DELETE" && request.target.contains("uploadId=") {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            Action::Pass
        });
        if place.scheme() == "az" {
            continue; // Azure removes such blocks by itself.
        }
        // By default they stay for a day: another worker may be writing.
        let patient = place.worker(&["--janitor-interval", "100ms"]).await;
        patient.server.client().await.store("small", numbers(0..3)).await.unwrap();
        let rounds = |samples: &crate::observed::Samples| {
            samples.sum("polarway_storage_operation_duration_seconds_count") > 20.0
        };
        patient.metrics_when("some rounds of the janitor", rounds).await;
        assert_eq!(aborted.load(Ordering::SeqCst), 0, "{}", place.scheme());
        let hasty = place.worker(&["--janitor-interval", "100ms", "--orphan-grace", "0s"]).await;
        until("the end of the upload", async || (aborted.load(Ordering::SeqCst) == 1).then_some(())).await;
        hasty.server.logged("removed uploads that were not completed").await;
    }
}
