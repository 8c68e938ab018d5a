//! Tidying a storage of tables that are kept while they are used: what ended is removed there with all its commits, and so is
//! what writers left that died before they published.
//!
//! Only here a number becomes free again after it was taken. So each step is a commit that a writer meets:
//!
//! * What was left is not removed but **claimed**: a commit 1 without a table. A writer that was only slow loses that number to
//!   it and takes the next one.
//! * A claim that stood for the grace time is **ended** by a commit, as is a lease that ran out. Behind a deletion nobody makes
//!   the table again.
//! * What ended longer ago than the grace time is **forgotten**. Commit 1 becomes a deletion in one step, so that a reader finds
//!   one wherever it begins; then all else goes, and commit 1 last.
//! * Folders are removed while they are empty: a writer that needs one makes it again.
//!
//! Nothing is touched that Polarway did not make.

use std::sync::Arc;
use std::time::Duration;

use polarway_model::DatasetName;

use crate::backend::{Entry, join};
use crate::change::{Conclusion, Decided, Decision, Draft, LeaseDraft, Origin};
use crate::commit::{
    CONTROL_FOLDER, Commit, CommitKind, Vacuum, commit_path, commits_folder, data_folder, hint_path,
    staging_folder,
};
use crate::environment::micros;
use crate::error::{Error, Result, with_cause};
use crate::layout::{commit_number, is_data_file, is_temporary};
use crate::leased::Leased;
use crate::snapshot::Snapshot;
use crate::tables::{Dataset, Tables};

/// The file by which a bucket is asked for its time.
const CLOCK_FILE: &str = "clock";

impl Tables {
    /// Whether the storage takes tables.
    ///
    /// # Errors
    /// The reason why it does not.
    pub fn probe(&self) -> Result<()> {
        Ok(self.backend.probe()?)
    }

    /// All tables with a lease that has not ended, by name, of those whose names are wanted.
    ///
    /// # Errors
    /// What the storage says. A table that can't be read is left out, with a warning in the log.
    pub fn all_leased(&self, is_wanted: impl Fn(&DatasetName) -> bool) -> Result<Vec<Arc<Snapshot>>> {
        let mut kept = Vec::new();
        for name in self.folders(is_wanted)? {
            match self.leased(&name) {
                Ok(Leased::Kept(snapshot)) => kept.push(snapshot),
                Ok(_) => {}
                Err(error) => {
                    self.backend.check()?; // without it, none is there, and that would say nothing
                    tracing::warn!(table = %name, %error, "a table can't be listed");
                }
            }
        }
        Ok(kept)
    }

    /// Ends the leases that have run out, and removes all that is left of tables that ended longer ago than the grace
    /// time; what writers left that died before they published goes after the time for orphans. Touches those tables only
    /// whose names are wanted, and of those only what Polarway made. Safe on any number of workers at once.
    ///
    /// # Errors
    /// What the storage says where it takes no writes, or is gone. A table that can't be tidied holds up none of the others:
    /// it is reported in the log.
    pub fn tidy_leased(&self, is_wanted: impl Fn(&DatasetName) -> bool) -> Result<()> {
        if let Err(error) = self.remove_unfinished(&is_wanted) {
            tracing::debug!(error = %with_cause(&error), "uploads that were not completed can't be removed");
        }
        let names = self.folders(is_wanted)?;
        if names.is_empty() {
            return Ok(());
        }
        let storage_now_us = self.backend.now_us(CONTROL_FOLDER)?;
        for name in names {
            if let Err(error) = self.tidy_one(&name, storage_now_us) {
                if error.is_read_only() {
                    return Err(error);
                }
                self.backend.check()?;
                tracing::warn!(table = %name, error = %with_cause(&error), "a table could not be tidied");
            }
        }
        Ok(())
    }

    fn tidy_one(&self, name: &DatasetName, storage_now_us: i64) -> Result<()> {
        self.backend.check_removable(&Self::control_folder(name))?;
        // Looking at a lease ends one that has run out.
        match self.leased(name)? {
            Leased::Kept(_) => Ok(()),
            Leased::Ended { .. } | Leased::Deleted { .. } => self.forget_if_past(name, storage_now_us),
            Leased::Unknown => self.tidy_begun(name, storage_now_us),
        }
    }

    fn folders(&self, is_wanted: impl Fn(&DatasetName) -> bool) -> Result<Vec<DatasetName>> {
        let entries = self.backend.list("")?.into_iter();
        let folders = entries.filter(|entry| entry.file.is_none());
        let names = folders.filter_map(|entry| DatasetName::new(entry.name).ok());
        Ok(names.filter(is_wanted).collect())
    }

    /// Removes a table that ended longer ago than the grace time.
    fn forget_if_past(&self, name: &DatasetName, storage_now_us: i64) -> Result<()> {
        let dataset = self.dataset(name);
        let Some(newest) = dataset.log.newest(0)? else { return Ok(()) };
        let ended_us = dataset.log.made_us(&newest, storage_now_us)?;
        let is_past = storage_now_us.saturating_sub(ended_us) > micros(self.settings.grace);
        // Where its end could not be written, it is kept.
        if !newest.is_deleted() || !is_past {
            return Ok(());
        }
        let first = dataset.log.read_existing(1)?;
        // Only tables that had a lease are removed.
        if first.lease.is_none() && newest.lease.is_none() {
            return Ok(());
        }
        self.forget(&dataset, &newest, &first)
    }

    fn forget(&self, dataset: &Dataset, newest: &Commit, first: &Commit) -> Result<()> {
        let name = &dataset.name;
        for folder in [commits_folder(name), staging_folder(name), data_folder(name)] {
            self.backend.check_removable(&folder)?;
        }
        self.backend.remove(&hint_path(name))?;
        let lease = newest.lease.or(first.lease);
        let ended = Commit { number: 1, version: 1, vacuum: None, lease, ..newest.clone() };
        if *first != ended {
            let path = commit_path(name, 1);
            let contents = ended
                .encode()
                .map_err(|error| Error::UnreadableCommit { path: path.clone(), reason: error.into() })?;
            self.backend.replace(&path, contents)?;
            self.backend.settle_commit(&path)?;
        }
        let (commits, others): (Vec<_>, Vec<_>) =
            self.left_in(name)?.ours.into_iter().partition(|file| file.is_commit);
        let others: Vec<String> = others.into_iter().map(|file| file.path).collect();
        self.backend.remove_all(&others)?;
        // In the order of their numbers: a commit without the later ones would be the newest.
        let (first, later): (Vec<_>, Vec<_>) =
            commits.into_iter().map(|file| file.path).partition(|path| *path == commit_path(name, 1));
        for path in later.iter().chain(&first) {
            self.backend.remove(path)?;
        }
        dataset.log.forget();
        self.remove_empty_folders(name)
    }

    /// Looks at what a writer left that is still at work, or died before it published.
    fn tidy_begun(&self, name: &DatasetName, storage_now_us: i64) -> Result<()> {
        let dataset = self.dataset(name);
        if let Some(claim) = dataset.log.newest(0)? {
            let claimed_us = dataset.log.made_us(&claim, storage_now_us)?;
            let is_past = storage_now_us.saturating_sub(claimed_us) > micros(self.claim_grace());
            let mut end = Decided(|newest: Option<&Arc<Commit>>| match newest {
                Some(newest) if is_past && newest.is_claim() => {
                    Ok(Decision::Commit(Draft::deletion(LeaseDraft::Same)))
                }
                _ => Ok(Decision::Leave(())),
            });
            self.carry_out(&dataset, &Origin::own(), &mut end)?;
            return Ok(());
        }
        let left = self.left_in(name)?;
        if left.has_others || !left.has_control_folder {
            return Ok(());
        }
        let Some(youngest_us) = left.ours.iter().map(|file| file.modified_us).max() else {
            return self.remove_empty_folders(name);
        };
        if storage_now_us.saturating_sub(youngest_us) <= micros(self.settings.orphan_grace) {
            return Ok(());
        }
        self.backend.check_removable(&commits_folder(name))?;
        let mut claim = Decided(|newest: Option<&Arc<Commit>>| match newest {
            None => Ok(Decision::Commit(Draft {
                kind: CommitKind::Vacuum,
                schema: None,
                files: vec![],
                lease: LeaseDraft::Start(Duration::ZERO),
                vacuum: Some(Vacuum { condemned: vec![], kept_from: 1 }),
            })),
            Some(_) => Ok(Decision::Leave(())),
        });
        if let Conclusion::Committed(_) = self.carry_out(&dataset, &Origin::own(), &mut claim)? {
            tracing::debug!(table = %name, "claimed what a writer left");
            // Commits that stood without a first one are what is left of a table that was being forgotten. They go in the order of
            // their numbers.
            for file in left.ours.iter().filter(|file| file.is_commit) {
                self.backend.remove(&file.path)?;
            }
        }
        Ok(())
    }

    /// For how long a claim stands before it is ended: a writer that was slow goes on behind it.
    fn claim_grace(&self) -> Duration {
        self.settings.grace.max(Duration::from_micros(crate::retry::REQUEST_WINDOW_US.unsigned_abs()))
    }

    /// The files that lie in a table's folder.
    fn left_in(&self, name: &DatasetName) -> Result<Left> {
        let mut left = Left::default();
        for entry in self.backend.list(name.as_str())? {
            match entry.file {
                None if entry.name == CONTROL_FOLDER => left.has_control_folder = true,
                _ => left.has_others = true,
            }
        }
        for entry in self.backend.list(&Self::control_folder(name))? {
            let is_ours = match entry.name.as_str() {
                "commits" | "data" | "staging" => entry.file.is_none(),
                "hint" | CLOCK_FILE => entry.file.is_some(),
                _ => false,
            };
            left.has_others |= !is_ours;
            if is_ours && entry.file.is_some() {
                left.take(&Self::control_folder(name), entry, false);
            }
        }
        type IsOurs = fn(&str) -> bool;
        let folders: [(String, IsOurs, bool); 3] = [
            (commits_folder(name), |file| commit_number(file).is_some(), true),
            (staging_folder(name), is_temporary, false),
            (data_folder(name), is_data_file, false),
        ];
        for (folder, is_ours, is_commit) in folders {
            for entry in self.backend.list(&folder)? {
                if entry.file.is_some() && is_ours(&entry.name) {
                    left.take(&folder, entry, is_commit);
                } else {
                    left.has_others = true;
                }
            }
        }
        Ok(left)
    }

    fn remove_empty_folders(&self, name: &DatasetName) -> Result<()> {
        for folder in [commits_folder(name), staging_folder(name), data_folder(name)] {
            self.backend.remove_empty_folder(&folder)?;
        }
        if self.backend.remove_empty_folder(&Self::control_folder(name))? {
            self.backend.remove_empty_folder(name.as_str())?;
        }
        Ok(())
    }
}

/// What lies in a table's folder.
#[derive(Default)]
struct Left {
    /// What Polarway made there.
    ours: Vec<LeftFile>,
    has_control_folder: bool,
    /// Whether there is anything else.
    has_others: bool,
}

struct LeftFile {
    path: String,
    modified_us: i64,
    is_commit: bool,
}

impl Left {
    fn take(&mut self, folder: &str, entry: Entry, is_commit: bool) {
        if let Some(meta) = entry.file {
            let path = join(folder, &entry.name);
            self.ours.push(LeftFile { path, modified_us: meta.modified_us, is_commit });
        }
    }
}
