//! A real server process over buckets of real servers, through a network that fails.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../network/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests of the network use the rest")]
mod support;

#[path = "../operate/observed.rs"]
#[allow(dead_code, reason = "the tests of operation use the rest")]
mod observed;
mod place;

mod killed_over_buckets;
mod lost_buckets;
mod stalling_buckets;
