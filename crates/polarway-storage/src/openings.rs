//! Opens the files of a version: several at a time where each takes a round trip, and the first ones before it is certain that
//! they are read.

use std::collections::VecDeque;
use std::sync::Arc;

use polarway_parquet::ReadAt;

use crate::backend::{Backend, BackendResult, Opening};
use crate::part::Part;
use crate::snapshot::{Snapshot, SnapshotFile};

/// The most files of one read that are being opened at a time.
const MOST_OPENINGS: usize = 16;

/// The next files of a read that are being opened, in their order. Dropping it ends that.
#[derive(Debug, Default)]
pub(crate) struct Openings(VecDeque<(SnapshotFile, Opening)>);

impl Openings {
    /// Begins to open the first files of a part of a version. There are none where that takes no time.
    pub(crate) fn begin(backend: &dyn Backend, snapshot: &Snapshot, part: &Part) -> Self {
        let mut openings = Self::default();
        let mut first_row = 0;
        for file in &snapshot.files {
            let rows = first_row..first_row + file.rows;
            first_row = rows.end;
            if rows.end <= part.rows.start {
                continue;
            }
            let is_over = rows.start >= part.rows.end || openings.0.len() == MOST_OPENINGS;
            // The others come when the first one has: its bytes are needed before theirs.
            let is_read_whole = openings.0.is_empty()
                && part.columns.is_none()
                && part.rows.start <= rows.start
                && part.rows.end >= rows.end;
            if is_over || !openings.add(backend, file, is_read_whole) {
                break;
            }
        }
        openings
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Opens a file. `next` are the files that are read after it: they are on their way then.
    ///
    /// # Errors
    /// As [`SnapshotFile::open`].
    pub(crate) fn open(
        &mut self,
        backend: &dyn Backend,
        file: &SnapshotFile,
        next: &[SnapshotFile],
    ) -> BackendResult<Arc<dyn ReadAt>> {
        if self.0.front().is_some_and(|(begun, _)| begun != file) {
            self.0.clear(); // they are of another version
        }
        let begun = self.0.len();
        for file in std::iter::once(file).chain(next).take(MOST_OPENINGS).skip(begun) {
            if !self.add(backend, file, false) {
                break;
            }
        }
        match self.0.pop_front() {
            Some((_, opening)) => opening.wait(),
            None => file.open(backend),
        }
    }

    fn add(&mut self, backend: &dyn Backend, file: &SnapshotFile, is_read_whole: bool) -> bool {
        let opening = file.begin_to_open(backend, is_read_whole);
        let has_begun = opening.is_some();
        self.0.extend(opening.map(|opening| (file.clone(), opening)));
        has_begun
    }
}
