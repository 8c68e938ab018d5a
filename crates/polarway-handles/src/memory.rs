//! Handles whose rows one worker's query engine holds in memory: the books over them.

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

/// How many handles that ended are remembered, to tell why.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// What is said where a handle is not known: it may well be on another worker.
const HINT: &str = " on this worker. Handles are kept in memory, each on the worker that made it alone; with \
                    `--handle-store external` any worker serves them";

/// Removes the table of this name, which a handle's rows are in. Who reads it reads on.
pub type RemoveTable = Box<dyn Fn(&str) + Send + Sync>;

/// Whether the table of this name is still there: an engine that has to be opened anew loses all that it kept.
pub type HasTable = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// Handles of one process, gone when it ends.
pub struct MemoryHandles {
    clock: Arc<dyn Clock>,
    /// What all of them may take, in bytes.
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
    /// Where its rows are.
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
    /// No handles yet, and this many bytes for those to come.
    pub fn new(budget: u64, clock: Arc<dyn Clock>, remove_table: RemoveTable) -> Self {
        let state = State { kept: BTreeMap::new(), ended: LruCache::new(REMEMBERED) };
        Self { clock, budget, remove_table, has_table: Box::new(|_| true), state: Mutex::new(state) }
    }

    /// The same over an engine that may lose its tables.
    #[must_use]
    pub fn over_tables_that_may_go(self, has_table: HasTable) -> Self {
        Self { has_table, ..self }
    }

    /// Whether there is room for one more, however small.
    ///
    /// # Errors
    /// [`Error::Full`].
    pub fn check_room(&self) -> Result<()> {
        self.end_what_is_over();
        self.room_for(&self.state.lock(), 0)
    }

    /// Takes a handle in whose rows are in this table. If there is one of its id already, made by the same call at an
    /// earlier try, that is the answer.
    ///
    /// # Errors
    /// [`Error::Full`]. Then, and if another one is the answer, the table is removed.
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

    /// A handle and the table that its rows are in, for someone who is about to use it.
    ///
    /// # Errors
    /// There is none, or no more.
    pub fn table(&self, id: HandleId) -> Result<(Handle, String)> {
        self.with(id, |kept, now_us| {
            kept.handle.lease = kept.handle.lease.renewed(now_us, None);
            (kept.handle.clone(), kept.table.clone())
        })
    }

    /// The lease of a handle that is made now.
    pub fn lease(&self, ttl: Duration) -> Lease {
        Lease::starting(self.clock.now_us(), ttl)
    }

    fn room_for(&self, state: &State, more: u64) -> Result<()> {
        let taken: u64 = state.kept.values().map(|kept| kept.handle.bytes).sum();
        let fits = if more == 0 { taken < self.budget } else { taken.saturating_add(more) <= self.budget };
        if fits { Ok(()) } else { Err(Error::Full { taken, budget: self.budget, more }) }
    }

    /// Does something with a handle, at this time.
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

    /// Room is not looked for: handles that end make it.
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
