//! Who may run, who waits, and who is turned away.
//!
//! A fixed number of queries have a slot. Their owners take turns (`fair.rs`), and an owner of whom no query runs does not wait for
//! one of another to end: its first query gets a slot beside the others, if not too many have. Two kinds of queries give it back before they end: stopped queries whose thread is
//! still at work, since DuckDB may react late; and, when others wait, queries whose reader takes nothing. Each kind has its own
//! limit of queries beside the slots.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::activity::Activity;
use super::control::StopReason;
use super::fair::{FairQueue, Waiting};
use super::seat::Place;
use super::threads::{Job, Threads};
use crate::config::Limits;
use crate::error::Error;
use crate::status::QueueState;

/// How often a query that waits for a slot again checks whether it was stopped.
const PAUSE: Duration = Duration::from_millis(10);

/// A reader that is silent for this many times the stall time may lose its query, too.
const SILENT: u32 = 10;

/// How long all places for stopped queries must have been in use before this is reported as a problem.
const LASTING: Duration = Duration::from_secs(2);

/// The queue in front of DuckDB. A waiting query uses no thread.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: Limits,
    threads: Arc<Threads>,
    state: Mutex<State>,
    /// A parked query has a slot again.
    returned: Condvar,
}

#[derive(Default)]
struct State {
    /// Slots in use.
    running: usize,
    /// Queries that were stopped and whose threads still work beside the slots.
    stuck: usize,
    /// Queries that wait for their readers beside the slots.
    parked: usize,
    waiting: FairQueue,
    /// Parked queries whose readers take rows again. They are served before waiting queries.
    returning: VecDeque<Arc<Activity>>,
    /// Slots of stopped queries for which there is no place beside the slots, as of the last look.
    blocked: usize,
    /// Since when there are such slots.
    blocked_since: Option<Instant>,
}

impl Admission {
    pub(crate) fn new(limits: Limits, threads: Arc<Threads>) -> Arc<Self> {
        Arc::new(Self { limits, threads, state: Mutex::default(), returned: Condvar::new() })
    }

    /// Runs the job now if a slot is free, otherwise as soon as one is. Its owner may have so many queries that run or wait.
    pub(crate) fn submit(
        self: &Arc<Self>,
        activity: &Arc<Activity>,
        job: Job,
        most_of_owner: Option<usize>,
    ) -> Result<(), Error> {
        let new = Waiting { activity: Arc::clone(activity), job };
        let mut displaced = None;
        let next = {
            let mut state = self.state.lock();
            let owner = &activity.owner;
            if let Some(most) = most_of_owner
                && state.waiting.begun_of(owner) + state.waiting.waiting_of(owner) >= most
            {
                return Err(Error::Busy(format!(
                    "{owner} has {most} queries that run or wait, as many as it may have at once; try again when one has ended"
                )));
            }
            let has_slot = state.running < self.limits.running
                || (state.running < self.most_running() && state.waiting.begun_of(owner) == 0);
            if has_slot {
                state.running += 1;
                state.take_slot(&new.activity);
                Some(new)
            } else {
                displaced = self.make_room(&mut state, owner)?;
                state.waiting.push(new);
                None
            }
        };
        if let Some(displaced) = displaced {
            displaced.activity.control.stop(StopReason::Displaced);
        }
        next.map_or(Ok(()), |next| self.start(next))
    }

    /// How many may run if some of them are their owners' only ones.
    fn most_running(&self) -> usize {
        2 * self.limits.running
    }

    /// Whether one more query may wait. If too many wait, one of an owner of whom more wait may have to go.
    fn make_room(&self, state: &mut State, owner: &str) -> Result<Option<Waiting>, Error> {
        if state.blocked >= self.limits.running {
            return Err(Error::Busy(format!(
                "{} queries that were stopped are still at work, and all slots are theirs; try again when they have ended, \
                 or on another server",
                state.blocked + state.stuck
            )));
        }
        if state.waiting.len() < self.limits.waiting {
            return Ok(None);
        }
        let displaced = state.waiting.pop_newest_of_others(owner);
        let too_many = || {
            let (running, waiting) = (state.running, state.waiting.len());
            Error::Busy(format!("{running} queries run and {waiting} wait; try again when fewer do"))
        };
        displaced.map(Some).ok_or_else(too_many)
    }

    /// Runs a query that has a slot on a thread.
    fn start(self: &Arc<Self>, first: Waiting) -> Result<(), Error> {
        let (admission, activity) = (Arc::clone(self), Arc::clone(&first.activity));
        self.threads.run(Box::new(move || admission.work(first))).map_err(|error| {
            let mut state = self.state.lock();
            activity.seat.lock().place = Place::Outside;
            state.running -= 1;
            state.waiting.end(&activity.owner);
            Error::Busy(format!("there is no thread for the query: {error}"))
        })
    }

    /// Runs a query, and then those that wait for its slot.
    fn work(&self, first: Waiting) {
        let mut next = Some(first);
        while let Some(Waiting { activity, job }) = next {
            // A bug in one query must not take the slot from all others. Whoever waits for its result is told that it ended.
            let _ = catch_unwind(AssertUnwindSafe(job));
            next = self.leave(&activity);
        }
    }

    /// Records that a query has ended. Returns the next query for its slot, if it still had one.
    fn leave(&self, activity: &Activity) -> Option<Waiting> {
        let mut state = self.state.lock();
        state.waiting.end(&activity.owner);
        // A look that saw it run a moment ago must not take its slot again.
        match std::mem::replace(&mut activity.seat.lock().place, Place::Outside) {
            Place::Slot => {
                state.running -= 1;
                return self.pass_on(&mut state);
            }
            Place::Stuck => state.stuck -= 1,
            Place::Parked => state.parked -= 1,
            Place::Outside => {}
        }
        None
    }

    /// Gives a slot, if there is one, to a parked query whose reader came back, or returns a waiting query that has it.
    fn pass_on(&self, state: &mut State) -> Option<Waiting> {
        while state.running < self.most_running() {
            let is_within = state.running < self.limits.running;
            if is_within && let Some(activity) = state.returning.pop_front() {
                activity.seat.lock().place = Place::Slot;
                state.running += 1;
                state.parked -= 1;
                self.returned.notify_all();
                return None;
            }
            let waiting = if is_within { state.waiting.pop()? } else { state.waiting.pop_first()? };
            if !waiting.activity.control.is_stopped() {
                state.running += 1;
                state.take_slot(&waiting.activity);
                return Some(waiting);
            }
        }
        None
    }

    /// Gets a slot for a query that lost its own because its reader was slow. Gives up if the query is stopped.
    pub(crate) fn come_back(&self, activity: &Arc<Activity>) {
        let mut state = self.state.lock();
        let has_slot = || activity.seat.lock().place != Place::Parked;
        if has_slot() {
            return;
        }
        if state.running < self.limits.running {
            state.running += 1;
            state.parked -= 1;
            activity.seat.lock().place = Place::Slot;
            return;
        }
        state.returning.push_back(Arc::clone(activity));
        while !has_slot() {
            if activity.control.is_stopped() {
                state.returning.retain(|other| !Arc::ptr_eq(other, activity));
                return;
            }
            self.returned.wait_for(&mut state, PAUSE);
        }
    }

    /// Turns away queries that waited too long, forgets stopped ones, and takes slots from queries that do not use them.
    pub(crate) fn sweep(self: &Arc<Self>, queries: &[Arc<Activity>], now: Instant) {
        for swept in self.sweep_waiting(now) {
            swept.activity.control.stop(StopReason::Waited(now.duration_since(swept.activity.began)));
        }
        let (mut starting, mut silent) = (Vec::new(), Vec::new());
        {
            let mut state = self.state.lock();
            self.take_from_stopped(&mut state, queries, now);
            if !state.waiting.is_empty() {
                silent = self.take_from_stalled(&mut state, queries, now);
            }
            loop {
                let before = state.running;
                starting.extend(self.pass_on(&mut state));
                if state.running == before {
                    break;
                }
            }
        }
        for (activity, silence) in silent {
            activity.control.stop(StopReason::Reader(silence));
        }
        for next in starting {
            let activity = Arc::clone(&next.activity);
            if self.start(next).is_err() {
                activity.control.stop(StopReason::Waited(now.duration_since(activity.began)));
            }
        }
    }

    fn sweep_waiting(&self, now: Instant) -> Vec<Waiting> {
        self.state.lock().waiting.take_if(|activity| {
            activity.control.is_stopped() || now.duration_since(activity.began) >= self.limits.wait
        })
    }

    /// Moves stopped queries beside the slots, up to the limit.
    fn take_from_stopped(&self, state: &mut State, queries: &[Arc<Activity>], now: Instant) {
        state.blocked = 0;
        for query in queries.iter().filter(|query| query.control.is_stopped()) {
            let mut seat = query.seat.lock();
            if seat.place != Place::Slot {
                continue;
            }
            if state.stuck < self.limits.spare {
                seat.place = Place::Stuck;
                state.stuck += 1;
                state.running -= 1;
            } else {
                state.blocked += 1;
            }
        }
        state.blocked_since = (state.blocked > 0).then(|| state.blocked_since.unwrap_or(now));
    }

    /// Moves queries with silent readers beside the slots: no more than others wait, and up to the limit. Beyond it, returns
    /// those silent for long, with their silence: they are to be ended.
    fn take_from_stalled(
        &self,
        state: &mut State,
        queries: &[Arc<Activity>],
        now: Instant,
    ) -> Vec<(Arc<Activity>, Duration)> {
        let in_place = |place: Place, least: Duration| {
            let mut found: Vec<_> = queries
                .iter()
                .filter(|query| !query.control.is_stopped())
                .filter_map(|query| {
                    let silence = query.seat.lock().silence_in(place, now)?;
                    (silence >= least).then(|| (Arc::clone(query), silence))
                })
                .collect();
            found.sort_by_key(|(_, silence)| std::cmp::Reverse(*silence));
            found
        };
        let stalled = in_place(Place::Slot, self.limits.stall);
        let room = self.limits.parked.saturating_sub(state.parked);
        let wanted = stalled.len().min(state.waiting.len());
        for (query, _) in stalled.iter().take(room.min(wanted)) {
            query.seat.lock().place = Place::Parked;
            state.parked += 1;
            state.running -= 1;
        }
        let mut silent = in_place(Place::Parked, self.limits.stall * SILENT);
        // Queries that were already stopped free their places, too.
        let leaving = queries
            .iter()
            .filter(|query| query.control.is_stopped() && query.seat.lock().place == Place::Parked);
        silent.truncate(wanted.saturating_sub(room).saturating_sub(leaving.count()));
        silent
    }

    /// How many queries are where.
    pub(crate) fn counts(&self) -> QueueState {
        let State { running, waiting, stuck, .. } = &*self.state.lock();
        QueueState { running: *running, waiting: waiting.len(), stuck: *stuck }
    }

    /// How many stopped queries still work beside the slots, and the problem if so many of them work that others get no slot.
    pub(crate) fn condition(&self) -> (usize, Option<String>) {
        let state = self.state.lock();
        let lasts = state.blocked_since.is_some_and(|since| since.elapsed() >= LASTING);
        let problem = lasts.then(|| {
            format!(
                "{} queries that were stopped are still at work, {} of them in slots that others need",
                state.stuck + state.blocked,
                state.blocked
            )
        });
        (state.stuck, problem)
    }
}

impl State {
    /// Counts a query that has got a slot and begins.
    fn take_slot(&mut self, activity: &Activity) {
        activity.seat.lock().place = Place::Slot;
        self.waiting.begin(&activity.owner);
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("running", &self.running)
            .field("stuck", &self.stuck)
            .field("parked", &self.parked)
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::control::Control;

    #[test]
    fn a_stopped_query_that_has_ended_since_it_was_seen_gives_its_slot_back_once() {
        let admission = Admission::new(Limits { running: 2, ..Limits::default() }, Threads::new(2));
        let activity = Arc::new(Activity::new(
            "SELECT 1",
            Arc::from("nobody"),
            Arc::new(Control::new(None, Box::new(|_| {}))),
        ));
        let (ended, has_ended) = crossbeam_channel::bounded(0);
        let job = Box::new(move || ended.send(()).unwrap());
        admission.submit(&activity, job, None).unwrap();
        activity.control.stop(StopReason::Cancelled);
        has_ended.recv().unwrap();
        while admission.state.lock().running > 0 {
            std::thread::yield_now();
        }
        admission.sweep(&[Arc::clone(&activity)], Instant::now());
        let state = admission.state.lock();
        assert_eq!((state.running, state.stuck, state.parked), (0, 0, 0));
    }
}
