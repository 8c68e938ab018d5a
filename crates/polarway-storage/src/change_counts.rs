//! What a process's changes came to, counted for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::commit::CommitKind;

/// Counts since the tables were opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeCounts {
    /// The commits that were made, by kind, in the order of [`CommitKind::ALL`].
    pub commits: [u64; CommitKind::ALL.len()],
    /// How often another commit had the number first.
    pub lost_races: u64,
    /// Requests that an earlier call had carried out.
    pub repeats: u64,
}

/// The same while they are counted.
#[derive(Debug, Default)]
pub(crate) struct ChangeCounters {
    commits: [AtomicU64; CommitKind::ALL.len()],
    lost_races: AtomicU64,
    repeats: AtomicU64,
}

impl ChangeCounters {
    pub(crate) fn committed(&self, kind: CommitKind) {
        self.commits[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn lost_race(&self) {
        self.lost_races.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn repeated(&self) {
        self.repeats.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> ChangeCounts {
        ChangeCounts {
            commits: std::array::from_fn(|kind| self.commits[kind].load(Ordering::Relaxed)),
            lost_races: self.lost_races.load(Ordering::Relaxed),
            repeats: self.repeats.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_counted_at_the_place_of_its_kind() {
        for (place, kind) in CommitKind::ALL.into_iter().enumerate() {
            let counters = ChangeCounters::default();
            counters.committed(kind);
            let mut expected = ChangeCounts::default();
            expected.commits[place] = 1;
            assert_eq!(counters.counts(), expected);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
