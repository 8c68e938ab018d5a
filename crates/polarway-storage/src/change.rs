//! How a dataset is changed: decide against its newest commit, try to be the next one, and decide anew where another commit
//! was faster.
//!
//! There is one loop for all kinds of changes, [`Tables::carry_out`]. What differs is what a change wants to be next, and that
//! is a value: a [`Change`].

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use polarway_model::{DatasetName, Published, RequestId};

use crate::backend::FailureKind;
use crate::commit::{Commit, CommitKind, DataFile, DoneRequest, FORMAT, Vacuum};
use crate::error::{Error, Result};
use crate::lease::Lease;
use crate::log::Attempt;
use crate::retry::{check_window, next_requests};
use crate::standstill::Stretch;
use crate::tables::{Dataset, Tables};
use crate::upload::Upload;

/// A change of a dataset. It is asked again each time that another commit has become the newest.
pub(crate) trait Change {
    /// What it ends with where nothing is committed.
    type Left;

    /// Whether it waits for this process's other writers: they would only race each other for the number.
    const WAITS_ITS_TURN: bool;

    /// Says what should follow the newest commit.
    fn decide(&mut self, newest: Option<&Arc<Commit>>) -> Result<Decision<Self::Left>>;

    /// The data files that it brings. They are its own until a commit that names them may have been sent.
    fn uploads(&mut self) -> impl Iterator<Item = &mut Upload> {
        std::iter::empty()
    }

    /// What it ends with when its commit could not be made.
    fn failed(&mut self, error: Error) -> Result<Self::Left> {
        Err(error)
    }
}

/// What a change wants, seeing the newest commit.
pub(crate) enum Decision<T> {
    /// This should be the next commit.
    Commit(Draft),
    /// Nothing should be committed.
    Leave(T),
    /// What was taken for the newest commit is not there: look for it again.
    LookAgain,
}

/// What became of a change.
pub(crate) enum Conclusion<T> {
    /// It is this commit.
    Committed(Arc<Commit>),
    /// An earlier call with the same request id made this commit.
    DoneBefore(Arc<Commit>),
    /// Nothing was committed.
    Left(T),
}

impl Conclusion<Infallible> {
    /// The version that a write made, or that an earlier call of it made.
    pub(crate) fn published(self, name: &DatasetName) -> Published {
        let (commit, was_retry) = match self {
            Self::Committed(commit) => (commit, false),
            Self::DoneBefore(commit) => (commit, true),
            Self::Left(never) => match never {},
        };
        Published {
            name: name.clone(),
            version: commit.version,
            rows: commit.rows(),
            bytes: commit.bytes(),
            time_us: commit.time_us,
            was_retry,
        }
    }
}

/// What a commit is to say, but for its number, its time and who asked for it.
pub(crate) struct Draft {
    pub(crate) kind: CommitKind,
    pub(crate) schema: Option<Arc<str>>,
    pub(crate) files: Vec<DataFile>,
    pub(crate) lease: LeaseDraft,
    pub(crate) vacuum: Option<Vacuum>,
}

/// What becomes of the lease.
pub(crate) enum LeaseDraft {
    /// It stays as the newest commit has it.
    Same,
    /// One begins, for this long.
    Start(Duration),
    /// This one takes its place.
    Replace(Lease),
    /// There is none from here on.
    Remove,
}

impl Draft {
    /// The table that the newest commit has, with nothing changed.
    pub(crate) fn same_table(kind: CommitKind, newest: &Commit) -> Self {
        let (schema, files) = (newest.schema.clone(), newest.files.clone());
        Self { kind, schema, files, lease: LeaseDraft::Same, vacuum: None }
    }

    /// No table from here on. A lease that stays tells that it has run out.
    pub(crate) fn deletion(lease: LeaseDraft) -> Self {
        Self { kind: CommitKind::Delete, schema: None, files: vec![], lease, vacuum: None }
    }
}

/// Who asked for a change, and since when it is under way.
pub(crate) struct Origin {
    /// With it, the change is found again by a retry.
    pub(crate) request: Option<RequestId>,
    /// The newest commit when the change began. Later ones may have carried out the request, or condemned an upload.
    pub(crate) since: Option<u64>,
    /// Who makes the table, if that is to be written down.
    pub(crate) owner: Option<Arc<str>>,
    /// Since it began, if its caller may make it again.
    stretch: Option<Stretch>,
}

impl Origin {
    /// A change that a caller asks for, and begins now.
    ///
    /// # Errors
    /// [`Error::RequestExpired`].
    pub(crate) fn call(tables: &Tables, request: Option<RequestId>) -> Result<Self> {
        let stretch = request.and_then(|_| tables.standstill.begin());
        if let Some(request) = request {
            check_window(request, tables.clock.now_us())?;
        }
        Ok(Self { request, since: None, owner: None, stretch })
    }

    /// A change of Polarway's own, or one that may be made twice.
    pub(crate) fn own() -> Self {
        Self { request: None, since: None, owner: None, stretch: None }
    }

    /// The same, begun when this number was the newest.
    pub(crate) fn begun_at(self, number: u64) -> Self {
        Self { since: Some(number), ..self }
    }

    /// Refuses to publish what its caller may have made again elsewhere and taken the answer to.
    fn check_not_given_up(&self, name: &DatasetName) -> Result<()> {
        match &self.stretch {
            Some(stretch) if stretch.was_interrupted() => Err(Error::StoodStill { name: name.clone() }),
            _ => Ok(()),
        }
    }
}

impl Tables {
    /// Carries out a change. Each round looks for the newest commit, answers a request that was carried out before, lets the
    /// change decide, and tries to make the commit that it wants; where another commit has the number, the next round begins.
    /// There is no pause between them: who loses a round lost it to a commit that stands.
    ///
    /// # Errors
    /// Those of the change, [`Error::StoodStill`], [`Error::OutcomeUnknown`], [`Error::UploadExpired`], and what the storage
    /// says. After any but `OutcomeUnknown` nothing was committed.
    pub(crate) fn carry_out<C: Change>(
        &self,
        dataset: &Dataset,
        origin: &Origin,
        change: &mut C,
    ) -> Result<Conclusion<C::Left>> {
        let log = &dataset.log;
        let _turn = C::WAITS_ITS_TURN.then(|| log.turn.lock());
        let mut passed = origin.since;
        loop {
            let newest = log.newest(0)?;
            if let Some(done) = self.done_before(dataset, origin.request, newest.as_deref())? {
                return Ok(Conclusion::DoneBefore(done));
            }
            if let (Some(passed), Some(newest)) = (&mut passed, &newest) {
                while *passed < newest.number {
                    *passed += 1;
                    let commit = log.read_existing(*passed)?;
                    // By an earlier try that was still under way when this one began, however long ago.
                    if origin.request.is_some_and(|request| commit.carries_out(request)) {
                        log.settle(commit.number)?;
                        self.counters.repeated();
                        return Ok(Conclusion::DoneBefore(commit));
                    }
                    if let Err(error) = self.rescue(dataset, &commit, change) {
                        return change.failed(error).map(Conclusion::Left);
                    }
                }
            }
            let draft = match change.decide(newest.as_ref())? {
                Decision::Commit(draft) => draft,
                Decision::Leave(left) => return Ok(Conclusion::Left(left)),
                Decision::LookAgain => continue,
            };
            let commit = self.next_commit(dataset, newest.as_deref(), draft, origin);
            origin.check_not_given_up(&dataset.name)?;
            set_sent(change, true);
            match log.attempt(commit) {
                Ok(Attempt::Won(commit)) => {
                    self.counters.committed(commit.kind);
                    return Ok(Conclusion::Committed(commit));
                }
                Ok(Attempt::Lost) => {
                    self.counters.lost_race();
                    set_sent(change, false);
                }
                Err(error) => {
                    set_sent(change, matches!(error, Error::OutcomeUnknown { .. }));
                    return change.failed(error).map(Conclusion::Left);
                }
            }
        }
    }

    /// The commit that carried out a request, if one did, settled.
    pub(crate) fn done_before(
        &self,
        dataset: &Dataset,
        request: Option<RequestId>,
        newest: Option<&Commit>,
    ) -> Result<Option<Arc<Commit>>> {
        let (Some(request), Some(newest)) = (request, newest) else { return Ok(None) };
        let Some(number) = dataset.requests.find(request, &dataset.log, newest, self.clock.now_us())? else {
            return Ok(None);
        };
        // Whoever made it may have died before it was durable.
        dataset.log.settle(number)?;
        self.counters.repeated();
        dataset.log.read_existing(number).map(Some)
    }

    /// Copies the uploads that a vacuum's commit condemned as leftovers to new names.
    fn rescue(&self, dataset: &Dataset, vacuum: &Commit, change: &mut impl Change) -> Result<()> {
        for upload in change.uploads() {
            if upload.file.as_ref().is_some_and(|file| vacuum.condemns(file)) {
                *upload = self.upload_again(&dataset.name, upload)?;
            }
        }
        Ok(())
    }

    /// The same upload under another name, as long as its file is there.
    fn upload_again(&self, name: &DatasetName, upload: &Upload) -> Result<Upload> {
        let expired = || Error::UploadExpired { name: name.clone() };
        let file = upload.file.as_ref().ok_or_else(expired)?;
        let copy = DataFile { name: self.fresh_file_name(), ..file.clone() };
        let mut fresh = Upload::of_file(Arc::clone(&self.backend), name, Arc::clone(&upload.schema), copy);
        fresh.categories.clone_from(&upload.categories);
        match self.backend.copy_data(upload.path(), fresh.path()) {
            Ok(()) => Ok(fresh),
            Err(error) if error.kind == FailureKind::NotFound => Err(expired()),
            Err(error) => Err(error.into()),
        }
    }

    /// The commit that a draft becomes behind the newest.
    fn next_commit(
        &self,
        dataset: &Dataset,
        newest: Option<&Commit>,
        draft: Draft,
        origin: &Origin,
    ) -> Commit {
        let (request, owner) = (origin.request, origin.owner.clone());
        let Draft { kind, schema, files, lease, vacuum } = draft;
        let number = newest.map_or(1, |commit| commit.number + 1);
        let (time_us, ascending_from) = dataset.log.next_time(newest);
        let uuid = self.ids.fresh();
        let makes_version = kind.makes_version();
        Commit {
            format: FORMAT,
            number,
            kind,
            version: newest.map_or(0, |commit| commit.version) + u64::from(makes_version),
            time_us,
            ascending_from,
            uuid,
            version_uuid: newest.filter(|_| !makes_version).map_or(uuid, |commit| commit.version_uuid),
            files,
            schema,
            requests: match request {
                Some(id) => next_requests(newest, DoneRequest { id, commit: number, time_us }),
                None => newest.map(|commit| commit.requests.clone()).unwrap_or_default(),
            },
            lease: match lease {
                LeaseDraft::Same => newest.and_then(|commit| commit.lease),
                // By the later of the two clocks: to no other worker may it look as if it had run out already.
                LeaseDraft::Start(ttl) => {
                    let storage_now_us = self.storage_clock.now_us(&Self::control_folder(&dataset.name));
                    Some(Lease::starting(time_us.max(storage_now_us), ttl))
                }
                LeaseDraft::Replace(lease) => Some(lease),
                LeaseDraft::Remove => None,
            },
            owner: owner.or_else(|| newest.and_then(|commit| commit.owner.clone())),
            vacuum,
        }
    }
}

fn set_sent(change: &mut impl Change, was_sent: bool) {
    for upload in change.uploads() {
        upload.was_sent = was_sent;
    }
}

/// A change that a function decides, and that brings no data.
pub(crate) struct Decided<F>(pub(crate) F);

impl<F: FnMut(Option<&Arc<Commit>>) -> Result<Decision<()>>> Change for Decided<F> {
    type Left = ();

    const WAITS_ITS_TURN: bool = false;

    fn decide(&mut self, newest: Option<&Arc<Commit>>) -> Result<Decision<()>> {
        (self.0)(newest)
    }
}
