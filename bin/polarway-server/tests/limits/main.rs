//! The limits of a real server process for one client: above a limit it gets an error, and the others are served.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../network/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests of the network use the rest")]
mod support;

mod connections;
mod floods;
mod idle_connections;
mod in_flight;
mod messages;
mod others;
mod slow_readers;
