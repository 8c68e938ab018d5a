//! Random histories against a model that is a list: whatever is done in whatever order, by
//! whichever worker, with failures anywhere, the tables are what the list says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use object_store::memory::InMemory;
use polarway_cloud::{self as network, Request};
use polarway_storage::{
    At, Backend, Environment, Error, ManualClock, ObjectBackend, Published, RequestId, Result, Settings,
    Tables, WriteMode, WriteOptions,
};
use polarway_testing::{is_long, tries};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::faults::fault;
use crate::support::buckets::{Place, given};
use crate::support::failing::{FailingBackend, Failure};
use crate::support::timed::TimedBackend;
use crate::support::{CountedIds, clock, load, name, newest, numbers, request, write};

#[derive(Clone, Debug)]
enum Action {
    Overwrite(Vec<i64>),
    Create(Vec<i64>),
    Append(Vec<i64>),
    Delete,
    Compact,
    Vacuum,
    /// Sends the last write once more, under its id.
    Retry,
    /// The worker's process ends and another one takes its place.
    Restart,
    Wait(u32),
}

#[derive(Clone, Debug)]
struct Step {
    worker: usize,
    action: Action,
    /// The storage fails at this operation, in this way.
    failure: Option<(u64, Failure)>,
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let rows = || prop::collection::vec(0..100_i64, 0..4);
    let action = prop_oneof![
        3 => rows().prop_map(Action::Overwrite),
        2 => rows().prop_map(Action::Create),
        6 => rows().prop_map(Action::Append),
        1 => Just(Action::Delete),
        1 => Just(Action::Compact),
        2 => Just(Action::Vacuum),
        3 => Just(Action::Retry),
        1 => Just(Action::Restart),
        1 => (0..5_000_u32).prop_map(Action::Wait),
    ];
    let kind = prop_oneof![Just(Failure::Before), Just(Failure::After), Just(Failure::FromHereOn)];
    let failure = prop::option::weighted(0.4, (0..14_u64, kind));
    let step = (0..WORKERS, action, failure);
    prop::collection::vec(
        step.prop_map(|(worker, action, failure)| Step { worker, action, failure }),
        1..most,
    )
}

const WORKERS: usize = 2;

/// What the tables should be: the rows of each version, from 1 on; a deletion has none.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    versions: Vec<Option<Vec<i64>>>,
}

impl Model {
    fn now(&self) -> Option<&Vec<i64>> {
        self.versions.last().and_then(Option::as_ref)
    }

    /// What a write makes of it, or `None` when the write must be refused.
    fn after(&self, action: &Action) -> Option<Self> {
        let next = match (action, self.now()) {
            (Action::Overwrite(rows), _) | (Action::Create(rows), None) => Some(rows.clone()),
            (Action::Append(rows), Some(now)) => Some([&now[..], rows].concat()),
            (Action::Delete, Some(_)) => None,
            _ => return None,
        };
        let mut after = self.clone();
        after.versions.push(next);
        Some(after)
    }
}

/// A write that was sent and may be sent again.
#[derive(Clone, Debug)]
struct Sent {
    action: Action,
    request: RequestId,
    /// The version that it made, once that is known.
    version: Option<u64>,
}

struct World {
    clock: Arc<ManualClock>,
    ids: Arc<CountedIds>,
    storage: Arc<dyn Backend>,
    /// The same, as workers reach it.
    reached: Arc<dyn Backend>,
    /// Whether workers reach it through a network that fails by itself.
    is_faulty: bool,
    workers: Vec<(Tables, Arc<FailingBackend>)>,
    model: Model,
    last: Option<Sent>,
    requests: u64,
}

impl World {
    fn new() -> Self {
        let memory: Arc<dyn Backend> = Arc::new(ObjectBackend::new(Arc::new(InMemory::new())).unwrap());
        Self::over(Arc::clone(&memory), memory, false)
    }

    fn over(storage: Arc<dyn Backend>, reached: Arc<dyn Backend>, is_faulty: bool) -> Self {
        let clock = clock();
        let storage = TimedBackend::new(storage, clock.clone());
        let reached = storage.reached_through(reached);
        let mut world = Self {
            clock,
            ids: Arc::new(CountedIds::default()),
            storage,
            reached,
            is_faulty,
            workers: Vec::new(),
            model: Model::default(),
            last: None,
            requests: 0,
        };
        world.workers = (0..WORKERS).map(|_| world.worker(Failure::Before)).collect();
        world
    }

    fn worker(&self, failure: Failure) -> (Tables, Arc<FailingBackend>) {
        let failing = FailingBackend::new(Arc::clone(&self.reached), failure);
        (self.tables(failing.clone()), failing)
    }

    fn tables(&self, backend: Arc<dyn Backend>) -> Tables {
        // Writers that died leave files here, and none of them may be missed.
        let settings = Settings {
            kept_versions: 3,
            grace: Duration::from_secs(600),
            orphan_grace: Duration::MAX,
            ..Settings::default()
        };
        let environment =
            Environment { ids: self.ids.clone(), ..Environment::with_clock(self.clock.clone()) };
        Tables::with_environment(backend, settings, environment)
    }

    fn run(&mut self, step: &Step) {
        if let Some((at, failure)) = step.failure {
            self.workers[step.worker] = self.worker(failure);
            self.workers[step.worker].1.fail_after(at);
        }
        let (tables, _) = &self.workers[step.worker];
        match &step.action {
            Action::Restart => self.workers[step.worker] = self.worker(Failure::Before),
            Action::Wait(seconds) => self.clock.advance(Duration::from_secs(u64::from(*seconds))),
            Action::Compact => drop(tables.compact(&dataset())),
            Action::Vacuum => drop(tables.vacuum(&dataset())),
            Action::Retry => {
                if let Some(sent) = self.last.clone() {
                    self.send(step.worker, sent);
                }
            }
            write => {
                self.requests += 1;
                let request = request(&self.clock, self.requests);
                self.send(step.worker, Sent { action: write.clone(), request, version: None });
            }
        }
        self.workers[step.worker].1.heal();
        self.settle();
    }

    fn send(&mut self, worker: usize, mut sent: Sent) {
        let tables = &self.workers[worker].0;
        let (rows, mode) = match &sent.action {
            Action::Overwrite(rows) => (rows, WriteMode::Overwrite),
            Action::Create(rows) => (rows, WriteMode::Create),
            Action::Append(rows) => (rows, WriteMode::Append),
            _ => {
                let outcome = tables.delete(&dataset(), Some(sent.request), None);
                return self.judge(sent, outcome);
            }
        };
        let how = WriteOptions::new(mode).with_request(sent.request);
        let outcome = write(tables, &dataset(), &numbers(rows.iter().copied()), how);
        sent.action = sent.action.clone();
        self.judge(sent, outcome);
    }

    /// Holds the answer to a write against what the model allows.
    fn judge(&mut self, mut sent: Sent, outcome: Result<Published>) {
        match (outcome, sent.version) {
            (Ok(published), Some(made)) => assert_eq!(published.version, made, "a retry made a second write"),
            (Ok(published), None) => {
                let after = self.model.after(&sent.action).expect("a write that must be refused took place");
                self.model = after;
                assert_eq!(published.version, self.model.versions.len() as u64);
                sent.version = Some(published.version);
            }
            (Err(Error::RequestExpired { .. }), _) => {}
            (Err(Error::AlreadyExists { .. } | Error::UnknownDataset { .. }), version) => {
                assert_eq!(version, None, "a retry of a write that took place was refused");
                assert_eq!(self.model.after(&sent.action), None, "a write was refused for no reason");
            }
            (Err(Error::Backend(_) | Error::OutcomeUnknown { .. } | Error::Table(_)), version) => {
                // It may have taken place. What is there now tells.
                let there = self.healthy().versions(&dataset()).map_or(0, |versions| versions.len());
                if version.is_none() && there > self.model.versions.len() {
                    self.model =
                        self.model.after(&sent.action).expect("a write that must be refused took place");
                    sent.version = Some(self.model.versions.len() as u64);
                }
            }
            (Err(other), _) => panic!("{other}"),
        }
        self.last = Some(sent);
    }

    fn healthy(&self) -> Tables {
        self.tables(Arc::clone(&self.storage))
    }

    /// Holds what each worker sees, and what a new one would see, against the model.
    fn settle(&self) {
        let fresh = self.healthy();
        assert_eq!(newest(&fresh, &dataset()).ok().as_ref(), self.model.now());
        for (tables, _) in &self.workers {
            match newest(tables, &dataset()) {
                Ok(rows) => assert_eq!(Some(&rows), self.model.now()),
                Err(Error::UnknownDataset { .. }) => assert_eq!(self.model.now(), None),
                Err(Error::Backend(_) | Error::Table(_) | Error::UnreadableData { .. }) if self.is_faulty => {
                }
                Err(error) => panic!("{error}"),
            }
        }
        for (version, rows) in (1..).zip(&self.model.versions) {
            let is_kept = version + 3 > self.model.versions.len() as u64;
            match (load(&fresh, &dataset(), At::Version(version)), rows) {
                (Ok(there), Some(rows)) => assert_eq!(&there, rows, "version {version}"),
                (Err(Error::VersionIsDeletion { .. }), None) => {}
                (Err(Error::VersionVacuumed { .. }), Some(_)) => {
                    assert!(!is_kept, "version {version} is gone")
                }
                (other, _) => panic!("version {version}: {other:?}"),
            }
        }
    }
}

fn dataset() -> polarway_storage::DatasetName {
    name("trades")
}

proptest! {
    #![proptest_config(tries(96, 4_000))]

    #[test]
    fn any_history_is_what_the_model_says(steps in steps(30)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
    }
}

#[test]
fn any_history_in_buckets_is_what_the_model_says_also_through_a_network_that_fails() {
    for (given, is_faulty) in given().iter().flat_map(|given| [(given, false), (given, true)]) {
        let config = Config { max_shrink_iters: 16, ..tries(1, 60) };
        let history = |steps: Vec<Step>| {
            let place = Place::new(given);
            let count = AtomicU64::new(0);
            let decide = move |request: &Request| match is_faulty {
                true => fault(count.fetch_add(1, Ordering::SeqCst), request),
                false => network::Action::Pass,
            };
            let Some((_proxy, reached)) = place.behind(decide) else { return Ok(()) };
            let mut world = World::over(place.backend(None), reached, is_faulty);
            for step in &steps {
                world.run(step);
            }
            Ok(())
        };
        TestRunner::new(config)
            .run(&steps(if is_long() { 30 } else { 10 }), history)
            .unwrap_or_else(|error| panic!("{}: {error}", given.url));
    }
}
