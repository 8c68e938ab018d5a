//! Finds the version that was the newest at a given time.
//!
//! Times of commits ascend, so it is found by bisection. A machine whose clock was far ahead may have made commits with times in
//! the future. The next commit then records that a new stretch of ascending times begins with it. For an earlier commit with a
//! later time, the time of its file counts.

use std::sync::Arc;

use crate::commit::Commit;
use crate::error::{Error, Result};
use crate::snapshot::Snapshot;
use crate::storage_clock::MOST_AHEAD_US;
use crate::tables::{Dataset, Tables};

impl Tables {
    /// The version of a dataset that was the newest at a time.
    pub(crate) fn version_then(
        &self,
        dataset: &Dataset,
        newest: &Arc<Commit>,
        time_us: i64,
    ) -> Result<Arc<Snapshot>> {
        match self.commit_then(dataset, newest, time_us)? {
            Then::Commit(commit) => self.version(dataset, newest, commit.version),
            Then::Before { oldest_us } => match self.adopted(&dataset.name)? {
                Some(adopted) if adopted.time_us <= time_us => Ok(adopted),
                _ => Err(Error::NoVersionThen { name: dataset.name.clone(), oldest_us }),
            },
        }
    }

    fn commit_then(&self, dataset: &Dataset, newest: &Arc<Commit>, time_us: i64) -> Result<Then> {
        let log = &dataset.log;
        let mut last = Arc::clone(newest);
        let mut latest_us = self.clock.now_us().saturating_add(MOST_AHEAD_US);
        loop {
            // For a commit with a time in the future, the time of its file counts.
            let made_us = |commit: &Commit| {
                if commit.time_us <= latest_us { Ok(commit.time_us) } else { log.made_us(commit, latest_us) }
            };
            let from = last.ascending_from();
            let Some(later) = log.first_not(from, &last, |commit| Ok(made_us(commit)? <= time_us))? else {
                return Ok(Then::Commit(last));
            };
            if later.number > from {
                return Ok(Then::Commit(log.read_existing(later.number - 1)?));
            }
            if from == 1 {
                return Ok(Then::Before { oldest_us: made_us(&later)? });
            }
            latest_us = later.time_us.min(latest_us);
            last = log.read_existing(from - 1)?;
        }
    }
}

/// The state at a time.
enum Then {
    /// The state of this commit.
    Commit(Arc<Commit>),
    /// No commit yet.
    Before {
        /// The time of the first one.
        oldest_us: i64,
    },
}
