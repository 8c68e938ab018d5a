//! Datasets of all clients: some that are only read, and some that all append to.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use polarway_client::DistributedClient;

use super::model::compare;
use super::table::{numbers_of, table_of};

/// The rows of one append have numbers of a block of their own.
const BLOCK: i64 = 1_000;

/// What all clients know.
pub(super) struct World {
    /// Only read: name and rows.
    pub(super) fixed: Vec<(String, Range<i64>)>,
    pub(super) shared: Vec<Shared>,
}

impl World {
    pub(super) async fn prepare(client: &DistributedClient) -> Self {
        let mut fixed = Vec::new();
        for (index, rows) in [1_000, 50_000, 400_000].into_iter().enumerate() {
            let name = format!("fixed-{index}");
            client.store(&name, table_of(0..rows)).await.unwrap();
            fixed.push((name, 0..rows));
        }
        let mut shared = Vec::new();
        for index in 0..2 {
            let name = format!("shared-{index}");
            client.store(&name, table_of(0..0)).await.unwrap();
            shared.push(Shared { name, next_block: AtomicU64::new(0), state: Mutex::default() });
        }
        Self { fixed, shared }
    }
}

/// A dataset that everybody appends to.
pub(super) struct Shared {
    pub(super) name: String,
    next_block: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The rows of each append that was begun, by its first number.
    begun: HashMap<i64, i64>,
    /// Those that were acknowledged.
    acknowledged: HashMap<i64, i64>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// An append of so many rows begins; its numbers.
    pub(super) fn begin(&self, rows: i64) -> Range<i64> {
        let block = self.next_block.fetch_add(1, Ordering::Relaxed) as i64;
        self.state().begun.insert(block * BLOCK, rows);
        block * BLOCK..block * BLOCK + rows
    }

    pub(super) fn acknowledge(&self, rows: &Range<i64>) {
        self.state().acknowledged.insert(rows.start, rows.end - rows.start);
    }

    /// What must be there for whoever asks from now on.
    pub(super) fn acknowledged(&self) -> HashMap<i64, i64> {
        self.state().acknowledged.clone()
    }

    /// How many rows there are at least, and at most.
    pub(super) fn rows_acknowledged(&self) -> i64 {
        self.state().acknowledged.values().sum()
    }

    pub(super) fn rows_begun(&self) -> i64 {
        self.state().begun.values().sum()
    }

    /// Whether these rows are whole appends, each once, with all that `acknowledged` names and none that was never begun.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn check(&self, acknowledged: &HashMap<i64, i64>, found: &[i64]) -> Result<(), String> {
        let name = &self.name;
        let mut seen: HashMap<i64, i64> = HashMap::new();
        let mut rest = found;
        let state = self.state();
        while let Some(first) = rest.first() {
            let Some(rows) = state.begun.get(first) else {
                return Err(format!("{name}: row {first} begins no append"));
            };
            let (append, behind) = rest.split_at_checked(*rows as usize).ok_or("an append is cut short")?;
            #[expect(clippy::single_range_in_vec_init, reason = "it is one range")]
            compare(name, &[*first..first + rows], append)?;
            if seen.insert(*first, *rows).is_some() {
                return Err(format!("{name}: the append of row {first} is there twice"));
            }
            rest = behind;
        }
        match acknowledged.keys().find(|first| !seen.contains_key(first)) {
            Some(first) => {
                Err(format!("{name}: the append of row {first} was acknowledged and is not there"))
            }
            None => Ok(()),
        }
    }

    /// Everything that was begun was acknowledged by now, and is there.
    pub(super) async fn check_all(&self, client: &DistributedClient) {
        let found = numbers_of(&client.load(&self.name).await.unwrap()).unwrap();
        let acknowledged = self.acknowledged();
        assert_eq!(acknowledged.len(), self.state().begun.len(), "{}", self.name);
        self.check(&acknowledged, &found).unwrap();
        assert_eq!(found.len() as i64, self.rows_acknowledged(), "{}", self.name);
    }
}
