//! Loads through the cache, and the mirror.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{DictionaryArray, Int64Array, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use arrow_select::concat::concat_batches;
use object_store::memory::InMemory;
use polarway_ipc::{ChunkDecoder, DecodeLimits};
use polarway_storage::{
    AdoptedState, At, FileToRead, Loader, LocalFile, MemoryBudget, Mirror, ObjectBackend, Places, RangeCache,
    Settings, Snapshot, SnapshotFile, Tables, WriteOptions,
};
use uuid::Uuid;

use crate::support::{append, name, on_disk, store, write};

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
    let ranges = RangeCache::new(&folder.path().join("ranges"), 1).unwrap();
    let mirror = Mirror::new(Places::new(backend, ranges), folder.path().join("mirror"), 1).unwrap();
    let local = |dataset: &str| {
        let snapshot = tables.snapshot(&name(dataset), At::Newest).unwrap();
        let SnapshotFile { path, bytes, .. } = &snapshot.files[0];
        let state = Uuid::new_v5(&Uuid::NAMESPACE_URL, dataset.as_bytes());
        let rewritten_as = Some(&snapshot.schema);
        let identity = tables.backend().head(path).unwrap().unwrap().identity;
        let adopted = Some(AdoptedState { state, identity: &identity, partition_values: &[], rewritten_as });
        mirror.local(FileToRead { path, bytes: *bytes, adopted }).unwrap()
    };
    let copy = |local: &LocalFile| local.path().canonicalize().unwrap();
    for dataset in ["a", "b", "c"] {
        store(&tables, &name(dataset), [1]).unwrap();
    }
    let held = local("a");
    assert_eq!(copy(&held), copy(&local("a")), "one copy serves all");
    let others: Vec<_> = ["b", "c"].iter().map(|dataset| copy(&local(dataset))).collect();
    assert!(held.path().exists(), "a file in use stays");
    assert!(!others[0].exists(), "one that is not made room");
    let copy = polarway_parquet::LocalFile::open(held.path()).unwrap();
    assert_eq!(polarway_parquet::FileReader::open(Arc::new(copy)).unwrap().rows(), 1);
}

/// A table of numbers, and the same as texts of a dictionary.
fn plain_and_coded(rows: i64) -> [RecordBatch; 2] {
    let numbers = Int64Array::from_iter_values((0..rows).map(|n| n.wrapping_mul(n)));
    let texts: Vec<String> = (0..rows).map(|n| format!("text {}", n % 1_000)).collect();
    let coded: DictionaryArray<Int32Type> = texts.iter().map(String::as_str).collect();
    let plain = RecordBatch::try_from_iter([("n", Arc::new(numbers) as _)]).unwrap();
    [plain, RecordBatch::try_from_iter([("t", Arc::new(coded) as _)]).unwrap()]
}

/// All rows behind one, from a reader that rests after each chunk and takes what it is short of.
fn with_rests(
    loader: &Loader,
    snapshot: &Arc<Snapshot>,
    first_row: u64,
    budget: &MemoryBudget,
) -> Vec<RecordBatch> {
    let mut chunks = loader.chunks(snapshot, first_row).unwrap();
    let mut decoder = ChunkDecoder::new(DecodeLimits::default());
    let mut batches = Vec::new();
    loop {
        let mut memory = budget.nothing();
        memory.resize(chunks.wanted_bytes());
        chunks.provide(memory);
        let Some(chunk) = chunks.next() else { break };
        batches.extend(decoder.decode(chunk.unwrap().ipc).unwrap());
        chunks.rest();
    }
    decoder.finish().unwrap();
    batches
}

#[test]
fn a_reader_that_rests_after_each_chunk_gives_the_same_rows() {
    const ROWS: i64 = 400_000;
    let (tables, _folder) = on_disk();
    let tables = Arc::new(tables);
    for batch in plain_and_coded(ROWS) {
        let table = name("table");
        write(&tables, &table, &batch, WriteOptions::default()).unwrap();
        let snapshot = tables.snapshot(&table, At::Newest).unwrap();
        // With memory, and with none at all.
        for bytes in [1 << 30, 1] {
            let budget = MemoryBudget::new(bytes);
            let loader = Loader::sharing(Arc::clone(&tables), 0, budget.clone());
            for first_row in [0, 1, 123_456, ROWS as u64] {
                let batches = with_rests(&loader, &snapshot, first_row, &budget);
                let rest = batch.slice(first_row as usize, (ROWS as u64 - first_row) as usize);
                let read = concat_batches(&rest.schema(), &batches).unwrap();
                assert_eq!(texts(&read), texts(&rest), "{bytes} bytes, from row {first_row}");
            }
            assert_eq!(budget.used(), 0);
        }
    }
}

fn texts(batch: &RecordBatch) -> StringArray {
    cast(batch.column(0), &DataType::Utf8).unwrap().as_string::<i32>().clone()
}

#[test]
fn tables_that_are_cached_give_way_to_those_who_need_memory() {
    let (tables, _folder) = on_disk();
    let tables = Arc::new(tables);
    store(&tables, &name("trades"), 0..200_000).unwrap();
    let budget = MemoryBudget::new(64 << 20);
    let loader = Loader::sharing(Arc::clone(&tables), 16 << 20, budget.clone());
    assert_eq!(rows(&loader, &tables, "trades").len(), 200_000);
    assert_eq!(rows(&loader, &tables, "trades").len(), 200_000);
    assert_eq!(loader.cache_stats().tables, 1);
    let taken = budget.try_reserve(59 << 20).unwrap();
    assert_eq!(loader.cache_stats().tables, 0);
    drop(taken);
    assert_eq!(rows(&loader, &tables, "trades").len(), 200_000);
    assert_eq!(loader.cache_stats().tables, 1);
}
