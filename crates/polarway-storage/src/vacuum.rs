//! Retention: removing data that no kept version needs.
//!
//! A vacuum first commits the names of the files it condemns and then removes them. Numbers
//! have no holes, so a writer that wants to publish one of those files must pass that commit
//! and sees it; no clock is needed to be safe from it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use polarway_model::DatasetName;

use crate::backend::{Entry, FileMeta, join};
use crate::change::{Change, Conclusion, Decision, Draft, LeaseDraft, Origin};
use crate::commit::{Commit, CommitKind, Vacuum, data_folder, data_path, staging_folder};
use crate::environment::micros;
use crate::error::{Error, Result};
use crate::layout::{is_data_file, is_temporary};
use crate::tables::{Dataset, Tables};

/// What a vacuum did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Data files that were removed.
    pub files: usize,
    /// What they took, in bytes.
    pub bytes: u64,
}

/// What must stay, and the first commit of which something is kept.
#[derive(Default)]
struct Kept {
    files: HashSet<String>,
    /// Every file that a commit of the kept stretch, or an earlier one still in question, names.
    named: HashSet<String>,
    /// What vacuums of that stretch condemned.
    condemned: HashSet<String>,
    kept_from: u64,
}

impl Tables {
    /// Removes the data that retention no longer keeps, and what failed writers left behind.
    /// Adopted files are never touched.
    ///
    /// Safe to run at any time, on any number of workers at once.
    ///
    /// # Errors
    /// What the storage says. A vacuum that was interrupted is completed by the next one.
    pub fn vacuum(&self, name: &DatasetName) -> Result<Vacuumed> {
        self.vacuum_keeping(name, self.settings.kept_versions, self.settings.grace)
    }

    /// Removes the data of all versions but the newest, whatever retention says: of a deleted dataset, all data. Whoever is
    /// reading an older version gets an error. Uploads under way and adopted files are not touched.
    ///
    /// # Errors
    /// What the storage says.
    pub fn purge(&self, name: &DatasetName) -> Result<Vacuumed> {
        self.vacuum_keeping(name, 1, Duration::ZERO)
    }

    fn vacuum_keeping(&self, name: &DatasetName, kept_versions: usize, grace: Duration) -> Result<Vacuumed> {
        let dataset = self.dataset(name);
        let mut condemnation =
            Condemnation { tables: self, dataset: &dataset, kept_versions, grace, condemned: Vec::new() };
        match self.carry_out(&dataset, &Origin::own(), &mut condemnation)? {
            Conclusion::Left(vacuumed) => Ok(vacuumed),
            Conclusion::Committed(_) | Conclusion::DoneBefore(_) => {
                self.remove_condemned(name, &condemnation.condemned)
            }
        }
    }

    /// Removes what a commit has condemned: all that it can, even if one file can't be removed.
    fn remove_condemned(&self, name: &DatasetName, condemned: &[(String, FileMeta)]) -> Result<Vacuumed> {
        let paths: Vec<String> = condemned.iter().map(|(file, _)| data_path(name, file)).collect();
        self.backend.remove_all(&paths)?;
        let bytes = condemned.iter().map(|(_, meta)| meta.bytes).sum();
        Ok(Vacuumed { files: condemned.len(), bytes })
    }

    /// The files of the data folder that may go.
    fn condemned(&self, listed: Vec<Entry>, kept: &Kept, storage_now_us: i64) -> Vec<(String, FileMeta)> {
        // What no commit names may belong to a writer that is still at work.
        let left_before_us = storage_now_us.saturating_sub(micros(self.settings.orphan_grace));
        let files = listed.into_iter().filter_map(|entry| Some((entry.name, entry.file?)));
        let may_go = |(file, meta): &(String, FileMeta)| {
            !kept.files.contains(file) && (kept.named.contains(file) || meta.modified_us < left_before_us)
        };
        files.filter(may_go).collect()
    }

    /// Removes what writers left that died before their commit had its name.
    fn remove_staged(&self, name: &DatasetName, staged: Vec<Entry>, storage_now_us: i64) -> Result<()> {
        let left_before_us = storage_now_us.saturating_sub(micros(self.settings.orphan_grace));
        let is_left = |entry: &Entry| {
            let is_old = entry.file.as_ref().is_some_and(|meta| meta.modified_us < left_before_us);
            is_old && is_temporary(&entry.name)
        };
        let left: Vec<String> = staged
            .iter()
            .filter(|entry| is_left(entry))
            .map(|entry| join(&staging_folder(name), &entry.name))
            .collect();
        Ok(self.backend.remove_all(&left)?)
    }

    /// Walks back from the newest commit through all that retention still keeps, and on to the
    /// stretch that the last vacuum has dealt with.
    fn kept(
        &self,
        dataset: &Dataset,
        newest: &Arc<Commit>,
        kept_versions: usize,
        storage_now_us: i64,
        grace: Duration,
    ) -> Result<Kept> {
        let superseded_after_us = storage_now_us.saturating_sub(micros(grace));
        let mut kept = Kept { kept_from: newest.number, ..Kept::default() };
        let mut versions_left = kept_versions.max(1);
        let mut vacuumed_before = None;
        let mut later: Option<Arc<Commit>> = None;
        let mut commit = Arc::clone(newest);
        loop {
            let names = || commit.files.iter().map(|file| file.name.clone());
            kept.named.extend(names());
            if let Some(vacuum) = &commit.vacuum {
                // Whoever condemned these may have died before removing them all.
                kept.named.extend(vacuum.condemned.iter().cloned());
                kept.condemned.extend(vacuum.condemned.iter().cloned());
                vacuumed_before = vacuumed_before.or(Some(vacuum.kept_from));
            }
            // The last commit of a version is the one that its readers use from now on.
            let is_last_of_version = later.as_ref().is_none_or(|later| later.version != commit.version);
            let is_kept_version = is_last_of_version && versions_left > 0;
            let was_superseded_lately = || match &later {
                Some(later) => {
                    Ok::<_, Error>(dataset.log.made_us(later, storage_now_us)? > superseded_after_us)
                }
                None => Ok(false),
            };
            if is_kept_version || was_superseded_lately()? {
                kept.files.extend(names());
                kept.kept_from = commit.number;
            }
            versions_left -= usize::from(is_kept_version);
            if commit.number == 1 || vacuumed_before.is_some_and(|before| commit.number <= before) {
                return Ok(kept);
            }
            let previous = dataset.log.read_existing(commit.number - 1)?;
            later = Some(std::mem::replace(&mut commit, previous));
        }
    }
}

/// A vacuum that looks for what may go, seen from the newest commit.
struct Condemnation<'a> {
    tables: &'a Tables,
    dataset: &'a Dataset,
    kept_versions: usize,
    grace: Duration,
    condemned: Vec<(String, FileMeta)>,
}

impl Change for Condemnation<'_> {
    type Left = Vacuumed;

    const WAITS_ITS_TURN: bool = false;

    fn decide(&mut self, newest: Option<&Arc<Commit>>) -> Result<Decision<Vacuumed>> {
        let (tables, name) = (self.tables, &self.dataset.name);
        let nothing = || Ok(Decision::Leave(Vacuumed::default()));
        let mut listed = tables.backend.list(&data_folder(name))?;
        // A file whose name Polarway would not give belongs to somebody else.
        let files = newest.iter().flat_map(|newest| &newest.files);
        let needed: HashSet<&str> = files.map(|file| file.name.as_str()).collect();
        listed.retain(|entry| is_data_file(&entry.name) && !needed.contains(entry.name.as_str()));
        let staged = tables.backend.list(&staging_folder(name))?;
        if listed.is_empty() && staged.is_empty() {
            return nothing();
        }
        tables.backend.check_removable(&data_folder(name))?;
        // Ages are the storage's own: it stamped the files, and the clocks of machines may be wrong.
        let storage_now_us = tables.backend.now_us(&Tables::control_folder(name))?;
        tables.remove_staged(name, staged, storage_now_us)?;
        let kept = match newest {
            Some(newest) => {
                tables.kept(self.dataset, newest, self.kept_versions, storage_now_us, self.grace)?
            }
            None => Kept { kept_from: 1, ..Kept::default() },
        };
        self.condemned = tables.condemned(listed, &kept, storage_now_us);
        if self.condemned.is_empty() {
            return nothing();
        }
        if self.condemned.iter().all(|(file, _)| kept.condemned.contains(file)) {
            // An earlier vacuum's rest.
            return tables.remove_condemned(name, &self.condemned).map(Decision::Leave);
        }
        let condemned = self.condemned.iter().map(|(file, _)| file.clone()).collect();
        let vacuum = Some(Vacuum { condemned, kept_from: kept.kept_from });
        let draft = match newest {
            Some(newest) => Draft::same_table(CommitKind::Vacuum, newest),
            // What a writer left that died before it made the dataset: the first commit condemns it, and makes no version.
            None => Draft {
                kind: CommitKind::Vacuum,
                schema: None,
                files: vec![],
                lease: LeaseDraft::Same,
                vacuum: None,
            },
        };
        Ok(Decision::Commit(Draft { vacuum, ..draft }))
    }
}
