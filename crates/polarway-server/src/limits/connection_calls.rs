//! The calls of one connection: those that are open, and those that its client cancelled.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The most calls that a client may cancel within [`WINDOW`].
const MOST_GIVEN_UP: u32 = 2_000;

/// The time in which cancelled calls are counted. To begin a call and cancel it at once costs the client nothing, but the server
/// has work.
const WINDOW: Duration = Duration::from_secs(10);

/// What a call knows about its connection.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) calls: ConnectionCalls,
}

/// The calls of one connection. Clones share them.
#[derive(Clone)]
pub(crate) struct ConnectionCalls(Arc<Mutex<State>>);

struct State {
    open: usize,
    /// When the last one ended.
    idle_since: Instant,
    given_up: u32,
    /// When that count began.
    counted_since: Instant,
}

/// A call that is open on a connection.
pub(crate) struct CallOfConnection {
    calls: ConnectionCalls,
    has_ended: bool,
}

impl ConnectionCalls {
    /// For a new connection.
    pub(crate) fn none() -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(State { open: 0, idle_since: now, given_up: 0, counted_since: now })))
    }

    /// Counts a call that begins.
    pub(crate) fn begin(&self) -> CallOfConnection {
        self.0.lock().open += 1;
        CallOfConnection { calls: self.clone(), has_ended: false }
    }

    /// Since when the connection has had no call; `None` while it has one.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let state = self.0.lock();
        (state.open == 0).then_some(state.idle_since)
    }

    /// Whether its client cancelled so many calls that it must be on purpose.
    pub(crate) fn are_abused(&self) -> bool {
        self.0.lock().given_up > MOST_GIVEN_UP
    }
}

impl CallOfConnection {
    /// The call has ended by itself. Its client did not cancel it.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
    }
}

impl Drop for CallOfConnection {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.calls.0.lock();
        state.open -= 1;
        state.idle_since = now;
        if !self.has_ended {
            if now - state.counted_since >= WINDOW {
                (state.given_up, state.counted_since) = (0, now);
            }
            state.given_up += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_idle_without_calls_and_abused_by_many_that_are_given_up() {
        let calls = ConnectionCalls::none();
        assert!(calls.idle_since().is_some());
        let call = calls.begin();
        assert!(calls.idle_since().is_none());
        drop(call);
        for _ in 0..3 * MOST_GIVEN_UP {
            calls.begin().end();
        }
        assert!(calls.idle_since().is_some() && !calls.are_abused());
        for _ in 0..MOST_GIVEN_UP {
            drop(calls.begin());
        }
        assert!(calls.are_abused());
    }
}
