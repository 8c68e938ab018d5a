//! Handles whose rows one worker's query engine holds in memory: this module keeps track of them.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;
use parking_lot::Mutex;
use polarway_model::HandleId;
use polarway_storage::{Clock, Lease};

use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::store::HandleStore;

/// How many ended handles are remembered, to report how they ended.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Part of the message when a handle is unknown: it may be on another worker.
const HINT: &str = " on this worker. Handles are kept in memory, each on the worker that made it alone; with \
                    `--handle-store external` any worker serves them";

/// Removes the table with this name, which holds a handle's rows. Readers that have started can finish.
pub type RemoveTable = Box<dyn Fn(&str) + Send + Sync>;

/// Whether the table with this name still exists: an engine that is opened again loses all kept tables.
pub type HasTable = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// Handles of one process. They are gone when it ends.
pub struct MemoryHandles {
    clock: Arc<dyn Clock>,
    /// How many bytes all of them may take together.
    budget: u64,
    remove_table: RemoveTable,
    has_table: HasTable,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    kept: BTreeMap<HandleId, Kept>,
    ended: LruCache<HandleId, Ending>,
}

#[derive(Debug)]
struct Kept {
    handle: Handle,
    /// The table that holds its rows.
    table: String,
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Expired,
    Dropped,
    Lost,
}

impl Ending {
    fn error(self, id: HandleId) -> Error {
        match self {
            Self::Expired => Error::Expired { id },
            Self::Dropped => Error::Dropped { id },
            Self::Lost => Error::Lost { id },
        }
    }
}

impl MemoryHandles {
    /// An empty store with space for this many bytes.
    pub fn new(budget: u64, clock: Arc<dyn Clock>, remove_table: RemoveTable) -> Self {
        let state = State { kept: BTreeMap::new(), ended: LruCache::new(REMEMBERED) };
        Self { clock, budget, remove_table, has_table: Box::new(|_| true), state: Mutex::new(state) }
    }

    /// The same, for an engine that may lose its tables.
    #[must_use]
    pub fn over_tables_that_may_go(self, has_table: HasTable) -> Self {
        Self { has_table, ..self }
    }

    /// Whether there is space for one more handle, however small.
    ///
    /// # Errors
    /// [`Error::Full`].
    pub fn check_room(&self) -> Result<()> {
        self.end_what_is_over();
        self.room_for(&self.state.lock(), 0)
    }

    /// Adds a handle whose rows are in this table. If a handle with its id exists, made by an earlier try of the same call,
    /// returns that one.
    ///
    /// # Errors
    /// [`Error::Full`]. Then, and if another handle is returned, the table is removed.
    pub fn add(&self, handle: Handle, table: String) -> Result<Handle> {
        let mut state = self.state.lock();
        let added = match state.kept.get(&handle.id) {
            Some(before) => Ok(before.handle.clone()),
            None => match self.room_for(&state, handle.bytes) {
                Ok(()) => {
                    state.kept.insert(handle.id, Kept { handle: handle.clone(), table });
                    return Ok(handle);
                }
                Err(full) => Err(full),
            },
        };
        drop(state); // to remove a table takes a while
        (self.remove_table)(&table);
        added
    }

    /// Returns a handle and the table with its rows, and counts as a use of the handle.
    ///
    /// # Errors
    /// There is no such handle, or it has ended.
    pub fn table(&self, id: HandleId) -> Result<(Handle, String)> {
        self.with(id, |kept, now_us| {
            kept.handle.lease = kept.handle.lease.renewed(now_us, None);
            (kept.handle.clone(), kept.table.clone())
        })
    }

    /// The lease of a handle made now.
    pub fn lease(&self, ttl: Duration) -> Lease {
        Lease::starting(self.clock.now_us(), ttl)
    }

    fn room_for(&self, state: &State, more: u64) -> Result<()> {
        let taken: u64 = state.kept.values().map(|kept| kept.handle.bytes).sum();
        let fits = if more == 0 { taken < self.budget } else { taken.saturating_add(more) <= self.budget };
        if fits { Ok(()) } else { Err(Error::Full { taken, budget: self.budget, more }) }
    }

    /// Runs `work` on a handle, with the current time.
    fn with<T>(&self, id: HandleId, work: impl FnOnce(&mut Kept, i64) -> T) -> Result<T> {
        let now_us = self.clock.now_us();
        let mut state = self.state.lock();
        let Some(kept) = state.kept.get_mut(&id) else {
            return Err(match state.ended.get(&id) {
                Some(ending) => ending.error(id),
                None => unknown(id),
            });
        };
        let Some(ending) = self.ending(kept, now_us) else { return Ok(work(kept, now_us)) };
        self.end(state, id, ending);
        Err(ending.error(id))
    }

    /// How a handle has ended, if it has.
    fn ending(&self, kept: &Kept, now_us: i64) -> Option<Ending> {
        if kept.handle.lease.has_ended(now_us) {
            return Some(Ending::Expired);
        }
        (!(self.has_table)(&kept.table)).then_some(Ending::Lost)
    }

    fn end(&self, mut state: parking_lot::MutexGuard<'_, State>, id: HandleId, ending: Ending) {
        let kept = state.kept.remove(&id);
        state.ended.put(id, ending);
        drop(state); // to remove a table takes a while
        if let Some(kept) = kept {
            (self.remove_table)(&kept.table);
        }
    }

    fn end_what_is_over(&self) {
        let now_us = self.clock.now_us();
        loop {
            let state = self.state.lock();
            let over = state
                .kept
                .values()
                .find_map(|kept| self.ending(kept, now_us).map(|ending| (kept.handle.id, ending)));
            let Some((id, ending)) = over else { return };
            self.end(state, id, ending);
        }
    }
}

impl HandleStore for MemoryHandles {
    fn unknown(&self, id: HandleId) -> Error {
        unknown(id)
    }

    fn get(&self, id: HandleId) -> Result<Handle> {
        self.with(id, |kept, _| kept.handle.clone())
    }

    fn list(&self) -> Result<Vec<Handle>> {
        self.end_what_is_over();
        Ok(self.state.lock().kept.values().map(|kept| kept.handle.clone()).collect())
    }

    fn extend(&self, id: HandleId, ttl: Option<Duration>) -> Result<Handle> {
        self.with(id, |kept, now_us| {
            kept.handle.lease = kept.handle.lease.renewed(now_us, ttl);
            kept.handle.clone()
        })
    }

    fn touch(&self, id: HandleId) -> Result<Handle> {
        self.extend(id, None)
    }

    fn remove(&self, id: HandleId) -> Result<()> {
        match self.get(id) {
            Ok(_) => {
                self.end(self.state.lock(), id, Ending::Dropped);
                Ok(())
            }
            Err(Error::Dropped { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn tidy(&self) -> Result<()> {
        self.end_what_is_over();
        Ok(())
    }

    fn is_shared(&self) -> bool {
        false
    }

    /// Free space is not checked: handles that end make space.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

fn unknown(id: HandleId) -> Error {
    Error::Unknown { id, hint: HINT }
}

impl fmt::Debug for MemoryHandles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryHandles").field("budget", &self.budget).finish_non_exhaustive()
    }
}
