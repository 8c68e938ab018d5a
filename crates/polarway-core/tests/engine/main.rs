//! The embedded engine, used as a program uses it.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../polarway-storage/tests/storage/support/forward.rs"]
mod forward;
#[path = "../../../polarway-storage/tests/storage/support/given.rs"]
mod given;
mod support;
#[path = "../../../polarway-storage/tests/storage/support/timed.rs"]
mod timed;
#[path = "../../../polarway-storage/tests/storage/support/watched.rs"]
mod watched;

mod access;
mod adopted;
mod bad_input;
mod bounded;
mod buckets;
mod components;
mod damage;
mod dictionaries;
mod documented_sql;
mod fidelity;
mod folders;
mod handle_loads;
mod handles;
mod loading;
mod metrics;
mod nan;
mod nanoseconds;
mod pieces;
mod quotas;
mod ranges;
mod result_types;
mod sharing;
mod sql;
mod storing;
mod supposing;
