//! Who may connect to a real server process, and what a caller may do there.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../network/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests of the network use the rest")]
mod support;

mod auth_audit;
mod auth_file;
mod auth_issuer;
mod auth_jwt;
mod auth_leaks;
mod auth_methods;
mod auth_one_token;
mod auth_raw;
mod auth_support;
mod tls_certificates;
mod tls_page;
mod tls_peers;
mod tls_refusals;
mod tls_reload;
mod tls_serving;
mod tls_start;
mod tls_strangers;
mod tls_workers;
