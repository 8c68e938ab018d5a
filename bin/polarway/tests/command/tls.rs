//! The command and TLS: where certificates are taken from, and what is said when they don't fit.

use rcgen::{CertificateParams, KeyPair};

use crate::support::{Server, command};

/// A server that speaks TLS, with a certificate that is its own CA.
fn secure_server() -> (Server, tempfile::TempDir) {
    let files = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    std::fs::write(files.path().join("server.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(files.path().join("server.key"), key.serialize_pem()).unwrap();
    let path = |name: &str| files.path().join(name).display().to_string();
    let mut server = Server::start(&["--tls-cert", &path("server.crt"), "--tls-key", &path("server.key")]);
    server.url = server.url.replace("http://", "https://");
    (server, files)
}

#[test]
fn a_ca_is_named_by_an_option_or_by_a_variable() {
    let (server, files) = secure_server();
    let ca = files.path().join("server.crt").display().to_string();
    let key = files.path().join("server.key").display().to_string();
    assert_eq!(server.run(&["health", "--tls-ca", &ca]), "OK\n");
    let checked = |name: &str, value: &str| {
        let variables = [("POLARWAY_TLS_CA", ca.as_str()), (name, value)];
        server.command(&["health"]).envs(variables).output().unwrap()
    };
    // Those of a server may be in the same environment; an empty one is none.
    assert!(checked("POLARWAY_TLS_CERT", "").status.success());
    let both = [("POLARWAY_TLS_CA", &ca), ("POLARWAY_TLS_CERT", &ca), ("POLARWAY_TLS_KEY", &key)];
    assert!(server.command(&["health"]).envs(both).output().unwrap().status.success());
    let half = checked("POLARWAY_TLS_KEY", &key);
    let said = String::from_utf8(half.stderr).unwrap();
    assert_eq!(half.status.code(), Some(2), "{said}");
    assert!(said.contains("of POLARWAY_TLS_CERT and POLARWAY_TLS_KEY only one is set"), "{said}");
}

#[test]
fn what_keeps_a_connection_from_being_secure_is_said_in_one_line() {
    let (server, _files) = secure_server();
    let (code, said) = server.fail(&["health"]);
    assert_eq!((code, said.lines().count()), (1, 1), "{said}");
    assert!(said.contains("not trusted") || said.contains("has no CA"), "{said}");
    let plain = server.url.replace("https://", "http://");
    let (code, said) = server.fail(&["health", "--url", &plain]);
    assert_eq!((code, said.lines().count()), (1, 1), "{said}");
    assert!(said.contains("the server speaks TLS: use https://"), "{said}");
}

#[test]
fn variables_of_tls_mean_nothing_in_the_clear_and_options_are_refused_there() {
    let server = Server::start(&[]);
    let mut health = server.command(&["health"]);
    let checked = health.env("POLARWAY_TLS_CA", "/no/such/file").env("POLARWAY_TLS_KEY", "/none").output();
    assert!(checked.unwrap().status.success());
    let (_, said) = server.fail(&["health", "--tls-ca", "/no/such/file"]);
    assert!(said.contains("no URL begins with https://"), "{said}");
    assert_eq!(server.fail(&["health", "--tls-cert", "client.crt"]).0, 2);
}

#[test]
fn a_token_that_goes_over_a_network_in_the_clear_is_warned_of() {
    let said = |url: &str| {
        // A port on which nothing listens: the warning comes before the call.
        let mut health = command(&["health", "--timeout", "1s", "--url", url]);
        let output = health.env("POLARWAY_AUTH_TOKEN", "s3cret").output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let remote = said("http://192.0.2.1:1");
    assert!(remote.starts_with("warning: the token goes to 192.0.2.1 in the clear"), "{remote}");
    assert!(!remote.contains("s3cret"), "{remote}");
    assert!(!said("http://127.0.0.1:1").contains("warning"));
    assert!(!said("https://192.0.2.1:1").contains("warning"));
}
