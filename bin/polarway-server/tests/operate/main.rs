//! What an operator sees of a real server process: metrics, probes, logs, traces.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../network/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests of the network use the rest")]
mod support;

mod browser;
mod collector;
mod observed;

mod drain;
mod http_port;
mod logs;
mod metrics;
mod probes;
mod status_in_a_browser;
mod status_page;
mod traces;
