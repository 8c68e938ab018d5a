//! A bucket that vanishes, takes no writes or no credentials while a worker serves from it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::join_all;
use polarway_client::Reason;
use polarway_cloud::{ACCESS_KEY, Action, Request, SECRET_KEY};
use polarway_proto::v1::store_result::Outcome;
use polarway_testing::is_long;

use crate::observed::Observed;
use crate::place::{Place, refusal};
use crate::support::{Upload, numbers, refused, sum_of, until};

/// What is said of a store that is refused.
async fn store_refused(worker: &Observed, name: &str) -> (Reason, String) {
    let response = Upload::of(name, &numbers(0..3)).send(&worker.server).await.unwrap();
    let Some(Outcome::Failure(failure)) = &response.results[0].outcome else { panic!("it was stored") };
    (Reason::parse(&failure.reason).unwrap(), failure.message.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_lost_is_told_by_name_and_cached_loads_go_on_until_it_is_back() {
    join_all(Place::all().iter().map(is_lost_and_found)).await;
}

async fn is_lost_and_found(place: &Place) {
    let no_bucket = |_: &Request| Action::Refuse(refusal(404, "NoSuchBucket"));
    let expired = |_: &Request| Action::Refuse(refusal(400, "ExpiredToken"));
    let denied = |_: &Request| Action::Refuse(refusal(403, "AccessDenied"));
    let skewed = |_: &Request| Action::Refuse(refusal(403, "RequestTimeTooSkewed"));
    let gone = |_: &Request| Action::Drop;
    type Decide = fn(&Request) -> Action;
    let troubles: [(Decide, &str); 5] = [
        (no_bucket, "there is no such bucket"),
        (expired, "the credentials have expired"),
        (denied, "permission denied"),
        (skewed, "this machine's clock"),
        (gone, "the service does not answer"),
    ];
    let scheme = place.scheme();
    let worker = place.worker(&["--max-staleness", "1h"]).await;
    worker.page_when("/readyz", 200).await;
    let client = worker.server.client().await;
    client.store("numbers", numbers(0..10)).await.unwrap();
    assert_eq!(sum_of(&client.load("numbers").await.unwrap()), 45);
    // Each takes the worker some seconds to notice.
    let troubles = if is_long() { &troubles[..] } else { &troubles[..2] };
    for &(decide, words) in troubles {
        place.now(decide);
        until(&format!("{scheme}: a worker that is not ready, since {words}"), async || {
            let (status, text) = worker.page("/readyz").await;
            let told = text.lines().find(|line| line.starts_with("the cold tier: "))?;
            (status == 503 && told.contains(words)).then_some(())
        })
        .await;
        assert_eq!(sum_of(&client.load("numbers").await.unwrap()), 45, "{scheme}: {words}");
        let (reason, message) = store_refused(&worker, "others").await;
        let is_told = matches!(reason, Reason::StorageFailed | Reason::OutcomeUnknown | Reason::ReadOnly);
        assert!(is_told && message.contains(words), "{scheme}: {reason:?} {message}");
        assert_eq!(worker.page("/healthz").await.0, 200, "it is alive all the same");
        place.heal();
        worker.page_when("/readyz", 200).await;
        client.store("others", numbers(0..4)).await.unwrap();
        assert_eq!(sum_of(&client.load("others").await.unwrap()), 6, "{scheme}: {words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_turns_read_only_refuses_writes_for_good_and_is_read_on() {
    for place in Place::all() {
        let worker = place.worker(&[]).await;
        let client = worker.server.client().await;
        client.store("numbers", numbers(0..10)).await.unwrap();
        place.now(|request| match request.is_read() {
            true => Action::Pass,
            false => Action::Refuse(refusal(403, "AccessDenied")),
        });
        let told = [
            refused(client.store("numbers", numbers(0..3)).await),
            refused(client.append("numbers", numbers(0..3)).await),
            refused(client.delete("numbers").await),
            refused(client.query_handle("SELECT 1 AS one").await),
        ];
        for (reason, message) in told {
            assert_eq!(reason, Reason::ReadOnly, "{}: {message}", place.scheme());
            assert!(message.contains("permission denied"), "{}: {message}", place.scheme());
        }
        assert_eq!(sum_of(&client.load("numbers").await.unwrap()), 45);
        assert_eq!(client.query("SELECT count(*) FROM numbers").await.unwrap().num_rows(), 1);
        assert_eq!(client.versions("numbers").await.unwrap().len(), 1);
        // It serves all that reads, so it should get calls, and it says what it can't do.
        let text = worker.page_when("/readyz", 200).await;
        let told = text.lines().find(|line| line.starts_with("the cold tier takes no writes: "));
        assert!(told.is_some_and(|told| told.contains("permission denied")), "{}: {text}", place.scheme());
        assert!(!text.contains("numbers"), "everybody may read it, {}: {text}", place.scheme());
        assert!(worker.page("/").await.1.contains("takes no writes"), "{}", place.scheme());
        let takes_writes = async || worker.metrics().await.sum("polarway_storage_takes_writes");
        let before = takes_writes().await;
        place.heal();
        assert_eq!(client.store("numbers", numbers(0..3)).await.unwrap().version, 2);
        assert_eq!(worker.page_when("/readyz", 200).await, "ready\n", "{}", place.scheme());
        assert_eq!(takes_writes().await - before, 1.0, "{}", place.scheme());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_a_program_prints_are_asked_anew_when_they_have_expired() {
    for place in Place::all().iter().filter(|place| place.scheme() == "s3") {
        // The program prints the same keys each time. They are good again once it was asked anew.
        let home = tempfile::tempdir().unwrap();
        let asked = home.path().join("asked");
        let keys =
            format!(r#"{{"Version":1,"AccessKeyId":"{ACCESS_KEY}","SecretAccessKey":"{SECRET_KEY}"}}"#);
        fs::write(home.path().join("keys"), keys).unwrap();
        fs::create_dir(home.path().join(".aws")).unwrap();
        let program = format!("echo x >> {}; cat {}", asked.display(), home.path().join("keys").display());
        let profile = format!("[default]\ncredential_process = {program}\n");
        fs::write(home.path().join(".aws/config"), profile).unwrap();
        let variables = [("HOME", home.path().to_str().unwrap()), ("AWS_REGION", "us-east-1")];
        let worker = place.worker_with_variables(&variables, &[]).await;
        let client = worker.server.client().await;
        client.store("numbers", numbers(0..10)).await.unwrap();
        let times_asked = move || fs::read(&asked).unwrap().len();
        let (before, times) = (times_asked(), times_asked.clone());
        place.now(move |_| match times() > before {
            true => Action::Pass,
            false => Action::Refuse(refusal(400, "ExpiredToken")),
        });
        let (_, message) = store_refused(&worker, "numbers").await;
        assert!(message.contains("the credentials have expired"), "{message}");
        client.store("numbers", numbers(0..5)).await.expect("the new credentials are used");
        assert_eq!(sum_of(&client.load("numbers").await.unwrap()), 10);
        assert!(times_asked() > before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_busy_slows_callers_and_fails_none_of_them() {
    const WRITERS: i64 = 3;
    const APPENDS: i64 = 2;

    for place in Place::all() {
        let worker = place.worker(&[]).await;
        let client = worker.server.client().await;
        client.store("numbers", numbers(0..0)).await.unwrap();
        let count = Arc::new(AtomicU64::new(0));
        place.now(move |_| match count.fetch_add(1, Ordering::SeqCst) % 5 {
            0 => Action::Refuse(refusal(503, "SlowDown")),
            _ => Action::Pass,
        });
        let writers = (0..WRITERS).map(|writer| {
            let client = &client;
            async move {
                for n in 0..APPENDS {
                    let row = writer * APPENDS + n;
                    client.append("numbers", numbers(row..row + 1)).await.unwrap();
                    client.load("numbers").await.unwrap();
                }
            }
        });
        join_all(writers).await;
        let table = client.load("numbers").await.unwrap();
        let rows = WRITERS * APPENDS;
        assert_eq!(
            (table.num_rows() as i64, sum_of(&table)),
            (rows, rows * (rows - 1) / 2),
            "{}",
            place.scheme()
        );
        let refused = worker.metrics().await.sum("polarway_bucket_busy_total");
        assert!(refused > 0.0, "{}", place.scheme());
    }
}
