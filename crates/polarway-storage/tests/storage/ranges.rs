//! The cache of ranges: what is read is right, however often, by however many, and whatever the storage does.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
use bytes::Bytes;
use object_store::memory::InMemory;
use polarway_parquet::{EncodeOptions, FileReader, TableEncoder};
use polarway_storage::{
    AdoptedState, Backend, DiskBackend, FileToRead, LocalFile, Mirror, ObjectBackend, Places, RangeCache,
    RangeFile, ReadAt as _, ReadFailure,
};
use polarway_testing::Noise;
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::watched::WatchedReads;

const MIB: u64 = 1 << 20;

/// A bucket with one file of noise, a cache over it, and the file as DuckDB finds it.
struct Setup {
    contents: Vec<u8>,
    cache: RangeCache,
    mirror: Mirror,
    _pin: LocalFile,
    file: Arc<RangeFile>,
    _folder: TempDir,
}

impl Setup {
    fn new(
        bytes: u64,
        limits: (u64, u64),
        on_read: impl Fn(u64, usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let mut noise = Noise::new(5);
        let words = (0..bytes.div_ceil(8)).flat_map(|_| noise.next().to_le_bytes());
        Self::with(words.take(bytes as usize).collect(), limits, on_read)
    }

    fn with(
        contents: Vec<u8>,
        (memory, disk): (u64, u64),
        on_read: impl Fn(u64, usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let bytes = contents.len() as u64;
        let bucket = ObjectBackend::new(Arc::new(InMemory::new())).unwrap();
        bucket.replace("a/file", Bytes::from(contents.clone())).unwrap();
        let backend = WatchedReads::new(Arc::new(bucket), on_read);
        let folder = tempfile::tempdir().unwrap();
        let cache = RangeCache::with_memory(&folder.path().join("ranges"), memory, disk).unwrap();
        let mirror =
            Mirror::new(Places::new(backend, cache.clone()), folder.path().join("mirror"), 1).unwrap();
        let pin = mirror.local(FileToRead { path: "a/file", bytes, adopted: None }).unwrap();
        let file = cache.find(pin.path().to_str().unwrap()).unwrap();
        Self { contents, cache, mirror, _pin: pin, file, _folder: folder }
    }

    /// Reads a range and compares it with what is there.
    fn check(&self, offset: u64, length: u64) {
        let mut into = vec![0; length as usize];
        self.file.read(offset, &mut into, &|| false).unwrap();
        assert!(into == self.contents[offset as usize..(offset + length) as usize], "{offset}+{length}");
    }
}

fn anything(_: u64, _: usize) -> io::Result<()> {
    Ok(())
}

#[test]
fn every_range_is_what_the_file_has_there() {
    let bytes = 9 * MIB + 77;
    let setup = Setup::new(bytes, (MIB, 2 * MIB), anything);
    setup.check(0, bytes);
    setup.check(bytes - 1, 1);
    setup.check(bytes, 0);
    let mut noise = Noise::new(6);
    for _ in 0..500 {
        let offset = noise.next() % bytes;
        setup.check(offset, noise.next() % (bytes - offset).min(300_000));
    }
}

#[test]
fn what_was_read_once_comes_from_the_cache_and_its_neighbours_in_few_requests() {
    let setup = Setup::new(16 * MIB, (64 * MIB, 0), anything);
    setup.check(3 * MIB, 5 * MIB);
    let first = setup.cache.stats();
    assert_eq!((first.requests, first.fetched_bytes, first.hit_bytes), (2, 5 * MIB, 0));
    setup.check(3 * MIB, 5 * MIB);
    let second = setup.cache.stats();
    assert_eq!((second.requests, second.hit_bytes, second.missed_bytes), (2, 5 * MIB, 5 * MIB));
    // Only what is missing on both sides is fetched, and no more than the blocks around it.
    setup.check(3 * MIB - 1, 5 * MIB + 2);
    let third = setup.cache.stats();
    assert_eq!((third.requests, third.fetched_bytes), (4, 5 * MIB + 2 * 64 * 1024));
}

#[test]
fn memory_and_disk_stay_within_their_bounds_and_what_left_memory_is_on_disk() {
    let setup = Setup::new(32 * MIB, (4 * MIB, 12 * MIB), anything);
    for part in 0..32 {
        setup.check(part * MIB, MIB);
        assert!(setup.cache.stats().disk_bytes <= 12 * MIB);
    }
    polarway_testing::wait_until(|| setup.cache.stats().memory_bytes <= 4 * MIB);
    let before = setup.cache.stats().requests;
    setup.check(24 * MIB, 8 * MIB);
    assert_eq!(setup.cache.stats().requests, before, "the newest 16 MiB are there");
    setup.check(0, MIB);
    assert_eq!(setup.cache.stats().requests, before + 1, "the oldest are not");
}

#[test]
fn a_cache_without_disk_forgets_what_leaves_memory() {
    let setup = Setup::new(8 * MIB, (2 * MIB, 0), anything);
    for _ in 0..3 {
        setup.check(0, 8 * MIB);
    }
    assert_eq!(setup.cache.stats().disk_bytes, 0);
}

#[test]
fn many_who_read_the_same_range_make_one_request() {
    let setup = Setup::new(4 * MIB, (64 * MIB, 0), anything);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| setup.check(MIB, 2 * MIB));
        }
    });
    assert_eq!(setup.cache.stats().requests, 1);
}

#[test]
fn readers_of_overlapping_ranges_in_a_small_cache_get_the_right_bytes() {
    let setup = Setup::new(6 * MIB, (MIB / 2, 2 * MIB), anything);
    std::thread::scope(|scope| {
        for reader in 0..8 {
            let setup = &setup;
            scope.spawn(move || {
                let mut noise = Noise::new(reader);
                for _ in 0..60 {
                    let offset = noise.next() % (5 * MIB);
                    setup.check(offset, 1 + noise.next() % MIB);
                }
            });
        }
    });
}

#[test]
fn a_failed_request_fails_its_readers_and_the_next_one_is_made_anew() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = Arc::clone(&is_broken);
    let setup = Setup::new(4 * MIB, (64 * MIB, 0), move |_, _| match broken.load(Ordering::SeqCst) {
        true => Err(io::Error::other("the network is down")),
        false => Ok(()),
    });
    let error = setup.file.read(0, &mut [0; 100], &|| false).unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(cause.as_deref(), Some("the network is down"), "{error}");
    assert_eq!(setup.cache.stats().failed_requests, 1);
    is_broken.store(false, Ordering::SeqCst);
    setup.check(0, 100);
}

#[test]
fn a_request_that_panics_fails_its_readers() {
    let setup = Setup::new(MIB, (64 * MIB, 0), |_, _| panic!("a bug"));
    let error = setup.file.read(0, &mut [0; 100], &|| false).unwrap_err();
    assert!(matches!(error, ReadFailure::Failed(_)), "{error}");
}

#[test]
fn a_range_behind_the_end_is_an_error_and_no_request() {
    let setup = Setup::new(1_000, (64 * MIB, 0), anything);
    for (offset, length) in [(0, 1_001), (1_000, 1), (u64::MAX, 2)] {
        assert!(setup.file.read(offset, &mut vec![0; length], &|| false).is_err(), "{offset}+{length}");
    }
    assert_eq!(setup.cache.stats().requests, 0);
}

/// Reads that wait until the test lets them go.
fn stopped() -> (impl Fn(u64, usize) -> io::Result<()> + Send + Sync + 'static, Receiver<()>, Sender<()>) {
    let (begun, has_begun) = channel();
    let (go_on, goes_on) = channel::<()>();
    let gate = Mutex::new((begun, goes_on));
    let on_read = move |_, _| {
        let gate = gate.lock().unwrap();
        gate.0.send(()).unwrap();
        gate.1.recv().map_err(io::Error::other)
    };
    (on_read, has_begun, go_on)
}

#[test]
fn a_cancelled_read_ends_at_once_and_others_get_their_bytes() {
    let (on_read, has_begun, go_on) = stopped();
    let setup = Setup::new(MIB, (64 * MIB, 0), on_read);
    let is_cancelled = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| setup.check(0, 1_000));
        has_begun.recv().unwrap();
        let cancelled = scope.spawn(|| {
            setup.file.read(0, &mut [0; 1_000], &|| is_cancelled.load(Ordering::SeqCst)).unwrap_err()
        });
        is_cancelled.store(true, Ordering::SeqCst);
        assert!(matches!(cancelled.join().unwrap(), ReadFailure::Cancelled));
        go_on.send(()).unwrap();
        other.join().unwrap();
    });
    assert_eq!(setup.cache.stats().requests, 1);
}

#[test]
fn requests_that_wait_for_their_turn_are_dropped_when_all_their_readers_are_gone() {
    let asked = Arc::new(AtomicU64::new(0));
    let (on_read, has_begun, go_on) = stopped();
    let counted = Arc::clone(&asked);
    // The first read stands still in the lock of the gate, and all others behind it.
    let setup = Setup::with(vec![0; 200 * MIB as usize], (64 * MIB, 0), move |offset, length| {
        counted.fetch_add(1, Ordering::SeqCst);
        on_read(offset, length)
    });
    let all = setup.contents.len();
    let is_cancelled = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let cancelled = scope.spawn(|| {
            setup.file.read(0, &mut vec![0; all], &|| is_cancelled.load(Ordering::SeqCst)).unwrap_err()
        });
        has_begun.recv().unwrap();
        is_cancelled.store(true, Ordering::SeqCst);
        assert!(matches!(cancelled.join().unwrap(), ReadFailure::Cancelled));
    });
    drop(go_on); // all that had begun fail
    // The last in the queue: when it has failed as well, so have those before it.
    assert!(setup.file.read(0, &mut [0], &|| false).is_err());
    assert!(asked.load(Ordering::SeqCst) <= 33, "of 50, those that had begun, and the last");
}

#[test]
fn only_what_is_held_is_found_by_its_url() {
    let setup = Setup::new(1_000, (MIB, 0), anything);
    let local = |state: u128, values: &[Option<String>]| {
        let adopted = AdoptedState {
            state: Uuid::from_u128(state),
            identity: "",
            partition_values: values,
            rewritten_as: None,
        };
        setup.mirror.local(FileToRead { path: "a/file", bytes: 1_000, adopted: Some(adopted) }).unwrap()
    };
    let url = |local: &LocalFile| local.path().to_str().unwrap().to_owned();
    let (first, second) = (local(1, &[]), local(2, &[Some("a/b?*[x]".to_owned()), None]));
    assert_ne!(url(&first), url(&second), "each state is another file");
    assert_eq!(url(&first), url(&local(1, &[])), "the same state is the same");
    assert!(url(&second).ends_with("/data.parquet") && !url(&second).contains(['*', '?', '[']), "{second:?}");
    let gone = url(&second);
    assert!(setup.cache.find(&gone).is_some());
    drop(second);
    for absent in [gone.as_str(), "polarway://", "polarway://x/data.parquet", "/etc/passwd", ""] {
        assert!(setup.cache.find(absent).is_none(), "{absent}");
    }
}

#[test]
fn a_file_in_a_directory_is_read_where_it_is_unless_the_directory_is_far_away() {
    let folder = tempfile::tempdir().unwrap();
    let (root, contents) = (folder.path().canonicalize().unwrap(), b"some bytes".to_vec());
    let disk = || DiskBackend::open(root.join("cold")).unwrap();
    disk().replace("a/file", Bytes::from(contents.clone())).unwrap();
    let cache = RangeCache::with_memory(&root.join("ranges"), MIB, MIB).unwrap();
    let place = |disk: DiskBackend| {
        let places = Places::new(Arc::new(disk), cache.clone());
        let mirror = Mirror::new(places, root.join("mirror"), 1).unwrap();
        mirror.local(FileToRead { path: "a/file", bytes: contents.len() as u64, adopted: None }).unwrap()
    };
    assert_eq!(place(disk()).path(), root.join("cold/a/file"));
    let far = place(disk().far_away());
    let mut read = vec![0; contents.len()];
    cache.find(far.path().to_str().unwrap()).unwrap().read(0, &mut read, &|| false).unwrap();
    assert_eq!(read, contents);
}

#[test]
fn what_is_not_in_the_cache_can_not_be_read_as_cached() {
    let setup = Setup::new(4 * MIB, (64 * MIB, 0), anything);
    setup.check(MIB, MIB);
    let cached = setup.file.cached();
    assert_eq!(cached.read_at(MIB, 100).unwrap(), setup.contents[MIB as usize..MIB as usize + 100]);
    for (offset, length) in [(0, 100), (MIB - 1, 2), (2 * MIB - 1, 2)] {
        assert_eq!(cached.read_at(offset, length).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
    assert_eq!(setup.cache.stats().requests, 1);
}

/// A Parquet file of three columns of noise, in row groups of 10,000 rows.
fn parquet(row_groups: usize) -> Vec<u8> {
    const ROWS: usize = 10_000;

    let mut noise = Noise::new(8);
    let mut column = || -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values((0..row_groups * ROWS).map(|_| noise.next())))
    };
    let columns = ["a", "b", "c"].map(|name| (name, column()));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let options = EncodeOptions::default().with_row_group_rows(ROWS);
    let mut encoder = TableEncoder::new(Vec::new(), batch.schema(), options).unwrap();
    encoder.write(&batch).unwrap();
    encoder.finish().unwrap().0
}

/// Where the chunks of a column are.
fn chunks(parquet: &[u8], column: usize) -> Vec<Range<u64>> {
    let file = FileReader::open(Arc::new(Bytes::copy_from_slice(parquet))).unwrap();
    (0..file.row_groups()).map(|group| file.chunk_ranges(group).nth(column).unwrap()).collect()
}

#[test]
fn a_column_that_is_read_group_after_group_comes_before_it_is_asked_for() {
    let contents = parquet(8);
    let chunks = chunks(&contents, 1);
    let footer = contents.len() as u64 - 16_384;
    let setup = Setup::with(contents, (64 * MIB, 0), anything);
    let check = |range: &Range<u64>| setup.check(range.start, range.end - range.start);
    setup.check(footer, 16_384);
    check(&chunks[0]);
    check(&chunks[1]);
    // Twice what was read: four more. They are there although nobody has asked for them.
    let there = setup.file.cached();
    let is_there =
        |chunk: &Range<u64>| there.read_at(chunk.start, (chunk.end - chunk.start) as usize).is_ok();
    polarway_testing::wait_until(|| chunks[..6].iter().all(is_there));
    assert!(!chunks[6..].iter().any(is_there));
    for chunk in &chunks[2..] {
        check(chunk);
    }
    let all = setup.cache.stats();
    assert!(all.hit_bytes >= 4 * (chunks[1].end - chunks[1].start), "{all:?}");
    let needed: u64 = chunks.iter().map(|chunk| chunk.end - chunk.start).sum();
    assert!(all.fetched_bytes <= needed + needed / 5 + 2 * 65_536 * 9, "{all:?}, {needed} were needed");
}

#[test]
fn a_request_ahead_that_fails_is_made_again_by_whoever_needs_it() {
    let contents = parquet(8);
    let chunks = chunks(&contents, 0);
    let footer = contents.len() as u64 - 16_384;
    let far = chunks[2].start - 65_536..footer - 131_072;
    let are_broken = Arc::new(AtomicBool::new(true));
    let broken = Arc::clone(&are_broken);
    let setup = Setup::with(contents, (64 * MIB, 0), move |offset, _| {
        match broken.load(Ordering::SeqCst) && far.contains(&offset) {
            true => Err(io::Error::other("the network is down")),
            false => Ok(()),
        }
    });
    setup.check(footer, 16_384);
    for chunk in &chunks[..2] {
        setup.check(chunk.start, chunk.end - chunk.start);
    }
    polarway_testing::wait_until(|| setup.cache.stats().failed_requests >= 4);
    are_broken.store(false, Ordering::SeqCst);
    for chunk in &chunks {
        // Whoever comes before the request has ended shares its failure.
        let mut into = vec![0; (chunk.end - chunk.start) as usize];
        polarway_testing::wait_until(|| setup.file.read(chunk.start, &mut into, &|| false).is_ok());
        setup.check(chunk.start, chunk.end - chunk.start);
    }
}

#[test]
fn requests_ahead_that_wait_for_their_turn_are_dropped_when_the_file_is_let_go() {
    let contents = parquet(100);
    let chunks = chunks(&contents, 0);
    let footer = contents.len() as u64 - 131_072;
    let asked = Arc::new(AtomicU64::new(0));
    let (on_read, has_begun, go_on) = stopped();
    let counted = Arc::clone(&asked);
    let far = chunks[40].start..footer - 65_536;
    let setup = Setup::with(contents, (64 * MIB, 0), move |offset, length| {
        if !far.contains(&offset) {
            return Ok(());
        }
        counted.fetch_add(1, Ordering::SeqCst);
        on_read(offset, length)
    });
    setup.check(footer, 131_072);
    for chunk in &chunks[..40] {
        setup.check(chunk.start, chunk.end - chunk.start);
    }
    has_begun.recv().unwrap();
    drop((setup.file, setup._pin));
    drop(go_on); // all that had begun fail
    drop((setup.mirror, setup.cache));
    // When nothing has the storage any more, the last request has ended.
    polarway_testing::wait_until(|| Arc::strong_count(&asked) == 1);
    assert!(asked.load(Ordering::SeqCst) <= 32, "of 60, those that had begun");
}
