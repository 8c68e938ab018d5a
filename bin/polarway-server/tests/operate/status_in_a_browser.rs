//! The status page in a real browser, in light and in dark.

use std::path::Path;

use polarway_client::{ErrorKind, Parameters, QueryPhase, Reason};
use polarway_testing::not_run;

use crate::browser::Browser;
use crate::observed::Observed;
use crate::support::{ENDLESS_SUM, client_of, in_background, numbers, query_in};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_the_page_in_light_and_dark_and_cancels_a_query_with_its_button() {
    let Some(mut browser) = Browser::start() else {
        return not_run("there is no Chromium (on Debian: apt-get install chromium)");
    };
    let variables = [("POLARWAY_AUTH_TOKEN", "canary-token")];
    let observed = Observed::start_with_variables(&variables, &["--slow-query", "1us"]).await;
    let client = client_of(observed.server.url()).token("canary-token").connect().await.unwrap();
    for name in ["flights", "weather", "eu.trades"] {
        client.store(name, numbers(0..100_000)).await.unwrap();
        client.load(name).await.unwrap();
    }
    client.load("flights").await.unwrap();
    let _kept = client.query_handle("SELECT n % 7 AS day, count(*) FROM flights GROUP BY day").await.unwrap();
    client.query("SELECT '<img src=x onerror=\"document.title=1\">' AS attack").await.unwrap();
    let running = in_background(&client, ENDLESS_SUM, Parameters::new());
    query_in(QueryPhase::Running, &client, ENDLESS_SUM).await;
    let url = format!("http://{}/", observed.http_address());

    browser.send_token("canary-token");
    let mut backgrounds = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        browser.open(&url);
        backgrounds.push(browser.value("getComputedStyle(document.body).backgroundColor"));
        assert_eq!(browser.value("document.querySelector('h1').textContent"), "Polarway");
        assert_eq!(browser.value("document.title"), "Polarway", "no data became a script");
        assert_eq!(browser.value("document.querySelectorAll('img, script').length"), 0);
        assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth"), true, "it fits");
        browser.picture(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("status-{scheme}.png")));
    }
    assert_ne!(backgrounds[0], backgrounds[1]);

    // A click, as by an operator. It leads back to the page, which no longer shows the query.
    assert_eq!(browser.value("document.querySelectorAll('button').length"), 1);
    browser.value("document.querySelector('button').click()");
    browser.loaded();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Reason::Cancelled));
    assert_eq!(browser.value("location.pathname"), "/");
    assert_eq!(browser.complaints, Vec::<String>::new());
}
