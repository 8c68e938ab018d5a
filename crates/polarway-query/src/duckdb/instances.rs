//! The DuckDB instance that queries run in, and its replacement if it breaks.
//!
//! After an internal error DuckDB invalidates its database: every later query fails. So the query that caused it ends, a new
//! instance replaces the old one, and queries in the old one may continue there for a while.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::instance::Instance;
use super::remote_files::Remote;
use super::sandbox::Purpose;
use crate::config::EngineConfig;
use crate::error::Error;

/// How long queries may continue in a replaced instance. It uses as much memory as its successor.
const DRAIN: Duration = Duration::from_secs(30);

/// How often an operation is tried that fails because another query broke DuckDB.
const MOST_TRIES: u32 = 3;

/// How often a failed opening is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The current instance, and those that are about to close.
#[derive(Debug)]
pub(crate) struct Instances {
    config: EngineConfig,
    purpose: Purpose,
    remote: Option<Arc<Remote>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    current: Result<Arc<Instance>, Unopened>,
    /// Instances in which queries may still run, the newest last.
    draining: Vec<Draining>,
    /// How many were replaced.
    replaced: u64,
}

/// Why there is no instance.
#[derive(Debug)]
struct Unopened {
    reason: String,
    tried: Instant,
}

#[derive(Debug)]
struct Draining {
    instance: Weak<Instance>,
    since: Instant,
}

impl Instances {
    pub(super) fn open(
        config: EngineConfig,
        purpose: Purpose,
        remote: Option<Arc<Remote>>,
    ) -> Result<Self, Error> {
        let first = Instance::open(&config, purpose, remote.as_ref(), 0)?;
        let state = State { current: Ok(Arc::new(first)), draining: Vec::new(), replaced: 0 };
        Ok(Self { config, purpose, remote, state: Mutex::new(state) })
    }

    /// The instance for a new query. If there is none, tries to open one, once a second.
    pub(crate) fn current(&self) -> Result<Arc<Instance>, Error> {
        let mut state = self.state.lock();
        if state.current.as_ref().is_err_and(|unopened| unopened.tried.elapsed() >= RETRY) {
            self.open_next(&mut state);
        }
        // The reason is in the log: it may name folders.
        state.current.as_ref().map(Arc::clone).map_err(|_| {
            Error::Replaced(
                "this server's query engine broke and can't be opened anew, which is tried once a second"
                    .to_owned(),
            )
        })
    }

    /// Runs `work` in the current instance. If another query breaks that instance, runs it again in the next one, while that
    /// makes sense; if this work broke the instance, replaces it.
    pub(super) fn run<S, T>(
        &self,
        state: &mut S,
        may_repeat: impl Fn(&S) -> bool,
        mut work: impl FnMut(&mut S, &Arc<Instance>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut tries = 0;
        loop {
            let instance = self.current()?;
            let outcome = work(state, &instance);
            tries += 1;
            match &outcome {
                Err(Error::Broken(reason)) => self.replace(&instance, reason),
                Err(Error::Replaced(reason)) => {
                    self.replace(&instance, reason);
                    if tries < MOST_TRIES && may_repeat(state) {
                        continue;
                    }
                    return Err(Error::Replaced(
                        "another query broke the query engine under this one; run it again".to_owned(),
                    ));
                }
                _ => {}
            }
            return outcome;
        }
    }

    /// Replaces an instance that a query broke; others who need an instance wait until the new one is open. Only the first call
    /// for an instance has an effect.
    pub(crate) fn replace(&self, broken: &Arc<Instance>, reason: &str) {
        let mut state = self.state.lock();
        if !state.current.as_ref().is_ok_and(|current| Arc::ptr_eq(current, broken)) {
            return;
        }
        broken.retire();
        let instance = Arc::downgrade(broken);
        state.draining.push(Draining { instance, since: Instant::now() });
        state.replaced += 1;
        tracing::error!(
            replaced = state.replaced,
            "a query broke DuckDB, and another one is opened; results that were kept in its memory are lost: {reason}"
        );
        self.open_next(&mut state);
    }

    fn open_next(&self, state: &mut State) {
        state.current = Instance::open(&self.config, self.purpose, self.remote.as_ref(), state.replaced)
            .map(Arc::new)
            .map_err(|error| {
                tracing::error!(%error, "DuckDB can't be opened anew: no query is answered");
                Unopened { reason: error.to_string(), tried: Instant::now() }
            });
    }

    /// Stops the queries in replaced instances that must close: their time is over, or another instance was replaced after
    /// them.
    pub(crate) fn end_overdue(&self, now: Instant) {
        let overdue: Vec<Arc<Instance>> = {
            let mut state = self.state.lock();
            state.draining.retain(|draining| draining.instance.strong_count() > 0);
            let Some((newest, older)) = state.draining.split_last() else { return };
            let is_late = now.duration_since(newest.since) >= DRAIN;
            let overdue = older.iter().chain(is_late.then_some(newest));
            overdue.filter_map(|draining| draining.instance.upgrade()).collect()
        };
        overdue.iter().for_each(|instance| instance.stop_guests());
    }

    /// How many were replaced, and why there is none now, if so.
    pub(crate) fn condition(&self) -> (u64, Option<String>) {
        // A health check also tries to open it: while health is bad, there may be no queries that would.
        let is_open = self.current().is_ok();
        let state = self.state.lock();
        let problem =
            state.current.as_ref().err().filter(|_| !is_open).map(|unopened| unopened.reason.clone());
        (state.replaced, problem)
    }
}
