//! Pages of the documentation that are made from definitions. `UPDATE_DOCS=1` writes them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::Path;

use polarway_proto::{Reason, Retry};
use polarway_server::{metrics, settings};

#[track_caller]
fn check(page: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let present = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(present == made, "{page} is not current: run this test with UPDATE_DOCS=1");
}

#[test]
fn the_reference_of_settings_is_that_of_their_definitions() {
    check("docs/configuration.md", &settings::reference());
}

#[test]
fn the_list_of_metrics_is_that_of_their_definitions() {
    check("docs/metrics.md", &metrics::reference());
}

#[test]
fn the_list_of_reasons_is_that_of_their_definitions() {
    let mut page = String::from(INTRODUCTION);
    for reason in Reason::ALL {
        let again = match reason.retry() {
            Retry::Yes | Retry::WhenFree => "yes",
            Retry::No => "no",
        };
        writeln!(page, "| `{reason}` | {:?} | {again} | {} |", reason.code(), reason.about()).unwrap();
    }
    check("docs/errors.md", &page);
}

#[test]
fn clients_of_all_languages_find_every_reason_with_its_code_and_whether_to_retry() {
    let reasons = Reason::ALL.iter().map(|reason| {
        let (retry, busy) = (reason.retry().may_help(), reason.retry() == Retry::WhenFree);
        format!(
            "  {{\"reason\": \"{reason}\", \"code\": {}, \"code_name\": \"{:?}\", \"retry\": {retry}, \"busy\": {busy}}}",
            reason.code() as i32,
            reason.code()
        )
    });
    let reasons = reasons.collect::<Vec<_>>().join(",\n");
    check("proto/cases/reasons.json", &format!("[\n{reasons}\n]\n"));
}

const INTRODUCTION: &str = "\
# Why calls fail

The status of a failed call carries a `google.rpc.ErrorInfo` with the domain `polarway` and one of these reasons, and a
`google.rpc.RetryInfo` where the server knows how long to wait. The message says what is wrong, with the offending name or
value, and what to do. The Rust client gives the reason as `Error::reason()`, and tries again by itself what is marked so,
inside its deadline. This page is made from the reasons' definitions.

| reason | gRPC code | tried again | what it means, and what to do |
|---|---|---|---|
";
