//! What the tests share.

mod proxy;
mod server;
mod tables;
mod wire;

pub(crate) use proxy::{Break, Proxy};
pub(crate) use server::Server;
pub(crate) use tables::{numbers, same, sum_of, wide};
pub(crate) use wire::{Upload, raw, reason_of};
