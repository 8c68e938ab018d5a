//! The queries that wait and run: which may run, for how long, and what stops them.

pub(crate) mod activity;
pub(crate) mod admission;
pub(crate) mod control;
mod fair;
pub(crate) mod registry;
pub(crate) mod seat;
pub(crate) mod threads;
pub(crate) mod watch;
