//! The status page, over plain HTTP.

use std::collections::HashMap;

use polarway_client::{ErrorKind, Parameters, QueryPhase, Reason};
use polarway_server::{NewToken, Role};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use tempfile::TempDir;

use crate::observed::Observed;
use crate::support::{ENDLESS_SUM, PATIENCE, all_ended, client_of, in_background, numbers, query_in, until};

/// A client that does not follow redirects.
fn http() -> Client {
    Client::builder().timeout(PATIENCE).redirect(Policy::none()).build().unwrap()
}

/// The answer to a request.
async fn answer(request: RequestBuilder) -> (u16, HeaderMap, String) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.headers().clone(), response.text().await.unwrap())
}

/// The value of the first hidden field of this name.
fn hidden(page: &str, name: &str) -> Option<String> {
    let (_, behind) = page.split_once(&format!("name=\"{name}\" value=\""))?;
    Some(behind.split('"').next()?.replace("&#43;", "+"))
}

impl Observed {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http_address())
    }
}

#[tokio::test]
async fn the_page_shows_what_a_worker_has_and_does_with_all_data_escaped() {
    let observed = Observed::start(&["--slow-query", "1us"]).await;
    let client = observed.server.client().await;
    client.store("numbers", numbers(0..1_000)).await.unwrap();
    client.load("numbers").await.unwrap();
    client.query("SELECT '<script>alert(1)</script>' AS \"a&b\"").await.unwrap();
    let kept = client.query_handle("FROM numbers").await.unwrap();
    let marked = format!("{ENDLESS_SUM} -- \"><script>alert(2)</script>");
    let running = in_background(&client, &marked, Parameters::new());
    let query = query_in(QueryPhase::Running, &client, &marked).await;

    let (status, headers, page) = answer(http().get(observed.url("/"))).await;
    assert_eq!(status, 200, "{page}");
    for shown in [
        env!("CARGO_PKG_VERSION"),
        "DuckDB 1.",
        "up for ",
        ">numbers<",
        ">1000<",
        kept.id(),
        &query.query_id,
        "Hit rate",
        "&lt;script&gt;alert(1)",
        "&quot;&gt;&lt;script&gt;alert(2)",
        "<button>Cancel</button>",
    ] {
        assert!(page.contains(shown), "{shown} is not in {page}");
    }
    assert!(!page.contains("<script") && !page.contains("and more"), "{page}");
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert_eq!(
        (&headers["cache-control"], &headers["x-content-type-options"]),
        (&"no-store".parse().unwrap(), &"nosniff".parse().unwrap())
    );
    running.abort();
    all_ended(&client).await;
    let (status, _, style) = answer(http().get(observed.url("/status.css"))).await;
    assert!(status == 200 && style.contains("prefers-color-scheme: dark"), "{style}");
}

#[tokio::test]
async fn a_query_is_cancelled_by_a_form_of_the_page_and_by_no_other() {
    let observed = Observed::start(&[]).await;
    let client = observed.server.client().await;
    let running = in_background(&client, ENDLESS_SUM, Parameters::new());
    query_in(QueryPhase::Running, &client, ENDLESS_SUM).await;
    let (_, _, page) = answer(http().get(observed.url("/"))).await;
    let (query, mark) = (hidden(&page, "query").unwrap(), hidden(&page, "mark").unwrap());
    let cancel = async |fields: &[(&str, &str)]| {
        let form: HashMap<_, _> = fields.iter().copied().collect();
        answer(http().post(observed.url("/cancel")).form(&form)).await
    };
    for forged in [
        &[("query", &*query)][..],
        &[("query", &query), ("mark", "")],
        &[("query", &query), ("mark", "AAAA")],
    ] {
        let (status, _, said) = cancel(forged).await;
        assert_eq!(status, 403, "{said}");
    }
    let (status, _, said) = cancel(&[("query", "<canary>"), ("mark", &mark)]).await;
    assert!(status == 409 && said.contains("&lt;canary&gt;"), "{status}: {said}");
    assert_eq!(answer(http().get(observed.url("/cancel"))).await.0, 405);
    let long = "x".repeat(100 << 10);
    assert_eq!(cancel(&[("query", &long), ("mark", &mark)]).await.0, 413);
    assert_eq!(client.queries().await.unwrap().len(), 1, "none of these cancelled it");

    let (status, headers, said) = cancel(&[("query", &query), ("mark", &mark)]).await;
    assert_eq!((status, headers["location"].to_str().unwrap()), (303, "/"), "{said}");
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Reason::Cancelled));
}

#[tokio::test]
async fn the_page_needs_the_token_where_one_is_set_and_the_probes_do_not() {
    let observed = Observed::start_with_variables(&[("POLARWAY_AUTH_TOKEN", "canary-token")], &[]).await;
    let get = || http().get(observed.url("/"));
    for (request, why) in [
        (get(), "none"),
        (get().bearer_auth("canary"), "a prefix"),
        (get().basic_auth("canary-token", Some("wrong")), "as the name"),
        (get().basic_auth("canary-token", None::<&str>), "no password"),
        (get().header("authorization", "Basic %%%"), "no base64"),
    ] {
        let (status, headers, page) = answer(request).await;
        assert_eq!(status, 401, "{why}: {page}");
        assert!(headers["www-authenticate"].to_str().unwrap().starts_with("Basic realm="), "{why}");
        assert!(!page.contains("canary") && !page.contains("Datasets"), "{why}: {page}");
    }
    let (status, _, page) = answer(get().basic_auth("anybody", Some("canary-token"))).await;
    assert!(status == 200 && page.contains("you are owner"), "{page}");
    assert_eq!(answer(get().bearer_auth("canary-token")).await.0, 200);
    assert!(!page.contains("canary"), "{page}");
    let mark = [("query", "x"), ("mark", "x")];
    assert_eq!(answer(http().post(observed.url("/cancel")).form(&mark)).await.0, 401);
    for path in ["/metrics", "/healthz"] {
        assert_eq!(observed.page(path).await.0, 200, "{path}");
    }
    assert!(!observed.server.log().contains("canary"), "{}", observed.server.log());
}

#[tokio::test]
async fn a_caller_sees_his_own_and_cancels_what_he_may() {
    let made = |name: &str, role, read: &[&str]| {
        let read = read.iter().map(|pattern| (*pattern).to_owned()).collect();
        NewToken { name: name.to_owned(), role, read, write: Vec::new(), expires: None }.make().unwrap()
    };
    let (root, ada) = (made("root", Role::Admin, &[]), made("ada", Role::Reader, &["public*"]));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("tokens.toml");
    std::fs::write(&file, format!("{}\n{}", root.entry, ada.entry)).unwrap();
    let observed = Observed::start(&["--auth-file", file.to_str().unwrap(), "--slow-query", "1us"]).await;
    let client = client_of(observed.server.url()).token(root.token.reveal()).connect().await.unwrap();
    client.store("public_numbers", numbers(0..3)).await.unwrap();
    client.store("canary_numbers", numbers(0..3)).await.unwrap();
    let running = in_background(&client, ENDLESS_SUM, Parameters::new());
    query_in(QueryPhase::Running, &client, ENDLESS_SUM).await;
    client.query("SELECT 'canary'").await.unwrap();
    client.query_handle("FROM canary_numbers").await.unwrap();

    let page = async |token: &str| answer(http().get(observed.url("/")).bearer_auth(token)).await.2;
    let of_ada = page(ada.token.reveal()).await;
    assert!(of_ada.contains("you are ada") && of_ada.contains("public_numbers"), "{of_ada}");
    for hidden in ["canary", ENDLESS_SUM, "<button>", "h_"] {
        assert!(!of_ada.contains(hidden), "{hidden} is in {of_ada}");
    }
    let of_root = page(root.token.reveal()).await;
    assert!(of_root.contains("canary_numbers") && of_root.contains("<button>"), "{of_root}");
    // One caller can't use the form of another, and the access check refuses it as well.
    let form = [("query", hidden(&of_root, "query").unwrap()), ("mark", hidden(&of_root, "mark").unwrap())];
    let stolen = http().post(observed.url("/cancel")).bearer_auth(ada.token.reveal()).form(&form);
    assert_eq!(answer(stolen).await.0, 403);
    assert!(!running.is_finished());
    running.abort();
    until("the end of the query", async || client.queries().await.unwrap().is_empty().then_some(())).await;
}

#[tokio::test]
async fn without_tokens_the_page_is_not_shown_by_a_name_that_may_be_a_strangers() {
    let observed = Observed::start(&[]).await;
    let by = async |host: &str| answer(http().get(observed.url("/")).header("host", host)).await.0;
    assert_eq!(by("rebound.example:9090").await, 403);
    assert_eq!((by("localhost:9090").await, by("worker-1").await, by("[::1]:9090").await), (200, 200, 200));
    let metrics = http().get(observed.url("/metrics")).header("host", "polarway.example");
    assert_eq!(answer(metrics).await.0, 200, "there is nothing of users in them");
}
