//! Where the blocks of files are: in memory, on disk, or on their way.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use lru::LruCache;
use parking_lot::Mutex;
use uuid::Uuid;

use super::flight::Flight;
use super::slots::{Slot, Slots};
use crate::backend::{BackendError, BackendResult, Operation, Outcome};

/// How many blocks are written to disk before memory is looked at again.
const WRITTEN_AT_ONCE: usize = 64;

/// A block of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct BlockId {
    pub(super) file: Uuid,
    pub(super) number: u64,
}

/// Where a block is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Memory(Bytes),
    Disk(Arc<Slot>),
    Coming(Arc<Flight>),
}

/// Blocks in memory and on disk. What was used least recently leaves memory for the disk, and later the disk.
#[derive(Debug)]
pub(super) struct Blocks {
    state: Mutex<State>,
    memory_bytes: u64,
    slots: Slots,
    /// Held by whoever writes blocks to disk. Others who fetched something wait, so that memory stays within its limit.
    writing: Mutex<()>,
}

#[derive(Debug)]
struct State {
    memory: LruCache<BlockId, Bytes>,
    memory_bytes: u64,
    disk: LruCache<BlockId, Arc<Slot>>,
    coming: HashMap<BlockId, Arc<Flight>>,
}

/// Where the blocks are that a reader wants, in their order, and the flights that it has to start.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) places: Vec<Place>,
    pub(super) to_start: Vec<Arc<Flight>>,
}

impl Blocks {
    /// No blocks, with limits for those in memory and for those in a file at `path`.
    pub(super) fn new(path: &Path, memory_bytes: u64, disk_bytes: u64) -> BackendResult<Self> {
        let slots = Slots::create(path, disk_bytes).map_err(|error| {
            BackendError::of_io(Operation::Create, &path.display().to_string(), Outcome::NotDone, error)
        })?;
        let state = State {
            memory: LruCache::unbounded(),
            memory_bytes: 0,
            disk: LruCache::unbounded(),
            coming: HashMap::new(),
        };
        Ok(Self { state: Mutex::new(state), memory_bytes, slots, writing: Mutex::new(()) })
    }

    /// Where these blocks of a file are. Those that are nowhere come with new flights, of `most` blocks at the most. The caller
    /// starts them, and waits for all flights until it [leaves](Self::leave) them.
    pub(super) fn want(&self, file: Uuid, numbers: Range<u64>, most: u64) -> Wanted {
        let mut state = self.state.lock();
        let mut wanted = Wanted::default();
        let mut joined: Option<Arc<Flight>> = None;
        let mut number = numbers.start;
        while number < numbers.end {
            if let Some(place) = state.find(BlockId { file, number }) {
                if let Place::Coming(flight) = &place
                    && !joined.as_ref().is_some_and(|joined| Arc::ptr_eq(joined, flight))
                {
                    flight.join();
                    joined = Some(Arc::clone(flight));
                }
                wanted.places.push(place);
                number += 1;
                continue;
            }
            for flight in state.launch(file, number..numbers.end, most) {
                wanted.places.extend(flight.blocks.clone().map(|_| Place::Coming(Arc::clone(&flight))));
                number = flight.blocks.end;
                wanted.to_start.push(flight);
            }
        }
        wanted
    }

    /// New flights for those of these blocks of a file that are nowhere. The caller starts them, and leaves them if they are not
    /// needed after all.
    pub(super) fn want_ahead(&self, file: Uuid, numbers: Range<u64>, most: u64) -> Vec<Arc<Flight>> {
        let mut state = self.state.lock();
        let mut flights: Vec<Arc<Flight>> = Vec::new();
        let mut number = numbers.start;
        while number < numbers.end {
            let launched = state.launch(file, number..numbers.end, most);
            number = launched.last().map_or(number + 1, |last| last.blocks.end);
            flights.extend(launched);
        }
        flights
    }

    /// Ends the wait for a flight. Nobody waits for a flight that all have left, so it is not begun any more.
    pub(super) fn leave(&self, file: Uuid, flight: &Arc<Flight>) {
        let mut state = self.state.lock();
        let is_over = flight.leave() && !flight.has_landed();
        if is_over {
            state.forget_flight(file, flight);
        }
        drop(state);
        if is_over {
            flight.cancel();
        }
    }

    /// Keeps the blocks that a flight brought, and makes room for them.
    pub(super) fn land(&self, file: Uuid, flight: &Arc<Flight>, answer: BackendResult<Bytes>) {
        // Copies, since a slice would keep the whole answer in memory.
        let copied = |bytes| {
            let numbers = flight.blocks.clone();
            numbers.map(|number| (number, Bytes::copy_from_slice(&flight.part(number, bytes)))).collect()
        };
        let blocks: Vec<(u64, Bytes)> = answer.as_ref().map_or_else(|_| Vec::new(), copied);
        let mut state = self.state.lock();
        state.forget_flight(file, flight);
        for (number, block) in blocks {
            state.add(BlockId { file, number }, block);
        }
        drop(state);
        flight.land(answer);
        self.make_room();
    }

    /// Where these blocks of a file are, if all are in memory or on disk.
    pub(super) fn peek(&self, file: Uuid, numbers: Range<u64>) -> Option<Vec<Place>> {
        let state = self.state.lock();
        numbers.map(|number| state.peek(BlockId { file, number })).collect()
    }

    /// Forgets a block that can't be read from disk any more.
    pub(super) fn forget(&self, id: BlockId) {
        self.state.lock().disk.pop(&id);
    }

    /// Reads bytes of a block on disk from `offset` on.
    pub(super) fn read(&self, slot: &Slot, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        self.slots.read(slot, offset, into)
    }

    /// The bytes in memory and on disk.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.state.lock().memory_bytes, self.slots.taken_bytes())
    }

    /// Moves blocks from memory to disk until memory is within its limit.
    fn make_room(&self) {
        if self.state.lock().memory_bytes <= self.memory_bytes {
            return;
        }
        let _alone = self.writing.lock();
        loop {
            let oldest = self.state.lock().oldest_beyond(self.memory_bytes);
            if oldest.is_empty() {
                return;
            }
            let mut can_write = true;
            for (id, block) in oldest {
                let slot = if can_write { self.slot() } else { None };
                let slot = slot.filter(|slot| match self.slots.write(slot, &block) {
                    Ok(()) => true,
                    Err(error) => {
                        tracing::warn!(%error, "blocks of data files can't be cached on disk");
                        can_write = false; // one line in the log is enough
                        false
                    }
                });
                self.state.lock().leave_memory(id, slot.map(Arc::new));
            }
        }
    }

    /// A slot for a block, if need be that of the block on disk that was used least recently and is not being read.
    fn slot(&self) -> Option<Slot> {
        loop {
            if let Some(slot) = self.slots.take() {
                return Some(slot);
            }
            let oldest = self.state.lock().disk.pop_lru();
            oldest?; // dropped here, which frees its slot unless somebody reads it
        }
    }
}

impl State {
    fn find(&mut self, id: BlockId) -> Option<Place> {
        if let Some(bytes) = self.memory.get(&id) {
            return Some(Place::Memory(bytes.clone()));
        }
        if let Some(slot) = self.disk.get(&id) {
            return Some(Place::Disk(Arc::clone(slot)));
        }
        self.coming.get(&id).map(|flight| Place::Coming(Arc::clone(flight)))
    }

    /// Where a block is, without counting as its use.
    fn peek(&self, id: BlockId) -> Option<Place> {
        let in_memory = self.memory.peek(&id).map(|bytes| Place::Memory(bytes.clone()));
        in_memory.or_else(|| Some(Place::Disk(Arc::clone(self.disk.peek(&id)?))))
    }

    fn has(&self, id: BlockId) -> bool {
        self.memory.contains(&id) || self.disk.contains(&id) || self.coming.contains_key(&id)
    }

    /// New flights for the first of these blocks in a row that are nowhere, each joined once.
    fn launch(&mut self, file: Uuid, numbers: Range<u64>, most: u64) -> Vec<Arc<Flight>> {
        let is_nowhere = |number: &u64| !self.has(BlockId { file, number: *number });
        let start = numbers.start;
        let end = numbers.take_while(is_nowhere).last().map_or(start, |last| last + 1);
        let launch = |blocks: Range<u64>| {
            let flight = Arc::new(Flight::new(blocks.clone()));
            flight.join();
            for number in blocks {
                self.coming.insert(BlockId { file, number }, Arc::clone(&flight));
            }
            flight
        };
        in_even_parts(start..end, most).map(launch).collect()
    }

    fn add(&mut self, id: BlockId, block: Bytes) {
        self.memory_bytes += block.len() as u64;
        if let Some(earlier) = self.memory.put(id, block) {
            self.memory_bytes -= earlier.len() as u64;
        }
    }

    fn forget_flight(&mut self, file: Uuid, flight: &Arc<Flight>) {
        for number in flight.blocks.clone() {
            let id = BlockId { file, number };
            if self.coming.get(&id).is_some_and(|coming| Arc::ptr_eq(coming, flight)) {
                self.coming.remove(&id);
            }
        }
    }

    /// Some of the blocks that were used least recently, if there are more than this many bytes.
    fn oldest_beyond(&self, bytes: u64) -> Vec<(BlockId, Bytes)> {
        let mut surplus = self.memory_bytes.saturating_sub(bytes);
        let is_surplus = |(_, block): &(&BlockId, &Bytes)| {
            let was_surplus = surplus > 0;
            surplus = surplus.saturating_sub(block.len() as u64);
            was_surplus
        };
        let oldest = self.memory.iter().rev().take_while(is_surplus).take(WRITTEN_AT_ONCE);
        oldest.map(|(id, block)| (*id, block.clone())).collect()
    }

    /// Moves a block from memory to a slot, or nowhere.
    fn leave_memory(&mut self, id: BlockId, slot: Option<Arc<Slot>>) {
        if let Some(block) = self.memory.pop(&id) {
            self.memory_bytes -= block.len() as u64;
        }
        if let Some(slot) = slot {
            self.disk.put(id, slot);
        }
    }
}

/// Cuts a range into as few parts as possible, of `most` at the most and of about the same size.
fn in_even_parts(range: Range<u64>, most: u64) -> impl Iterator<Item = Range<u64>> {
    let count = range.end - range.start;
    let size = count.div_ceil(count.div_ceil(most).max(1)).max(1);
    let Range { start, end } = range;
    (start..end).step_by(size as usize).map(move |start| start..end.min(start + size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_into_few_parts_of_about_one_size() {
        let cut = |range, most| {
            let parts = in_even_parts(range, most);
            parts.map(|part| (part.start, part.end)).collect::<Vec<_>>()
        };
        assert_eq!(cut(3..3, 4), []);
        assert_eq!(cut(3..7, 4), [(3, 7)]);
        assert_eq!(cut(3..8, 4), [(3, 6), (6, 8)]);
        assert_eq!(cut(0..9, 4), [(0, 3), (3, 6), (6, 9)]);
    }
}
