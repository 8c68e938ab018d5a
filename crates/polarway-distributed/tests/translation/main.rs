//! Translated plans give DuckDB's answers, or are refused by name.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;
mod collected;
mod corpus;
mod engines;
mod executors;
mod grouping_sets;
mod kinds;
mod nested;
mod parameters;
mod random;
mod spread;
#[path = "../../../polarway-core/tests/answers/statements.rs"]
mod statements;
#[path = "../../../polarway-query/tests/support/mod.rs"]
mod support;
mod totals;
mod tpc;
#[path = "../distributed/support.rs"]
mod workers;
mod zoned;
