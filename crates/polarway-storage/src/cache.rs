//! The RAM cache: tables as the chunks that go on the wire.

use std::sync::{Arc, Weak};

use lru::LruCache;
use parking_lot::{Condvar, Mutex};
use polarway_ipc::{Chunk, EncodedTable};
use polarway_model::{CacheStats, DatasetName};
use uuid::Uuid;

use crate::budget::{MemoryBudget, Reservation, Spare};
use crate::error::{Error, Result};

/// The key of a cached table: the dataset, and the version's identity.
pub(crate) type CacheKey = (DatasetName, Uuid);

/// A cache of tables, bounded in bytes; the least recently used are removed first.
///
/// A table's chunks are added as they are read, and other readers of the table get them at the same
/// time: it is read from the storage once for all readers.
#[derive(Debug)]
pub(crate) struct TableCache {
    capacity_bytes: u64,
    /// Counts its tables, and removed tables that are still read.
    memory: MemoryBudget,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tables: LruCache<CacheKey, Entry>,
    bytes: u64,
    hits: u64,
    misses: u64,
    evictions: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Its size; for a table that is being read, the expected size.
    bytes: u64,
    table: Cached,
}

/// A table in the cache.
#[derive(Clone, Debug)]
pub(crate) enum Cached {
    /// All of it.
    Whole(Arc<Kept>),
    /// The chunks that were read so far.
    Coming(Arc<Feed>),
}

/// All of a table, and the reservation of its memory.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) table: EncodedTable,
    _memory: Reservation,
}

/// The result of a look-up.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// The table.
    Hit(Cached),
    /// Nothing: the caller reads the table, and gives its chunks to the filler.
    Fill(Filler),
    /// Nothing, and the table is too large for the cache.
    TooLarge,
}

impl TableCache {
    /// A cache that holds this many bytes; 0 turns it off.
    pub(crate) fn new(capacity_bytes: u64, memory: MemoryBudget) -> Arc<Self> {
        let state = State { tables: LruCache::unbounded(), bytes: 0, hits: 0, misses: 0, evictions: 0 };
        let cache = Arc::new(Self { capacity_bytes, memory, state: Mutex::new(state) });
        let weak: Weak<Self> = Arc::downgrade(&cache);
        cache.memory.ask_first(weak);
        cache
    }

    /// Looks up a table whose expected size is `expected_bytes`.
    pub(crate) fn look_up(self: &Arc<Self>, key: &CacheKey, expected_bytes: u64) -> Lookup {
        if let Some(table) = self.state.lock().hit(key) {
            return Lookup::Hit(table);
        }
        // Not under the lock: giving memory back takes it.
        let memory = match self.takes(expected_bytes) {
            true => self.memory.try_reserve(expected_bytes),
            false => None,
        };
        let mut state = self.state.lock();
        if let Some(table) = state.hit(key) {
            return Lookup::Hit(table); // another caller was faster
        }
        state.misses += 1;
        let Some(memory) = memory else { return Lookup::TooLarge };
        let feed = Arc::new(Feed::new(memory));
        let entry = Entry { bytes: expected_bytes, table: Cached::Coming(Arc::clone(&feed)) };
        state.put(key.clone(), entry, self.capacity_bytes);
        Lookup::Fill(Filler { cache: Arc::clone(self), key: key.clone(), feed, is_over: false })
    }

    /// A table, if all of it is there. This counts as a look-up only if the table is found.
    pub(crate) fn kept(&self, key: &CacheKey) -> Option<Arc<Kept>> {
        let mut state = self.state.lock();
        let is_whole = matches!(state.tables.peek(key), Some(Entry { table: Cached::Whole(_), .. }));
        match is_whole.then(|| state.hit(key)).flatten() {
            Some(Cached::Whole(kept)) => Some(kept),
            _ => None,
        }
    }

    /// Whether a table is there, or is being read. This counts as no look-up.
    pub(crate) fn has(&self, key: &CacheKey) -> bool {
        self.state.lock().tables.contains(key)
    }

    /// Whether a table of this size may be kept. It must leave room for others.
    fn takes(&self, bytes: u64) -> bool {
        bytes <= self.capacity_bytes / 2 && self.capacity_bytes > 0
    }

    /// Statistics of the cache.
    pub(crate) fn stats(&self) -> CacheStats {
        let state = self.state.lock();
        CacheStats {
            hits: state.hits,
            misses: state.misses,
            tables: state.tables.len() as u64,
            bytes: state.bytes,
            capacity_bytes: self.capacity_bytes,
            evictions: state.evictions,
        }
    }
}

impl Spare for TableCache {
    fn give_back(&self, bytes: u64) {
        let mut freed = 0;
        let mut evicted = Vec::new();
        {
            let mut state = self.state.lock();
            while freed < bytes
                && let Some((_, entry)) = state.tables.pop_lru()
            {
                state.bytes -= entry.bytes;
                state.evictions += 1;
                freed += entry.bytes;
                evicted.push(entry);
            }
        }
        drop(evicted);
    }
}

impl State {
    fn hit(&mut self, key: &CacheKey) -> Option<Cached> {
        let table = self.tables.get(key)?.table.clone();
        self.hits += 1;
        Some(table)
    }

    fn put(&mut self, key: CacheKey, entry: Entry, capacity_bytes: u64) {
        self.remove(&key);
        self.bytes += entry.bytes;
        self.tables.put(key, entry);
        while self.bytes > capacity_bytes
            && let Some((_, evicted)) = self.tables.pop_lru()
        {
            self.bytes -= evicted.bytes;
            self.evictions += 1;
        }
    }

    fn remove(&mut self, key: &CacheKey) {
        if let Some(entry) = self.tables.pop(key) {
            self.bytes -= entry.bytes;
        }
    }

    fn holds_feed(&mut self, key: &CacheKey, feed: &Arc<Feed>) -> bool {
        let entry = self.tables.peek(key);
        matches!(entry, Some(Entry { table: Cached::Coming(there), .. }) if Arc::ptr_eq(there, feed))
    }
}

/// A table that is being read into the cache: chunks in order, and then its end.
#[derive(Debug)]
pub(crate) struct Feed {
    state: Mutex<FeedState>,
    changed: Condvar,
}

#[derive(Debug)]
struct FeedState {
    chunks: Vec<Chunk>,
    bytes: u64,
    /// The memory of the chunks; until they are read, of their expected size.
    memory: Reservation,
    /// The whole table, which counts while somebody reads it; or why it could not be read.
    end: Option<std::result::Result<Arc<Kept>, Arc<Error>>>,
}

impl Feed {
    fn new(memory: Reservation) -> Self {
        let state = FeedState { chunks: Vec::new(), bytes: 0, memory, end: None };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn push(&self, chunks: Vec<Chunk>) {
        let mut state = self.state.lock();
        state.bytes += chunks.iter().map(|chunk| chunk.ipc.len() as u64).sum::<u64>();
        state.chunks.extend(chunks);
        let bytes = state.bytes.max(state.memory.bytes());
        state.memory.resize(bytes);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for the chunk at a place; `None` after the last.
    ///
    /// # Errors
    /// [`Error::SharedLoad`] when the table could not be read to its end.
    pub(crate) fn wait_for(&self, place: usize) -> Result<Option<Chunk>> {
        let mut state = self.state.lock();
        loop {
            if let Some(chunk) = state.chunks.get(place) {
                return Ok(Some(chunk.clone()));
            }
            match &state.end {
                Some(Ok(_)) => return Ok(None),
                Some(Err(error)) => return Err(Error::SharedLoad(Arc::clone(error))),
                None => self.changed.wait(&mut state),
            }
        }
    }

    fn end(&self, result: std::result::Result<Arc<Kept>, Arc<Error>>) {
        self.state.lock().end = Some(result);
        self.changed.notify_all();
    }
}

/// Gives a table's chunks to the cache and to readers that wait.
///
/// If it is dropped before the end, these readers get an error.
#[derive(Debug)]
pub(crate) struct Filler {
    cache: Arc<TableCache>,
    key: CacheKey,
    feed: Arc<Feed>,
    is_over: bool,
}

impl Filler {
    /// The chunks, for a reader that fills the cache itself.
    pub(crate) fn feed(&self) -> Arc<Feed> {
        Arc::clone(&self.feed)
    }

    /// Adds the next chunks. `false` when nobody needs them any more: no reader is left, and
    /// the cache has removed the table.
    pub(crate) fn push(&mut self, chunks: Vec<Chunk>) -> bool {
        self.feed.push(chunks);
        Arc::strong_count(&self.feed) > 1
    }

    /// Ends the table: all its chunks were pushed.
    ///
    /// # Errors
    /// Chunks that are not those of one table.
    pub(crate) fn finish(mut self, schema: arrow_schema::SchemaRef) -> Result<()> {
        let (chunks, mut memory) = {
            let mut state = self.feed.state.lock();
            (state.chunks.clone(), state.memory.take())
        };
        let table = EncodedTable::from_chunks(schema, chunks)?;
        let bytes = table.bytes();
        memory.resize(bytes);
        let kept = Arc::new(Kept { table, _memory: memory });
        self.is_over = true;
        {
            let mut state = self.cache.state.lock();
            if state.holds_feed(&self.key, &self.feed) {
                if self.cache.takes(bytes) {
                    let entry = Entry { bytes, table: Cached::Whole(Arc::clone(&kept)) };
                    state.put(self.key.clone(), entry, self.cache.capacity_bytes);
                } else {
                    state.remove(&self.key);
                }
            }
        }
        self.feed.end(Ok(kept));
        Ok(())
    }

    /// Ends the table with the reason why it could not be read.
    pub(crate) fn fail(mut self, error: Error) {
        self.give_up(error);
    }

    fn give_up(&mut self, error: Error) {
        self.is_over = true;
        let mut state = self.cache.state.lock();
        if state.holds_feed(&self.key, &self.feed) {
            state.remove(&self.key);
        }
        drop(state);
        self.feed.end(Err(Arc::new(error)));
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        if !self.is_over {
            self.give_up(Error::LoadAbandoned);
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, RecordBatch};
    use polarway_ipc::EncodeOptions;

    use super::*;

    fn cache_of(bytes: u64) -> Arc<TableCache> {
        TableCache::new(bytes, MemoryBudget::new(u64::MAX))
    }

    fn key(ordinal: u128) -> CacheKey {
        ("t".parse().unwrap(), Uuid::from_u128(ordinal))
    }

    fn table(rows: usize) -> EncodedTable {
        let numbers = Int64Array::from_iter_values(0..rows as i64);
        let batch = RecordBatch::try_from_iter([("n", Arc::new(numbers) as _)]).unwrap();
        EncodedTable::encode(&batch.schema(), [&batch], EncodeOptions::default()).unwrap()
    }

    fn fill(cache: &Arc<TableCache>, ordinal: u128, table: &EncodedTable) {
        match cache.look_up(&key(ordinal), table.bytes()) {
            Lookup::Fill(mut filler) => {
                filler.push(table.chunks().to_vec());
                filler.finish(Arc::clone(table.schema())).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_least_recently_used_table_makes_room() {
        let table = table(1_000);
        let cache = cache_of(table.bytes() * 5 / 2);
        fill(&cache, 1, &table);
        fill(&cache, 2, &table);
        assert!(matches!(cache.look_up(&key(1), 0), Lookup::Hit(Cached::Whole(_))));
        fill(&cache, 3, &table);
        assert!(matches!(cache.look_up(&key(1), 0), Lookup::Hit(_)));
        assert!(matches!(cache.look_up(&key(2), table.bytes()), Lookup::Fill(_)));
        let stats = cache.stats();
        assert!(stats.bytes <= stats.capacity_bytes);
        assert_eq!((stats.hits, stats.misses), (2, 4));
        assert_eq!(stats.hit_rate(), 2.0 / 6.0);
    }

    #[test]
    fn a_table_larger_than_half_the_cache_is_not_kept() {
        let cache = cache_of(1_000);
        assert!(matches!(cache.look_up(&key(1), 501), Lookup::TooLarge));
        assert!(matches!(cache_of(0).look_up(&key(1), 0), Lookup::TooLarge));
        // Nor is one that turns out larger than it was expected to be.
        let large = table(1_000);
        let Lookup::Fill(mut filler) = cache.look_up(&key(2), 10) else { panic!() };
        filler.push(large.chunks().to_vec());
        filler.finish(Arc::clone(large.schema())).unwrap();
        assert_eq!((cache.stats().tables, cache.stats().bytes), (0, 0));
    }

    #[test]
    fn whoever_asks_for_a_table_on_its_way_reads_along() {
        let table = table(10);
        let cache = cache_of(1 << 20);
        let Lookup::Fill(mut filler) = cache.look_up(&key(1), table.bytes()) else { panic!() };
        let Lookup::Hit(Cached::Coming(feed)) = cache.look_up(&key(1), table.bytes()) else { panic!() };
        let reader = std::thread::spawn(move || {
            let mut chunks = Vec::new();
            while let Some(chunk) = feed.wait_for(chunks.len()).unwrap() {
                chunks.push(chunk);
            }
            chunks
        });
        for chunk in table.chunks() {
            assert!(filler.push(vec![chunk.clone()]));
        }
        filler.finish(Arc::clone(table.schema())).unwrap();
        assert_eq!(reader.join().unwrap().len(), table.chunks().len());
    }

    #[test]
    fn a_load_that_fails_tells_all_who_wait_and_leaves_nothing() {
        let cache = cache_of(1 << 20);
        let Lookup::Fill(filler) = cache.look_up(&key(1), 10) else { panic!() };
        let Lookup::Hit(Cached::Coming(feed)) = cache.look_up(&key(1), 10) else { panic!() };
        drop(filler);
        assert!(matches!(feed.wait_for(0), Err(Error::SharedLoad(_))));
        assert!(matches!(cache.look_up(&key(1), 10), Lookup::Fill(_)));
    }
}
