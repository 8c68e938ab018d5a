//! A server that can't set up TLS does not start, and reports the reason in one line.

use rcgen::ExtendedKeyUsagePurpose;

use crate::support::Server;
use crate::tls_certificates::{Authority, Files, Leaf, SecureServer};

/// The output of a server with these flags, which must exit.
fn refused(flags: &[&str]) -> String {
    let mut all = vec!["--bind", "127.0.0.1:0"];
    all.extend(flags);
    let (code, said) = Server::fails(&all, &[]);
    assert_eq!((code, said.lines().count()), (1, 1), "{said}");
    assert!(said.starts_with("error: "), "{said}");
    said
}

#[test]
fn a_half_of_a_pair_is_refused_with_the_other_half() {
    let files = Files::new();
    let (certificate, key) = files.write_pair("server", &Authority::new("a CA").sign(Leaf::new()));
    let said = refused(&["--tls-cert", &certificate]);
    assert!(said.contains("--tls-cert is given and --tls-key is not"), "{said}");
    let said = refused(&["--tls-key", &key]);
    assert!(said.contains("--tls-key is given and --tls-cert is not"), "{said}");
    let said = refused(&["--tls-ca", &certificate]);
    assert!(said.contains("--tls-ca is given and --tls-cert is not"), "{said}");
}

#[test]
fn files_that_cannot_be_used_are_refused_by_name() {
    let authority = Authority::new("a CA");
    let files = Files::new();
    let pair = authority.sign(Leaf::new());
    let (certificate, key) = files.write_pair("server", &pair);
    let (_, other_key) = files.write_pair("other", &authority.sign(Leaf::new()));
    let (expired, expired_key) = files.write_pair("expired", &authority.sign(Leaf::new().expired()));
    let (early, early_key) = files.write_pair("early", &authority.sign(Leaf::new().not_valid_yet()));
    let empty = files.write("empty", "");
    let cut = files.write("cut", &pair.certificate[..pair.certificate.len() / 2]);
    let missing = files.path("missing").display().to_string();
    let folder = files.path("").display().to_string();
    let wrong_chain = files.write("wrong-chain", &format!("{}{}", authority.pem(), pair.certificate));
    for (certificate, key, expected) in [
        (&missing, &key, "missing: No such file or directory"),
        (&certificate, &missing, "missing: No such file or directory"),
        (&folder, &key, "is not a regular file"),
        (&empty, &key, "empty has no certificate"),
        (&certificate, &empty, "empty has no private key"),
        (&key, &certificate, "server.key has no certificate"),
        (&cut, &key, "cut is damaged: a part has no END line"),
        (&certificate, &other_key, "other.key is not that of the first certificate in"),
        (&wrong_chain, &key, "put the certificate before those of its CAs"),
        (&expired, &expired_key, "expired.crt expired at 2021-01-01T00:00:00Z"),
        (&early, &early_key, "early.crt is valid only from 2099-01-01T00:00:00Z on"),
    ] {
        let said = refused(&["--tls-cert", certificate, "--tls-key", key]);
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let said = refused(&["--tls-cert", &certificate, "--tls-key", &key, "--tls-ca", &empty]);
    assert!(said.contains("empty has no certificate"), "{said}");
}

#[test]
fn a_key_that_is_refused_is_not_in_the_message() {
    let files = Files::new();
    let pair = Authority::new("a CA").sign(Leaf::new());
    let broken = pair.key.replacen("\nM", "\n*M", 1);
    let (certificate, _) = files.write_pair("server", &pair);
    let key = files.write("broken.key", &broken);
    let said = refused(&["--tls-cert", &certificate, "--tls-key", &key]);
    assert!(said.contains("broken.key is damaged: a part is not valid base64"), "{said}");
    let secret = pair.key.lines().nth(1).unwrap();
    assert!(!said.contains(&secret[..16]), "{said}");
}

#[tokio::test]
async fn empty_settings_are_none_and_a_certificate_for_one_end_serves_there() {
    let plain = Server::start_with(&["--tls-cert", "", "--tls-key", "", "--tls-ca", ""]);
    plain.client().await.health_check().await.unwrap();
    let secure = SecureServer::start_for_known_clients();
    let pair = secure.authority.sign(Leaf::new().only_for(ExtendedKeyUsagePurpose::ClientAuth));
    secure.builder_with(&pair).connect().await.unwrap().health_check().await.unwrap();
}
