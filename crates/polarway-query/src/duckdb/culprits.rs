//! Queries that broke DuckDB. They are refused for a while, because each run would break it for all other queries.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

/// How long a query is remembered.
const MEMORY: Duration = Duration::from_secs(60);

/// How many are remembered.
const MOST: usize = 100;

/// How often a query must break DuckDB within that time before it is assumed to do so always.
const TIMES: u32 = 2;

/// The queries that broke DuckDB recently.
#[derive(Debug, Default)]
pub(crate) struct Culprits {
    /// Usually there are none: then queries skip the lookup.
    has_any: AtomicBool,
    all: Mutex<Vec<Culprit>>,
}

#[derive(Debug)]
struct Culprit {
    key: u64,
    reason: String,
    times: u32,
    last: Instant,
}

impl Culprits {
    /// Notes that a text over these files broke DuckDB.
    pub(crate) fn add<'f>(&self, text: &str, files: impl Iterator<Item = &'f PathBuf>, reason: &str) {
        let (key, last) = (key(text, files), Instant::now());
        let mut all = self.all.lock();
        all.retain(|culprit| culprit.last.elapsed() < MEMORY);
        let has_room = all.len() < MOST;
        match all.iter_mut().find(|culprit| culprit.key == key) {
            Some(known) => (known.times, known.last) = (known.times + 1, last),
            None if has_room => all.push(Culprit { key, reason: reason.to_owned(), times: 1, last }),
            None => {}
        }
        self.has_any.store(true, Ordering::Release);
    }

    /// Why a text over these files is refused, if it is.
    pub(crate) fn find<'f>(&self, text: &str, files: impl Iterator<Item = &'f PathBuf>) -> Option<String> {
        if !self.has_any.load(Ordering::Acquire) {
            return None;
        }
        let key = key(text, files);
        let mut all = self.all.lock();
        all.retain(|culprit| culprit.last.elapsed() < MEMORY);
        self.has_any.store(!all.is_empty(), Ordering::Release);
        let known = all.iter().find(|culprit| culprit.key == key && culprit.times >= TIMES)?;
        Some(known.reason.clone())
    }
}

/// A text and the current state of its files: a rewritten file counts as another file.
fn key<'f>(text: &str, files: impl Iterator<Item = &'f PathBuf>) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    for file in files {
        file.hash(&mut hasher);
        if let Ok(found) = file.metadata() {
            (found.len(), found.modified().unwrap_or(SystemTime::UNIX_EPOCH)).hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_suspected_the_second_time_and_not_over_another_file() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("a.parquet");
        std::fs::write(&file, "bad").unwrap();
        let files = || std::iter::once(&file);
        let culprits = Culprits::default();
        assert_eq!(culprits.find("FROM a", files()), None);
        culprits.add("FROM a", files(), "no stats");
        assert_eq!(culprits.find("FROM a", files()), None, "once may be chance");
        culprits.add("FROM a", files(), "no stats");
        assert_eq!(culprits.find("FROM a", files()).as_deref(), Some("no stats"));
        assert_eq!(culprits.find("FROM a LIMIT 1", files()), None);
        std::fs::write(&file, "mended").unwrap();
        assert_eq!(culprits.find("FROM a", files()), None);
    }
}
