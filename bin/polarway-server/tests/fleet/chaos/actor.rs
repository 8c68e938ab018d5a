//! One client, what it owns, and what it does next.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use polarway_client::{DistributedClient, Error};

use super::actions::Action;
use super::handles::KeptResult;
use super::model::{Owned, compare};
use super::report::Report;
use super::shared::{Shared, World};
use super::table::numbers_of;

/// How many datasets a client has to itself.
const OWNED: usize = 3;

/// Numbers of rows that no other client uses.
const NUMBERS: i64 = 1_000_000_000;

pub(super) struct Actor {
    pub(super) client: DistributedClient,
    pub(super) noise: fastrand::Rng,
    pub(super) world: Arc<World>,
    pub(super) owned: Vec<Owned>,
    pub(super) results: Vec<KeptResult>,
    report: Arc<Report>,
    number: usize,
    next_row: i64,
}

/// What is wrong with an answer, or that there is none.
pub(super) struct Wrong(pub(super) String);

impl From<String> for Wrong {
    fn from(what: String) -> Self {
        Self(what)
    }
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self(format!("a client noticed: {:?}: {error}", error.kind()))
    }
}

impl Actor {
    pub(super) fn new(
        number: usize,
        client: DistributedClient,
        noise: fastrand::Rng,
        world: Arc<World>,
        report: Arc<Report>,
    ) -> Self {
        let owned = (0..OWNED).map(|index| Owned::new(format!("own-{number}-{index}"))).collect();
        let results = Vec::new();
        Self { client, noise, world, owned, results, report, number, next_row: NUMBERS * (number as i64 + 1) }
    }

    /// Does one thing after the other. What goes wrong is reported and ends it, as its model may be wrong from then on.
    pub(super) async fn act_until(mut self, end: Instant) -> Self {
        while Instant::now() < end {
            let action = Action::pick(&mut self.noise);
            let begin = Instant::now();
            let result = action.run(&mut self).await;
            self.report.done(action.name(), begin.elapsed());
            if let Err(Wrong(what)) = result {
                let took = begin.elapsed();
                self.report.wrong(format!(
                    "client {}, {}, after {took:?}: {what}",
                    self.number,
                    action.name()
                ));
                break;
            }
            tokio::time::sleep(Duration::from_millis(self.noise.u64(0..20))).await;
        }
        self
    }

    /// Rows that nobody else has; mostly few, now and then many.
    pub(super) fn fresh_rows(&mut self) -> Range<i64> {
        let count = match self.noise.u32(0..60) {
            0 => self.noise.i64(50_000..200_000),
            1..10 => self.noise.i64(1_000..5_000),
            _ => self.noise.i64(1..100),
        };
        let first = self.next_row;
        self.next_row += count;
        first..first + count
    }

    /// One of its own datasets, by its place.
    pub(super) fn some_owned(&mut self) -> usize {
        self.noise.usize(..self.owned.len())
    }

    pub(super) fn some_shared(&mut self) -> (Arc<World>, usize) {
        (Arc::clone(&self.world), self.noise.usize(..self.world.shared.len()))
    }

    /// Everything that it owns is as it left it.
    pub(super) async fn check_all(&self, client: &DistributedClient) {
        for owned in &self.owned {
            let Some(rows) = owned.rows() else {
                assert!(client.load(&owned.name).await.is_err(), "{} is back", owned.name);
                continue;
            };
            let found = numbers_of(&client.load(&owned.name).await.unwrap()).unwrap();
            compare(&owned.name, rows, &found).unwrap();
            let version = client.describe(&owned.name).await.unwrap().version;
            assert_eq!(version, owned.version, "{}", owned.name);
        }
    }
}

/// A dataset of the world, by its place.
pub(super) fn shared_of(world: &World, index: usize) -> &Shared {
    &world.shared[index]
}
