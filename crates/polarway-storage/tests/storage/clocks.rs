//! Machines whose clocks are wrong, beside one storage that has its own.

use std::sync::Arc;
use std::time::Duration;

use polarway_storage::{
    At, Clock as _, DiskBackend, Environment, Error, Leased, Settings, SystemClock, Tables, Vacuumed, Write,
    WriteMode, WriteOptions,
};
use tempfile::TempDir;

use crate::support::timed::TimedBackend;
use crate::support::{append, clock_ahead_by, load, name, newest, numbers, on_disk, store, write};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const YEAR: i64 = 365 * 24 * HOUR;

/// A worker whose clock is ahead of the storage's by so many seconds.
fn worker(folder: &TempDir, seconds: i64, settings: Settings) -> Tables {
    let backend = Arc::new(DiskBackend::open(folder.path()).unwrap());
    Tables::with_environment(backend, settings, Environment::with_clock(clock_ahead_by(seconds)))
}

/// One from before clocks were compared: it takes its own for the storage's.
fn careless_worker(folder: &TempDir, seconds: i64) -> Tables {
    let clock = clock_ahead_by(seconds);
    let backend = TimedBackend::new(Arc::new(DiskBackend::open(folder.path()).unwrap()), clock.clone());
    Tables::with_environment(backend, Settings::default(), Environment::with_clock(clock))
}

#[test]
fn a_worker_whose_clock_is_wrong_vacuums_nothing_that_was_superseded_lately() {
    for seconds in [-YEAR, -HOUR, 5 * MINUTE, HOUR, YEAR] {
        let (tables, folder) = on_disk();
        let trades = name("trades");
        for n in 1..=8 {
            store(&tables, &trades, [n]).unwrap();
        }
        let grace = Duration::from_secs(4 * 60);
        let settings = Settings { kept_versions: 1, grace, ..Settings::default() };
        let wrong = worker(&folder, seconds, settings);
        assert_eq!(wrong.vacuum(&trades).unwrap(), Vacuumed::default(), "ahead by {seconds} s");
        for version in 1..=8 {
            assert_eq!(load(&tables, &trades, At::Version(version)).unwrap(), [version as i64]);
        }
    }
}

#[test]
fn commits_of_a_worker_whose_clock_is_behind_are_kept_as_long_as_others() {
    let folder = tempfile::tempdir().unwrap();
    let trades = name("trades");
    let behind = worker(&folder, -YEAR, Settings::default());
    for n in 1..=8 {
        store(&behind, &trades, [n]).unwrap();
    }
    let right = worker(&folder, 0, Settings { kept_versions: 1, ..Settings::default() });
    assert_eq!(right.vacuum(&trades).unwrap(), Vacuumed::default());
}

#[test]
fn a_worker_far_ahead_writes_nothing_and_says_by_how_much() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    store(&tables, &trades, [1]).unwrap();
    store(&tables, &trades, [2]).unwrap();
    for (seconds, words) in [
        (11 * MINUTE + 30, "11 minutes"),
        (HOUR + 90, "1 hour 1 minute"),
        (25 * HOUR + 90, "1 day 1 hour"),
        (YEAR + 90, "365 days"),
        (300 * YEAR + 90, "109500 days"),
    ] {
        let ahead = worker(&folder, seconds, Settings::default());
        let refusals = [
            store(&ahead, &trades, [3]).unwrap_err(),
            append(&ahead, &trades, [3]).unwrap_err(),
            store(&ahead, &name("other"), [3]).unwrap_err(),
            ahead.delete(&trades, None, None).unwrap_err(),
            ahead.purge(&trades).unwrap_err(),
        ];
        for refused in refusals {
            let told = refused.to_string();
            assert!(matches!(refused, Error::ClockAhead { .. }) && told.contains(words), "{seconds}: {told}");
        }
        assert_eq!(newest(&ahead, &trades).unwrap(), [2], "it can read");
    }
    assert_eq!(tables.versions(&trades).unwrap().len(), 2);
    assert_eq!(load(&tables, &trades, At::Version(1)).unwrap(), [1]);
    assert_eq!(tables.names().unwrap(), [name("trades")], "nothing was begun");
    let left = std::fs::read_dir(folder.path().join("trades/_polarway/data")).unwrap().count();
    assert_eq!(left, 2, "uploads that were refused are gone");
    for seconds in [-YEAR, -HOUR, 9 * MINUTE] {
        store(&worker(&folder, seconds, Settings::default()), &trades, [seconds]).unwrap();
    }
}

#[test]
fn a_commit_from_next_year_ruins_no_time_travel() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    let before_us = SystemClock.now_us();
    store(&tables, &trades, [1]).unwrap();
    let early_us = SystemClock.now_us();
    let ahead = careless_worker(&folder, YEAR);
    assert!(store(&ahead, &trades, [2]).unwrap().time_us > early_us + 300 * 24 * HOUR * 1_000_000);
    store(&ahead, &trades, [3]).unwrap();
    // Files are stamped by a coarser clock than the one that is read here.
    let now_us = || SystemClock.now_us() + 20_000;
    assert_eq!(load(&tables, &trades, At::TimeUs(now_us())).unwrap(), [3], "the newest one");

    // Whoever writes next goes by its own clock again.
    let written = store(&tables, &trades, [4]).unwrap();
    assert!(written.time_us <= now_us(), "{}", written.time_us);
    let then_us = store(&tables, &trades, [5]).unwrap().time_us;
    for tables in
        [&tables, &worker(&folder, 0, Settings::default()), &worker(&folder, 2 * YEAR, Settings::default())]
    {
        let at = |time_us| load(tables, &trades, At::TimeUs(time_us));
        assert_eq!(at(early_us).unwrap(), [1]);
        assert_eq!(at(written.time_us).unwrap(), [4]);
        assert_eq!(at(then_us - 1).unwrap(), [4]);
        assert_eq!(at(then_us).unwrap(), [5]);
        assert_eq!(at(then_us + 3 * YEAR * 1_000_000).unwrap(), [5]);
        assert!(matches!(at(before_us - 1), Err(Error::NoVersionThen { .. })));
        for version in 1..=5 {
            assert_eq!(load(tables, &trades, At::Version(version)).unwrap(), [version as i64]);
        }
    }
}

#[test]
fn a_dataset_whose_first_commit_is_from_next_year_is_there_now() {
    let folder = tempfile::tempdir().unwrap();
    let trades = name("trades");
    store(&careless_worker(&folder, YEAR), &trades, [1]).unwrap();
    let tables = worker(&folder, 0, Settings::default());
    let now_us = SystemClock.now_us() + 20_000;
    assert_eq!(load(&tables, &trades, At::TimeUs(now_us)).unwrap(), [1]);
    let Err(Error::NoVersionThen { oldest_us, .. }) = load(&tables, &trades, At::TimeUs(0)) else {
        panic!("there was nothing in 1970")
    };
    assert!(oldest_us <= now_us, "the oldest version is of {oldest_us}");
    store(&tables, &trades, [2]).unwrap();
    assert_eq!(load(&tables, &trades, At::TimeUs(SystemClock.now_us())).unwrap(), [2]);
}

#[test]
fn who_asks_for_a_time_before_the_oldest_version_reads_when_that_was_made() {
    let name = name("trades");
    for (oldest_us, is_read) in [
        (1_793_608_200_000_250, "the oldest is from 2026-11-02T08:30:00.000250Z"),
        (-1, "the oldest is from 1969-12-31T23:59:59.999999Z"),
        (i64::MAX, "the oldest is from 9223372036854775807 µs after 1970-01-01 UTC"),
    ] {
        let said = Error::NoVersionThen { name: name.clone(), oldest_us }.to_string();
        assert!(said.ends_with(is_read), "{said}");
    }
}

#[test]
fn retries_are_found_also_behind_commits_from_next_year() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    store(&tables, &trades, [0]).unwrap();
    store(&careless_worker(&folder, YEAR), &trades, [1]).unwrap();
    let how = WriteOptions::new(WriteMode::Append).with_request(polarway_storage::RequestId::fresh());
    write(&tables, &trades, &numbers([2]), how).unwrap();
    for n in 0..70 {
        let other = WriteOptions::new(WriteMode::Append).with_request(polarway_storage::RequestId::fresh());
        write(&tables, &trades, &numbers([n]), other).unwrap();
    }
    let fresh = worker(&folder, 0, Settings::default());
    assert!(write(&fresh, &trades, &numbers([2]), how).unwrap().was_retry);
}

#[test]
fn a_lease_is_as_long_for_workers_whose_clocks_are_wrong() {
    let lasting = Write::leased(Duration::from_secs(20 * 60));
    for seconds in [-YEAR, -HOUR, -5 * MINUTE, 9 * MINUTE, HOUR, YEAR] {
        let (tables, folder) = on_disk();
        let wrong = worker(&folder, seconds, Settings::default());
        let ours = name("ours");
        write(&tables, &ours, &numbers([1]), lasting).unwrap();
        for worker in [&wrong, &tables] {
            assert!(matches!(worker.leased(&ours).unwrap(), Leased::Kept(_)), "seen from {seconds} s ahead");
            assert!(matches!(worker.renew_if_due(&ours).unwrap(), Leased::Kept(_)), "from {seconds} s ahead");
        }
        wrong.tidy_leased(|_| true).unwrap();
        assert!(matches!(tables.leased(&ours).unwrap(), Leased::Kept(_)));
        if seconds < HOUR {
            let theirs = name("theirs");
            write(&wrong, &theirs, &numbers([1]), lasting).unwrap();
            assert!(matches!(tables.leased(&theirs).unwrap(), Leased::Kept(_)), "made {seconds} s ahead");
            wrong.renew(&ours, None).unwrap();
            assert!(matches!(tables.leased(&ours).unwrap(), Leased::Kept(_)), "renewed {seconds} s ahead");
        }
    }
}
