//! Handles that are read this moment: they don't expire under their readers.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use polarway_handles::{Handle, HandleId, HandleStore};

use crate::error::{Error, ErrorKind, Result};

/// How often handles that are in use are looked at. It is also the shortest time to live that a long read survives.
const TICK: Duration = Duration::from_millis(100);

/// When a handle is looked at again that could not be.
const RETRY: Duration = Duration::from_secs(1);

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
    /// When its lease should be looked at again; `None` is never.
    due: Option<Instant>,
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
        let used = state.uses.entry(handle.id).or_insert(Used { count: 0, due: due(handle) });
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
        let now = Instant::now();
        let due_ids: Vec<HandleId> = {
            let state = self.shared.lock();
            let is_due = |used: &Used| used.due.is_some_and(|due| due <= now);
            state.uses.iter().filter(|(_, used)| is_due(used)).map(|(id, _)| *id).collect()
        };
        for id in due_ids {
            let renewed = self.store.touch(id);
            if let Some(used) = self.shared.lock().uses.get_mut(&id) {
                used.due = match &renewed {
                    Ok(handle) => due(handle),
                    // Dropped, or the storage failed: the reader goes on, and a later tick tries again.
                    Err(_) => Some(now + RETRY),
                };
            }
        }
    }
}

/// When a handle that was looked at just now should be looked at again. A look leaves half of its time at least, so a sixth
/// later there is a third. Times that pass are no matter of what a clock says: it may differ from the one of the lease.
fn due(handle: &Handle) -> Option<Instant> {
    Instant::now().checked_add(handle.lease.ttl() / 6)
}
