//! Compaction: the same rows in fewer files.

use std::ops::Range;
use std::sync::Arc;

use crate::commit::{Commit, CommitKind, DataFile};
use crate::error::{Error, Result};
use crate::log::Attempt;
use crate::name::DatasetName;
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
    /// Beside writers it gives way: when the files it works on are no longer in the newest
    /// version, it stops.
    ///
    /// # Errors
    /// What the storage says; the dataset is as it was then.
    pub fn compact(&self, name: &DatasetName) -> Result<Compacted> {
        let dataset = self.dataset(name);
        let mut done = Compacted::default();
        loop {
            let Some(newest) = dataset.log.newest(0)? else { return Ok(done) };
            let Some(run) = run_to_compact(&newest.files) else { return Ok(done) };
            let inputs = newest.files[run].to_vec();
            let upload = self.put_together(&dataset, &newest, &inputs)?;
            if !self.publish_compacted(&dataset, &inputs, upload, newest.number)? {
                return Ok(done);
            }
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

    /// Publishes while the inputs still stand together in the newest commit; `false` when they
    /// don't. No vacuum up to the commit `base` can have condemned the upload.
    fn publish_compacted(
        &self,
        dataset: &Dataset,
        inputs: &[DataFile],
        mut upload: Upload,
        mut base: u64,
    ) -> Result<bool> {
        let _turn = dataset.log.turn.lock();
        loop {
            let Some(newest) = dataset.log.newest(0)? else { return Ok(false) };
            let Some(place) = newest.files.windows(inputs.len()).position(|files| files == inputs) else {
                return Ok(false);
            };
            while base < newest.number {
                base += 1;
                if dataset.log.read_existing(base)?.condemns(&upload) {
                    return Ok(false);
                }
            }
            let mut files = newest.files.clone();
            files.splice(place..place + inputs.len(), upload.file.clone());
            let kind = CommitKind::Compact;
            let commit = self.next_commit(dataset, Some(&newest), kind, newest.schema.clone(), files, None);
            upload.was_sent = true;
            match dataset.log.attempt(commit) {
                Ok(Attempt::Won(_)) => return Ok(true),
                Ok(Attempt::Lost) => upload.was_sent = false,
                Err(error) => {
                    upload.was_sent = matches!(error, Error::OutcomeUnknown { .. });
                    return Err(error);
                }
            }
        }
    }
}

/// The files to put together next: the first run of small ones that is long enough, or, where
/// there are many files, the longest run that fits together.
fn run_to_compact(files: &[DataFile]) -> Option<Range<usize>> {
    let small = runs(files, SMALL_FILE_BYTES).find(|run| run.len() >= MANY_SMALL_FILES);
    small.or_else(|| {
        let longest = runs(files, TARGET_BYTES).max_by_key(ExactSizeIterator::len);
        longest.filter(|run| files.len() > MANY_FILES && run.len() > 1)
    })
}

/// The runs of files that are each smaller than `below_bytes` and together not over the target.
fn runs(files: &[DataFile], below_bytes: u64) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        while files.get(start).is_some_and(|file| file.bytes >= below_bytes) {
            start += 1;
        }
        let mut together = 0;
        let length = files[start..]
            .iter()
            .take_while(|file| {
                together += file.bytes;
                file.bytes < below_bytes && together <= TARGET_BYTES
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
        let file = |mib: &u64| DataFile { name: "f".into(), rows: 1, bytes: mib * MIB, arrow_bytes: 1 };
        mib.iter().map(file).collect()
    }

    #[test]
    fn few_files_are_left_alone() {
        assert_eq!(run_to_compact(&files(&[])), None);
        assert_eq!(run_to_compact(&files(&[1; 7])), None);
        assert_eq!(run_to_compact(&files(&[100; 32])), None);
    }

    #[test]
    fn small_files_side_by_side_are_put_together() {
        assert_eq!(run_to_compact(&files(&[1; 8])), Some(0..8));
        assert_eq!(run_to_compact(&files(&[600, 1, 1, 1, 1, 1, 1, 1, 1, 90])), Some(1..9));
    }

    #[test]
    fn many_files_are_put_together_up_to_the_target_and_large_ones_never() {
        assert_eq!(run_to_compact(&files(&[100; 33])), Some(25..30));
        assert_eq!(run_to_compact(&files(&[600; 40])), None);
    }
}
