//! Finds the write that a retry repeats.
//!
//! Each commit lists the newest writes that had a request id, so the writes of the last minutes are
//! found by reading some commits backwards. A process remembers them and reads each commit once.

use std::collections::HashMap;

use parking_lot::Mutex;
use polarway_model::RequestId;

use crate::commit::{Commit, DoneRequest};
use crate::error::{Error, Result};
use crate::log::CommitLog;

/// How many writes a commit lists: enough to search in large steps, and few enough for commits
/// to stay small.
pub(crate) const REQUESTS_KEPT: usize = 32;

/// For how long a retry finds the write that it repeats. An id whose own time is further from
/// the clock than this, before or after, is refused.
pub const REQUEST_WINDOW_US: i64 = 10 * 60 * 1_000_000;

/// For how long a write can be found. An id's own clock may be off by the window to either
/// side, so this is twice as long.
const REMEMBERED_US: i64 = 2 * REQUEST_WINDOW_US;

/// The ids of the writes of the last minutes that this process has read.
#[derive(Debug, Default)]
pub(crate) struct RecentRequests {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    requests: HashMap<RequestId, DoneRequest>,
    /// All remembered writes up to and with this commit are in `requests`.
    up_to_commit: u64,
}

impl RecentRequests {
    /// The commit that carried out a write, if it is among those up to `newest`.
    pub(crate) fn find(
        &self,
        id: RequestId,
        log: &CommitLog,
        newest: &Commit,
        now_us: i64,
    ) -> Result<Option<u64>> {
        let oldest_us = now_us - REMEMBERED_US;
        let mut known = self.known.lock();
        let mut found = newest.requests.clone();
        let mut looked_at = found.clone();
        // A full list ends at its oldest write: there may be older ones.
        while looked_at.len() == REQUESTS_KEPT
            && let Some(oldest) = looked_at.first()
            && oldest.time_us > oldest_us
            && oldest.commit > known.up_to_commit + 1
        {
            looked_at.clone_from(&log.read_existing(oldest.commit - 1)?.requests);
            found.extend_from_slice(&looked_at);
        }
        known.up_to_commit = known.up_to_commit.max(newest.number);
        known.requests.retain(|_, done| done.time_us > oldest_us);
        known.requests.extend(found.into_iter().map(|done| (done.id, done)));
        Ok(known.requests.get(&id).map(|done| done.commit))
    }
}

/// Refuses an id that is too old, or too far ahead, to tell whether its write was done.
pub(crate) fn check_window(id: RequestId, now_us: i64) -> Result<()> {
    if (now_us - id.time_us()).abs() > REQUEST_WINDOW_US {
        return Err(Error::RequestExpired { id: id.to_string() });
    }
    Ok(())
}

/// The list that the next commit carries: the one before's, and the new write. Old writes stay
/// on it until newer ones take their place: a list that is not full ends the search, and one
/// worker's wrong clock must not make another's write hard to find.
pub(crate) fn next_requests(previous: Option<&Commit>, done: DoneRequest) -> Vec<DoneRequest> {
    let mut requests = previous.map(|commit| commit.requests.clone()).unwrap_or_default();
    requests.push(done);
    let surplus = requests.len().saturating_sub(REQUESTS_KEPT);
    requests.drain(..surplus);
    requests
}
