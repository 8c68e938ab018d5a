//! Tables that are kept only while they are used.
//!
//! A lease is part of the commits: to renew one is a commit, and so is to end it. As commits have no number twice, a table
//! that one worker renews while another one ends it is either renewed or ended, and never both.

use std::sync::Arc;
use std::time::Duration;

use polarway_model::DatasetName;

use crate::change::{Change, Conclusion, Decision, Draft, LeaseDraft, Origin};
use crate::commit::{Commit, CommitKind};
use crate::error::{Error, Result};
use crate::lease::Lease;
use crate::snapshot::Snapshot;
use crate::tables::{Dataset, Tables};

/// What became of a table that is kept while it is used.
#[derive(Clone, Debug)]
pub enum Leased {
    /// It is there.
    Kept(Arc<Snapshot>),
    /// Its lease ran out.
    Ended {
        /// Whose it was, where that is known.
        owner: Option<Arc<str>>,
    },
    /// It was deleted before.
    Deleted {
        /// Whose it was, where that is known.
        owner: Option<Arc<str>>,
    },
    /// There is no table of that name, or it was removed.
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
        let mut usage = Usage { tables: self, dataset: &dataset, change, ending: None };
        match self.carry_out(&dataset, &Origin::own(), &mut usage)? {
            Conclusion::Left(leased) => Ok(leased),
            Conclusion::Committed(commit) | Conclusion::DoneBefore(commit) => match usage.ending {
                Some(Ending { owner }) => Ok(Leased::Ended { owner }),
                None => self.snapshot_of(name, &commit).map(Leased::Kept),
            },
        }
    }
}

/// A use of a table that has a lease.
struct Usage<'a, F> {
    tables: &'a Tables,
    dataset: &'a Dataset,
    /// The lease that takes the place of one, if any, at this time.
    change: F,
    /// Set if the lease has run out, and its end is what should be committed.
    ending: Option<Ending>,
}

/// The end of a table's lease.
struct Ending {
    owner: Option<Arc<str>>,
}

impl<F: Fn(Lease, i64) -> Option<Lease>> Change for Usage<'_, F> {
    type Left = Leased;

    const WAITS_ITS_TURN: bool = false;

    fn decide(&mut self, newest: Option<&Arc<Commit>>) -> Result<Decision<Leased>> {
        let Self { tables, dataset, .. } = *self;
        self.ending = None;
        let Some(newest) = newest else { return Ok(Decision::Leave(Leased::Unknown)) };
        if !dataset.log.is_there(newest)? {
            return Ok(Decision::LookAgain); // what was seen long ago was removed since
        }
        if newest.is_claim() {
            return Ok(Decision::Leave(Leased::Unknown));
        }
        if newest.is_deleted() {
            let owner = newest.owner.clone();
            let has_run_out = newest.lease.is_some();
            return Ok(Decision::Leave(match has_run_out {
                true => Leased::Ended { owner },
                false => Leased::Deleted { owner },
            }));
        }
        let kept =
            || tables.snapshot_of(&dataset.name, newest).map(|kept| Decision::Leave(Leased::Kept(kept)));
        let Some(lease) = newest.lease else { return kept() };
        let own_us = tables.clock.now_us();
        let storage_us = tables.storage_clock.now_us(&Tables::control_folder(&dataset.name));
        // A worker whose clock is wrong ends nothing early, and renews nothing for too short.
        if lease.has_ended(own_us.min(storage_us)) {
            self.ending = Some(Ending { owner: newest.owner.clone() });
            return Ok(Decision::Commit(Draft::deletion(LeaseDraft::Same)));
        }
        match (self.change)(lease, own_us.max(storage_us)) {
            Some(lease) => Ok(Decision::Commit(Draft {
                lease: LeaseDraft::Replace(lease),
                ..Draft::same_table(CommitKind::Renew, newest)
            })),
            None => kept(),
        }
    }

    fn failed(&mut self, error: Error) -> Result<Leased> {
        // Where nothing can be written, the clocks alone decide.
        match self.ending.take() {
            Some(Ending { owner }) => Ok(Leased::Ended { owner }),
            None => Err(error),
        }
    }
}
