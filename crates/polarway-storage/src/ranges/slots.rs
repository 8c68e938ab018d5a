//! The cache's file on disk: slots of one size, each for one block.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::BLOCK_BYTES;

/// A file of slots.
#[derive(Debug)]
pub(super) struct Slots {
    file: File,
    most: u64,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    /// Slots that were used before.
    free: Vec<u64>,
    /// The first slot that was never used.
    next: u64,
}

/// A slot that is in use. Dropping it makes it free, so whoever reads it holds it.
#[derive(Debug)]
pub(super) struct Slot {
    number: u64,
    taken: Arc<Mutex<Taken>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.taken.lock().free.push(self.number);
    }
}

impl Slots {
    /// Slots in a new file, which takes this many bytes at most.
    pub(super) fn create(path: &Path, most_bytes: u64) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Self { file, most: most_bytes / BLOCK_BYTES, taken: Arc::default() })
    }

    /// A free slot, if there is one.
    pub(super) fn take(&self) -> Option<Slot> {
        let mut taken = self.taken.lock();
        let number = match taken.free.pop() {
            Some(number) => number,
            None if taken.next < self.most => {
                taken.next += 1;
                taken.next - 1
            }
            None => return None,
        };
        Some(Slot { number, taken: Arc::clone(&self.taken) })
    }

    /// How many bytes are in use.
    pub(super) fn taken_bytes(&self) -> u64 {
        let taken = self.taken.lock();
        (taken.next - taken.free.len() as u64) * BLOCK_BYTES
    }

    pub(super) fn write(&self, slot: &Slot, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, slot.number * BLOCK_BYTES)
    }

    /// Reads bytes of a block from `offset` on.
    pub(super) fn read(&self, slot: &Slot, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(into, slot.number * BLOCK_BYTES + offset)
    }
}
