//! What the log contains about callers: their changes and refusals, and never their secrets.

use polarway_client::Reason;
use polarway_server::Role;
use serde_json::json;

use crate::auth_issuer::{KeyFile, SigningKey, server};
use crate::auth_raw::knock;
use crate::auth_support::{AuthFile, INFO, Known, begun};
use crate::support::{Server, numbers, refused};

/// The lines of the audit log that have all of these texts.
fn lines(server: &Server, texts: &[&str]) -> usize {
    let log = server.log();
    let audit = log.lines().filter(|line| line.contains("polarway::audit"));
    audit.filter(|line| texts.iter().all(|text| line.contains(text))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_and_each_refusal_is_a_line_with_who_what_and_from_where() {
    let loader = Known::new("loader", Role::Writer, &["t"], &["t"]);
    let (other, more) = (Known::reader("other"), Known::reader("more"));
    let file = AuthFile::of(&[&loader, &other]);
    let server = file.server();
    let client = loader.client(&server).await;
    client.store("t", numbers(0..3)).await.unwrap();
    let kept = client.query_handle("FROM t").await.unwrap();
    client.extend_handle(kept.id(), None).await.unwrap();
    client.drop_handle(kept.id()).await.unwrap();
    client.delete("t").await.unwrap();
    assert_eq!(refused(client.store("secrets", numbers(0..3)).await).0, Reason::PermissionDenied);
    assert_eq!(refused(client.load("secrets").await).0, Reason::UnknownDataset);
    assert_eq!(refused(client.query("FROM secrets").await).0, Reason::UnknownDataset);
    knock(&server, INFO, &["Bearer wrong"]).await;
    file.set(&[&loader, &more]);
    more.becomes(&server, None).await;
    server.logged("the token of \"other\" was withdrawn").await;
    server.logged("the token of \"more\" was added").await;

    let of_loader = ["caller=\"loader\"", "from=127.0.0.1", "request_id="];
    for (outcome, what, count) in [
        ("outcome=\"done\"", "store \"t\"", 1),
        ("outcome=\"done\"", "delete \"t\"", 1),
        ("outcome=\"done\"", &format!("keep {:?}", kept.id()), 1),
        ("outcome=\"done\"", &format!("extend {:?}", kept.id()), 1),
        ("outcome=\"done\"", &format!("drop {:?}", kept.id()), 1),
        ("outcome=\"refused\"", "write the dataset \"secrets\"", 1),
        ("outcome=\"refused\"", "read the dataset \"secrets\"", 2),
    ] {
        assert_eq!(
            lines(&server, &[&of_loader[..], &[outcome, what]].concat()),
            count,
            "{what}\n{}",
            server.log()
        );
    }
    let turned_away = ["refused", "INVALID_TOKEN", INFO, "from=127.0.0.1", "request_id="];
    assert!(lines(&server, &turned_away) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_in_the_log_whatever_happens_to_it() {
    let key = SigningKey::new("a");
    let (good, gone) = (Known::reader("good"), Known::new("gone", Role::Writer, &[], &[]));
    let tokens = AuthFile::of(&[&good, &gone]);
    let keys = KeyFile::of(&[&key]);
    let owner = "canary-0f9e8d7c6b5a4938";
    let path = tokens.path();
    let server = server(
        &keys.path(),
        &[("POLARWAY_AUTH_TOKEN", owner), ("RUST_LOG", "trace")],
        &["--auth-file", path.to_str().unwrap()],
    );
    let jwt = key.token(json!({}));
    let refused_jwt = SigningKey::new("a").token(json!({"iss": "other"}));
    let owner = Known { token: owner.to_owned(), ..good.clone() };
    for known in [&good, &gone, &owner, &jwt] {
        let client = known.client(&server).await;
        let _ = client.store("t", numbers(0..3)).await;
        let _ = client.query("SELECT nothing").await;
        let _ = client.load("none").await;
    }
    assert!(refused_jwt.refused(&server, INFO).await.is_some());
    let mut leaving = gone.raw(&server).await;
    let running = begun(&mut leaving, "FROM range(3000000)").await;
    tokens.set(&[&good]);
    gone.becomes(&server, Some(Reason::InvalidToken)).await;
    tokens.write(&format!("[[token]]\nname = \"x\"\nsha256 = \"{}\"", good.token));
    server.logged("can't be used").await;
    drop(running);
    server.signal("-TERM");
    server.logged("ended").await;
    let log = server.log();
    assert!(log.contains("TRACE"));
    for known in [&good, &gone, &owner, &jwt, &refused_jwt] {
        // Of a JWT, the signature is the secret.
        let secret = known.token.rsplit('.').next().unwrap();
        let found = log.lines().find(|line| line.contains(secret));
        assert_eq!(found, None);
    }
}
