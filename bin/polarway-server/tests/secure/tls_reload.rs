//! Certificates that are replaced while the server runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use polarway_client::DistributedClient;

use crate::support::{numbers, same, sum_of, until, wide};
use crate::tls_certificates::{Authority, Leaf, Pair, SecureServer};
use crate::tls_peers::{ALL, Calls, client_config, der, handshake, shown_certificate};

/// Replaces the server's certificate and key, and waits until handshakes use them.
async fn replace(secure: &SecureServer, pair: &Pair) {
    secure.files.replace("server.key", &pair.key);
    secure.files.replace("server.crt", &pair.certificate);
    until("the new certificate", async || {
        let shown = shown_certificate(secure.server.address(), &secure.authority).await;
        (shown == Some(der(pair))).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_for_new_connections_and_the_old_ones_go_on() {
    let secure = SecureServer::start();
    let client = secure.client().await;
    let table = wide(200_000, 1);
    client.store("flights", &table).await.unwrap();
    let mut stream = client.load_stream("flights").await.unwrap();
    let mut rows = stream.next().await.unwrap().unwrap().num_rows();
    let config = client_config(ALL, &secure.authority, None);
    let mut calls = Calls::over(handshake(secure.server.address(), config).await.unwrap()).await;
    for _ in 0..2 {
        replace(&secure, &secure.authority.sign(Leaf::new())).await;
        assert_eq!(calls.check_health().await, "0");
    }
    while let Some(batch) = stream.next().await {
        rows += batch.unwrap().num_rows();
    }
    assert_eq!(rows, 200_000);
    assert!(same(&client.load("flights").await.unwrap(), &table));
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_replaced_under_load_cost_no_call() {
    let secure = SecureServer::start();
    secure.client().await.store("numbers", numbers(0..10_000)).await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (builder, is_over) = (secure.builder(), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut calls = 0;
                while !is_over.load(Ordering::Relaxed) {
                    // A connection for each.
                    let client: DistributedClient = builder.clone().connect().await.unwrap();
                    assert_eq!(sum_of(&client.load("numbers").await.unwrap()), 49_995_000);
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    for _ in 0..3 {
        replace(&secure, &secure.authority.sign(Leaf::new())).await;
    }
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        assert!(caller.await.unwrap() > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_used_leave_the_old_ones_in_force_and_the_log_says_so() {
    let secure = SecureServer::start();
    let expired = secure.authority.sign(Leaf::new().expired());
    secure.files.replace("server.key", &expired.key);
    secure.server.logged("server.key is not that of the first certificate").await;
    secure.files.replace("server.crt", &expired.certificate);
    secure.server.logged("server.crt expired at 2021-01-01T00:00:00Z").await;
    std::fs::remove_file(secure.files.path("server.crt")).unwrap();
    secure.server.logged("server.crt: No such file or directory").await;
    secure.client().await.health_check().await.unwrap();
    replace(&secure, &secure.authority.sign(Leaf::new())).await;
    let log = secure.server.log();
    assert_eq!(log.matches("so the old state stays in force").count(), 3, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_ca_of_clients_is_for_new_connections() {
    let secure = SecureServer::start_for_known_clients();
    let (old, new_ca) = (secure.authority.sign(Leaf::new()), Authority::new("the next CA"));
    let client = secure.builder_with(&old).connect().await.unwrap();
    secure.files.replace("clients.crt", new_ca.pem());
    let new = secure.builder_with(&new_ca.sign(Leaf::new()));
    until("a client of the new CA", async || new.clone().connect().await.ok()).await;
    client.health_check().await.unwrap();
    let error = secure.builder_with(&old).connect().await.expect_err("it was let in");
    assert!(error.to_string().contains("does not trust the certificate of this client"), "{error}");
}
