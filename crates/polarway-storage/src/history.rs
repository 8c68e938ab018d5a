//! A dataset's versions, listed.

use std::collections::HashSet;
use std::sync::Arc;

use polarway_model::DatasetName;

use crate::commit::{Commit, CommitKind};
use crate::error::Result;
use crate::tables::Tables;

/// One version in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSummary {
    /// Its number; 0 for adopted files.
    pub version: u64,
    /// What made it, or `None` for adopted files.
    pub kind: Option<CommitKind>,
    /// Its rows.
    pub rows: u64,
    /// What its files take, in bytes.
    pub bytes: u64,
    /// How many files it has.
    pub files: usize,
    /// When it was made: microseconds since 1970-01-01 UTC.
    pub time_us: i64,
    /// Whether retention has removed its data.
    pub vacuumed: bool,
}

impl Tables {
    /// All versions that a dataset ever had, oldest first: also of a deleted dataset, and also
    /// those whose data is gone.
    ///
    /// # Errors
    /// [`Error::UnknownDataset`](crate::Error::UnknownDataset) where there never was one, and
    /// what the storage says.
    pub fn versions(&self, name: &DatasetName) -> Result<Vec<VersionSummary>> {
        let dataset = self.dataset(name);
        let adopted = self.adopted(name)?;
        let newest = match dataset.log.newest(0)? {
            Some(commit) => commit.number,
            None if adopted.is_some() => 0,
            None => return Err(self.unknown(name, false)),
        };
        let mut versions: Vec<VersionSummary> = adopted
            .map(|snapshot| VersionSummary {
                version: 0,
                kind: None,
                rows: snapshot.rows,
                bytes: snapshot.bytes,
                files: snapshot.files.len(),
                time_us: snapshot.time_us,
                vacuumed: false,
            })
            .into_iter()
            .collect();
        let mut condemned: HashSet<String> = HashSet::new();
        // The files of each version as its last commit has them: compaction moves rows.
        let mut last_files: Vec<Arc<Commit>> = Vec::new();
        for number in 1..=newest {
            let commit = dataset.log.read_existing(number)?;
            if let Some(vacuum) = &commit.vacuum {
                condemned.extend(vacuum.condemned.iter().cloned());
            }
            if commit.kind.makes_version() {
                versions.push(summary(&commit));
                last_files.push(commit);
            } else if let (Some(version), Some(files)) = (versions.last_mut(), last_files.last_mut()) {
                (version.files, version.bytes) = (commit.files.len(), commit.bytes());
                *files = commit;
            }
        }
        let adopted_versions = versions.len() - last_files.len();
        for (version, commit) in versions[adopted_versions..].iter_mut().zip(&last_files) {
            version.vacuumed = commit.files.iter().any(|file| condemned.contains(&file.name));
        }
        Ok(versions)
    }
}

fn summary(commit: &Commit) -> VersionSummary {
    VersionSummary {
        version: commit.version,
        kind: Some(commit.kind),
        rows: commit.rows(),
        bytes: commit.bytes(),
        files: commit.files.len(),
        time_us: commit.time_us,
        vacuumed: false,
    }
}
