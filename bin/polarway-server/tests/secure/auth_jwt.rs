//! A server that accepts the tokens of an issuer.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use polarway_client::Reason;
use serde_json::{Value, json};

use crate::auth_issuer::{KeyFile, KeyServer, SigningKey, known, seconds_from_now, server, with_defaults};
use crate::auth_raw::our_paths;
use crate::auth_support::{INFO, Known, begun, end_of, load};
use crate::support::{ENDLESS_SUM, Server, numbers, reason_of, refused};

/// A token made by hand.
fn by_hand(header: &Value, claims: &Value, signature: &str) -> Known {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    known(format!("{}.{}.{signature}", part(header), part(claims)))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_method_answers_with_a_token_that_the_issuer_did_not_make_for_this_server() {
    let (key, edwards) = (SigningKey::new("a"), SigningKey::of_edwards("b"));
    let stranger = SigningKey::new("a");
    let file = KeyFile::of(&[&key, &edwards]);
    let server = server(&file.path(), &[], &[]);
    let good = key.token(json!({}));
    let public = serde_json::to_string(&key.public()).unwrap();
    let with_secret = |secret: &[u8]| {
        let header = Header { kid: Some("a".to_owned()), ..Header::new(Algorithm::HS256) };
        known(encode(&header, &with_defaults(json!({})), &EncodingKey::from_secret(secret)).unwrap())
    };
    let point = serde_json::to_value(key.public()).unwrap();
    let x = BASE64URL_NOPAD.decode(point["x"].as_str().unwrap().as_bytes()).unwrap();
    let parts: Vec<&str> = good.token.split('.').collect();
    let others_claims =
        BASE64URL_NOPAD.encode(with_defaults(json!({"role": "admin"})).to_string().as_bytes());
    let crit = Header { crit: Some(vec!["exp".to_owned()]), ..Header::new(Algorithm::ES256) };
    let invalid = [
        ("another issuer", key.token(json!({"iss": "https://issuer.example.org"}))),
        ("no issuer", key.token(json!({"iss": null}))),
        ("another audience", key.token(json!({"aud": "others"}))),
        ("other audiences", key.token(json!({"aud": ["others", "polarway2"]}))),
        ("no audience", key.token(json!({"aud": null}))),
        ("another key of the same id", stranger.token(json!({}))),
        ("an unknown key", SigningKey::new("c").token(json!({}))),
        (
            "the id of another key",
            edwards.token_with(
                &Header { kid: Some("a".to_owned()), ..Header::new(Algorithm::EdDSA) },
                json!({}),
            ),
        ),
        ("not yet", key.token(json!({"nbf": seconds_from_now(600)}))),
        ("no expiry", key.token(json!({"exp": null}))),
        ("an expiry that is a text", key.token(json!({"exp": "never"}))),
        ("no subject", key.token(json!({"sub": null}))),
        ("no role", key.token(json!({"role": null}))),
        ("a role of others", key.token(json!({"role": "root"}))),
        ("extensions", key.token_with(&crit, json!({}))),
        ("none", by_hand(&json!({"alg": "none", "kid": "a"}), &with_defaults(json!({})), "")),
        ("None", by_hand(&json!({"alg": "None", "kid": "a"}), &with_defaults(json!({})), "")),
        ("no algorithm", by_hand(&json!({"kid": "a"}), &with_defaults(json!({})), parts[2])),
        ("HS256 with the public key", with_secret(public.as_bytes())),
        ("HS256 with the point", with_secret(&x)),
        ("HS256 with nothing", with_secret(b"")),
        ("other claims", known(format!("{}.{others_claims}.{}", parts[0], parts[2]))),
        ("no signature", known(format!("{}.{}.", parts[0], parts[1]))),
        ("two parts", known(format!("{}.{}", parts[0], parts[1]))),
        ("more", known(format!("{}x", good.token))),
        ("less", known(good.token[..good.token.len() - 1].to_owned())),
        ("no JWT", known("canary".to_owned())),
        ("long", known("a.".repeat(10_000))),
    ];
    let expired = key.token(json!({"exp": seconds_from_now(-600)}));
    for path in our_paths() {
        assert_eq!(good.refused(&server, &path).await, None, "{path}");
        assert_eq!(expired.refused(&server, &path).await, Some(Reason::TokenExpired), "{path}");
    }
    for (what, token) in &invalid {
        // The token is checked in one place for all methods, so a few methods are enough.
        for path in our_paths().iter().take(4) {
            assert_eq!(token.refused(&server, path).await, Some(Reason::InvalidToken), "{path}: {what}");
        }
    }
    for good in [
        edwards.token(json!({"aud": ["others", "polarway"], "role": ["other", "writer"]})),
        key.token(json!({"exp": seconds_from_now(-10), "nbf": seconds_from_now(10)})),
        key.token_with(&Header::new(Algorithm::ES256), json!({})),
    ] {
        assert_eq!(good.refused(&server, INFO).await, None);
    }
    let log = server.log();
    for token in invalid.iter().map(|(_, token)| token).chain([&good, &expired]) {
        let secret = token.token.rsplit('.').next().unwrap();
        assert!(secret.len() < 20 || !log.contains(secret), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_say_what_a_caller_may_do() {
    let key = SigningKey::new("a");
    let file = KeyFile::of(&[&key]);
    let flags = [
        "--jwt-role-claim",
        "realm_access.roles",
        "--jwt-roles",
        "admin=owners,writer=etl,reader=staff",
        "--jwt-read-claim",
        "datasets",
        "--jwt-write-claim",
        "staging",
    ];
    let server = server(&file.path(), &[], &flags);
    let of = |sub: &str, role: &str, read: Value, write: Value| {
        key.token(json!({"sub": sub, "realm_access": {"roles": [role]}, "datasets": read, "staging": write}))
    };
    let admin = of("root", "owners", Value::Null, Value::Null).client(&server).await;
    for name in ["sales", "salaries"] {
        admin.store(name, numbers(0..3)).await.unwrap();
    }
    let writer = of("ada", "etl", json!(["sales"]), json!(["in_*"])).client(&server).await;
    writer.load("sales").await.unwrap();
    writer.store("in_1", numbers(0..3)).await.unwrap();
    assert_eq!(refused(writer.store("sales", numbers(0..3)).await).0, Reason::PermissionDenied);
    assert_eq!(refused(writer.load("salaries").await).0, Reason::UnknownDataset);
    let reader = of("bob", "staff", json!("sales in_*"), Value::Null).client(&server).await;
    reader.load("in_1").await.unwrap();
    assert_eq!(refused(reader.store("in_1", numbers(0..3)).await).0, Reason::PermissionDenied);
    let nothing = of("eve", "staff", Value::Null, Value::Null).client(&server).await;
    assert_eq!(nothing.datasets().await.unwrap(), []);
    let kept = writer.query_handle("FROM sales").await.unwrap();
    assert_eq!(refused(reader.load(kept.id()).await).0, Reason::UnknownHandle);
    let again = of("ada", "staff", json!([]), Value::Null).client(&server).await;
    again.load(kept.id()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn running_calls_end_with_their_token_or_its_key() {
    let (key, old) = (SigningKey::new("a"), SigningKey::new("old"));
    let file = KeyFile::of(&[&key, &old]);
    let server = server(&file.path(), &[], &[]);
    // A token is valid half a minute longer than it says, because clocks differ.
    let short = key.token(json!({"exp": seconds_from_now(-26)}));
    let stays = key.token(json!({"sub": "other"}));
    let withdrawn = old.token(json!({}));
    let mut clients = (short.raw(&server).await, withdrawn.raw(&server).await, stays.raw(&server).await);
    let expiring = begun(&mut clients.0, ENDLESS_SUM).await;
    let leaving = begun(&mut clients.1, ENDLESS_SUM).await;
    let staying = begun(&mut clients.2, "FROM range(3000000)").await;
    file.set(&[&key]);
    let ended = end_of(leaving).await.unwrap_err();
    assert_eq!(reason_of(&ended), Reason::TokenWithdrawn);
    assert_eq!(reason_of(&load(&mut clients.1, "t").await.unwrap_err()), Reason::InvalidToken);
    assert_eq!(reason_of(&end_of(expiring).await.unwrap_err()), Reason::TokenExpired);
    end_of(staying).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_url_are_fetched_for_a_token_with_a_new_one_and_not_for_each() {
    let (first, second) = (SigningKey::new("first"), SigningKey::new("second"));
    let issuer = KeyServer::of(&[&first]);
    let server = server(&issuer.url(), &[], &[]);
    assert_eq!(first.token(json!({})).refused(&server, INFO).await, None);
    let before = issuer.asked();
    issuer.set(&[&first, &second]);
    assert_eq!(second.token(json!({})).refused(&server, INFO).await, None);
    assert_eq!(issuer.asked(), before + 1);
    for index in 0..50 {
        let unknown = SigningKey::new(&format!("unknown {index}")).token(json!({}));
        assert_eq!(unknown.refused(&server, INFO).await, Some(Reason::InvalidToken));
    }
    assert!(issuer.asked() <= before + 3, "{} times", issuer.asked());
    assert_eq!(first.token(json!({"sub": "b"})).refused(&server, INFO).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_gives_no_keys_keeps_nobody_else_out() {
    let key = SigningKey::new("a");
    let owner = known("the-token-of-the-owner-of-this-server".to_owned());
    let elsewhere = KeyServer::of(&[&key]);
    let redirect =
        format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", elsewhere.url());
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{{\"keys\":[\"{}", "x".repeat(3 << 20));
    for answer in [
        "",
        "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        &redirect,
        &endless,
    ] {
        let issuer = KeyServer::answering(answer);
        let server = server(&issuer.url(), &[("POLARWAY_AUTH_TOKEN", &owner.token)], &[]);
        let mut client = key.token(json!({})).raw(&server).await;
        let told = load(&mut client, "t").await.unwrap_err();
        assert_eq!(reason_of(&told), Reason::TokenUnchecked, "{told:?}");
        assert_eq!(owner.refused(&server, INFO).await, None);
        server.logged("the keys of JWTs can't be fetched").await;
    }
    assert_eq!(elsewhere.asked(), 0, "keys are not taken from where an answer points");
}

#[test]
fn a_server_does_not_start_with_settings_that_make_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let started = |flags: &[&str]| {
        let mut command = Server::command();
        command.args(["--bind", "127.0.0.1:0", "--data-dir"]).arg(folder.path()).args(flags);
        let ended = command.output().unwrap();
        assert!(!ended.status.success(), "{flags:?}");
        String::from_utf8(ended.stderr).unwrap()
    };
    assert!(started(&["--jwt-issuer", "x"]).contains("--jwt-audience is not set"));
    assert!(started(&["--jwt-keys", "x"]).contains("--jwt-issuer is not set"));
    assert!(started(&["--jwt-keys", "http://issuer.example/keys"]).contains("https://"));
    assert!(started(&["--jwt-algorithms", "HS256"]).contains("RS256"));
    let file = KeyFile::of(&[]);
    let flags = ["--jwt-issuer", "x", "--jwt-audience", "y", "--jwt-keys", &file.path()];
    assert!(started(&flags).contains("no key of an accepted algorithm"), "{}", started(&flags));
}
