//! Finding the newest of many versions, and retries among many writes.

use std::sync::Arc;
use std::time::Duration;

use polarway_storage::{
    At, DiskBackend, Environment, Error, ManualClock, Settings, Tables, WriteMode, WriteOptions,
};

use crate::support::{CountedIds, clock, load, name, newest, numbers, open, open_by, request, store, write};

#[test]
fn a_cold_process_finds_the_newest_of_many_versions_with_and_without_the_hint() {
    let folder = tempfile::tempdir().unwrap();
    let warm = open(&folder);
    let trades = name("trades");
    let hint = folder.path().join("trades/_polarway/hint");
    for n in 1..=70 {
        store(&warm, &trades, [n]).unwrap();
        assert_eq!(newest(&open(&folder), &trades).unwrap(), [n], "with the hint");
        if n % 9 == 0 {
            let _ = std::fs::remove_file(&hint);
            assert_eq!(newest(&open(&folder), &trades).unwrap(), [n], "without the hint");
        }
    }
    for nonsense in ["", "-1", "99999", "x", "18446744073709551615"] {
        std::fs::write(&hint, nonsense).unwrap();
        assert_eq!(newest(&open(&folder), &trades).unwrap(), [70], "with the hint {nonsense:?}");
    }
}

#[test]
fn a_retry_is_found_behind_a_hundred_other_writes_and_refused_when_it_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let fresh = || open_by(&folder, &clock);
    let tables = fresh();
    let trades = name("trades");
    store(&tables, &trades, [0]).unwrap();
    let how = WriteOptions::new(WriteMode::Append).with_request(request(&clock, 1));
    assert_eq!(write(&tables, &trades, &numbers([7]), how).unwrap().version, 2);
    for ordinal in 2..102 {
        let other = WriteOptions::new(WriteMode::Overwrite).with_request(request(&clock, ordinal));
        write(&tables, &trades, &numbers([1]), other).unwrap();
        clock.advance(Duration::from_secs(1));
    }
    for retrier in [&tables, &fresh()] {
        let answered = write(retrier, &trades, &numbers([7]), how).unwrap();
        assert_eq!((answered.version, answered.was_retry), (2, true));
    }
    clock.advance(Duration::from_secs(600));
    let late = write(&tables, &trades, &numbers([7]), how);
    assert!(matches!(late, Err(Error::RequestExpired { .. })), "{late:?}");
    assert_eq!(newest(&tables, &trades).unwrap(), [1]);
}

#[test]
fn a_retried_delete_and_create_are_answered_and_not_refused() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let backend = Arc::new(DiskBackend::open(folder.path()).unwrap());
    let environment =
        Environment { ids: Arc::new(CountedIds::default()), ..Environment::with_clock(clock.clone()) };
    let tables = Tables::with_environment(backend, Settings::default(), environment);
    let trades = name("trades");
    let create = WriteOptions::new(WriteMode::Create).with_request(request(&clock, 1));
    assert_eq!(write(&tables, &trades, &numbers([1]), create).unwrap().version, 1);
    assert_eq!(write(&tables, &trades, &numbers([1]), create).unwrap().version, 1);
    let delete = Some(request(&clock, 2));
    assert_eq!(tables.delete(&trades, delete, Some(1)).unwrap().version, 2);
    assert_eq!(tables.delete(&trades, delete, Some(1)).unwrap().version, 2);
}

#[test]
fn with_an_allowance_for_staleness_the_newest_version_is_asked_for_no_more_often() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let backend = Arc::new(DiskBackend::open(folder.path()).unwrap());
    let settings = Settings { max_staleness: Duration::from_secs(10), ..Settings::default() };
    let relaxed = Tables::with_environment(backend, settings, Environment::with_clock(clock.clone()));
    let trades = name("trades");
    let other = open(&folder);
    store(&other, &trades, [1]).unwrap();
    assert_eq!(newest(&relaxed, &trades).unwrap(), [1]);
    store(&other, &trades, [2]).unwrap();
    assert_eq!(newest(&relaxed, &trades).unwrap(), [1], "within the allowance");
    clock.advance(Duration::from_secs(11));
    assert_eq!(newest(&relaxed, &trades).unwrap(), [2]);
    assert_eq!(load(&relaxed, &trades, At::Version(1)).unwrap(), [1]);
}

#[test]
fn a_retry_whose_upload_outlasts_the_window_finds_the_write_it_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let worker = |clock: &Arc<ManualClock>| open_by(&folder, clock);
    let (one, other) = (worker(&clock), worker(&clock));
    let trades = name("trades");
    store(&one, &trades, [0]).unwrap();
    let how = WriteOptions::new(WriteMode::Append).with_request(request(&clock, 1));
    let mut retry = other.writer(&trades, numbers([7]).schema(), how).unwrap();
    write(&one, &trades, &numbers([7]), how).unwrap();
    clock.advance(Duration::from_secs(25 * 60));
    retry.write(&numbers([7])).unwrap();
    assert!(retry.publish().unwrap().was_retry);
    assert_eq!(newest(&one, &trades).unwrap(), [0, 7]);
}

#[test]
fn one_workers_fast_clock_hides_no_write_from_its_retry() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, fast) = (clock(), clock());
    fast.advance(Duration::from_secs(30 * 60));
    let worker = |clock: &Arc<ManualClock>| open_by(&folder, clock);
    let trades = name("trades");
    let how = |ordinal| WriteOptions::new(WriteMode::Append).with_request(request(&clock, ordinal));
    store(&worker(&clock), &trades, [0]).unwrap();
    write(&worker(&clock), &trades, &numbers([1]), how(1)).unwrap();
    store(&worker(&fast), &trades, [2]).unwrap();
    write(&worker(&clock), &trades, &numbers([3]), how(3)).unwrap();
    assert!(write(&worker(&clock), &trades, &numbers([1]), how(1)).unwrap().was_retry);
}

#[test]
fn a_version_by_number_is_found_whatever_the_allowance_for_staleness() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { max_staleness: Duration::from_secs(60), ..Settings::default() };
    let relaxed = Tables::new(Arc::new(DiskBackend::open(folder.path()).unwrap()), settings);
    let trades = name("trades");
    store(&open(&folder), &trades, [1]).unwrap();
    newest(&relaxed, &trades).unwrap();
    store(&open(&folder), &trades, [2]).unwrap();
    assert_eq!(load(&relaxed, &trades, At::Version(2)).unwrap(), [2]);
}
