//! Who may run, who waits, and who is turned away.
//!
//! So many queries have a slot. Two kinds of them give it back before they have ended: those that were stopped and whose
//! thread is still at work, since DuckDB may hear late, and those whose reader takes nothing, when others wait. Of each kind
//! there may be so many beside the slots.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::activity::Activity;
use super::control::StopReason;
use super::seat::Place;
use super::threads::{Job, Threads};
use crate::config::Limits;
use crate::error::Error;

/// How often a query whose reader takes rows again looks whether it was stopped, while it waits for a slot.
const PAUSE: Duration = Duration::from_millis(10);

/// A reader that has been silent for so many times as long as it takes to lose the slot may lose its query, too.
const SILENT: u32 = 10;

/// For how long all that may be beside the slots must have been at work before that is called a problem.
const LASTING: Duration = Duration::from_secs(2);

/// The queue in front of DuckDB, first come, first served. Whoever waits takes no thread.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: Limits,
    threads: Arc<Threads>,
    state: Mutex<State>,
    /// Somebody has got a slot back.
    returned: Condvar,
}

#[derive(Default)]
struct State {
    /// Slots that are taken.
    running: usize,
    /// Queries that were stopped, and whose threads are at work beside the slots.
    stuck: usize,
    /// Queries that wait for their readers beside the slots.
    parked: usize,
    waiting: VecDeque<Waiting>,
    /// Parked queries whose readers take rows again. They are served before those that wait.
    returning: VecDeque<Arc<Activity>>,
    /// Slots that stopped queries have, for lack of room beside them, as of the last look.
    blocked: usize,
    /// Since when there are such slots.
    blocked_since: Option<Instant>,
}

struct Waiting {
    activity: Arc<Activity>,
    job: Job,
}

impl Admission {
    pub(crate) fn new(limits: Limits, threads: Arc<Threads>) -> Arc<Self> {
        Arc::new(Self { limits, threads, state: Mutex::default(), returned: Condvar::new() })
    }

    /// Runs the job now if there is a free slot, else when one is free.
    pub(crate) fn submit(self: &Arc<Self>, activity: &Arc<Activity>, job: Job) -> Result<(), Error> {
        let new = Waiting { activity: Arc::clone(activity), job };
        {
            let mut state = self.state.lock();
            if state.running >= self.limits.running {
                self.check_room(&state)?;
                state.waiting.push_back(new);
                return Ok(());
            }
            state.running += 1;
            activity.seat.lock().place = Place::Slot;
        }
        self.start(new)
    }

    /// Whether one more query may wait.
    fn check_room(&self, state: &State) -> Result<(), Error> {
        if state.blocked >= self.limits.running {
            return Err(Error::Busy(format!(
                "{} queries that were stopped are still at work, and all slots are theirs; try again when they have ended, \
                 or on another server",
                state.blocked + state.stuck
            )));
        }
        if state.waiting.len() >= self.limits.waiting {
            return Err(Error::Busy(format!(
                "{} queries run and {} wait; try again when fewer do",
                state.running,
                state.waiting.len()
            )));
        }
        Ok(())
    }

    /// Runs a query that has a slot on a thread.
    fn start(self: &Arc<Self>, first: Waiting) -> Result<(), Error> {
        let (admission, activity) = (Arc::clone(self), Arc::clone(&first.activity));
        self.threads.run(Box::new(move || admission.work(first))).map_err(|error| {
            let mut state = self.state.lock();
            activity.seat.lock().place = Place::Outside;
            state.running -= 1;
            Error::Busy(format!("there is no thread for the query: {error}"))
        })
    }

    /// Runs a query, and those that wait for its slot.
    fn work(&self, first: Waiting) {
        let mut next = Some(first);
        while let Some(Waiting { activity, job }) = next {
            // A bug in one query must not take the slot from all others. Whoever waits for its result sees it end.
            let _ = catch_unwind(AssertUnwindSafe(job));
            next = self.leave(&activity);
        }
    }

    /// A query has ended. Gives the one that takes over its slot, if it still had one.
    fn leave(&self, activity: &Activity) -> Option<Waiting> {
        let mut state = self.state.lock();
        // Whoever saw it run a moment ago must not take the slot from it once more.
        match std::mem::replace(&mut activity.seat.lock().place, Place::Outside) {
            Place::Slot => return self.pass_on(&mut state),
            Place::Stuck => state.stuck -= 1,
            Place::Parked => state.parked -= 1,
            Place::Outside => {}
        }
        None
    }

    /// Who takes over a slot: a reader that came back, which goes on by itself, or one that waits. Without either it is free.
    fn pass_on(&self, state: &mut State) -> Option<Waiting> {
        if let Some(activity) = state.returning.pop_front() {
            activity.seat.lock().place = Place::Slot;
            state.parked -= 1;
            self.returned.notify_all();
            return None;
        }
        while let Some(waiting) = state.waiting.pop_front() {
            if !waiting.activity.control.is_stopped() {
                waiting.activity.seat.lock().place = Place::Slot;
                return Some(waiting);
            }
        }
        state.running -= 1;
        None
    }

    /// Gets a slot for a query that had lost its own while its reader took nothing. Gives up when the query is stopped.
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

    /// Turns away who waited too long, forgets who was stopped, and takes slots from those that make no use of them.
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
            while state.running < self.limits.running
                && !(state.waiting.is_empty() && state.returning.is_empty())
            {
                state.running += 1;
                starting.extend(self.pass_on(&mut state));
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
        let mut state = self.state.lock();
        let (gone, staying) = std::mem::take(&mut state.waiting).into_iter().partition(|waiting| {
            let activity = &waiting.activity;
            activity.control.is_stopped() || now.duration_since(activity.began) >= self.limits.wait
        });
        state.waiting = staying;
        Vec::from(gone)
    }

    /// Stopped queries go on beside the slots, as many as may.
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

    /// Queries whose readers take nothing wait for them beside the slots, as many as others wait and as many as may. Beyond
    /// that, those that have been silent for long are to end: they are given, with their silence.
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
        // Those that were stopped already make room as well.
        let leaving = queries
            .iter()
            .filter(|query| query.control.is_stopped() && query.seat.lock().place == Place::Parked);
        silent.truncate(wanted.saturating_sub(room).saturating_sub(leaving.count()));
        silent
    }

    /// How many stopped queries are still at work beside the slots, and what is wrong if these are so many that others have
    /// no slot.
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
        admission.submit(&activity, Box::new(move || ended.send(()).unwrap())).unwrap();
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
