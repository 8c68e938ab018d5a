//! Handles that are read this moment: they don't expire under their readers.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use polarway_handles::{Handle, HandleId, HandleStore};
use polarway_storage::{Clock as _, SystemClock};

use crate::error::{Error, ErrorKind, Result};

/// How often handles that are in use are looked at. It is also the shortest time to live that a long read survives.
const TICK: Duration = Duration::from_millis(100);

/// How often handles in memory that have expired are looked for.
const TIDYING: Duration = Duration::from_secs(10);

/// The handles in use, and the thread that puts off their expiry and ends those that nobody uses. Dropping it ends the
/// thread.
pub(crate) struct InUse(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    uses: HashMap<HandleId, Used>,
    is_closed: bool,
}

struct Used {
    count: usize,
    /// When its lease should be renewed: microseconds since 1970-01-01 UTC.
    due_us: i64,
}

/// Somebody reads a handle.
pub(crate) struct Use {
    shared: Arc<Shared>,
    id: HandleId,
}

impl InUse {
    pub(crate) fn start(store: Arc<dyn HandleStore>, tidies: bool) -> Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let watch = Watch { shared: Arc::clone(&shared), store, tidies };
        std::thread::Builder::new().name("polarway-handles".to_owned()).spawn(move || watch.run()).map_err(
            |error| {
                Error::new(ErrorKind::ResourceExhausted, "can't start the thread of handles").caused_by(error)
            },
        )?;
        Ok(Self(shared))
    }

    /// Keeps a handle until the use is dropped.
    pub(crate) fn begin(&self, handle: &Handle) -> Use {
        let mut state = self.0.lock();
        let used = state.uses.entry(handle.id).or_insert(Used { count: 0, due_us: due_us(handle) });
        used.count += 1;
        self.0.changed.notify_one();
        Use { shared: Arc::clone(&self.0), id: handle.id }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_one();
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if let Some(used) = state.uses.get_mut(&self.id) {
            used.count -= 1;
            if used.count == 0 {
                state.uses.remove(&self.id);
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Watch {
    shared: Arc<Shared>,
    store: Arc<dyn HandleStore>,
    /// Whether it ends handles that expired, where nobody else does.
    tidies: bool,
}

impl Watch {
    fn run(&self) {
        let mut tidied = Instant::now();
        while self.wait() {
            self.renew();
            if self.tidies && tidied.elapsed() >= TIDYING {
                tidied = Instant::now();
                // The store is in memory: it has nothing to fail with.
                let _ = self.store.tidy();
            }
        }
    }

    /// A tick, or much longer while nothing is in use; `false` when the engine is gone.
    fn wait(&self) -> bool {
        let state = self.shared.lock();
        if state.is_closed {
            return false;
        }
        let pause = if state.uses.is_empty() { TIDYING } else { TICK };
        let waited = self.shared.changed.wait_timeout(state, pause);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_closed
    }

    fn renew(&self) {
        let now_us = SystemClock.now_us();
        let due: Vec<HandleId> = {
            let state = self.shared.lock();
            state.uses.iter().filter(|(_, used)| used.due_us <= now_us).map(|(id, _)| *id).collect()
        };
        for id in due {
            let renewed = self.store.touch(id);
            if let Some(used) = self.shared.lock().uses.get_mut(&id) {
                used.due_us = match &renewed {
                    Ok(handle) => due_us(handle),
                    // Dropped, or the storage failed: the reader goes on, and a later tick tries again.
                    Err(_) => now_us + 1_000_000,
                };
            }
        }
    }
}

/// When two thirds of a handle's time have passed: then to use it renews it also where that is a commit.
fn due_us(handle: &Handle) -> i64 {
    handle.lease.expires_us.saturating_sub(handle.lease.ttl_us / 3)
}
