//! What every store of handles does, whatever it keeps them in.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance;
mod external;
#[path = "../../../polarway-storage/tests/storage/support/forward.rs"]
mod forward;
#[path = "../../../polarway-storage/tests/storage/support/given.rs"]
mod given;
mod memory;
mod storage;
mod support;
#[path = "../../../polarway-storage/tests/storage/support/timed.rs"]
mod timed;
