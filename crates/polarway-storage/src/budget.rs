//! The memory that uploads, loads and the cache share.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

/// Requests up to this size don't wait behind larger ones, and the last sixteenth of the budget is only for them: small work
/// goes on while large work waits.
const SMALL_BYTES: u64 = 64 << 10;

/// A number of bytes that several users share. Bytes are returned when their [`Reservation`] is dropped.
///
/// Requests that wait are served in the order in which they came. Clones share the same bytes.
#[derive(Clone)]
pub struct MemoryBudget(Arc<Shared>);

struct Shared {
    capacity: u64,
    state: Mutex<State>,
    /// A request could not be served.
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

/// Holds memory that it can give back when others need it.
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

    /// The number of all bytes.
    pub fn capacity(&self) -> u64 {
        self.0.capacity
    }

    /// The number of bytes in use. After [`Reservation::resize`] it can be larger than the capacity.
    pub fn used(&self) -> u64 {
        self.0.state.lock().used
    }

    /// Takes bytes if they are free and nobody waits for them.
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

    /// Waits until this many bytes are free, and takes them. A request above the capacity gets the capacity.
    pub async fn reserve(&self, bytes: u64) -> Reservation {
        loop {
            if let Some(taken) = self.try_reserve(bytes) {
                return taken;
            }
            let (turn, has_come) = oneshot::channel();
            self.0.state.lock().waiting.push_back(Waiting { bytes, turn });
            // Bytes may have become free since.
            self.0.serve();
            if let Ok(taken) = has_come.await {
                return taken;
            }
        }
    }

    /// Waits until a request can't be served.
    pub async fn shortage(&self) {
        let notified = self.0.shortage.notified();
        if self.0.state.lock().waiting.is_empty() {
            notified.await;
        }
    }

    /// An empty reservation, for [`Reservation::resize`].
    pub fn nothing(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }

    /// Sets the holder that is asked to give memory back before a request waits.
    pub(crate) fn ask_first(&self, spare: Weak<dyn Spare>) {
        self.0.state.lock().spare = Some(spare);
    }

    fn take(&self, bytes: u64) -> Option<Reservation> {
        let mut state = self.0.state.lock();
        let in_turn = bytes <= SMALL_BYTES || state.waiting.is_empty();
        (in_turn && state.take(bytes, self.0.capacity)).then(|| Reservation { budget: self.clone(), bytes })
    }

    fn ask_back(&self, bytes: u64) {
        // Not under the lock: giving bytes back takes it.
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

    /// Serves requests that wait, as far as bytes are free.
    fn serve(self: &Arc<Self>) {
        let mut served = Vec::new();
        {
            let mut state = self.state.lock();
            let mut passed_over = VecDeque::new();
            let mut is_blocked = false;
            while let Some(next) = state.waiting.pop_front() {
                if next.turn.is_closed() {
                    continue; // nobody waits for it any more
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
            // If nobody waits any more, it is given back at once.
            drop(turn.send(Reservation { budget: MemoryBudget(Arc::clone(self)), bytes }));
        }
    }
}

impl State {
    fn take(&mut self, bytes: u64, capacity: u64) -> bool {
        let room = if bytes <= SMALL_BYTES { capacity } else { capacity - capacity / 16 };
        // A request above the capacity is served when nothing is in use.
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
    /// The number of its bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sets the number of its bytes, whether they are free or not: for memory that is in use already. Returns whether they were
    /// free; if not, the holder should give some back soon.
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

    /// Adds the bytes of another reservation.
    pub fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        other.keep();
    }

    /// Moves all bytes out; this reservation is empty then.
    #[must_use]
    pub fn take(&mut self) -> Self {
        Self { budget: self.budget.clone(), bytes: std::mem::take(&mut self.bytes) }
    }

    /// Drops this and does not give its bytes back.
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
        // There is room for it, but it came later.
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
