//! Loads through the cache, and the mirror.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use object_store::memory::InMemory;
use polarway_storage::{At, Loader, Mirror, ObjectBackend, Settings, Tables};

use crate::support::{append, name, on_disk, store};

fn rows(loader: &Loader, tables: &Tables, dataset: &str) -> Vec<i64> {
    let snapshot = tables.snapshot(&name(dataset), At::Newest).unwrap();
    let batches = loader.batches(&snapshot).unwrap().map(Result::unwrap);
    batches.flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

#[test]
fn the_rows_are_the_same_from_the_cache_and_from_the_storage() {
    let (tables, _folder) = on_disk();
    let tables = Arc::new(tables);
    store(&tables, &name("trades"), 0..200_000).unwrap();
    append(&tables, &name("trades"), 200_000..300_000).unwrap();
    let expected: Vec<i64> = (0..300_000).collect();
    let without = Loader::new(Arc::clone(&tables), 0);
    assert_eq!(rows(&without, &tables, "trades"), expected);
    let with = Loader::new(Arc::clone(&tables), 1 << 30);
    assert_eq!(rows(&with, &tables, "trades"), expected, "while it is taken into the cache");
    assert_eq!(rows(&with, &tables, "trades"), expected, "from the cache");
    let stats = with.cache_stats();
    assert_eq!((stats.hits, stats.misses, stats.tables), (1, 1, 1));
}

#[test]
fn a_new_version_is_never_answered_with_the_cached_old_one() {
    let (tables, _folder) = on_disk();
    let tables = Arc::new(tables);
    let loader = Loader::new(Arc::clone(&tables), 1 << 30);
    for n in 0..5 {
        store(&tables, &name("trades"), [n]).unwrap();
        assert_eq!(rows(&loader, &tables, "trades"), [n]);
    }
}

#[test]
fn a_version_whose_data_was_purged_is_not_answered_from_the_cache() {
    let (tables, _folder) = on_disk();
    let tables = Arc::new(tables);
    let loader = Loader::new(Arc::clone(&tables), 1 << 30);
    store(&tables, &name("trades"), [1]).unwrap();
    assert_eq!(rows(&loader, &tables, "trades"), [1]);
    store(&tables, &name("trades"), [2]).unwrap();
    assert!(tables.snapshot(&name("trades"), At::Version(1)).is_ok());
    assert_eq!(tables.purge(&name("trades")).unwrap().files, 1);
    let error = tables.snapshot(&name("trades"), At::Version(1)).unwrap_err();
    assert!(matches!(error, polarway_storage::Error::VersionVacuumed { version: 1, .. }), "{error}");
    assert_eq!(rows(&loader, &tables, "trades"), [2]);
}

#[test]
fn chunks_from_any_row_on_hold_the_rest_of_the_table() {
    let (tables, _folder) = on_disk();
    let tables = Arc::new(tables);
    store(&tables, &name("trades"), 0..150_000).unwrap();
    append(&tables, &name("trades"), 150_000..150_010).unwrap();
    let snapshot = tables.snapshot(&name("trades"), At::Newest).unwrap();
    for cache_bytes in [0, 1 << 30] {
        let loader = Loader::new(Arc::clone(&tables), cache_bytes);
        for _ in 0..2 {
            for first in [0, 1, 65_535, 149_999, 150_000, 150_009, 150_010] {
                let mut decoder = polarway_ipc::ChunkDecoder::new(polarway_ipc::DecodeLimits::default());
                let mut rows = Vec::new();
                for chunk in loader.chunks(&snapshot, first).unwrap() {
                    let chunk = chunk.unwrap();
                    assert_eq!(chunk.first_row, first + rows.len() as u64);
                    for batch in decoder.decode(chunk.ipc).unwrap() {
                        rows.extend_from_slice(batch.column(0).as_primitive::<Int64Type>().values());
                    }
                }
                decoder.finish().unwrap();
                assert_eq!(rows, (first as i64..150_010).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn ten_loads_of_one_table_at_once_read_it_from_the_storage_once() {
    let (tables, _folder) = on_disk();
    let tables = Arc::new(tables);
    store(&tables, &name("trades"), 0..500_000).unwrap();
    let loader = Loader::new(Arc::clone(&tables), 1 << 30);
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| assert_eq!(rows(&loader, &tables, "trades").len(), 500_000));
        }
    });
    assert_eq!((loader.cache_stats().misses, loader.cache_stats().hits), (1, 9));
}

#[test]
fn the_mirror_holds_what_is_in_use_and_stays_within_its_bounds() {
    let backend = Arc::new(ObjectBackend::new(Arc::new(InMemory::new())).unwrap());
    let tables = Tables::new(backend.clone(), Settings::default());
    let folder = tempfile::tempdir().unwrap();
    let mirror = Mirror::new(backend, folder.path().join("mirror"), 1).unwrap();
    let local = |dataset: &str| {
        let snapshot = tables.snapshot(&name(dataset), At::Newest).unwrap();
        mirror.local(&snapshot.files[0]).unwrap()
    };
    for dataset in ["a", "b", "c"] {
        store(&tables, &name(dataset), [1]).unwrap();
    }
    let held = local("a");
    assert_eq!(held.path(), local("a").path(), "one copy serves all");
    let others: Vec<_> = ["b", "c"].iter().map(|dataset| local(dataset).path().to_owned()).collect();
    assert!(held.path().exists(), "a file in use stays");
    assert!(!others[0].exists(), "one that is not made room");
    let copy = polarway_parquet::LocalFile::open(held.path()).unwrap();
    assert_eq!(polarway_parquet::FileReader::open(Arc::new(copy)).unwrap().rows(), 1);
}
