//! Many clients at once.

use polarway_client::{ErrorKind, Reason, WriteMode, WriteOptions};

use crate::support::{Server, numbers, sum_of};

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_append_at_once_lose_nothing() {
    let server = Server::start();
    server.client().await.store("numbers", numbers(0..0)).await.unwrap();
    let mut tasks = Vec::new();
    for task in 0..16 {
        let client = server.client().await;
        tasks.push(tokio::spawn(async move {
            for round in 0..5 {
                let first = task * 50 + round * 10;
                client.append("numbers", numbers(first..first + 10)).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(sum_of(&server.client().await.load("numbers").await.unwrap()), (0..800).sum::<i64>());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_clients_that_create_at_once_one_wins() {
    let server = Server::start();
    let client = server.client().await;
    for round in 0..5 {
        let name = format!("table_{round}");
        let tries = (0..8).map(|number| {
            let (client, name) = (client.clone(), name.clone());
            tokio::spawn(async move {
                client
                    .store_with(&name, numbers(number..number + 1), WriteOptions::new(WriteMode::Create))
                    .await
            })
        });
        let mut winners = 0;
        for task in tries.collect::<Vec<_>>() {
            match task.await.unwrap() {
                Ok(published) => {
                    assert_eq!(published.version, 1);
                    winners += 1;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Refused(Reason::AlreadyExists)),
            }
        }
        assert_eq!(winners, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_on_one_client_each_get_their_own_answer() {
    let server = Server::start();
    let client = server.client().await;
    client.store("a", numbers(0..10)).await.unwrap();
    client.store("b", numbers(0..20)).await.unwrap();
    let (a, b, sum) =
        tokio::try_join!(client.load("a"), client.load("b"), client.query("SELECT sum(n)::BIGINT FROM a"))
            .unwrap();
    assert_eq!((a.num_rows(), b.num_rows(), sum_of(&sum)), (10, 20, 45));
    let stats = client.cache_stats().await.unwrap();
    assert_eq!((stats.misses, stats.tables), (2, 2));
    client.load("a").await.unwrap();
    assert!(client.cache_stats().await.unwrap().hit_rate() > 0.3);
}
