//! One dataset's commits, in the order of their numbers.
//!
//! Numbers have no holes and their files are never removed, so the newest commit is found by
//! requests for single files: mostly, the file after the last known number does not exist.

use std::sync::Arc;

use parking_lot::Mutex;
use polarway_model::DatasetName;
use uuid::Uuid;

use crate::backend::{Backend, BackendError, Created, Outcome};
use crate::commit::{CONTROL_FOLDER, Commit, commit_path, hint_path};
use crate::environment::Clock;
use crate::error::{Error, Result};
use crate::storage_clock::{MOST_AHEAD_US, StorageClock};

/// The hint is written after this many commits.
const HINT_INTERVAL: u64 = 32;

/// One dataset's commits.
#[derive(Debug)]
pub(crate) struct CommitLog {
    name: DatasetName,
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    storage_clock: Arc<StorageClock>,
    /// The newest commit that this process has seen.
    seen: Mutex<Option<Seen>>,
    /// Held by this process's writers from reading the newest commit to making the next:
    /// else they would only race for the number.
    pub(crate) turn: Mutex<()>,
}

#[derive(Clone, Debug)]
struct Seen {
    commit: Arc<Commit>,
    checked_at_us: i64,
}

/// How an attempt to make the next commit ended.
pub(crate) enum Attempt {
    /// The commit was made.
    Won(Arc<Commit>),
    /// Another commit has the number.
    Lost,
}

impl CommitLog {
    pub(crate) fn new(
        name: DatasetName,
        backend: Arc<dyn Backend>,
        clock: Arc<dyn Clock>,
        storage_clock: Arc<StorageClock>,
    ) -> Self {
        Self { name, backend, clock, storage_clock, seen: Mutex::default(), turn: Mutex::default() }
    }

    /// The newest commit, or `None` if there is none. If the last request to the storage was at most
    /// `max_staleness_us` ago, its answer is used.
    pub(crate) fn newest(&self, max_staleness_us: i64) -> Result<Option<Arc<Commit>>> {
        self.newest_supposing(max_staleness_us, &mut |_| {})
    }

    /// The same. `suppose` gets a commit that is most likely the newest, before the storage is asked for a newer one.
    pub(crate) fn newest_supposing(
        &self,
        max_staleness_us: i64,
        suppose: &mut dyn FnMut(&Arc<Commit>),
    ) -> Result<Option<Arc<Commit>>> {
        let seen = self.seen.lock().clone();
        let now = self.clock.now_us();
        if max_staleness_us > 0
            && let Some(seen) = &seen
            && now.saturating_sub(seen.checked_at_us) < max_staleness_us
        {
            return Ok(Some(Arc::clone(&seen.commit)));
        }
        let known = match seen {
            Some(seen) => Some(seen.commit),
            None => self.first_known()?,
        };
        known.as_ref().into_iter().for_each(suppose);
        let newest = known.map(|known| self.newest_from(known)).transpose()?;
        if let Some(commit) = &newest {
            self.note(commit, now);
        }
        Ok(newest)
    }

    /// The commit that is most likely the newest, where the storage would be asked for a newer one. Nothing is asked.
    pub(crate) fn supposed(&self, max_staleness_us: i64) -> Option<Arc<Commit>> {
        let seen = self.seen.lock().clone()?;
        let is_fresh =
            max_staleness_us > 0 && self.clock.now_us().saturating_sub(seen.checked_at_us) < max_staleness_us;
        (!is_fresh).then_some(seen.commit)
    }

    /// A commit to start the search from: the one in the hint, or the first.
    fn first_known(&self) -> Result<Option<Arc<Commit>>> {
        // A hint that is wrong or can't be read only makes the search longer.
        let hint = self.backend.get(&hint_path(&self.name)).ok().flatten();
        let hinted: Option<u64> = hint.and_then(|hint| std::str::from_utf8(&hint).ok()?.parse().ok());
        if let Some(number) = hinted.filter(|number| *number > 1)
            && let Some(commit) = self.read(number)?
        {
            return Ok(Some(commit));
        }
        self.read(1)
    }

    /// Searches from a commit that exists: doubles the step, then bisects.
    fn newest_from(&self, known: Arc<Commit>) -> Result<Arc<Commit>> {
        let Some(next) = self.read(known.number + 1)? else { return Ok(known) };
        let mut exists = next.number;
        let mut step = 1;
        let absent = loop {
            let probe = exists + step;
            if !self.exists(probe)? {
                break probe;
            }
            exists = probe;
            step *= 2;
        };
        let newest = first_not(exists + 1, absent, |number| self.exists(number))? - 1;
        if newest == next.number { Ok(next) } else { self.read_existing(newest) }
    }

    fn exists(&self, number: u64) -> Result<bool> {
        Ok(self.backend.head(&commit_path(&self.name, number))?.is_some())
    }

    fn note(&self, commit: &Arc<Commit>, checked_at_us: i64) {
        let mut seen = self.seen.lock();
        match &mut *seen {
            Some(seen) if seen.commit.number > commit.number => {}
            Some(seen) if seen.commit.number == commit.number => {
                seen.checked_at_us = seen.checked_at_us.max(checked_at_us);
            }
            seen => *seen = Some(Seen { commit: Arc::clone(commit), checked_at_us }),
        }
    }

    /// The commit with a number, or `None` if there is none yet.
    pub(crate) fn read(&self, number: u64) -> Result<Option<Arc<Commit>>> {
        let path = commit_path(&self.name, number);
        let Some(contents) = self.backend.get(&path)? else { return Ok(None) };
        match Commit::decode(&contents, number) {
            Ok(commit) => Ok(Some(Arc::new(commit))),
            Err(reason) => Err(Error::UnreadableCommit { path, reason }),
        }
    }

    /// The commit with a number that is known to exist.
    pub(crate) fn read_existing(&self, number: u64) -> Result<Arc<Commit>> {
        self.read(number)?.ok_or_else(|| Error::DataFileMissing {
            name: self.name.clone(),
            path: commit_path(&self.name, number),
        })
    }

    /// The first commit from `from` up to and with `newest` for which something no longer
    /// holds that holds for all before it, or `None` when it holds for all.
    pub(crate) fn first_not(
        &self,
        from: u64,
        newest: &Arc<Commit>,
        holds: impl Fn(&Commit) -> Result<bool>,
    ) -> Result<Option<Arc<Commit>>> {
        let end = newest.number + 1;
        let first = first_not(from, end, |number| holds(&*self.read_existing(number)?))?;
        if first == end { Ok(None) } else { self.read_existing(first).map(Some) }
    }

    /// Tries to make `commit` the one with its number.
    ///
    /// # Errors
    /// [`Error::ClockAhead`] and [`Error::Backend`] when it certainly was not made; [`Error::OutcomeUnknown`] when it may
    /// be there, or appear yet.
    pub(crate) fn attempt(&self, commit: Commit) -> Result<Attempt> {
        // A dataset whose folder was removed by hand starts with number 1 again: nobody would find a commit after a gap.
        if commit.number > 1 && !self.exists(commit.number - 1)? {
            self.forget();
            return Ok(Attempt::Lost);
        }
        self.check_clock()?;
        let path = commit_path(&self.name, commit.number);
        let contents = match commit.encode() {
            Ok(contents) => contents,
            Err(error) => return Err(Error::UnreadableCommit { path, reason: error.into() }),
        };
        let mut may_be_there: Option<BackendError> = None;
        let mut failures = 0;
        loop {
            let created = if commit.kind.frees() {
                self.backend.create_freeing_commit(&path, contents.clone())
            } else {
                self.backend.create_commit(&path, contents.clone())
            };
            let error = match created {
                Ok(Created::New) => return Ok(Attempt::Won(self.made(commit))),
                Ok(Created::Taken) => return Ok(Attempt::Lost),
                Err(error) => error,
            };
            failures += 1;
            if error.outcome == Outcome::NotDone && may_be_there.is_none() {
                if !error.kind.may_pass() || !self.backend.pause_before_retry(failures) {
                    return Err(error.into());
                }
                continue;
            }
            match self.whose(commit.number) {
                Ok(Some(uuid)) if uuid == commit.uuid => {
                    if self.backend.settle_commit(&path).is_ok() {
                        return Ok(Attempt::Won(self.made(commit)));
                    }
                }
                Ok(Some(_)) => return Ok(Attempt::Lost),
                // It is absent, or not visible: the same number is tried again, which can't make it twice.
                Ok(None) | Err(_) => {}
            }
            if !self.backend.pause_before_retry(failures) {
                return Err(Error::OutcomeUnknown { name: self.name.clone(), source: error });
            }
            may_be_there = Some(error);
        }
    }

    fn whose(&self, number: u64) -> Result<Option<Uuid>> {
        Ok(self.read(number)?.map(|commit| commit.uuid))
    }

    fn made(&self, commit: Commit) -> Arc<Commit> {
        let commit = Arc::new(commit);
        self.note(&commit, self.clock.now_us());
        if commit.number.is_multiple_of(HINT_INTERVAL) {
            let hint = commit.number.to_string().into();
            if let Err(error) = self.backend.replace(&hint_path(&self.name), hint) {
                tracing::debug!(dataset = %self.name, %error, "the hint was not renewed");
            }
        }
        commit
    }

    /// Ensures that a commit of another process is on stable storage.
    pub(crate) fn settle(&self, number: u64) -> Result<()> {
        Ok(self.backend.settle_commit(&commit_path(&self.name, number))?)
    }

    /// Fails if this machine's clock is far ahead of the storage's: the commit's time would be wrong for all others.
    fn check_clock(&self) -> Result<()> {
        let ahead_us = self.storage_clock.ahead_us(&self.scratch_folder());
        if ahead_us > MOST_AHEAD_US { Err(Error::ClockAhead { ahead_us }) } else { Ok(()) }
    }

    /// The time for a commit after `previous`, and where its stretch of ascending times begins: later than the one before,
    /// unless that has a time which the storage's clock won't reach for long.
    pub(crate) fn next_time(&self, previous: Option<&Commit>) -> (i64, Option<u64>) {
        let now_us = self.clock.now_us();
        let Some(previous) = previous else { return (now_us, None) };
        if previous.time_us <= now_us {
            return (now_us.max(previous.time_us + 1), previous.ascending_from);
        }
        let storage_now_us = self.storage_clock.now_us(&self.scratch_folder());
        if previous.time_us > now_us.max(storage_now_us).saturating_add(MOST_AHEAD_US) {
            (now_us, Some(previous.number + 1))
        } else {
            (previous.time_us + 1, previous.ascending_from)
        }
    }

    /// The folder in which a file may be made to get the storage's time.
    fn scratch_folder(&self) -> String {
        format!("{}/{CONTROL_FOLDER}", self.name)
    }

    /// Forgets the newest commit: it is gone.
    pub(crate) fn forget(&self) {
        *self.seen.lock() = None;
    }

    /// Whether the newest commit that was seen is there still. Where commits are removed in the end, one that is not makes
    /// all that was seen void. It begins with commit 1, which then says that the table ended.
    pub(crate) fn is_there(&self, commit: &Commit) -> Result<bool> {
        let is_there = match commit.number {
            1 => self.whose(1)? == Some(commit.uuid),
            number => self.exists(number)?,
        };
        if !is_there {
            self.forget();
        }
        Ok(is_there)
    }

    /// When a commit was made by the storage's clock, as far as that is known: the time of its file, or its own if that is
    /// later, as where the file is a copy's. A time in the future is wrong, and is not used.
    pub(crate) fn made_us(&self, commit: &Commit, storage_now_us: i64) -> Result<i64> {
        let file = self.backend.head(&commit_path(&self.name, commit.number))?;
        // What vanished meanwhile counts as new: nothing is removed for its age then.
        let file_us = file.map_or(storage_now_us, |meta| meta.modified_us);
        Ok(if commit.time_us <= storage_now_us { file_us.max(commit.time_us) } else { file_us })
    }
}

/// The first number in `from..end` for which `holds` is false, where it is true for all before
/// that one and false for all behind; `end` when it is true for all.
fn first_not(mut from: u64, mut end: u64, holds: impl Fn(u64) -> Result<bool>) -> Result<u64> {
    while from < end {
        let middle = from + (end - from) / 2;
        if holds(middle)? {
            from = middle + 1;
        } else {
            end = middle;
        }
    }
    Ok(from)
}
