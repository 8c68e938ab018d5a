//! Ports that stay free while a worker is down.

use std::net::TcpListener;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use anyhow::{Context as _, Result};

/// Below those that the kernel gives to outgoing connections: one of these could take the port of a worker that is down.
const FIRST: u32 = 15_000;
const COUNT: u32 = 17_000;

/// A port of this machine that nobody listens on, and that the kernel gives to nobody by itself.
///
/// # Errors
/// All are taken.
pub fn free_port() -> Result<u16> {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Processes that look at the same time begin at different places.
    let nanos = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.subsec_nanos());
    let begin = process::id().wrapping_mul(7919).wrapping_add(nanos / 1000);
    (0..COUNT)
        .map(|_| FIRST + begin.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no port is free")
}
