//! A server that is killed loses nothing that it acknowledged, and its clients get on with the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use polarway_client::Reason;
use polarway_proto::v1::{DeleteDatasetRequest, store_result};
use polarway_testing::{Noise, is_long};
use uuid::Uuid;

use crate::support::{Server, Upload, client_of, numbers, raw, scattered, sum_of, until};

/// Longer than the gap from which a server knows that it stood still.
const STANDSTILL: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stood_still_does_not_publish_what_was_given_up_meanwhile() {
    let server = Server::start();
    let client = server.client().await;
    client.store("numbers", numbers(0..10)).await.unwrap();
    // The file is made when its second row group is full; a row group has a million rows.
    let mut upload = Upload::of("numbers", &scattered(2_100_000));
    upload.header().request_id = format!("{}/0", Uuid::now_v7());
    let before = server.data_files("numbers");
    let (go_on, stopped) = tokio::sync::oneshot::channel();
    let sending = upload.send_with_pause(&server, async { stopped.await.unwrap() });
    let stopping = async {
        // The write has begun when the server is stopped, and the trailer comes after that.
        until("a file that is being written", async || {
            (server.data_files("numbers") != before).then_some(())
        })
        .await;
        server.stop();
        go_on.send(()).unwrap();
        tokio::time::sleep(STANDSTILL).await;
        server.signal("-CONT");
    };
    let (answer, ()) = tokio::join!(sending, stopping);
    let Some(store_result::Outcome::Failure(failure)) = &answer.unwrap().results[0].outcome else {
        panic!("it was published");
    };
    assert_eq!(Reason::parse(&failure.reason), Some(Reason::StorageFailed));
    assert!(failure.message.contains("stood still"), "{}", failure.message);
    assert_eq!(client.versions("numbers").await.unwrap().len(), 1);
    client.append("numbers", numbers(10..20)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_lay_unread_while_the_server_stood_still_is_not_carried_out() {
    let server = Server::start();
    let client = server.client().await;
    client.store("numbers", numbers(0..10)).await.unwrap();
    let mut caller = raw(&server).await;
    let request_id = format!("{}/0", Uuid::now_v7());
    let request =
        DeleteDatasetRequest { name: "numbers".to_owned(), request_id, ..DeleteDatasetRequest::default() };
    server.stop();
    let deletion = async { caller.delete_dataset(request).await };
    let waking = async {
        tokio::time::sleep(STANDSTILL).await;
        server.signal("-CONT");
    };
    let (answer, ()) = tokio::join!(deletion, waking);
    let refusal = answer.unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::Unavailable);
    assert!(refusal.message().contains("stood still"), "{}", refusal.message());
    assert_eq!(client.load("numbers").await.unwrap().num_rows(), 10);
    client.delete("numbers").await.expect("who still waits for it makes it again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_started_again_loses_and_doubles_no_append() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody else is given it while the server is down.
    let address = format!("127.0.0.1:{}", polarway_fleet::free_port().unwrap());
    let mut server = Server::over(folder.path(), &address);
    let client = client_of(server.url()).connect().await.unwrap();
    client.store("numbers", numbers(0..0)).await.unwrap();

    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4_i64)
        .map(|writer| {
            let (client, done) = (client.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut appended = 0;
                while !done.load(Ordering::Relaxed) {
                    let first = writer * 1_000_000 + appended * 10;
                    client.append("numbers", numbers(first..first + 10)).await.unwrap();
                    appended += 1;
                }
                appended
            })
        })
        .collect();

    let mut noise = Noise::new(1);
    for _ in 0..if is_long() { 100 } else { 10 } {
        tokio::time::sleep(Duration::from_millis(50 + noise.below(250) as u64)).await;
        server.kill();
        server = Server::over(folder.path(), &address);
    }
    done.store(true, Ordering::Relaxed);
    let (mut rows, mut sum) = (0, 0);
    for (writer, task) in writers.into_iter().enumerate() {
        let appended = task.await.unwrap();
        let first = writer as i64 * 1_000_000;
        rows += appended * 10;
        sum += (first..first + appended * 10).sum::<i64>();
    }
    let table = client.load("numbers").await.unwrap();
    assert_eq!((table.num_rows() as i64, sum_of(&table)), (rows, sum));
}
