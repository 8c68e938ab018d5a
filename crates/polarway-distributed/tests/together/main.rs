//! Whole engines over one folder, which run queries with each other.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod adopted;
mod answers;
mod choice;
mod endings;
mod kept;
mod rights;
mod support;
