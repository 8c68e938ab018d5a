//! Lists datasets.
//!
//! The folders give the possible names. The last known state of each dataset is remembered, and one request checks whether it is
//! still current. Many names are checked at once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use polarway_model::{Dataset, DatasetName};

use crate::commit::{Commit, commit_path};
use crate::error::{Error, Result, with_cause};
use crate::near::near_names;
use crate::snapshot::Snapshot;
use crate::tables::{self, Tables};

/// The most datasets whose last known state is remembered.
const REMEMBERED_SUMMARIES: usize = 65_536;

/// The most names that are checked at a time. Most of the time is spent waiting for the storage.
const LOOKERS: usize = 32;

/// Each thread checks at least this many names.
const NAMES_PER_LOOKER: usize = 8;

/// The most similar names that are checked for an unknown name.
const MOST_NEAR_NAMES: usize = 16;

/// The most similar names in a message.
const TOLD_NAMES: usize = 3;

/// The last known states of datasets, each with the newest commit at that time.
#[derive(Debug, Default)]
pub(crate) struct Summaries {
    known: Mutex<HashMap<DatasetName, Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    /// The number of the newest commit.
    number: u64,
    /// The metadata of its file: if it differs, the file belongs to another dataset.
    identity: String,
    /// `None` if it is a deletion.
    summary: Option<Dataset>,
}

impl Summaries {
    fn get(&self, name: &DatasetName) -> Option<Known> {
        self.known.lock().get(name).cloned()
    }

    fn put(&self, name: &DatasetName, known: Known) {
        let mut all = self.known.lock();
        if all.len() >= REMEMBERED_SUMMARIES && !all.contains_key(name) {
            all.clear(); // rare, and cheaper than keeping an order
        }
        all.insert(name.clone(), known);
    }
}

impl Tables {
    /// The names of all datasets in order, without deleted ones and those that can't be read.
    ///
    /// # Errors
    /// Errors of the storage.
    pub fn names(&self) -> Result<Vec<DatasetName>> {
        let readable = self.datasets()?.into_iter().filter(|summary| summary.error.is_none());
        Ok(readable.map(|summary| summary.name).collect())
    }

    /// All datasets ordered by name, without deleted ones. A dataset whose commits or files can't be read is listed with the
    /// reason.
    ///
    /// # Errors
    /// Errors of the storage, if it can't be reached at all.
    pub fn datasets(&self) -> Result<Vec<Dataset>> {
        self.summaries_of(&self.possible_names()?)
    }

    /// At most `most` datasets whose names are wanted and come after this text, in order; and whether there are no more.
    ///
    /// # Errors
    /// As [`datasets`](Self::datasets).
    pub fn datasets_after(
        &self,
        text: &str,
        most: usize,
        is_wanted: impl Fn(&DatasetName) -> bool,
    ) -> Result<(Vec<Dataset>, bool)> {
        let mut names = self.possible_names()?;
        names.retain(is_wanted);
        let mut rest = &names[names.partition_point(|name| name.as_str() <= text)..];
        let mut found = Vec::new();
        // One more than `most` shows whether there are more. Some names may have no dataset.
        while found.len() <= most && !rest.is_empty() {
            let (next, later) = rest.split_at(rest.len().min(most + 1 - found.len()));
            found.extend(self.summaries_of(next)?);
            rest = later;
        }
        let are_all = found.len() <= most;
        found.truncate(most);
        Ok((found, are_all))
    }

    /// The newest versions of all datasets whose names are wanted, ordered by name, without those that can't be read.
    ///
    /// # Errors
    /// Errors of the storage, if it can't be reached at all.
    pub fn newest_snapshots(&self, is_wanted: impl Fn(&DatasetName) -> bool) -> Result<Vec<Arc<Snapshot>>> {
        let mut names = self.possible_names()?;
        names.retain(is_wanted);
        let looked = self.look_at(&names, |name| self.newest_if_any(name))?;
        Ok(looked.into_iter().filter_map(|snapshot| snapshot.ok().flatten()).collect())
    }

    fn newest_if_any(&self, name: &DatasetName) -> Result<Option<Arc<Snapshot>>> {
        let newest = self.seen_or_new(name).log.newest(0)?;
        self.present(name, newest.as_deref())
    }

    /// Possible names of datasets, in order. Those of deleted datasets are among them.
    ///
    /// # Errors
    /// Errors of the storage.
    pub fn possible_names(&self) -> Result<Vec<DatasetName>> {
        let mut names = Vec::new();
        for entry in self.backend.list("")? {
            let name = match &entry.file {
                Some(_) => entry.name.strip_suffix(".parquet").map(str::to_owned),
                None => Some(entry.name),
            };
            names.extend(name.and_then(|name| DatasetName::new(name).ok()));
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The names of datasets that are most similar to an unknown one, best first, among those that may be shown.
    ///
    /// # Errors
    /// Errors of the storage.
    pub fn nearest_names(
        &self,
        wanted: &str,
        may_be_shown: impl Fn(&DatasetName) -> bool,
    ) -> Result<Vec<String>> {
        let mut names = self.possible_names()?;
        names.retain(may_be_shown);
        let near = near_names(wanted, names.iter().map(DatasetName::as_str));
        let there = near.into_iter().take(MOST_NEAR_NAMES).filter(|near| {
            // A dataset that can't be read exists as well.
            near.parse().is_ok_and(|name| !matches!(self.summary_if_any(&name), Ok(None)))
        });
        Ok(there.take(TOLD_NAMES).map(str::to_owned).collect())
    }

    /// The error for an unknown name, with similar names. `newest` is its newest commit, if there is one.
    pub(crate) fn unknown(&self, name: &DatasetName, newest: Option<&Commit>) -> Error {
        let deleted = newest.is_some_and(|commit| !commit.is_claim());
        let nearest = self.nearest_names(name.as_str(), |_| true).unwrap_or_default(); // a help only
        Error::UnknownDataset { name: name.as_str().to_owned(), deleted, nearest }
    }

    fn summaries_of(&self, names: &[DatasetName]) -> Result<Vec<Dataset>> {
        let looked = self.look_at(names, |name| self.summary_if_any(name))?;
        let summaries = names.iter().zip(looked).filter_map(|(name, summary)| match summary {
            Ok(summary) => summary,
            Err(error) => {
                let error = Some(with_cause(&error));
                Some(Dataset { name: name.clone(), version: 0, rows: 0, bytes: 0, time_us: 0, error })
            }
        });
        Ok(summaries.collect())
    }

    /// The state of a dataset for a list, or `None` if there is no dataset of that name.
    fn summary_if_any(&self, name: &DatasetName) -> Result<Option<Dataset>> {
        let dataset = self.seen_or_new(name);
        if let Some(known) = self.summaries.get(name) {
            let there = self.backend.head(&commit_path(name, known.number))?;
            if there.is_none_or(|meta| meta.identity != known.identity) {
                dataset.log.forget();
            } else if self.backend.head(&commit_path(name, known.number + 1))?.is_none() {
                return Ok(known.summary);
            }
        }
        let Some(newest) = dataset.log.newest(0)?.filter(|commit| !commit.is_claim()) else {
            let adopted = self.adopted(name)?;
            return Ok(adopted.map(|snapshot| Dataset {
                name: name.clone(),
                version: 0,
                rows: snapshot.rows,
                bytes: snapshot.bytes,
                time_us: snapshot.time_us,
                error: None,
            }));
        };
        let summary = (!newest.is_deleted()).then(|| summary_of(name, &newest));
        if let Some(meta) = self.backend.head(&commit_path(name, newest.number))? {
            let known = Known { number: newest.number, identity: meta.identity, summary: summary.clone() };
            self.summaries.put(name, known);
        }
        Ok(summary)
    }

    /// The known commits of a dataset. Listing does not add a dataset to those that are remembered.
    fn seen_or_new(&self, name: &DatasetName) -> Arc<tables::Dataset> {
        self.dataset_if_known(name).unwrap_or_else(|| self.new_dataset(name))
    }

    /// Checks many names, several at a time; the results are in the order of the names.
    ///
    /// # Errors
    /// Errors of the storage if it can't be reached at all. Errors of one name are in its own result.
    fn look_at<T: Send>(
        &self,
        names: &[DatasetName],
        look: impl Fn(&DatasetName) -> Result<T> + Sync,
    ) -> Result<Vec<Result<T>>> {
        let look_at_all = |names: &[DatasetName]| names.iter().map(&look).collect::<Vec<_>>();
        let lookers = (names.len() / NAMES_PER_LOOKER).min(LOOKERS);
        let looked = if lookers < 2 {
            look_at_all(names)
        } else {
            std::thread::scope(|scope| {
                let look_at_all = &look_at_all;
                let begin = |part| {
                    let thread = std::thread::Builder::new().name("polarway-list".to_owned());
                    // If no thread can be started, the current one checks all names.
                    thread.spawn_scoped(scope, move || look_at_all(part)).map_err(|_| part)
                };
                let parts: Vec<_> = names.chunks(names.len().div_ceil(lookers)).map(begin).collect();
                let looked = parts.into_iter().flat_map(|part| match part {
                    Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                    Err(part) => look_at_all(part),
                });
                looked.collect()
            })
        };
        if looked.iter().any(Result::is_err) {
            self.backend.check()?; // an unreachable storage must not look like an empty one
        }
        Ok(looked)
    }
}

fn summary_of(name: &DatasetName, newest: &Commit) -> Dataset {
    Dataset {
        name: name.clone(),
        version: newest.version,
        rows: newest.rows(),
        bytes: newest.bytes(),
        time_us: newest.time_us,
        error: None,
    }
}
