//! Tables that are kept only while they are used.
//!
//! A lease is part of the commits: to renew one is a commit, and so is to end it. As commits have no number twice, a table
//! that one worker renews while another one ends it is either renewed or ended, and never both.

use std::sync::Arc;
use std::time::Duration;

use polarway_model::DatasetName;
use serde::{Deserialize, Serialize};

use crate::commit::{Commit, CommitKind};
use crate::environment::micros;
use crate::error::Result;
use crate::log::Attempt;
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
        self.with_lease(name, |_, _| None)
    }

    /// Renews a table's lease from now on, for the time that it had or another. What has ended stays so.
    ///
    /// # Errors
    /// What the storage says.
    pub fn renew(&self, name: &DatasetName, ttl: Option<Duration>) -> Result<Leased> {
        self.with_lease(name, |lease, now_us| Some(lease.renewed(now_us, ttl)))
    }

    /// Renews a table's lease if less than half of it is left: what a reader does, who can also read where nothing can be
    /// written.
    ///
    /// # Errors
    /// What the storage says.
    pub fn renew_if_due(&self, name: &DatasetName) -> Result<Leased> {
        let renewed =
            self.with_lease(name, |lease, now_us| lease.is_due(now_us).then(|| lease.renewed(now_us, None)));
        renewed.or_else(|failed| match self.leased(name) {
            Ok(Leased::Kept(snapshot)) => {
                tracing::warn!(table = %name, error = %failed, "a lease could not be renewed");
                Ok(Leased::Kept(snapshot))
            }
            _ => Err(failed),
        })
    }

    /// Looks at a lease, changes it to what `change` says for this time, and ends one that has run out.
    fn with_lease(&self, name: &DatasetName, change: impl Fn(Lease, i64) -> Option<Lease>) -> Result<Leased> {
        self.backend.check()?;
        let dataset = self.dataset(name);
        loop {
            let Some(newest) = dataset.log.newest(0)? else { return Ok(Leased::Unknown) };
            if !dataset.log.is_there(&newest)? {
                continue; // what was seen long ago was removed since
            }
            if newest.is_claim() {
                return Ok(Leased::Unknown);
            }
            if newest.is_deleted() {
                return Ok(if newest.lease.is_some() { Leased::Ended } else { Leased::Deleted });
            }
            let Some(lease) = newest.lease else { return self.snapshot_of(name, &newest).map(Leased::Kept) };
            let own_us = self.clock.now_us();
            let storage_us = self.storage_clock.now_us(&Self::control_folder(name));
            // A worker whose clock is wrong ends nothing early, and renews nothing for too short.
            let has_ended = lease.has_ended(own_us.min(storage_us));
            let commit = match change(lease, own_us.max(storage_us)) {
                _ if has_ended => self.end(&dataset, &newest),
                Some(lease) => self.next_lease(&dataset, &newest, lease),
                None => return self.snapshot_of(name, &newest).map(Leased::Kept),
            };
            match dataset.log.attempt(commit) {
                Ok(Attempt::Won(_)) if has_ended => return Ok(Leased::Ended),
                Ok(Attempt::Won(won)) => return self.snapshot_of(name, &won).map(Leased::Kept),
                Ok(Attempt::Lost) => {}
                // Where nothing can be written, the clocks alone decide.
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
    pub(crate) fn end(&self, dataset: &Dataset, newest: &Arc<Commit>) -> Commit {
        self.next_commit(dataset, Some(newest), CommitKind::Delete, None, vec![], None)
    }
}
