//! Fetches parts of an object before they are read.
//!
//! A reader that decodes on some threads waits for one request on each of them, while a service gives many at a time.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::object_reader::Requests;
use crate::own_runtime::OwnRuntime;

/// The bytes of one request, at most.
const PIECE_BYTES: u64 = 4 << 20;

/// The most requests at a time.
const MOST_REQUESTS: usize = 16;

/// The most bytes that are fetched and not released yet. What a reader waits for comes in any case.
pub(crate) const MOST_BYTES: u64 = 64 << 20;

/// How much of an object is fetched before it is known which ranges will be read.
const MOST_BEGUN_BYTES: u64 = MOST_REQUESTS as u64 * PIECE_BYTES;

/// A longer range is not fetched ahead: its readers read it part by part, and it is never in memory whole.
const MOST_RANGE_BYTES: u64 = 32 << 20;

/// What is fetched of an object before it is read. Nothing is fetched any more when it is dropped.
#[derive(Debug)]
pub(super) struct Ahead(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    object: Requests,
    runtime: Arc<OwnRuntime>,
    state: Mutex<State>,
    /// A request has ended.
    landed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// By their starts. They don't overlap.
    pieces: BTreeMap<u64, Piece>,
    /// The starts of those that are to be fetched, in the order in which they will be read.
    waiting: VecDeque<u64>,
    requests: usize,
    bytes: u64,
    /// Pieces before this began to be fetched before it was known which ranges will be read.
    begun_bytes: u64,
}

#[derive(Debug)]
struct Piece {
    end: u64,
    /// How many of the expected ranges it has a part of, without those that were released.
    ranges: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Waiting,
    Coming(AbortHandle),
    Here(Bytes),
    Failed,
}

impl Ahead {
    pub(super) fn new(object: &Requests, runtime: &Arc<OwnRuntime>) -> Self {
        let (object, runtime) = (object.clone(), Arc::clone(runtime));
        Self(Arc::new(Shared { object, runtime, state: Mutex::default(), landed: Notify::new() }))
    }

    /// Most of these bytes will be read from the beginning on. It will be known later which ranges they are.
    pub(super) fn begin(&self, bytes: u64) {
        let mut state = self.0.state.lock();
        let end = bytes.min(MOST_BEGUN_BYTES);
        for start in (0..end).step_by(PIECE_BYTES as usize) {
            state.add(start..end.min(start + PIECE_BYTES), 0);
        }
        state.begun_bytes = end;
        self.0.go_on(&mut state);
    }

    /// These ranges will be read, about in this order, and each will be released.
    pub(super) fn expect(&self, ranges: impl Iterator<Item = Range<u64>>) {
        let mut state = self.0.state.lock();
        let begun = 0..std::mem::take(&mut state.begun_bytes);
        let mut left = Vec::new();
        for range in ranges.filter(|range| range.end.saturating_sub(range.start) <= MOST_RANGE_BYTES) {
            if range.start < begun.end {
                state.count_for(&(range.start..range.end.min(begun.end)));
            }
            left.push(range.start.max(begun.end)..range.end);
        }
        for (range, count) in pieces(left.into_iter()) {
            if state.overlapping(&range).next().is_none() {
                state.add(range, count);
            }
        }
        state.drop_unread(&begun);
        self.0.go_on(&mut state);
    }

    /// An expected range is not read any more.
    pub(super) fn release(&self, range: &Range<u64>) {
        let mut state = self.0.state.lock();
        let starts: Vec<u64> = state.overlapping(range).collect();
        for start in starts {
            state.release(start);
        }
        self.0.go_on(&mut state);
    }

    /// The bytes of a range, if all of it is expected and comes.
    pub(super) fn read(&self, range: &Range<u64>) -> Option<Bytes> {
        let Self(shared) = self;
        let came = async {
            loop {
                let mut landed = pin!(shared.landed.notified());
                landed.as_mut().enable(); // from here on, no landing is missed
                match shared.look(range) {
                    Look::Here(bytes) => return Ok(Some(bytes)),
                    Look::Absent => return Ok(None),
                    Look::Coming => landed.await,
                }
            }
        };
        shared.runtime.wait(came).ok().flatten()
    }
}

/// What there is of a range.
enum Look {
    Here(Bytes),
    Coming,
    Absent,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.waiting.clear();
        for (_, piece) in std::mem::take(&mut state.pieces) {
            if let Content::Coming(request) = piece.content {
                request.abort();
            }
        }
    }
}

impl Shared {
    /// Looks for a range, and has it fetched at once if it is expected.
    fn look(self: &Arc<Self>, range: &Range<u64>) -> Look {
        let mut state = self.state.lock();
        let starts: Vec<u64> = state.overlapping(range).collect();
        let mut covered_to = range.start;
        let mut are_here = true;
        for start in &starts {
            let Some(piece) = state.pieces.get(start).filter(|_| *start <= covered_to) else {
                return Look::Absent;
            };
            covered_to = piece.end;
            match piece.content {
                Content::Here(_) => {}
                Content::Failed => return Look::Absent,
                Content::Coming(_) => are_here = false,
                Content::Waiting => {
                    self.begin(&mut state, *start);
                    are_here = false;
                }
            }
        }
        match () {
            () if covered_to < range.end => Look::Absent,
            () if are_here => state.joined(range, &starts).map_or(Look::Absent, Look::Here),
            () => Look::Coming,
        }
    }

    /// Begins what there is room for.
    fn go_on(self: &Arc<Self>, state: &mut State) {
        while state.requests < MOST_REQUESTS
            && state.bytes < MOST_BYTES
            && let Some(start) = state.waiting.pop_front()
        {
            self.begin(state, start);
        }
    }

    /// Begins the request for a piece that waits for it.
    fn begin(self: &Arc<Self>, state: &mut State, start: u64) {
        let Some(piece) = state.pieces.get_mut(&start) else { return };
        if !matches!(piece.content, Content::Waiting) {
            return;
        }
        let (shared, range) = (Arc::clone(self), start..piece.end);
        let request = self.runtime.spawn(async move {
            let mut landing = Landing { shared, start: range.start, content: Content::Failed };
            if let Ok(bytes) = landing.shared.object.exactly(range).await {
                landing.content = Content::Here(bytes);
            }
        });
        piece.content = Content::Coming(request.abort_handle());
        state.requests += 1;
        state.bytes += piece.end - start;
    }
}

/// A request that lands in any case.
struct Landing {
    shared: Arc<Shared>,
    start: u64,
    content: Content,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let content = std::mem::replace(&mut self.content, Content::Failed);
        let mut state = self.shared.state.lock();
        state.requests -= 1;
        if let Some(piece) = state.pieces.get_mut(&self.start) {
            piece.content = content;
        }
        self.shared.go_on(&mut state);
        drop(state);
        self.shared.landed.notify_waiters();
    }
}

impl State {
    /// The starts of the pieces that have a part of this range, in their order.
    fn overlapping(&self, range: &Range<u64>) -> impl Iterator<Item = u64> + use<'_> {
        let (start, end) = (range.start, range.end);
        let before = self.pieces.range(..start).next_back().filter(move |(_, piece)| piece.end > start);
        before.into_iter().chain(self.pieces.range(start..end.max(start))).map(|(start, _)| *start)
    }

    fn add(&mut self, range: Range<u64>, ranges: usize) {
        self.waiting.push_back(range.start);
        self.pieces.insert(range.start, Piece { end: range.end, ranges, content: Content::Waiting });
    }

    /// Notes that the pieces of this range have a part of an expected range.
    fn count_for(&mut self, range: &Range<u64>) {
        let starts: Vec<u64> = self.overlapping(range).collect();
        for start in starts {
            if let Some(piece) = self.pieces.get_mut(&start) {
                piece.ranges += 1;
            }
        }
    }

    /// Drops the pieces of this range that have no part of an expected range.
    fn drop_unread(&mut self, range: &Range<u64>) {
        let starts: Vec<u64> = self.overlapping(range).collect();
        for start in starts {
            if self.pieces.get(&start).is_some_and(|piece| piece.ranges == 0) {
                self.drop_piece(start);
            }
        }
    }

    fn release(&mut self, start: u64) {
        let Some(piece) = self.pieces.get_mut(&start) else { return };
        piece.ranges = piece.ranges.saturating_sub(1);
        if piece.ranges == 0 {
            self.drop_piece(start);
        }
    }

    fn drop_piece(&mut self, start: u64) {
        let Some(piece) = self.pieces.remove(&start) else { return };
        match piece.content {
            Content::Waiting => return,
            Content::Coming(request) => request.abort(),
            Content::Here(_) | Content::Failed => {}
        }
        self.bytes -= piece.end - start;
    }

    /// A range out of pieces that are here.
    fn joined(&self, range: &Range<u64>, starts: &[u64]) -> Option<Bytes> {
        let part = |start: &u64| {
            let Content::Here(bytes) = &self.pieces.get(start)?.content else { return None };
            let from = range.start.saturating_sub(*start) as usize;
            let to = bytes.len().min((range.end - start) as usize);
            (from <= to).then(|| bytes.slice(from..to))
        };
        if let [start] = starts {
            return part(start);
        }
        let mut joined = BytesMut::with_capacity((range.end - range.start) as usize);
        for start in starts {
            joined.extend_from_slice(&part(start)?);
        }
        Some(joined.freeze())
    }
}

/// Cuts ranges into pieces: short ones that follow each other are one piece. Each comes with how many ranges it has a part of.
fn pieces(ranges: impl Iterator<Item = Range<u64>>) -> Vec<(Range<u64>, usize)> {
    let mut pieces: Vec<(Range<u64>, usize)> = Vec::new();
    for range in ranges {
        let length = range.end.saturating_sub(range.start);
        if length == 0 {
            continue;
        }
        if let Some((last, count)) = pieces.last_mut()
            && last.end == range.start
            && range.end - last.start <= PIECE_BYTES
        {
            last.end = range.end;
            *count += 1;
            continue;
        }
        let step = length.div_ceil(length.div_ceil(PIECE_BYTES));
        let starts = (range.start..range.end).step_by(step as usize);
        pieces.extend(starts.map(|start| (start..range.end.min(start + step), 1)));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::throttle::{ThrottleConfig, ThrottledStore};
    use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn contents() -> Vec<u8> {
        let pattern: Vec<u8> = (0..251).collect();
        let mut contents = pattern.repeat((80 * MIB as usize).div_ceil(251));
        contents.truncate(80 * MIB as usize);
        contents
    }

    /// What is fetched ahead of an object of 80 MiB.
    fn ahead() -> Ahead {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config =
            ThrottleConfig { wait_get_per_call: Duration::from_millis(2), ..ThrottleConfig::default() };
        let store: Arc<dyn ObjectStore> = Arc::new(ThrottledStore::new(InMemory::new(), config));
        let location = Path::from("object");
        runtime.block_on(store.put(&location, PutPayload::from(contents()))).unwrap();
        Ahead::new(&Requests { store, location, tag: None }, &Arc::new(runtime.into()))
    }

    #[test]
    fn short_ranges_in_a_row_are_one_piece_and_long_ones_several() {
        let short = [0..MIB, MIB..2 * MIB, 2 * MIB..5 * MIB, 6 * MIB..7 * MIB];
        let expected = [(0..2 * MIB, 2), (2 * MIB..5 * MIB, 1), (6 * MIB..7 * MIB, 1)];
        assert_eq!(pieces(short.into_iter()), expected);
        let long = [0..6 * MIB, 6 * MIB..6 * MIB];
        assert_eq!(pieces(long.into_iter()), [(0..3 * MIB, 1), (3 * MIB..6 * MIB, 1)]);
    }

    #[test]
    fn what_is_expected_is_read_right_in_any_order_and_within_the_bounds() {
        let (ahead, contents) = (ahead(), contents());
        let ranges: Vec<_> = (0..26).map(|part| part * 3 * MIB + 7..(part + 1) * 3 * MIB + 7).collect();
        ahead.expect(ranges.iter().cloned());
        std::thread::scope(|scope| {
            for reader in 0..3 {
                let (ahead, ranges, contents) = (&ahead, &ranges, &contents);
                scope.spawn(move || {
                    for range in ranges.iter().skip(reader).step_by(3) {
                        let middle = range.start + MIB..range.end - MIB;
                        for part in [middle, range.clone()] {
                            let expected = &contents[part.start as usize..part.end as usize];
                            assert!(ahead.read(&part).unwrap() == expected, "{part:?}");
                        }
                        ahead.release(range);
                        let state = ahead.0.state.lock();
                        // Beyond the bound there is what readers wait for.
                        assert!(state.bytes <= MOST_BYTES + 4 * PIECE_BYTES, "{}", state.bytes);
                    }
                });
            }
        });
        let state = ahead.0.state.lock();
        assert_eq!((state.pieces.len(), state.bytes), (0, 0));
    }

    #[test]
    fn what_began_before_the_ranges_were_known_is_read_right_and_released() {
        let (ahead, contents) = (ahead(), contents());
        ahead.begin(80 * MIB);
        assert_eq!(ahead.0.state.lock().requests, MOST_REQUESTS);
        // A column that is not read, one beyond what has begun, and one that is too long to be fetched ahead.
        let ranges =
            [5..3 * MIB, 3 * MIB..9 * MIB, 30 * MIB..45 * MIB, 63 * MIB..66 * MIB, 70 * MIB..72 * MIB];
        ahead.expect(ranges.iter().cloned());
        assert!(ahead.0.state.lock().overlapping(&(12 * MIB..28 * MIB)).next().is_none(), "it is not read");
        for range in &ranges {
            let expected = &contents[range.start as usize..range.end as usize];
            assert!(ahead.read(range).unwrap() == expected, "{range:?}");
            ahead.release(range);
        }
        let state = ahead.0.state.lock();
        assert_eq!((state.pieces.len(), state.bytes), (0, 0));
    }

    #[test]
    fn a_range_that_is_too_long_is_left_to_its_reader() {
        let ahead = ahead();
        ahead.begin(80 * MIB);
        ahead.expect(std::iter::once(0..60 * MIB));
        assert!(ahead.read(&(0..5)).is_none());
        assert_eq!(ahead.0.state.lock().bytes, 0);
    }

    #[test]
    fn what_is_not_expected_or_does_not_come_is_left_to_its_reader() {
        let ahead = ahead();
        ahead.expect([0..MIB, 200 * MIB..201 * MIB].into_iter());
        for absent in [0..MIB + 1, MIB..MIB + 5, 200 * MIB..201 * MIB] {
            assert!(ahead.read(&absent).is_none(), "{absent:?}");
        }
        ahead.release(&(0..MIB));
        ahead.release(&(0..MIB));
        assert!(ahead.read(&(0..5)).is_none());
    }
}
