//! Tables that are kept only while they are used.
//!
//! A lease is part of the commits: to renew one is a commit, and so is to end it. As commits have no number twice, a table
//! that one worker renews while another one ends it is either renewed or ended, and never both.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backend::FailureKind;
use crate::commit::{Commit, CommitKind, commit_path, hint_path};
use crate::environment::micros;
use crate::error::{Error, Result};
use crate::log::Attempt;
use crate::name::DatasetName;
use crate::snapshot::Snapshot;
use crate::tables::{Dataset, Tables};

/// For how long a table is kept while nobody uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// When the table was made: microseconds since 1970-01-01 UTC.
    pub since_us: i64,
    /// How long a use keeps it, in microseconds.
    pub ttl_us: i64,
    /// When it ends unless it is renewed: microseconds since 1970-01-01 UTC.
    pub expires_us: i64,
}

impl Lease {
    /// A lease that starts at this time.
    pub fn starting(now_us: i64, ttl: Duration) -> Self {
        // A time that can't be added to is as good as for ever.
        let ttl_us = micros(ttl).min(i64::MAX / 4);
        Self { since_us: now_us, ttl_us, expires_us: now_us.saturating_add(ttl_us) }
    }

    /// The same from this time on, for as long as before or for another time.
    #[must_use]
    pub fn renewed(self, now_us: i64, ttl: Option<Duration>) -> Self {
        let renewed = Self::starting(now_us, ttl.unwrap_or_else(|| self.ttl()));
        Self { since_us: self.since_us, ..renewed }
    }

    /// How long a use keeps the table.
    pub fn ttl(self) -> Duration {
        Duration::from_micros(self.ttl_us.unsigned_abs())
    }

    /// Whether it has run out.
    pub fn has_ended(self, now_us: i64) -> bool {
        now_us >= self.expires_us
    }

    /// Whether less than half of it is left: until then, a use need not be written down.
    pub fn is_due(self, now_us: i64) -> bool {
        self.expires_us.saturating_sub(now_us) < self.ttl_us / 2
    }
}

/// What became of a table that is kept while it is used.
#[derive(Clone, Debug)]
pub enum Leased {
    /// It is there.
    Kept(Arc<Snapshot>),
    /// Its lease ran out.
    Ended,
    /// It was deleted before.
    Deleted,
    /// There is none of that name, or no more.
    Unknown,
}

impl Tables {
    /// Looks at a table that has a lease. One whose lease has run out is ended right here, so that nobody can renew it
    /// after it was said to have ended.
    ///
    /// # Errors
    /// What the storage says.
    pub fn leased(&self, name: &DatasetName) -> Result<Leased> {
        self.with_lease(name, |_| None)
    }

    /// Renews a table's lease from now on, for the time that it had or another. What has ended stays so.
    ///
    /// # Errors
    /// What the storage says.
    pub fn renew(&self, name: &DatasetName, ttl: Option<Duration>) -> Result<Leased> {
        let now_us = self.clock.now_us();
        self.with_lease(name, |lease| Some(lease.renewed(now_us, ttl)))
    }

    /// Renews a table's lease if less than half of it is left: what a reader does, who can also read where nothing can be
    /// written.
    ///
    /// # Errors
    /// What the storage says.
    pub fn renew_if_due(&self, name: &DatasetName) -> Result<Leased> {
        let now_us = self.clock.now_us();
        let renewed =
            self.with_lease(name, |lease| lease.is_due(now_us).then(|| lease.renewed(now_us, None)));
        renewed.or_else(|failed| match self.leased(name) {
            Ok(Leased::Kept(snapshot)) => {
                tracing::warn!(table = %name, error = %failed, "a lease could not be renewed");
                Ok(Leased::Kept(snapshot))
            }
            _ => Err(failed),
        })
    }

    fn with_lease(&self, name: &DatasetName, change: impl Fn(Lease) -> Option<Lease>) -> Result<Leased> {
        self.backend.check()?;
        let dataset = self.dataset(name);
        loop {
            let Some(newest) = dataset.log.newest(0)? else { return Ok(Leased::Unknown) };
            if newest.is_deleted() {
                return Ok(if newest.lease.is_some() { Leased::Ended } else { Leased::Deleted });
            }
            let Some(lease) = newest.lease else { return self.snapshot_of(name, &newest).map(Leased::Kept) };
            let has_ended = lease.has_ended(self.clock.now_us());
            let commit = match change(lease) {
                _ if has_ended => self.end(&dataset, &newest),
                Some(lease) => self.next_lease(&dataset, &newest, lease),
                None => return self.snapshot_of(name, &newest).map(Leased::Kept),
            };
            match dataset.log.attempt(commit) {
                Ok(Attempt::Won(_)) if has_ended => return Ok(Leased::Ended),
                Ok(Attempt::Won(won)) => return self.snapshot_of(name, &won).map(Leased::Kept),
                Ok(Attempt::Lost) => {}
                // Where nothing can be written, the clock alone decides.
                Err(_) if has_ended => return Ok(Leased::Ended),
                Err(error) => return Err(error),
            }
        }
    }

    fn next_lease(&self, dataset: &Dataset, newest: &Arc<Commit>, lease: Lease) -> Commit {
        let (schema, files) = (newest.schema.clone(), newest.files.clone());
        let mut commit = self.next_commit(dataset, Some(newest), CommitKind::Renew, schema, files, None);
        commit.lease = Some(lease);
        commit
    }

    /// The deletion of a table whose lease ran out: it keeps the lease, which tells why.
    fn end(&self, dataset: &Dataset, newest: &Arc<Commit>) -> Commit {
        self.next_commit(dataset, Some(newest), CommitKind::Delete, None, vec![], None)
    }

    /// Whether the storage takes tables.
    ///
    /// # Errors
    /// The reason why it does not.
    pub fn probe(&self) -> Result<()> {
        Ok(self.backend.probe()?)
    }

    /// All tables with a lease that has not ended, by name.
    ///
    /// # Errors
    /// What the storage says. A table that can't be read is left out, with a warning in the log.
    pub fn all_leased(&self) -> Result<Vec<Arc<Snapshot>>> {
        let mut kept = Vec::new();
        for name in self.folders()? {
            match self.leased(&name) {
                Ok(Leased::Kept(snapshot)) => kept.push(snapshot),
                Ok(_) => {}
                Err(Error::Backend(error)) if error.kind != FailureKind::Denied => return Err(error.into()),
                Err(error) => tracing::warn!(table = %name, %error, "a table can't be listed"),
            }
        }
        Ok(kept)
    }

    /// Ends the leases that have run out, and removes all that is left of tables that ended longer ago than the grace
    /// time; what writers left that died before they published goes after the time for orphans. Safe on any number of
    /// workers at once.
    ///
    /// # Errors
    /// What the storage says.
    pub fn tidy_leased(&self) -> Result<()> {
        for name in self.folders()? {
            // It ends what is over.
            match self.leased(&name)? {
                Leased::Kept(_) => {}
                Leased::Ended | Leased::Deleted => self.forget_if_past(&name)?,
                Leased::Unknown => self.forget_if_orphaned(&name)?,
            }
        }
        Ok(())
    }

    fn folders(&self) -> Result<Vec<DatasetName>> {
        let entries = self.backend.list("")?.into_iter();
        let folders = entries.filter(|entry| entry.file.is_none());
        Ok(folders.filter_map(|entry| DatasetName::new(entry.name).ok()).collect())
    }

    /// Removes a table that ended longer ago than the grace time.
    fn forget_if_past(&self, name: &DatasetName) -> Result<()> {
        let Some(newest) = self.dataset(name).log.newest(0)? else { return Ok(()) };
        let forgotten_us = newest.time_us.saturating_add(micros(self.settings.grace));
        // Where its end could not be written, it is kept.
        if newest.is_deleted() && forgotten_us < self.clock.now_us() { self.forget(name) } else { Ok(()) }
    }

    /// Removes a table that ended. First what a reader begins with: to none of them may it look as if it was there still.
    fn forget(&self, name: &DatasetName) -> Result<()> {
        self.backend.remove(&hint_path(name))?;
        self.backend.remove(&commit_path(name, 1))?;
        Ok(self.backend.remove_folder(name.as_str())?)
    }

    /// A folder without a first commit is that of a writer that is still at work, or died, or what is left where
    /// forgetting was interrupted.
    fn forget_if_orphaned(&self, name: &DatasetName) -> Result<()> {
        let storage_now_us = self.backend.now_us(&Self::control_folder(name))?;
        let left_before_us = storage_now_us.saturating_sub(micros(self.settings.orphan_grace));
        let data = self.backend.list(&crate::commit::data_folder(name))?;
        let is_at_work = |file: &crate::backend::FileMeta| file.modified_us >= left_before_us;
        if data.iter().filter_map(|entry| entry.file.as_ref()).any(is_at_work) {
            return Ok(());
        }
        Ok(self.backend.remove_folder(name.as_str())?)
    }
}
