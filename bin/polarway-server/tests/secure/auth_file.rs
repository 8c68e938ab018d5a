//! A server with a file of tokens: its entries are in force, and changes take effect at once.

use polarway_client::{ErrorKind, Reason};
use polarway_proto::v1::{StoreRequest, store_request::Part};
use polarway_server::Role;
use tonic::{Code, Request};

use crate::auth_raw::our_paths;
use crate::auth_support::{AuthFile, INFO, Known, begun, end_of, load, soon};
use crate::support::{ENDLESS_SUM, Server, Upload, numbers, reason_of, refused};

/// An endless number of rows, faster than they are read.
const ENDLESS_ROWS: &str = "SELECT range, range AS again FROM range(10000000000000)";

#[tokio::test(flavor = "multi_thread")]
async fn no_method_answers_with_an_expired_a_withdrawn_or_an_unknown_token() {
    let (good, gone) = (Known::reader("good"), Known::reader("gone"));
    let expired = Known::reader("expired").until(std::time::SystemTime::UNIX_EPOCH);
    let (never, owner) = (Known::reader("never"), "the-token-of-the-owner-of-this-server");
    let file = AuthFile::of(&[&good, &gone, &expired]);
    let server = file.server_with(&[("POLARWAY_AUTH_TOKEN", owner)], &[]);
    gone.becomes(&server, None).await;
    file.set(&[&good, &expired]);
    gone.becomes(&server, Some(Reason::InvalidToken)).await;
    for path in our_paths() {
        assert_eq!(expired.refused(&server, &path).await, Some(Reason::TokenExpired), "{path}");
        assert_eq!(gone.refused(&server, &path).await, Some(Reason::InvalidToken), "{path}");
        assert_eq!(never.refused(&server, &path).await, Some(Reason::InvalidToken), "{path}");
        assert_eq!(good.refused(&server, &path).await, None, "{path}");
        // The other token of the server is still valid.
        let owner = Known { token: owner.to_owned(), ..never.clone() };
        assert_eq!(owner.refused(&server, &path).await, None, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_says_what_may_be_done_and_patterns_to_what() {
    let writer = Known::new("loader", Role::Writer, &["sales_*"], &["staging_*"]);
    let reader = Known::new("reports", Role::Reader, &["sales_*"], &[]);
    let (file_of_all, admin) = (Known::reader("all"), Known::admin());
    let file = AuthFile::of(&[&writer, &reader, &admin, &file_of_all]);
    let server = file.server();
    let admin = admin.client(&server).await;
    for name in ["sales_2026", "salaries"] {
        admin.store(name, numbers(0..3)).await.unwrap();
    }
    let (writer, reader) = (writer.client(&server).await, reader.client(&server).await);
    writer.store("staging_1", numbers(0..3)).await.unwrap();
    writer.append("staging_1", numbers(0..3)).await.unwrap();
    writer.load("staging_1").await.unwrap();
    writer.delete("staging_1").await.unwrap();
    for client in [&writer, &reader] {
        client.load("sales_2026").await.unwrap();
        let kept = client.query_handle("FROM sales_2026").await.unwrap();
        client.query(&format!("FROM {}", kept.id())).await.unwrap();
        client.drop_handle(kept.id()).await.unwrap();
        for denied in [
            client.store("sales_2026", numbers(0..1)).await.map(drop),
            client.append("sales_2026", numbers(0..1)).await.map(drop),
            client.delete("sales_2026").await.map(drop),
            client.store("salaries", numbers(0..1)).await.map(drop),
            client.cache_stats().await.map(drop),
        ] {
            assert_eq!(refused(denied).0, Reason::PermissionDenied);
        }
        assert_eq!(refused(client.load("salaries").await).0, Reason::UnknownDataset);
        let names = client.datasets().await.unwrap();
        assert_eq!(names.iter().map(|dataset| dataset.name.to_string()).collect::<Vec<_>>(), ["sales_2026"]);
    }
    assert_eq!(refused(reader.store("staging_2", numbers(0..1)).await).0, Reason::PermissionDenied);
    assert_eq!(admin.versions("sales_2026").await.unwrap().len(), 1, "nothing was changed");
    let reads_all = file_of_all.client(&server).await;
    reads_all.cache_stats().await.unwrap();
    reads_all.load("salaries").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn running_calls_end_when_their_token_is_withdrawn_and_those_of_others_go_on() {
    let (gone, other) = (Known::new("gone", Role::Writer, &[], &[]), Known::reader("other"));
    let changed = Known::reader("changed");
    let file = AuthFile::of(&[&gone, &other, &changed]);
    let server = file.server();
    let (mut leaving, mut staying) = (gone.raw(&server).await, other.raw(&server).await);
    let mut narrowed = changed.raw(&server).await;
    let quiet = begun(&mut leaving, ENDLESS_SUM).await;
    let loud = begun(&mut leaving, ENDLESS_ROWS).await;
    let kept = begun(&mut staying, "FROM range(3000000)").await;
    let less = begun(&mut narrowed, ENDLESS_SUM).await;
    let uploading = tokio::spawn({
        let mut client = gone.raw(&server).await;
        let mut parts = Upload::of("t", &numbers(0..3)).parts;
        parts.pop();
        let requests = parts.into_iter().map(|part| StoreRequest { part: Some(part) });
        let requests = futures::stream::iter(requests.collect::<Vec<_>>());
        let open = futures::StreamExt::chain(requests, heartbeats());
        async move { client.store(Request::new(open)).await.map(drop) }
    });
    let narrower = changed.entry.replace("role = \"reader\"", "role = \"reader\"\nread = [\"sales_*\"]");
    assert_ne!(narrower, changed.entry);
    file.set(&[&other, &Known { entry: narrower, ..changed.clone() }]);
    for ended in [end_of(quiet).await, end_of(loud).await, end_of(less).await, uploading.await.unwrap()] {
        let status = ended.unwrap_err();
        assert_eq!((status.code(), reason_of(&status)), (Code::Unauthenticated, Reason::TokenWithdrawn));
    }
    assert!(end_of(kept).await.is_ok());
    assert_eq!(gone.refused(&server, INFO).await, Some(Reason::InvalidToken));
    assert_eq!(changed.refused(&server, INFO).await, None);
    // No call of the refused caller still runs, and nothing of the upload was stored.
    let client = other.client(&server).await;
    assert_eq!(refused(client.load("t").await).0, Reason::UnknownDataset);
}

/// The messages of a client that has not finished sending.
fn heartbeats() -> impl futures::Stream<Item = StoreRequest> {
    futures::stream::unfold((), |()| async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        Some((StoreRequest { part: None::<Part> }, ()))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn running_calls_end_when_their_token_expires() {
    let short = Known::reader("short").until(soon());
    let file = AuthFile::of(&[&short]);
    let server = file.server();
    let mut client = short.raw(&server).await;
    let quiet = begun(&mut client, ENDLESS_SUM).await;
    let loud = begun(&mut client, ENDLESS_ROWS).await;
    for ended in [end_of(quiet).await, end_of(loud).await] {
        let status = ended.unwrap_err();
        assert_eq!((status.code(), reason_of(&status)), (Code::Unauthenticated, Reason::TokenExpired));
    }
    assert_eq!(reason_of(&load(&mut client, "t").await.unwrap_err()), Reason::TokenExpired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_can_not_be_used_leaves_the_old_one_in_force_and_says_so() {
    let (first, second) = (Known::reader("first"), Known::reader("second"));
    let file = AuthFile::of(&[&first]);
    let server = file.server();
    file.write("[[token]]\nname = \"canary\"\nsha256 = \"canary-secret\"");
    server.logged("the file of tokens changed and can't be used").await;
    assert!(!server.log().contains("canary-secret"), "{}", server.log());
    assert_eq!(first.refused(&server, INFO).await, None);
    std::fs::remove_file(file.path()).unwrap();
    server.logged("tokens.toml").await;
    assert_eq!(first.refused(&server, INFO).await, None);
    file.set(&[&first, &second]);
    second.becomes(&server, None).await;
    assert_eq!(first.refused(&server, INFO).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_not_start_with_a_file_that_it_can_not_use() {
    let file = AuthFile::of(&[]);
    let folder = tempfile::tempdir().unwrap();
    let started = |file: &str| {
        let mut command = Server::command();
        command.args(["--bind", "127.0.0.1:0", "--auth-file", file, "--data-dir"]).arg(folder.path());
        let ended = command.output().unwrap();
        assert!(!ended.status.success());
        String::from_utf8(ended.stderr).unwrap()
    };
    let path = file.path();
    let path = path.to_str().unwrap();
    file.write("[[token]]\nname = \"x\"\nsha256 = \"canary\"\nrole = \"admin\"");
    let told = started(path);
    assert!(told.contains("token 1 (x) has an invalid `sha256`") && !told.contains("canary"), "{told}");
    file.write("role = \"admin");
    assert!(started(path).contains("line 1"), "{}", started(path));
    std::fs::remove_file(path).unwrap();
    assert!(started(path).contains("tokens.toml"), "{}", started(path));
    assert!(started("/").contains("not a regular file"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tokens_of_one_name_are_one_caller() {
    let (old, new) = (Known::reader("reports"), Known::reader("reports"));
    let file = AuthFile::of(&[&old, &new, &Known::reader("other")]);
    let server = file.server();
    let (old, new) = (old.client(&server).await, new.client(&server).await);
    let kept = old.query_handle("SELECT 42").await.unwrap();
    assert_eq!(new.handles().await.unwrap().len(), 1);
    new.load(kept.id()).await.unwrap();
    let lazy = polarway_client::DistributedClient::builder().url(server.url()).connect_lazily().unwrap();
    assert_eq!(lazy.handles().await.unwrap_err().kind(), ErrorKind::Refused(Reason::MissingToken));
}
