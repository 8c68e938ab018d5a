//! The same answers as DuckDB: on the tables of nycflights13 as DuckDB gives them over the files, and on TPC-H as published.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod difference;
mod nycflights;
mod statements;
mod stored;
mod tpch;
