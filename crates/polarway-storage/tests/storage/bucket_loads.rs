//! Loads from buckets: what is asked for at the same time, and what comes of it where another version turns out to be the newest.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use object_store::memory::InMemory;
use polarway_cloud::{Action, Request};
use polarway_model::{DatasetName, Selection};
use polarway_storage::{At, Backend, DiskBackend, Loader, MemoryBudget, ObjectBackend, Settings, Tables};

use crate::support::buckets::{Place, given};
use crate::support::{append, load, name, store, values};

/// How long a request may be held until another one comes.
const LONG: Duration = Duration::from_secs(60);

/// The paths of the files that were asked for.
#[derive(Default)]
struct Asked {
    files: Mutex<BTreeSet<String>>,
    changed: Condvar,
}

impl Asked {
    fn note(&self, request: &Request) {
        self.files.lock().unwrap().insert(request.path());
        self.changed.notify_all();
    }

    /// Waits until so many data files were asked for. Returns whether they were.
    fn wait_for_data(&self, count: usize) -> bool {
        let is_missing =
            |files: &mut BTreeSet<String>| files.iter().filter(|path| is_data(path)).count() < count;
        !self.changed.wait_timeout_while(self.files.lock().unwrap(), LONG, is_missing).unwrap().1.timed_out()
    }
}

fn is_data(path: &str) -> bool {
    path.ends_with(".parquet")
}

fn loader(place: &Place) -> Loader {
    Loader::new(Arc::new(Tables::new(place.backend(None), Settings::default())), 0)
}

fn rows(loader: &Loader, dataset: &DatasetName) -> Vec<i64> {
    let all = Selection::default();
    let pinned = loader.pin(dataset, At::Newest, &all).unwrap();
    let batches = loader.batches_of(pinned, &all).unwrap();
    batches.flat_map(|batch| values(&batch.unwrap())).collect()
}

#[test]
fn the_known_version_is_opened_while_the_bucket_is_asked_for_a_newer_one() {
    for given in given() {
        let place = Place::new(&given);
        let trades = name("trades");
        store(&Tables::new(place.backend(None), Settings::default()), &trades, [1, 2]).unwrap();
        let asked = Arc::new(Asked::default());
        let were_together = Arc::new(Mutex::new(None));
        let (seen, told) = (Arc::clone(&asked), Arc::clone(&were_together));
        let Some((_proxy, backend)) = place.behind(move |request| {
            seen.note(request);
            if request.path().contains("commits/0000000002.json") {
                told.lock().unwrap().get_or_insert(seen.wait_for_data(1));
            }
            Action::Pass
        }) else {
            continue;
        };
        let loader = Loader::new(Arc::new(Tables::new(backend, Settings::default())), 0);
        assert_eq!(rows(&loader, &trades), [1, 2], "{}", given.url);
        assert_eq!(*were_together.lock().unwrap(), Some(true), "{}", given.url);
    }
}

#[test]
fn several_files_of_a_table_are_opened_at_the_same_time() {
    const FILES: i64 = 5;

    for given in given() {
        let place = Place::new(&given);
        let trades = name("trades");
        let writer = Tables::new(place.backend(None), Settings::default());
        store(&writer, &trades, [0]).unwrap();
        for n in 1..FILES {
            append(&writer, &trades, [n]).unwrap();
        }
        let asked = Arc::new(Asked::default());
        let were_together = Arc::new(Mutex::new(None));
        let (seen, told) = (Arc::clone(&asked), Arc::clone(&were_together));
        let Some((_proxy, backend)) = place.behind(move |request| {
            seen.note(request);
            if is_data(&request.path()) {
                let were = seen.wait_for_data(FILES as usize);
                told.lock().unwrap().get_or_insert(were);
            }
            Action::Pass
        }) else {
            continue;
        };
        let tables = Tables::new(backend, Settings::default());
        assert_eq!(load(&tables, &trades, At::Newest).unwrap(), (0..FILES).collect::<Vec<_>>());
        assert_eq!(*were_together.lock().unwrap(), Some(true), "{}", given.url);
    }
}

#[test]
fn what_was_opened_of_an_older_version_gives_no_rows_of_it() {
    for given in given() {
        let place = Place::new(&given);
        let trades = name("trades");
        let writer = Tables::new(
            place.backend(None),
            Settings { kept_versions: 1, grace: Duration::ZERO, ..Settings::default() },
        );
        store(&writer, &trades, [1]).unwrap();
        let loader = loader(&place);
        assert_eq!(rows(&loader, &trades), [1], "{}", given.url);
        append(&writer, &trades, [2]).unwrap();
        assert_eq!(rows(&loader, &trades), [1, 2], "{}: the first file is still the first", given.url);
        store(&writer, &trades, [3]).unwrap();
        assert_eq!(rows(&loader, &trades), [3], "{}", given.url);
        store(&writer, &trades, [4]).unwrap();
        writer.vacuum(&trades).unwrap();
        assert_eq!(rows(&loader, &trades), [4], "{}: the known version's file is gone", given.url);
        writer.delete(&trades, None, None).unwrap();
        assert!(loader.pin(&trades, At::Newest, &Selection::default()).is_err(), "{}", given.url);
    }
}

#[test]
fn a_table_of_some_megabytes_comes_whole_and_in_parts() {
    // Without a pattern, so that it is as large in its file.
    let random = |n: i64| n.wrapping_mul(n).wrapping_mul(0x1E37_79B9_7F4A_7C15);
    let all: Vec<i64> = (0..1_500_000).map(random).collect();
    for given in given() {
        let place = Place::new(&given);
        let trades = name("trades");
        let writer = Tables::new(place.backend(None), Settings::default());
        store(&writer, &trades, all.iter().copied()).unwrap();
        let loader = loader(&place);
        assert!(rows(&loader, &trades) == all, "{}", given.url);
        let part = Selection::default().with_rows(700_000..900_000);
        let pinned = loader.pin(&trades, At::Newest, &part).unwrap();
        let batches = loader.batches_of(pinned, &part).unwrap();
        let came: Vec<i64> = batches.flat_map(|batch| values(&batch.unwrap())).collect();
        assert!(came == all[700_000..900_000], "{}", given.url);
    }
}

#[test]
fn what_a_load_fetches_ahead_is_counted_in_its_memory_and_left_out_where_memory_is_short() {
    const PLENTY: u64 = 1 << 30;
    const COLUMN_BYTES: u64 = 5 << 20; // what a reader of one column holds in any case

    let mut noise = polarway_testing::Noise::new(14);
    let all: Vec<i64> = (0..1_500_000).map(|_| noise.next() as i64).collect();
    let folder = tempfile::tempdir().unwrap();
    let near: Arc<dyn Backend> = Arc::new(DiskBackend::open(folder.path()).unwrap());
    let far: Arc<dyn Backend> = Arc::new(ObjectBackend::new(Arc::new(InMemory::new())).unwrap());
    let trades = name("trades");
    let used = |backend: &Arc<dyn Backend>, capacity: u64| {
        let tables = Arc::new(Tables::new(Arc::clone(backend), Settings::default()));
        let memory = MemoryBudget::new(capacity);
        let snapshot = tables.snapshot(&trades, At::Newest).unwrap();
        let chunks = Loader::sharing(tables, 0, memory.clone()).chunks(&snapshot, 0).unwrap();
        let used = memory.used();
        let rows: u64 = chunks.map(|chunk| chunk.unwrap().rows).sum();
        assert_eq!(rows, all.len() as u64);
        (used, snapshot.bytes)
    };
    for backend in [&near, &far] {
        store(&Tables::new(Arc::clone(backend), Settings::default()), &trades, all.iter().copied()).unwrap();
    }
    let (of_near, bytes) = used(&near, PLENTY);
    let (of_far, _) = used(&far, PLENTY);
    assert!(bytes > COLUMN_BYTES, "{bytes}");
    assert_eq!(of_far - of_near, bytes - COLUMN_BYTES);
    let short = 12 << 20;
    assert_eq!(used(&far, short), used(&near, short));
}
