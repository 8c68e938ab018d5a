//! Keeps handles from expiring while they are read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use polarway_handles::{Handle, HandleId, HandleStore};
use polarway_storage::{Clock, Rounds};

use crate::error::{Error, ErrorKind, Result};

/// The shortest pause between two checks. Reads of handles with a shorter time to live may fail.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// When renewing a handle is tried again after it failed.
const RETRY: Duration = Duration::from_secs(1);

/// How often expired handles in memory are removed.
const TIDYING: Duration = Duration::from_secs(10);

/// The handles in use, and the thread that renews them and removes expired ones. Dropping it ends the thread.
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
    /// When the thread checks next; `None` if only when it is woken.
    next_look: Option<Instant>,
}

struct Used {
    count: usize,
    /// When its lease should be renewed next; `None` is never.
    due: Option<Instant>,
}

/// Somebody reads a handle: it does not expire until this is dropped.
pub(crate) struct Use {
    uses: Arc<Uses>,
    id: HandleId,
}

impl InUse {
    /// Starts the thread. It also removes expired handles of a store that is not shared: no janitor does.
    pub(crate) fn start(store: Arc<dyn HandleStore>, clock: Arc<dyn Clock>) -> Result<Self> {
        let tidying = (!store.is_shared()).then_some(TIDYING);
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

    /// Keeps a handle from expiring until the result is dropped.
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
    /// When a handle that was just renewed should be renewed next. At least half of its time is left after a renewal, so a
    /// third is left when a sixth has passed. The time is measured, and not compared with the lease, which another clock made.
    fn due(&self, handle: &Handle) -> Option<Instant> {
        self.clock.instant().checked_add(handle.lease.ttl() / 6)
    }
}

/// The state of the thread.
struct Watch {
    uses: Arc<Uses>,
    store: Arc<dyn HandleStore>,
    /// When expired handles are removed next, if this thread does that.
    tidy_at: Option<Instant>,
}

impl Watch {
    /// Renews and removes what is due, and returns the pause until something is due again.
    fn look(&mut self) -> Option<Duration> {
        let now = self.uses.clock.instant();
        self.renew(now);
        if self.tidy_at.is_some_and(|tidy_at| tidy_at <= now) {
            self.tidy_at = Some(now + TIDYING);
            // The store is in memory, where this can't fail.
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
                // It was dropped, or the storage failed. The reader goes on, and it is tried again later.
                Err(_) => Some(now + RETRY),
            };
            if let Some(used) = self.uses.state.lock().by_id.get_mut(&id) {
                used.due = due;
            }
        }
    }
}
