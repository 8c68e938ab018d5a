//! How a server is set up: plain data.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How a server is set up. Build one with [`ServerConfig::new`] and change what should differ.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Where it listens; port 0 picks a free one.
    pub bind: SocketAddr,
    /// The engine behind it.
    pub engine: polarway_core::Config,
    /// How many connections there may be at a time; at most half as many as this process may have files open.
    pub connections: usize,
    /// For how long an upload may bring nothing, not even a heartbeat, before it is given up; and how long the request of
    /// any other call may take to arrive.
    pub upload_silence: Duration,
    /// How long what is running may take to finish once the server is told to end.
    pub shutdown_grace: Duration,
}

impl ServerConfig {
    /// A server on all addresses, port 50052, over an engine whose files lie under `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 50052)),
            engine: polarway_core::Config::new(data_dir),
            connections: 4096,
            upload_silence: Duration::from_secs(60),
            shutdown_grace: Duration::from_secs(30),
        }
    }
}
