//! The same answers as DuckDB: on the tables of nycflights13 as DuckDB gives them over the files, and on TPC-H as published.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod difference;
#[path = "../../../polarway-storage/tests/storage/support/forward.rs"]
mod forward;
#[path = "../../../polarway-storage/tests/storage/support/given.rs"]
mod given;
mod nycflights;
mod statements;
mod stored;
mod tpch;
#[path = "../../../polarway-storage/tests/storage/support/watched.rs"]
mod watched;
