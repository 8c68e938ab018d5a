//! Versioned tables against real storages, one sentence of the protocol at a time.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod adopted;
mod bad_input;
mod bucket_answers;
mod bucket_loads;
mod buckets;
mod caching;
mod clocks;
mod conformance;
mod dictionaries;
mod disk_space;
mod faults;
mod foreign;
mod history;
mod kills;
mod listing;
mod model;
mod peers;
mod races;
mod ranges;
mod retention;
mod selection;
mod staged;
mod statistics;
mod tidying;
