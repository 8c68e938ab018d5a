//! Lists the versions of a dataset.

use std::collections::HashSet;
use std::sync::Arc;

use polarway_model::{DatasetName, Version, VersionKind};

use crate::commit::{Commit, CommitKind};
use crate::error::Result;
use crate::tables::Tables;

impl Tables {
    /// All versions that a dataset ever had, oldest first: also of a deleted dataset, and also
    /// versions whose data was removed.
    ///
    /// # Errors
    /// [`Error::UnknownDataset`](crate::Error::UnknownDataset) if there never was one, and
    /// errors of the storage.
    pub fn versions(&self, name: &DatasetName) -> Result<Vec<Version>> {
        let dataset = self.dataset(name);
        let adopted = self.adopted(name)?;
        let newest = match dataset.log.newest(0)? {
            Some(commit) => commit.number,
            None if adopted.is_some() => 0,
            None => return Err(self.unknown(name, None)),
        };
        let mut versions: Vec<Version> = adopted
            .map(|snapshot| Version {
                version: 0,
                kind: VersionKind::Adopted,
                rows: snapshot.rows,
                bytes: snapshot.bytes,
                files: snapshot.files.len() as u64,
                time_us: snapshot.time_us,
                vacuumed: false,
            })
            .into_iter()
            .collect();
        let mut condemned: HashSet<String> = HashSet::new();
        // The files of each version in its last commit: compaction moves rows.
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
                (version.files, version.bytes) = (commit.files.len() as u64, commit.bytes());
                *files = commit;
            }
        }
        if versions.is_empty() {
            return Err(self.unknown(name, None));
        }
        let adopted_versions = versions.len() - last_files.len();
        for (version, commit) in versions[adopted_versions..].iter_mut().zip(&last_files) {
            version.vacuumed = commit.files.iter().any(|file| condemned.contains(&file.name));
        }
        Ok(versions)
    }
}

fn summary(commit: &Commit) -> Version {
    Version {
        version: commit.version,
        kind: kind(commit.kind),
        rows: commit.rows(),
        bytes: commit.bytes(),
        files: commit.files.len() as u64,
        time_us: commit.time_us,
        vacuumed: false,
    }
}

fn kind(commit: CommitKind) -> VersionKind {
    match commit {
        CommitKind::Overwrite => VersionKind::Overwrite,
        CommitKind::Append => VersionKind::Append,
        CommitKind::Delete => VersionKind::Delete,
        // These make commits and no versions.
        CommitKind::Compact | CommitKind::Vacuum | CommitKind::Renew => VersionKind::Unknown,
    }
}
