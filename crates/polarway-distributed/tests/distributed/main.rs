//! Queries over several workers, each with a port of its own.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod endings;
mod limits;
mod losses;
mod memory;
mod process;
mod readers;
mod refusals;
mod support;
