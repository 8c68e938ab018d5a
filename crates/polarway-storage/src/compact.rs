//! Compaction: the same rows in fewer files.

use std::ops::Range;
use std::sync::Arc;

use polarway_model::DatasetName;
use polarway_parquet::holds_floats;

use crate::change::{Change, Conclusion, Decision, Draft, Origin};
use crate::commit::{Commit, CommitKind, DataFile};
use crate::error::{Error, Result};
use crate::snapshot::Snapshot;
use crate::tables::{Dataset, Tables};
use crate::upload::Upload;

/// A version with more files than this is compacted.
const MANY_FILES: usize = 32;

/// A file below this many bytes is small.
const SMALL_FILE_BYTES: u64 = 16 << 20;

/// A version with this many small files side by side is compacted.
const MANY_SMALL_FILES: usize = 8;

/// Files are put together up to this many bytes.
const TARGET_BYTES: u64 = 512 << 20;

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Files that were put together.
    pub inputs: usize,
    /// Files that they became.
    pub outputs: usize,
}

impl Tables {
    /// Puts a dataset's files together where it has many, or many small ones. Rows, their
    /// order and the version stay as they are.
    ///
    /// Writers go first: when the files it works on are no longer in the newest version, it stops.
    ///
    /// # Errors
    /// What the storage says; the dataset is as it was then.
    pub fn compact(&self, name: &DatasetName) -> Result<Compacted> {
        let dataset = self.dataset(name);
        let mut done = Compacted::default();
        loop {
            let Some(newest) = dataset.log.newest(0)? else { return Ok(done) };
            let holds_floats = !newest.is_deleted() && holds_floats(&self.snapshot_of(name, &newest)?.schema);
            let Some(run) = run_to_compact(&newest.files, holds_floats) else { return Ok(done) };
            let inputs = newest.files[run].to_vec();
            let upload = self.put_together(&dataset, &newest, &inputs)?;
            let origin = Origin::own().begun_at(newest.number);
            let conclusion =
                self.carry_out(&dataset, &origin, &mut Compaction { inputs: &inputs, upload })?;
            let Conclusion::Committed(_) = conclusion else { return Ok(done) };
            done.inputs += inputs.len();
            done.outputs += 1;
        }
    }

    fn put_together(&self, dataset: &Dataset, newest: &Commit, inputs: &[DataFile]) -> Result<Upload> {
        let snapshot = self.snapshot_of(&dataset.name, newest)?;
        let part = Snapshot {
            files: inputs.iter().map(|file| Snapshot::data_file(&dataset.name, file)).collect(),
            ..(*snapshot).clone()
        };
        let mut writer = self.begin_upload(&dataset.name, Arc::clone(&snapshot.schema))?;
        for batch in self.read(&part, 0)? {
            writer.write(&batch?)?;
        }
        writer.finish()
    }
}

/// Puts a file in the place of those whose rows it has.
struct Compaction<'a> {
    inputs: &'a [DataFile],
    upload: Upload,
}

impl Change for Compaction<'_> {
    type Left = ();

    const WAITS_ITS_TURN: bool = true;

    /// Goes on while the inputs still stand together in the newest commit.
    fn decide(&mut self, newest: Option<&Arc<Commit>>) -> Result<Decision<()>> {
        let Some(newest) = newest else { return Ok(Decision::Leave(())) };
        let mut windows = newest.files.windows(self.inputs.len());
        let Some(place) = windows.position(|files| files == self.inputs) else {
            return Ok(Decision::Leave(()));
        };
        let mut draft = Draft::same_table(CommitKind::Compact, newest);
        draft.files.splice(place..place + self.inputs.len(), self.upload.file.clone());
        Ok(Decision::Commit(draft))
    }

    fn uploads(&mut self) -> impl Iterator<Item = &mut Upload> {
        std::iter::once(&mut self.upload)
    }

    fn failed(&mut self, error: Error) -> Result<()> {
        match error {
            Error::UploadExpired { .. } => Ok(()),
            error => Err(error),
        }
    }
}

/// The files to write next: the first run of small ones that is long enough; or, where there are many files, the
/// longest run that fits together; or those whose statistics can't be relied on, where that matters.
fn run_to_compact(files: &[DataFile], holds_floats: bool) -> Option<Range<usize>> {
    let small = runs(files, |file| file.bytes < SMALL_FILE_BYTES).find(|run| run.len() >= MANY_SMALL_FILES);
    let longest = || {
        let longest = runs(files, |file| file.bytes < TARGET_BYTES).max_by_key(ExactSizeIterator::len);
        longest.filter(|run| files.len() > MANY_FILES && run.len() > 1)
    };
    let unsafe_for_nan = || runs(files, |file| holds_floats && !file.nan_safe).next();
    small.or_else(longest).or_else(unsafe_for_nan)
}

/// The runs of files that may be put together and that are not over the target together, each of one file at least.
fn runs(files: &[DataFile], may: impl Fn(&DataFile) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        while files.get(start).is_some_and(|file| !may(file)) {
            start += 1;
        }
        let mut together = 0;
        let rest = files[start..].iter().enumerate();
        let length = rest
            .take_while(|(place, file)| {
                together += file.bytes;
                may(file) && (*place == 0 || together <= TARGET_BYTES)
            })
            .count();
        let run = start..start + length;
        start = run.end;
        (length > 0).then_some(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn files(mib: &[u64]) -> Vec<DataFile> {
        let file = |mib: &u64| DataFile {
            name: "f".into(),
            rows: 1,
            bytes: mib * MIB,
            arrow_bytes: 1,
            nan_safe: true,
        };
        mib.iter().map(file).collect()
    }

    #[test]
    fn few_files_are_left_alone() {
        assert_eq!(run_to_compact(&files(&[]), true), None);
        assert_eq!(run_to_compact(&files(&[1; 7]), true), None);
        assert_eq!(run_to_compact(&files(&[100; 32]), true), None);
    }

    #[test]
    fn small_files_side_by_side_are_put_together() {
        assert_eq!(run_to_compact(&files(&[1; 8]), true), Some(0..8));
        assert_eq!(run_to_compact(&files(&[600, 1, 1, 1, 1, 1, 1, 1, 1, 90]), true), Some(1..9));
    }

    #[test]
    fn many_files_are_put_together_up_to_the_target_and_large_ones_never() {
        assert_eq!(run_to_compact(&files(&[100; 33]), true), Some(25..30));
        assert_eq!(run_to_compact(&files(&[600; 40]), true), None);
    }

    #[test]
    fn files_whose_bounds_know_nothing_of_nan_are_written_anew_where_there_are_floats() {
        let mut files = files(&[600, 600, 90, 90, 90]);
        for place in [1, 3, 4] {
            files[place].nan_safe = false;
        }
        assert_eq!(run_to_compact(&files, false), None);
        assert_eq!(run_to_compact(&files, true), Some(1..2), "a file over the target, alone");
        files[1].nan_safe = true;
        assert_eq!(run_to_compact(&files, true), Some(3..5));
    }
}
