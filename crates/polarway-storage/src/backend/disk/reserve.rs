//! Reserved space for commits that free space, so that data can be removed from a full disk.
//!
//! It is a folder of files whose blocks are allocated. On a full disk a commit overwrites the beginning of one of these files,
//! which needs no new block, and the rest of the file is freed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};

use crate::layout::TEMPORARY_PREFIX;

/// The number of commits that fit: deleting a dataset and removing its data takes two.
const SPARES: usize = 16;

/// The size of each file; a larger commit takes several.
const SPARE_BYTES: usize = 64 << 10;

/// The files that commits can overwrite.
#[derive(Debug)]
pub(super) struct Reserve {
    folder: PathBuf,
    /// Whether files are missing, as far as this process knows.
    is_short: AtomicBool,
}

impl Reserve {
    /// A reserve in this folder. It is made after something was stored there: a folder that is only read is not changed.
    pub(super) fn new(root: &Path) -> Self {
        let folder = root.join(format!("{TEMPORARY_PREFIX}reserve"));
        Self { folder, is_short: AtomicBool::new(true) }
    }

    /// Makes missing files, if there is space.
    pub(super) fn fill(&self) {
        if self.is_short.swap(false, Ordering::AcqRel)
            && let Err(error) = self.try_fill()
        {
            self.is_short.store(true, Ordering::Release);
            tracing::debug!(%error, "no room can be kept for the commits that free some");
        }
    }

    /// The same after something was removed, if there is a reserve.
    pub(super) fn refill(&self) {
        if self.is_short.load(Ordering::Acquire) && self.folder.exists() {
            self.fill();
        }
    }

    fn try_fill(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        for spare in self.spares() {
            if spare.exists() {
                continue;
            }
            let name = format!("{TEMPORARY_PREFIX}{}", uuid::Uuid::now_v7().simple());
            let fresh = super::Staged(self.folder.join(name));
            File::create_new(&fresh.0)?.write_all(&incompressible())?;
            fs::rename(&fresh.0, spare)?;
        }
        Ok(())
    }

    fn spares(&self) -> impl Iterator<Item = PathBuf> + '_ {
        (0..SPARES).map(|number| self.folder.join(format!("{number:02}")))
    }

    /// Turns one of the files into the file at `target`, with these contents, durably.
    ///
    /// # Errors
    /// No file is left, or the contents don't fit.
    pub(super) fn write_over(&self, target: &Path, contents: &[u8]) -> io::Result<()> {
        self.is_short.store(true, Ordering::Release);
        let Some(()) = self.spares().find_map(|spare| fs::rename(spare, target).ok()) else {
            return Err(io::ErrorKind::StorageFull.into());
        };
        let mut file = OpenOptions::new().write(true).open(target)?;
        file.write_all(contents)?;
        file.set_len(contents.len() as u64)?;
        file.sync_all()
    }

    /// Removes one of the files, to make room for something that can't overwrite one, such as the entry of a folder; `false` if
    /// there is none.
    pub(super) fn release(&self) -> bool {
        self.is_short.store(true, Ordering::Release);
        self.spares().any(|spare| fs::remove_file(spare).is_ok())
    }

    /// The storage's time, from one of the files.
    pub(super) fn touch(&self) -> io::Result<fs::Metadata> {
        let file = self.spares().find_map(|spare| OpenOptions::new().write(true).open(spare).ok());
        let file = file.ok_or(io::ErrorKind::StorageFull)?;
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        futimens(&file, &Timestamps { last_access: now, last_modification: now })?;
        file.metadata()
    }
}

/// Bytes that a filesystem can't compress.
fn incompressible() -> Vec<u8> {
    let mut state = 0_u64;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)).to_le_bytes()
    });
    words.take(SPARE_BYTES / 8).flatten().collect()
}
