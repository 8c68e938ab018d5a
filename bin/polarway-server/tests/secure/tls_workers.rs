//! Workers that prove to each other by certificates that they belong together.

use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use polarway_client::{DistributedClient, EngineChoice, EngineUsed, PeerState, QueryOptions, Table};
use polarway_fleet::free_port;

use crate::support::{PATIENCE, Server, numbers};
use crate::tls_certificates::{Authority, Files, Leaf};

const FOUND_WITHIN: Duration = Duration::from_secs(120);

/// A worker over shared tables, with a certificate of this CA.
fn worker(files: &Files, authority: &Authority, number: usize, bind: &str, peers: &str) -> Server {
    let ca = files.write(&format!("ca-{number}.crt"), authority.pem());
    let name = format!("worker-{number}");
    let (certificate, key) = files.write_pair(&name, &authority.sign(Leaf::new()));
    let cold = files.path("cold").display().to_string();
    Server::start_with(&[
        "--parquet-path",
        &cold,
        "--peer-bind",
        bind,
        "--peers",
        peers,
        "--peer-tls-cert",
        &certificate,
        "--peer-tls-key",
        &key,
        "--peer-tls-ca",
        &ca,
    ])
}

async fn until_peers_are(worker: &Server, expect: &[PeerState]) -> Vec<Option<String>> {
    let client = worker.client().await;
    let begin = Instant::now();
    loop {
        let peers = client.server_info().await.unwrap().peers;
        if peers.iter().map(|peer| peer.state).eq(expect.iter().copied()) {
            return peers.into_iter().map(|peer| peer.reason).collect();
        }
        assert!(begin.elapsed() < FOUND_WITHIN, "{peers:?}\n{}", worker.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_with_certificates_run_queries_together_and_one_of_another_ca_takes_no_part() {
    use PeerState::{Ready, Unreachable};

    let (files, authority, stranger) = (Files::new(), Authority::new("workers"), Authority::new("others"));
    let addresses = [0; 3].map(|_| format!("127.0.0.1:{}", free_port().unwrap()));
    let peers = addresses.join(",");
    let first = worker(&files, &authority, 0, &addresses[0], &peers);
    let _second = worker(&files, &authority, 1, &addresses[1], &peers);
    let third = worker(&files, &stranger, 2, &addresses[2], &peers);
    until_peers_are(&first, &[Ready, Ready, Unreachable]).await;
    let reasons = until_peers_are(&third, &[Unreachable, Unreachable, Ready]).await;
    assert!(reasons[0].as_deref().unwrap().contains("certificate"), "{reasons:?}");
    let client = first.client().await;
    client.store("numbers", numbers(0..1_000)).await.unwrap();
    let options = QueryOptions { engine: EngineChoice::Distributed, ..QueryOptions::default() };
    let mut rows = client.query_stream_with("FROM numbers ORDER BY n", options).await.unwrap();
    let batches: Vec<_> = (&mut rows).try_collect().await.unwrap();
    assert_eq!(Table::new(rows.schema().clone(), batches).num_rows(), 1_000);
    assert!(matches!(rows.summary().unwrap().engine, EngineUsed::Distributed { .. }));
    // Without TLS, a client gets nothing there.
    let plain = DistributedClient::builder().url(format!("http://{}", addresses[0]));
    assert!(plain.timeout(PATIENCE / 10).connect().await.is_err());
}

#[test]
fn a_server_whose_settings_for_workers_do_not_fit_together_does_not_start_and_says_why() {
    for (flags, expect) in [
        (&["--peers", "a:1"][..], "--peers is given and --peer-bind is not"),
        (&["--peer-bind", "127.0.0.1:0"], "--peers or --peers-dns is not"),
        (&["--peers", "a:1", "--peers-dns", "b:1", "--peer-bind", "127.0.0.1:0"], "--peers and --peers-dns"),
        (&["--peers", "a:1", "--peer-bind", "0.0.0.0:0"], "POLARWAY_PEER_TOKEN"),
        (&["--peers", "a:1", "--peer-bind", "127.0.0.1:0", "--peer-tls-ca", "ca"], "--peer-tls-cert is not"),
        (&["--engine", "distributed"], "--engine distributed is given and --peer-bind is not"),
        (&["--peers", "http://a"], "--peers is \"http://a\""),
    ] {
        let (code, said) = Server::fails(&[&["--bind", "127.0.0.1:0"], flags].concat(), &[]);
        assert!(code == 1 && said.contains(expect), "{flags:?}: {said}");
    }
    let (_, said) = Server::fails(
        &["--bind", "127.0.0.1:0", "--peers", "a:1", "--peer-bind", "127.0.0.1:0"],
        &[("POLARWAY_PEER_TOKEN", "canary")],
    );
    assert!(said.contains("16 characters") && !said.contains("canary"), "{said}");
}
