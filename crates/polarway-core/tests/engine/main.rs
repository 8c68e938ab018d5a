//! The embedded engine, used as a program uses it.

mod support;

mod bad_input;
mod bounded;
mod fidelity;
mod loading;
mod sharing;
mod sql;
mod storing;
