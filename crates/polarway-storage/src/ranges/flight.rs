//! A request that is on its way, and those who wait for it.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use tokio::task::AbortHandle;

use super::{BLOCK_BYTES, ReadFailure};
use crate::backend::BackendError;

/// How often somebody who waits looks whether the query was stopped.
const LOOK: Duration = Duration::from_millis(20);

/// One request for blocks in a row. Whoever needs one of them meanwhile waits for it, too.
pub(super) struct Flight {
    /// The blocks.
    pub(super) blocks: Range<u64>,
    answer: Mutex<Option<Result<Bytes, Arc<BackendError>>>>,
    answered: Condvar,
    /// How many wait for it. It is changed under the lock of the blocks only.
    waiting: AtomicUsize,
    /// Ends it if it has not begun.
    queued: OnceLock<AbortHandle>,
}

impl Flight {
    pub(super) fn new(blocks: Range<u64>) -> Self {
        Self {
            blocks,
            answer: Mutex::default(),
            answered: Condvar::new(),
            waiting: AtomicUsize::new(0),
            queued: OnceLock::new(),
        }
    }

    /// One more waits for it.
    pub(super) fn join(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// One less waits for it. Returns whether nobody does.
    pub(super) fn leave(&self) -> bool {
        self.waiting.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// It will be carried out when its turn comes.
    pub(super) fn queue(&self, handle: AbortHandle) {
        let _ = self.queued.set(handle); // a flight is started once
    }

    /// It is not carried out, unless it has begun.
    pub(super) fn cancel(&self) {
        if let Some(handle) = self.queued.get() {
            handle.abort();
        }
    }

    /// Tells all who wait. The first answer counts.
    pub(super) fn land(&self, answer: Result<Bytes, BackendError>) {
        self.answer.lock().get_or_insert_with(|| answer.map_err(Arc::new));
        self.answered.notify_all();
    }

    pub(super) fn has_landed(&self) -> bool {
        self.answer.lock().is_some()
    }

    /// Waits for the bytes of all its blocks.
    pub(super) fn wait(&self, is_cancelled: &dyn Fn() -> bool) -> Result<Bytes, ReadFailure> {
        let mut answer = self.answer.lock();
        loop {
            if let Some(answer) = &*answer {
                return answer.clone().map_err(ReadFailure::Failed);
            }
            if is_cancelled() {
                return Err(ReadFailure::Cancelled);
            }
            self.answered.wait_for(&mut answer, LOOK);
        }
    }

    /// The bytes of one of its blocks, among those of all.
    pub(super) fn part(&self, number: u64, bytes: &Bytes) -> Bytes {
        let start = ((number - self.blocks.start) * BLOCK_BYTES) as usize;
        let end = bytes.len().min(start + BLOCK_BYTES as usize);
        bytes.slice(start.min(end)..end)
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("blocks", &self.blocks).finish_non_exhaustive()
    }
}
