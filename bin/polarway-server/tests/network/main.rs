//! A real server process, seen through the network.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod bounds;
mod cuts;
mod deaths;
mod fidelity;
mod malformed;
mod process;
mod protocol;
mod racing;
mod refusals;
