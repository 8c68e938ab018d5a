//! The names that the server knows, fetched in the background, so that completion never waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use parking_lot::Mutex;
use polarway::{Dataset, DistributedClient};
use tokio::sync::Notify;

/// The least time between two fetches.
const PAUSE: Duration = Duration::from_secs(2);

/// How many datasets' columns are kept, and how many are asked for at once.
const MOST_DESCRIBED: usize = 500;
const DESCRIBED_AT_ONCE: usize = 8;

/// A dataset and its columns, as of the last fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DatasetNames {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    /// Its version and that version's time: files that Polarway did not write have no other sign of a change.
    state: (u64, i64),
}

/// All known datasets, by name.
pub(super) type Known = Arc<Vec<DatasetNames>>;

/// The known names, shared by the completer and the background fetch.
#[derive(Default)]
pub(super) struct Names {
    known: Mutex<Known>,
    is_asked: Notify,
}

impl Names {
    /// Fetches the names, and again after each request.
    pub(super) async fn watch(&self, client: &DistributedClient) -> ! {
        loop {
            // If the fetch fails, the old names are kept.
            if let Some(known) = fetch(client, &self.known()).await {
                *self.known.lock() = Arc::new(known);
            }
            tokio::time::sleep(PAUSE).await;
            self.is_asked.notified().await;
        }
    }

    pub(super) fn known(&self) -> Known {
        Arc::clone(&self.known.lock())
    }

    /// Requests a new fetch, and does not wait for it.
    pub(super) fn refresh(&self) {
        self.is_asked.notify_one();
    }
}

async fn fetch(client: &DistributedClient, before: &[DatasetNames]) -> Option<Vec<DatasetNames>> {
    let datasets = client.datasets().await.ok()?;
    let before: HashMap<&str, &DatasetNames> =
        before.iter().map(|dataset| (dataset.name.as_str(), dataset)).collect();
    let looks = datasets.into_iter().enumerate().map(|(index, dataset)| {
        let before = before.get(dataset.name.as_str()).copied();
        async move { look(client, dataset, before, index < MOST_DESCRIBED).await }
    });
    Some(stream::iter(looks).buffered(DESCRIBED_AT_ONCE).collect().await)
}

/// A dataset's columns are fetched once for each state.
async fn look(
    client: &DistributedClient,
    dataset: Dataset,
    before: Option<&DatasetNames>,
    is_described: bool,
) -> DatasetNames {
    let state = (dataset.version, dataset.time_us);
    if let Some(before) = before.filter(|before| before.state == state && !before.columns.is_empty()) {
        return before.clone();
    }
    let description = if is_described { client.describe(&dataset.name).await.ok() } else { None };
    let columns = description.map(|description| {
        description.schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
    });
    DatasetNames { name: dataset.name.into(), columns: columns.unwrap_or_default(), state }
}

#[cfg(test)]
impl DatasetNames {
    pub(super) fn of(name: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { name: name.to_owned(), columns, state: (1, 0) }
    }
}
