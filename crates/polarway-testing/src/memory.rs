//! An allocator that counts, for tests of how much memory something takes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts what all threads hold, and gives no more than its limit: whoever asks for more ends the process, as it would
/// where there is no more.
///
/// ```
/// use polarway_testing::CountedMemory;
///
/// #[global_allocator]
/// static MEMORY: CountedMemory = CountedMemory::limited_to(1 << 30);
///
/// let memory = MEMORY.alone();
/// let (text, most_bytes) = memory.most_held_by(|| "x".repeat(1_000));
/// assert!(most_bytes >= text.len());
/// ```
#[derive(Debug)]
pub struct CountedMemory {
    limit: usize,
    held: AtomicUsize,
    most_held: AtomicUsize,
    /// One test runs at a time.
    turn: Mutex<()>,
}

/// The turn of one test, until it is dropped.
#[derive(Debug)]
pub struct Alone<'a> {
    memory: &'a CountedMemory,
    _turn: MutexGuard<'a, ()>,
}

impl CountedMemory {
    /// An allocator that gives this many bytes at the most.
    pub const fn limited_to(bytes: usize) -> Self {
        Self { limit: bytes, held: AtomicUsize::new(0), most_held: AtomicUsize::new(0), turn: Mutex::new(()) }
    }

    /// Waits until no other test has its turn. What all threads hold is counted together, so each test of a program begins with
    /// this, also one that measures nothing: what it holds would be counted with what another one measures.
    pub fn alone(&self) -> Alone<'_> {
        Alone { memory: self, _turn: self.turn.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Whether so many bytes more may be held; they count from now on.
    fn takes(&self, bytes: usize) -> bool {
        let held = self.held.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if held > self.limit {
            self.gave_back(bytes);
            return false;
        }
        self.most_held.fetch_max(held, Ordering::Relaxed);
        true
    }

    fn gave_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Alone<'_> {
    /// What `work` returns, and how many bytes more than before were held at a time while it ran, by whatever thread.
    pub fn most_held_by<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
        let CountedMemory { held, most_held, .. } = self.memory;
        let before = held.load(Ordering::Relaxed);
        most_held.store(before, Ordering::Relaxed);
        let result = work();
        (result, most_held.load(Ordering::Relaxed).saturating_sub(before))
    }
}

// SAFETY: every call is handed to the system's allocator as it came, or refused as the contract allows; counting does
// not allocate.
unsafe impl GlobalAlloc for CountedMemory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !self.takes(layout.size()) {
            return null_mut();
        }
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !self.takes(layout.size()) {
            return null_mut();
        }
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.gave_back(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may be there at the same time.
        if !self.takes(size) {
            return null_mut();
        }
        self.gave_back(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc::realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
