//! The limits of a server for one caller, one address, and all of them together.

mod addresses;
mod connection_calls;
mod in_flight;

use std::time::Duration;

pub(crate) use addresses::{AddressPlace, Addresses};
pub(crate) use connection_calls::{CallOfConnection, ConnectionCalls, Peer};
use in_flight::subscriber;
pub(crate) use in_flight::{InFlight, Place};

/// The limits of a server: plain data. [`Limits::default`] suits a public network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most calls in flight.
    pub calls: usize,
    /// The most calls in flight of one caller. Without tokens, all clients at one address are one caller.
    pub calls_per_caller: usize,
    /// The most calls at a time on one connection. HTTP/2 lets the client wait.
    pub calls_per_connection: u32,
    /// The most bytes of one caller's uploads that have arrived and that the engine has not taken yet. `None` is half of the
    /// memory that all uploads and loads share.
    pub upload_bytes_per_caller: Option<u64>,
    /// The largest chunk of a table in a message of an upload, in bytes; at most 64 MiB, which is what the protocol allows.
    pub chunk_bytes: usize,
    /// The most connections of one address; with IPv6, of one /64 network.
    pub connections_per_address: usize,
    /// How long a client may take to connect: the handshake of TLS, and the first bytes of HTTP/2.
    pub handshake: Duration,
    /// How long a connection may be open without a call; `None` is without limit.
    pub idle: Option<Duration>,
    /// How long a connection may be silent before the server sends a ping to its client.
    pub keepalive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 8192,
            calls_per_caller: 2048,
            calls_per_connection: 1024,
            upload_bytes_per_caller: None,
            chunk_bytes: 64 << 20,
            connections_per_address: 2048,
            handshake: Duration::from_secs(10),
            idle: Some(Duration::from_secs(30 * 60)),
            keepalive: Duration::from_secs(10),
        }
    }
}
