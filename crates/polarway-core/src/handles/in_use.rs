//! Handles that are read this moment: they don't expire under their readers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use polarway_handles::{Handle, HandleId, HandleStore};
use polarway_storage::{Clock, Rounds};

use crate::error::{Error, ErrorKind, Result};

/// The shortest pause between two looks at handles in use. It is also the shortest time to live that a long read survives.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// When a handle is looked at again that could not be.
const RETRY: Duration = Duration::from_secs(1);

/// How often handles in memory that have expired are looked for.
const TIDYING: Duration = Duration::from_secs(10);

/// The handles in use, and the thread that puts off their expiry and ends those that nobody uses. Dropping it ends the
/// thread.
pub(crate) struct InUse {
    uses: Arc<Uses>,
    thread: Rounds,
}

struct Uses {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    by_id: HashMap<HandleId, Used>,
    /// When the thread looks next; `None` is when it is woken.
    next_look: Option<Instant>,
}

struct Used {
    count: usize,
    /// When its lease should be looked at again; `None` is never.
    due: Option<Instant>,
}

/// Somebody reads a handle.
pub(crate) struct Use {
    uses: Arc<Uses>,
    id: HandleId,
}

impl InUse {
    /// Starts the thread. It ends handles that have expired if it `tidies`, for a store where nobody else does.
    pub(crate) fn start(store: Arc<dyn HandleStore>, tidies: bool, clock: Arc<dyn Clock>) -> Result<Self> {
        let tidying = tidies.then_some(TIDYING);
        let next_look = tidying.map(|pause| clock.instant() + pause);
        let state = Mutex::new(State { next_look, ..State::default() });
        let uses = Arc::new(Uses { clock: Arc::clone(&clock), state });
        let mut watch = Watch { uses: Arc::clone(&uses), store, tidy_at: next_look };
        let thread =
            Rounds::start("polarway-handles", clock, tidying, move |_| watch.look()).map_err(|error| {
                Error::new(ErrorKind::ResourceExhausted, "can't start the thread of handles").caused_by(error)
            })?;
        Ok(Self { uses, thread })
    }

    /// Keeps a handle until the use is dropped.
    pub(crate) fn begin(&self, handle: &Handle) -> Use {
        let due = self.uses.due(handle);
        let mut state = self.uses.state.lock();
        state.by_id.entry(handle.id).or_insert(Used { count: 0, due }).count += 1;
        let is_too_late = |next: Instant| due.is_some_and(|due| due < next);
        if state.next_look.map_or(due.is_some(), is_too_late) {
            self.thread.wake();
        }
        Use { uses: Arc::clone(&self.uses), id: handle.id }
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let mut state = self.uses.state.lock();
        if let Some(used) = state.by_id.get_mut(&self.id) {
            used.count -= 1;
            if used.count == 0 {
                state.by_id.remove(&self.id);
            }
        }
    }
}

impl Uses {
    /// When a handle that was looked at just now should be looked at again. A look leaves half of its time at least, so a
    /// sixth later there is a third. This goes by time that passes, and not by what a clock shows: that may differ from the
    /// clock of the lease.
    fn due(&self, handle: &Handle) -> Option<Instant> {
        self.clock.instant().checked_add(handle.lease.ttl() / 6)
    }
}

/// What the thread works with.
struct Watch {
    uses: Arc<Uses>,
    store: Arc<dyn HandleStore>,
    /// When handles that have expired are looked for next, where that is to be done.
    tidy_at: Option<Instant>,
}

impl Watch {
    /// Looks at what is due, and says for how long nothing is.
    fn look(&mut self) -> Option<Duration> {
        let now = self.uses.clock.instant();
        self.renew(now);
        if self.tidy_at.is_some_and(|tidy_at| tidy_at <= now) {
            self.tidy_at = Some(now + TIDYING);
            // The store is in memory: it has nothing to fail with.
            let _ = self.store.tidy();
        }
        let mut state = self.uses.state.lock();
        let dues = state.by_id.values().filter_map(|used| used.due);
        let next = dues.chain(self.tidy_at).min();
        state.next_look = next.map(|next| next.max(now + SHORTEST_PAUSE));
        state.next_look.map(|next| next.saturating_duration_since(self.uses.clock.instant()))
    }

    fn renew(&self, now: Instant) {
        let due_ids: Vec<HandleId> = {
            let state = self.uses.state.lock();
            let is_due = |used: &Used| used.due.is_some_and(|due| due <= now);
            state.by_id.iter().filter(|(_, used)| is_due(used)).map(|(id, _)| *id).collect()
        };
        for id in due_ids {
            let due = match self.store.touch(id) {
                Ok(handle) => self.uses.due(&handle),
                // Dropped, or the storage failed: the reader goes on, and a later look tries again.
                Err(_) => Some(now + RETRY),
            };
            if let Some(used) = self.uses.state.lock().by_id.get_mut(&id) {
                used.due = due;
            }
        }
    }
}
