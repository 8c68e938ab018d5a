//! A real server process, seen through the network.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod alive;
mod attacks;
mod bounds;
mod broken;
mod compressed;
mod cuts;
mod deaths;
mod door;
mod every_method;
mod fidelity;
mod handles;
mod idle;
mod malformed;
mod meaning;
mod memory;
mod parameters;
mod pinned;
mod process;
mod protocol;
mod queries;
mod racing;
mod refusals;
mod scenarios;
mod stalled;
mod state;
mod statements;
