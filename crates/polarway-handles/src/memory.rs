//! Handles whose rows one worker's query engine holds in memory: this module keeps track of them.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Weak};
use std::time::Duration;

use lru::LruCache;
use parking_lot::Mutex;
use polarway_model::HandleId;
use polarway_storage::{ChangeCounts, Clock, Lease};

use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::store::HandleStore;

/// How many ended handles are remembered, to report how they ended.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Part of the message when a handle is unknown: it may be on another worker.
const HINT: &str = " on this worker. Handles are kept in memory, each on the worker that made it alone; with \
                    `--handle-store external` any worker serves them";

/// Holds the rows of handles in tables, by name: a query engine.
pub trait TableHolder: Send + Sync {
    /// Whether the table still exists: an engine that is opened again loses all tables.
    fn has(&self, name: &str) -> bool;

    /// Removes the table, if it exists. This may take a while.
    fn remove(&self, name: &str);
}

/// A table that holds a handle's rows. It is removed when this is dropped: its handle has ended, and nobody reads it any more.
pub struct KeptTable {
    name: String,
    holder: Arc<dyn TableHolder>,
}

impl KeptTable {
    /// The table of this name, whether it exists already or is about to be made.
    pub fn new(name: String, holder: Arc<dyn TableHolder>) -> Self {
        Self { name, holder }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for KeptTable {
    fn drop(&mut self) {
        self.holder.remove(&self.name);
    }
}

impl fmt::Debug for KeptTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeptTable").field(&self.name).finish()
    }
}

/// Handles of one process. They are gone when it ends.
#[derive(Debug)]
pub struct MemoryHandles {
    clock: Arc<dyn Clock>,
    /// How many bytes all of them may take together.
    budget: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    kept: BTreeMap<HandleId, Kept>,
    /// How they ended, and whose they were.
    ended: LruCache<HandleId, (Ending, Option<Arc<str>>)>,
    /// The tables of ended handles that are still read, with the bytes that they take.
    leaving: Vec<(Weak<KeptTable>, u64)>,
}

#[derive(Debug)]
struct Kept {
    handle: Handle,
    table: Arc<KeptTable>,
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Expired,
    Dropped,
    Lost,
}

impl Ending {
    fn error(self, id: HandleId, owner: Option<Arc<str>>) -> Error {
        match self {
            Self::Expired => Error::Expired { id, owner },
            Self::Dropped => Error::Dropped { id, owner },
            Self::Lost => Error::Lost { id, owner },
        }
    }
}

impl MemoryHandles {
    /// An empty store with space for this many bytes.
    pub fn new(budget: u64, clock: Arc<dyn Clock>) -> Self {
        let state = State { kept: BTreeMap::new(), ended: LruCache::new(REMEMBERED), leaving: Vec::new() };
        Self { clock, budget, state: Mutex::new(state) }
    }

    /// Whether there is space for one more handle, however small.
    ///
    /// # Errors
    /// [`Error::Full`].
    pub fn check_room(&self) -> Result<()> {
        self.end_what_is_over();
        self.room_for(&mut self.state.lock(), 0)
    }

    /// Adds a handle whose rows are in this table. If a handle with its id exists, made by an earlier try of the same call,
    /// returns that one, and the table is not kept.
    ///
    /// # Errors
    /// [`Error::Full`].
    pub fn add(&self, handle: Handle, table: Arc<KeptTable>) -> Result<Handle> {
        let mut state = self.state.lock();
        if let Some(before) = state.kept.get(&handle.id) {
            return Ok(before.handle.clone());
        }
        self.room_for(&mut state, handle.bytes)?;
        state.kept.insert(handle.id, Kept { handle: handle.clone(), table });
        Ok(handle)
    }

    /// Returns a handle and the table with its rows, and counts as a use of the handle. The table stays as long as somebody has
    /// it, whatever becomes of the handle.
    ///
    /// # Errors
    /// There is no such handle, or it has ended.
    pub fn table(&self, id: HandleId) -> Result<(Handle, Arc<KeptTable>)> {
        self.with(id, |kept, now_us| {
            kept.handle.lease = kept.handle.lease.renewed(now_us, None);
            (kept.handle.clone(), Arc::clone(&kept.table))
        })
    }

    /// The lease of a handle made now.
    pub fn lease(&self, ttl: Duration) -> Lease {
        Lease::starting(self.clock.now_us(), ttl)
    }

    fn room_for(&self, state: &mut State, more: u64) -> Result<()> {
        state.leaving.retain(|(table, _)| table.strong_count() > 0);
        let of_handles = state.kept.values().map(|kept| kept.handle.bytes);
        let taken: u64 = of_handles.chain(state.leaving.iter().map(|(_, bytes)| *bytes)).sum();
        let fits = if more == 0 { taken < self.budget } else { taken.saturating_add(more) <= self.budget };
        if fits { Ok(()) } else { Err(Error::Full { taken, budget: self.budget, more }) }
    }

    /// Runs `work` on a handle, with the current time.
    fn with<T>(&self, id: HandleId, work: impl FnOnce(&mut Kept, i64) -> T) -> Result<T> {
        let now_us = self.clock.now_us();
        let mut state = self.state.lock();
        let Some(kept) = state.kept.get_mut(&id) else {
            return Err(match state.ended.get(&id) {
                Some((ending, owner)) => ending.error(id, owner.clone()),
                None => unknown(id),
            });
        };
        let Some(ending) = self.ending(kept, now_us) else { return Ok(work(kept, now_us)) };
        let owner = kept.handle.owner.clone();
        self.end(state, id, ending);
        Err(ending.error(id, owner))
    }

    /// How a handle has ended, if it has.
    fn ending(&self, kept: &Kept, now_us: i64) -> Option<Ending> {
        if kept.handle.lease.has_ended(now_us) {
            return Some(Ending::Expired);
        }
        (!kept.table.holder.has(kept.table.name())).then_some(Ending::Lost)
    }

    fn end(&self, mut state: parking_lot::MutexGuard<'_, State>, id: HandleId, ending: Ending) {
        let kept = state.kept.remove(&id);
        let owner = kept.as_ref().and_then(|kept| kept.handle.owner.clone());
        state.ended.put(id, (ending, owner));
        if let Some(Kept { handle, table }) = &kept
            && Arc::strong_count(table) > 1
        {
            state.leaving.push((Arc::downgrade(table), handle.bytes));
        }
        drop(state); // to remove a table takes a while
        drop(kept);
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

    fn change_counts(&self) -> Option<ChangeCounts> {
        None
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
