//! What the tests share.

mod answers;
mod proxy;
mod queries;
mod server;
mod strace;
mod tables;
mod troubled;
mod wire;

pub(crate) use answers::{refused, rows_of};
pub(crate) use proxy::{Break, Proxy};
pub(crate) use queries::{ENDLESS_SUM, all_ended, in_background, query_in, until};
pub(crate) use server::Server;
pub(crate) use strace::FileCalls;
pub(crate) use tables::{numbers, same, sum_of, wide};
pub(crate) use troubled::{Trouble, Troubled};
pub(crate) use wire::{Upload, ask, channel, raw, reason_of};
