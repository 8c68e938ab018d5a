//! What the tests share: tables of numbers, a clock and ids that a test sets, a storage that fails.

pub(crate) mod buckets;
pub(crate) mod failing;
pub(crate) mod forward;
pub(crate) mod given;
pub(crate) mod slow;
pub(crate) mod timed;
pub(crate) mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use polarway_cloud::Given;
use polarway_parquet::EncodeOptions;
use polarway_storage::{
    At, Backend, Clock, DatasetName, DiskBackend, Environment, IdSource, ManualClock, ObjectBackend,
    Published, RequestId, Result, Settings, SystemClock, Tables, Write, WriteMode, WriteOptions,
};
use tempfile::TempDir;
use uuid::{NoContext, Timestamp, Uuid};

use self::buckets::Place;

/// 2026-01-01 00:00 UTC, where tests begin.
pub(crate) const START_US: i64 = 1_767_225_600_000_000;

/// A clock that the test moves, at the time where tests begin.
pub(crate) fn clock() -> Arc<ManualClock> {
    ManualClock::new(START_US)
}

/// A clock that shows what the machine's shows now, set forward by this much; back, where that is below zero.
pub(crate) fn clock_ahead_by(seconds: i64) -> Arc<ManualClock> {
    ManualClock::new(SystemClock.now_us() + seconds * 1_000_000)
}

/// A request id that is made now.
pub(crate) fn request(clock: &ManualClock, ordinal: u64) -> RequestId {
    let micros = u64::try_from(clock.now_us()).unwrap();
    let time = Timestamp::from_unix(NoContext, micros / 1_000_000, (micros % 1_000_000) as u32 * 1_000);
    let millis = u128::from(time.to_unix().0) * 1_000 + u128::from(time.to_unix().1) / 1_000_000;
    let call = Uuid::from_u128((millis << 80) | (7 << 76) | (2 << 62) | u128::from(ordinal));
    RequestId::new(call, 0).unwrap()
}

/// Ids in their order: 1, 2, 3…
#[derive(Debug, Default)]
pub(crate) struct CountedIds(AtomicU64);

impl IdSource for CountedIds {
    fn fresh(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst)) + (7 << 76) + (2 << 62))
    }
}

/// The storages that all promises hold on.
pub(crate) fn backends() -> Vec<(&'static str, Arc<dyn Backend>, Option<TempDir>)> {
    let disk = tempfile::tempdir().unwrap();
    let local = tempfile::tempdir().unwrap();
    let objects = LocalFileSystem::new_with_prefix(local.path()).unwrap();
    let mut backends: Vec<(&str, Arc<dyn Backend>, Option<TempDir>)> = vec![
        ("disk", Arc::new(DiskBackend::open(disk.path()).unwrap()), Some(disk)),
        ("file://", Arc::new(ObjectBackend::new(Arc::new(objects)).unwrap()), Some(local)),
        ("memory://", Arc::new(ObjectBackend::new(Arc::new(InMemory::new())).unwrap()), None),
    ];
    for given in Given::all() {
        backends.push((given.scheme(), Place::new(&given).backend(None), None));
    }
    backends
}

/// Tables in a new folder, which goes with the guard.
pub(crate) fn on_disk() -> (Tables, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (open(&folder), folder)
}

/// Tables in a folder, as one more process would open them.
pub(crate) fn open(folder: &TempDir) -> Tables {
    Tables::new(Arc::new(DiskBackend::open(folder.path()).unwrap()), Settings::default())
}

/// The same, for a process that goes by this clock.
pub(crate) fn open_by(folder: &TempDir, clock: &Arc<ManualClock>) -> Tables {
    let backend = Arc::new(DiskBackend::open(folder.path()).unwrap());
    Tables::with_environment(backend, Settings::default(), Environment::with_clock(clock.clone()))
}

pub(crate) fn name(name: &str) -> DatasetName {
    name.parse().unwrap()
}

/// A table of one column `n`.
pub(crate) fn numbers(numbers: impl IntoIterator<Item = i64>) -> RecordBatch {
    let column = Int64Array::from_iter_values(numbers);
    RecordBatch::try_from_iter([("n", Arc::new(column) as _)]).unwrap()
}

/// So many numbers, and so scattered, that a writer that puts them [in small groups](in_small_groups) has some of them in its
/// file before it ends.
pub(crate) fn many_rows() -> Vec<i64> {
    (1..300_000_i64).map(|n| n.wrapping_mul(n).wrapping_mul(n).wrapping_mul(0x1E37_79B9_7F4A_7C15)).collect()
}

/// Row groups that end soon.
pub(crate) fn in_small_groups() -> EncodeOptions {
    EncodeOptions::default().with_row_group_rows(50_000)
}

pub(crate) fn write(
    tables: &Tables,
    name: &DatasetName,
    batch: &RecordBatch,
    how: impl Into<Write>,
) -> Result<Published> {
    let mut writer = tables.writer(name, batch.schema(), how)?;
    writer.write(batch)?;
    writer.publish()
}

pub(crate) fn store(
    tables: &Tables,
    name: &DatasetName,
    rows: impl IntoIterator<Item = i64>,
) -> Result<Published> {
    write(tables, name, &numbers(rows), WriteOptions::new(WriteMode::Overwrite))
}

pub(crate) fn append(
    tables: &Tables,
    name: &DatasetName,
    rows: impl IntoIterator<Item = i64>,
) -> Result<Published> {
    write(tables, name, &numbers(rows), WriteOptions::new(WriteMode::Append))
}

/// The numbers of a table of one column `n`, in row order.
pub(crate) fn load(tables: &Tables, name: &DatasetName, at: At) -> Result<Vec<i64>> {
    let (_, batches) = tables.load(name, at)?;
    Ok(batches.iter().flat_map(values).collect())
}

/// The numbers of a batch of one column `n`.
pub(crate) fn values(batch: &RecordBatch) -> Vec<i64> {
    batch.column(0).as_primitive::<Int64Type>().values().to_vec()
}

pub(crate) fn newest(tables: &Tables, name: &DatasetName) -> Result<Vec<i64>> {
    load(tables, name, At::Newest)
}
