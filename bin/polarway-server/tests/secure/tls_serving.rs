//! Calls over TLS, with every kind of key, chain and version.

use futures::StreamExt as _;
use polarway_client::HandleOptions;
use rcgen::KeyPair;

use crate::support::{PATIENCE, Server, same, sum_of, wide};
use crate::tls_certificates::{Authority, Files, Leaf, Pair, SecureServer, trusting};
use crate::tls_peers::{ALL, Calls, client_config, handshake};

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_call_goes_over_tls() {
    let secure = SecureServer::start();
    let client = secure.client().await;
    client.health_check().await.unwrap();
    let table = wide(100_000, 1);
    client.store("flights", &table).await.unwrap();
    assert!(same(&client.load("flights").await.unwrap(), &table));
    let mut rows = 0;
    let mut stream = client.load_stream("flights").await.unwrap();
    while let Some(batch) = stream.next().await {
        rows += batch.unwrap().num_rows();
    }
    assert_eq!(rows, 100_000);
    let sum = client.query("SELECT sum(n)::BIGINT FROM flights").await.unwrap();
    assert_eq!(sum_of(&sum), 4_999_950_000);
    let handle = client.query_handle_with("FROM flights", HandleOptions::default()).await.unwrap();
    assert_eq!(handle.load().await.unwrap().num_rows(), 100_000);
    assert_eq!(client.datasets().await.unwrap().len(), 1);
    assert!(secure.server.log().contains("the TLS certificate is valid until 2100-01-01T00:00:00Z"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_a_certificate_is_served_where_one_is_required() {
    let secure = SecureServer::start_for_known_clients();
    let pair = secure.authority.sign(Leaf::named(&["reports"]));
    let client = secure.builder_with(&pair).connect().await.unwrap();
    client.store("flights", wide(1_000, 1)).await.unwrap();
    assert!(same(&client.load("flights").await.unwrap(), &wide(1_000, 1)));
}

#[tokio::test]
async fn clients_that_speak_one_version_of_tls_are_served() {
    for secure in [SecureServer::start(), SecureServer::start_for_known_clients()] {
        let pair = secure.authority.sign(Leaf::new());
        for version in ALL {
            let config = client_config(&[version], &secure.authority, Some(&pair));
            let stream = handshake(secure.server.address(), config).await.unwrap();
            assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
            assert_eq!(Calls::over(stream).await.check_health().await, "0");
        }
    }
}

#[tokio::test]
async fn keys_of_every_kind_and_form_are_served() {
    let authority = Authority::new("the CA of keys");
    let files = Files::new();
    files.write("ca.crt", authority.pem());
    for (form, signed_with) in [
        ("rsa-pkcs1", "rsa-pkcs8"),
        ("rsa-pkcs8", "rsa-pkcs8"),
        ("p256-sec1", "p256-pkcs8"),
        ("p256-pkcs8", "p256-pkcs8"),
        ("p384-pkcs8", "p384-pkcs8"),
        ("ed25519-pkcs8", "ed25519-pkcs8"),
    ] {
        let key = KeyPair::from_pem(&stored_key(signed_with)).unwrap();
        let Pair { certificate, .. } = authority.sign(Leaf::new().with_key(key));
        let (certificate, key) = files.write_pair("server", &Pair { certificate, key: stored_key(form) });
        let server = Server::start_with(&["--tls-cert", &certificate, "--tls-key", &key]);
        let url = format!("https://{}", server.address());
        let client = trusting(&url, &files.path("ca.crt")).connect().await;
        client.unwrap_or_else(|error| panic!("{form}: {error}")).health_check().await.unwrap();
    }
}

fn stored_key(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/secure/keys");
    std::fs::read_to_string(format!("{folder}/{name}.pem")).unwrap()
}

#[tokio::test]
async fn a_chain_is_sent_whole_and_clients_need_its_root_alone() {
    let root = Authority::new("the root");
    let middle = root.intermediate("the middle");
    let files = Files::new();
    let pair = middle.sign(Leaf::new());
    let chain = format!("{}{}", pair.certificate, middle.pem());
    // Some tools add text around certificates, and some put the key into the same file.
    let both = format!("subject=CN = localhost\n{}\n{chain}", pair.key);
    let roots = files.write("ca.crt", root.pem());
    let both = files.write("both.pem", &both);
    let server = Server::start_with(&["--tls-cert", &both, "--tls-key", &both, "--tls-ca", &roots]);
    let url = format!("https://{}", server.address());
    let client = trusting(&url, &files.path("ca.crt")).tls_identity(&both, &both);
    client.connect().await.unwrap().health_check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_certificate_is_refused_is_passed_over() {
    let (good, bad) = (SecureServer::start(), SecureServer::start());
    let client = good.builder().url(bad.url()).timeout(PATIENCE).connect().await.unwrap();
    // Whichever worker gets the first call: one call may fail, and then the other worker gets the next.
    let first = client.server_info().await;
    client.server_info().await.unwrap();
    drop(first);
}
