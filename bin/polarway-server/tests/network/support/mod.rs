//! What the tests share.

use std::time::Duration;

use polarway_client::{Builder, DistributedClient};

mod answers;
mod methods;
mod proxy;
mod queries;
mod scattered;
mod server;
mod strace;
mod tables;
mod troubled;
mod wire;

/// How long a call or a process may take for what takes it a moment, on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A client that is patient.
pub(crate) fn client_of(url: String) -> Builder {
    DistributedClient::builder().url(url).timeout(PATIENCE)
}

pub(crate) use answers::{refused, rows_of};
#[allow(unused_imports, reason = "not every target that has this folder uses all of it")]
pub(crate) use methods::{Client, Subject, call, client_over};
pub(crate) use proxy::{Break, Proxy};
pub(crate) use queries::{ENDLESS_SUM, all_ended, in_background, query_in, until};
pub(crate) use scattered::scattered;
pub(crate) use server::Server;
pub(crate) use strace::FileCalls;
pub(crate) use tables::{numbers, same, sum_of, wide};
pub(crate) use troubled::{Nobody, Trouble, Troubled};
pub(crate) use wire::{Upload, ask, channel, raw, reason_of};
