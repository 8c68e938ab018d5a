//! Certificates that are refused, and the reason that the client's error shows.

use polarway_client::{Builder, ErrorKind};
use rcgen::ExtendedKeyUsagePurpose;
use tokio::io::AsyncReadExt as _;

use crate::support::{PATIENCE, Server};
use crate::tls_certificates::{Authority, Files, Leaf, Pair, SecureServer, trusting};
use crate::tls_peers::{ALL, client_config, handshake, shows};

/// The error of a client that is refused. It must come at once, both when the client connects and in its first call.
async fn refusal(builder: Builder) -> String {
    let at_start = builder.clone().connect().await.expect_err("it was let in");
    assert_eq!(at_start.kind(), ErrorKind::Insecure, "{at_start}");
    let lazy = builder.connect_lazily().unwrap();
    let in_call = lazy.datasets().await.expect_err("it was let in");
    assert_eq!(in_call.to_string(), at_start.to_string());
    let in_stream = lazy.load("flights").await.expect_err("it was let in");
    assert_eq!(in_stream.to_string(), at_start.to_string());
    at_start.to_string()
}

#[tokio::test]
async fn a_servers_certificate_is_refused_with_the_reason() {
    let authority = Authority::new("the CA of all");
    let files = Files::new();
    files.write("ca.crt", authority.pem());
    let for_clients = Leaf::new().only_for(ExtendedKeyUsagePurpose::ClientAuth);
    let cases: [(Pair, &[&str]); 5] = [
        (
            authority.sign(Leaf::new().expired()),
            &["the certificate of the server expired at 2021-01-01T00:00:00Z"],
        ),
        (authority.sign(Leaf::new().not_valid_yet()), &["is valid only from 2099-01-01T00:00:00Z on"]),
        (Authority::new("another CA").sign(Leaf::new()), &["signed by a CA that is not trusted", "--tls-ca"]),
        (
            authority.sign(Leaf::named(&["tables.example", "*.tables.example"])),
            &["is for tables.example, *.tables.example, and not for 127.0.0.1"],
        ),
        (authority.sign(for_clients), &["was made for another purpose"]),
    ];
    for (pair, expected) in cases {
        let url = format!("https://{}", shows(&pair).await);
        let said = refusal(trusting(&url, &files.path("ca.crt"))).await;
        assert!(expected.iter().all(|part| said.contains(part)), "{expected:?}: {said}");
    }
}

#[tokio::test]
async fn a_certificate_of_a_ca_in_a_servers_place_is_refused_with_the_way_out() {
    let pair = Leaf::new().self_signed_as_ca();
    let files = Files::new();
    let certificate = files.write("ca.crt", &pair.certificate);
    let said = refusal(trusting(&format!("https://{}", shows(&pair).await), certificate.as_ref())).await;
    assert!(said.contains("CA:FALSE"), "{said}");
}

#[tokio::test]
async fn a_systems_cas_are_trusted_by_default_and_not_those_of_a_test() {
    let secure = SecureServer::start();
    let system = polarway_client::DistributedClient::builder().url(secure.url()).timeout(PATIENCE);
    let error = system.connect().await.expect_err("it was let in");
    match error.kind() {
        // A system without any CA.
        ErrorKind::Configuration => assert!(error.to_string().contains("--tls-ca"), "{error}"),
        kind => assert_eq!(kind, ErrorKind::Insecure, "{error}"),
    }
}

#[tokio::test]
async fn a_client_without_the_right_certificate_is_told_why_it_is_refused() {
    let secure = SecureServer::start_for_known_clients();
    let said = refusal(secure.builder()).await;
    assert!(
        said.contains("requires a certificate, and this client has none") && said.contains("--tls-cert"),
        "{said}"
    );
    let stranger = Authority::new("another CA").sign(Leaf::new());
    let said = refusal(secure.builder_with(&stranger)).await;
    assert!(said.contains("does not trust the certificate of this client"), "{said}");
    let for_servers = Leaf::new().only_for(ExtendedKeyUsagePurpose::ServerAuth);
    let said = refusal(secure.builder_with(&secure.authority.sign(for_servers))).await;
    assert!(said.contains("refuses the certificate of this client"), "{said}");
    secure.server.logged("the client sent no certificate, and this server requires one").await;
    // Accepted clients are still served.
    let known = secure.authority.sign(Leaf::new());
    secure.builder_with(&known).connect().await.unwrap().health_check().await.unwrap();
}

#[tokio::test]
async fn a_clients_own_certificate_that_expired_is_refused_before_it_is_sent() {
    let secure = SecureServer::start_for_known_clients();
    let expired = secure.authority.sign(Leaf::new().expired());
    let error = secure.builder_with(&expired).connect().await.expect_err("it was let in");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("client.crt expired at 2021-01-01T00:00:00Z"), "{error}");
}

#[tokio::test]
async fn a_server_refuses_an_expired_certificate_in_both_versions_of_tls() {
    let secure = SecureServer::start_for_known_clients();
    let expired = secure.authority.sign(Leaf::new().expired());
    for version in ALL {
        let config = client_config(&[version], &secure.authority, Some(&expired));
        // In TLS 1.3 the client's handshake is over before the server has looked at its certificate.
        let error = match handshake(secure.server.address(), config).await {
            Err(error) => error,
            Ok(mut stream) => stream.read_u8().await.unwrap_err(),
        };
        assert!(error.to_string().contains("CertificateExpired"), "{version:?}: {error}");
    }
    secure.server.logged("the certificate of the client expired at 2021-01-01T00:00:00Z").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_the_clear_is_told_to_use_tls() {
    let secure = SecureServer::start();
    let url = secure.url().replace("https://", "http://");
    // With several threads, the answer may arrive before the client's request is sent.
    for _ in 0..20 {
        let client = polarway_client::DistributedClient::builder().url(&url).timeout(PATIENCE);
        let said = refusal(client).await;
        assert!(said.contains("the server speaks TLS: use https://"), "{said}");
    }
    secure.server.logged("the client does not speak TLS, and this server does").await;
}

#[tokio::test]
async fn a_client_of_tls_is_told_that_the_server_does_not_speak_it() {
    let server = Server::start();
    let files = Files::new();
    files.write("ca.crt", Authority::new("a CA").pem());
    let url = format!("https://{}", server.address());
    let said = refusal(trusting(&url, &files.path("ca.crt"))).await;
    assert!(said.contains("the server does not speak TLS: use http://"), "{said}");
    server.logged("the client speaks TLS, and this server does not: it has no --tls-cert").await;
}
