//! The memory that uploads, loads and the cache share.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

/// What is asked for at this size or below need not wait behind what is larger, and has the last sixteenth of the budget
/// to itself: small work goes on while large work waits.
const SMALL_BYTES: u64 = 64 << 10;

/// A number of bytes that is shared out. What is taken is given back when its [`Reservation`] is dropped.
///
/// Those who wait get their turn in the order in which they came. Clones share the same bytes.
#[derive(Clone)]
pub struct MemoryBudget(Arc<Shared>);

struct Shared {
    capacity: u64,
    state: Mutex<State>,
    /// Somebody could not have what it asked for.
    shortage: Notify,
}

#[derive(Default)]
struct State {
    used: u64,
    waiting: VecDeque<Waiting>,
    spare: Option<Weak<dyn Spare>>,
}

struct Waiting {
    bytes: u64,
    turn: oneshot::Sender<Reservation>,
}

/// Who holds memory that others may need more, and can give it back.
pub(crate) trait Spare: Send + Sync {
    /// Gives back about this many bytes, if it has them.
    fn give_back(&self, bytes: u64);
}

impl MemoryBudget {
    /// A budget of this many bytes.
    pub fn new(capacity: u64) -> Self {
        let shared = Shared { capacity, state: Mutex::default(), shortage: Notify::new() };
        Self(Arc::new(shared))
    }

    /// How many bytes there are in all.
    pub fn capacity(&self) -> u64 {
        self.0.capacity
    }

    /// How many bytes are taken; after [`Reservation::resize`], more than there are, perhaps.
    pub fn used(&self) -> u64 {
        self.0.state.lock().used
    }

    /// Takes bytes if they are there and nobody waits for them.
    pub fn try_reserve(&self, bytes: u64) -> Option<Reservation> {
        self.take(bytes).or_else(|| {
            self.ask_back(bytes);
            let taken = self.take(bytes);
            if taken.is_none() {
                self.0.shortage.notify_waiters();
            }
            taken
        })
    }

    /// Waits until there are so many bytes, and takes them. More than there are in all is as much as there is.
    pub async fn reserve(&self, bytes: u64) -> Reservation {
        loop {
            if let Some(taken) = self.try_reserve(bytes) {
                return taken;
            }
            let (turn, has_come) = oneshot::channel();
            self.0.state.lock().waiting.push_back(Waiting { bytes, turn });
            // It may have become possible since.
            self.0.serve();
            if let Ok(taken) = has_come.await {
                return taken;
            }
        }
    }

    /// Waits until somebody can't have what it asks for.
    pub async fn shortage(&self) {
        let notified = self.0.shortage.notified();
        if self.0.state.lock().waiting.is_empty() {
            notified.await;
        }
    }

    /// Nothing taken yet, for [`Reservation::resize`].
    pub fn nothing(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }

    /// Names who is asked to give memory back before anybody waits.
    pub(crate) fn ask_first(&self, spare: Weak<dyn Spare>) {
        self.0.state.lock().spare = Some(spare);
    }

    fn take(&self, bytes: u64) -> Option<Reservation> {
        let mut state = self.0.state.lock();
        let in_turn = bytes <= SMALL_BYTES || state.waiting.is_empty();
        (in_turn && state.take(bytes, self.0.capacity)).then(|| Reservation { budget: self.clone(), bytes })
    }

    fn ask_back(&self, bytes: u64) {
        // Not under the lock: what is given back takes it.
        let spare = self.0.state.lock().spare.as_ref().and_then(Weak::upgrade);
        if let Some(spare) = spare {
            spare.give_back(bytes);
        }
    }
}

impl fmt::Debug for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBudget")
            .field("capacity", &self.capacity())
            .field("used", &self.used())
            .finish()
    }
}

impl Shared {
    fn give_back(self: &Arc<Self>, bytes: u64) {
        if bytes > 0 {
            self.state.lock().used -= bytes;
            self.serve();
        }
    }

    /// Gives those who wait what there is now.
    fn serve(self: &Arc<Self>) {
        let mut served = Vec::new();
        {
            let mut state = self.state.lock();
            let mut passed_over = VecDeque::new();
            let mut is_blocked = false;
            while let Some(next) = state.waiting.pop_front() {
                if next.turn.is_closed() {
                    continue; // it waits no longer
                }
                let may = next.bytes <= SMALL_BYTES || !is_blocked;
                if may && state.take(next.bytes, self.capacity) {
                    served.push(next);
                } else {
                    is_blocked |= next.bytes > SMALL_BYTES;
                    passed_over.push_back(next);
                }
            }
            state.waiting = passed_over;
        }
        for Waiting { bytes, turn } in served {
            // Who has stopped waiting gives it back at once.
            drop(turn.send(Reservation { budget: MemoryBudget(Arc::clone(self)), bytes }));
        }
    }
}

impl State {
    fn take(&mut self, bytes: u64, capacity: u64) -> bool {
        let room = if bytes <= SMALL_BYTES { capacity } else { capacity - capacity / 16 };
        // What is larger than all there is gets its turn when nobody has anything.
        let fits = self.used.saturating_add(bytes) <= room || self.used == 0;
        if fits {
            self.used += bytes;
        }
        fits
    }
}

/// Bytes that were taken from a [`MemoryBudget`].
#[derive(Debug)]
pub struct Reservation {
    budget: MemoryBudget,
    bytes: u64,
}

impl Reservation {
    /// How many bytes it is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes it this many bytes, whether they are there or not: for memory that is held already. Tells whether they were
    /// there: where not, the holder should give some back soon.
    pub fn resize(&mut self, bytes: u64) -> bool {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if bytes <= before {
            self.budget.0.give_back(before - bytes);
            return true;
        }
        let added = bytes - before;
        if let Some(taken) = self.budget.try_reserve(added) {
            taken.keep();
            return true;
        }
        self.budget.0.state.lock().used += added;
        false
    }

    /// Puts another one to it.
    pub fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        other.keep();
    }

    /// All of it, which leaves nothing here.
    #[must_use]
    pub fn take(&mut self) -> Self {
        Self { budget: self.budget.clone(), bytes: std::mem::take(&mut self.bytes) }
    }

    /// Its bytes stay taken.
    fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn poll<T>(future: &mut std::pin::Pin<Box<impl Future<Output = T>>>) -> Poll<T> {
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_is_dropped_can_be_taken_again() {
        let budget = MemoryBudget::new(16 * MIB);
        let first = budget.try_reserve(10 * MIB).unwrap();
        assert!(budget.try_reserve(10 * MIB).is_none());
        drop(first);
        assert!(budget.try_reserve(10 * MIB).is_some());
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn those_who_wait_get_their_turn_in_order_and_small_work_passes() {
        let budget = MemoryBudget::new(16 * MIB);
        let held = budget.try_reserve(14 * MIB).unwrap();
        let mut first = Box::pin(budget.reserve(8 * MIB));
        let mut second = Box::pin(budget.reserve(MIB));
        assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
        // There would be room for it; it came later.
        assert!(budget.try_reserve(MIB).is_none());
        assert!(budget.try_reserve(SMALL_BYTES).is_some());
        drop(held);
        assert!(matches!(poll(&mut first), Poll::Ready(taken) if taken.bytes() == 8 * MIB));
        assert!(poll(&mut second).is_ready());
    }

    #[test]
    fn who_stops_waiting_holds_up_nobody() {
        let budget = MemoryBudget::new(16 * MIB);
        let held = budget.try_reserve(14 * MIB).unwrap();
        let mut gone = Box::pin(budget.reserve(15 * MIB));
        assert!(poll(&mut gone).is_pending());
        let mut waiting = Box::pin(budget.reserve(15 * MIB));
        assert!(poll(&mut waiting).is_pending());
        drop(gone);
        drop(held);
        assert!(poll(&mut waiting).is_ready());
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn more_than_there_is_in_all_gets_its_turn_when_nobody_has_anything() {
        let budget = MemoryBudget::new(MIB);
        let held = budget.try_reserve(1).unwrap();
        let mut large = Box::pin(budget.reserve(100 * MIB));
        assert!(poll(&mut large).is_pending());
        drop(held);
        assert!(poll(&mut large).is_ready());
    }

    #[test]
    fn memory_that_is_held_already_counts_though_it_was_not_there() {
        let budget = MemoryBudget::new(16 * MIB);
        let mut held = budget.nothing();
        assert!(held.resize(10 * MIB));
        assert!(!held.resize(40 * MIB), "and it is told");
        assert_eq!(budget.used(), 40 * MIB);
        assert!(budget.try_reserve(1).is_none());
        assert!(held.resize(MIB));
        assert!(budget.try_reserve(10 * MIB).is_some());
        let mut taken = held.take();
        drop(held);
        assert_eq!(budget.used(), MIB);
        taken.add(budget.try_reserve(MIB).unwrap());
        drop(taken);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_shortage_is_heard_by_those_who_could_give_back() {
        let budget = MemoryBudget::new(16 * MIB);
        let _held = budget.try_reserve(15 * MIB).unwrap();
        let mut shortage = Box::pin(budget.shortage());
        assert!(poll(&mut shortage).is_pending());
        assert!(budget.try_reserve(8 * MIB).is_none());
        assert!(poll(&mut shortage).is_ready());
    }
}
