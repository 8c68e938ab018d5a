//! The files of `deploy/`: what they name is there, the programs that read them accept them, and containers come up with them.
//!
//! Those that need more than `cargo xtask test` installs are ignored; `cargo xtask test --containers` runs them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod accepted;
mod certificates;
mod containers;
mod names;
mod promised;
mod scraped;
