//! Several real workers behind real load balancers, with the files of `deploy/`.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../operate/collector.rs"]
#[allow(dead_code, reason = "the tests of operation use the rest")]
mod collector;
mod support;

mod calls;
mod chaos;
mod deaths;
mod kept;
mod results;
mod rolling;
mod shared;
mod together;
