//! Many writers, compactors and vacuums at once, each as its own process would be.

use std::sync::Barrier;
use std::time::Duration;

use polarway_storage::{At, DiskBackend, Error, RequestId, Settings, Tables, WriteMode, WriteOptions};

use crate::support::{append, load, name, newest, numbers, on_disk, open, store, write};

const RACERS: i64 = 16;

#[test]
fn sixteen_writers_of_one_name_make_sixteen_versions() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    let start = Barrier::new(RACERS as usize);
    let mut made: Vec<u64> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..RACERS)
            .map(|racer| {
                let (start, trades, own) = (&start, &trades, open(&folder));
                scope.spawn(move || {
                    start.wait();
                    store(&own, trades, [racer; 100]).unwrap().version
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    made.sort();
    assert_eq!(made, (1..=RACERS as u64).collect::<Vec<_>>());
    let mut winners = Vec::new();
    for version in made {
        let rows = load(&tables, &trades, At::Version(version)).unwrap();
        assert_eq!(rows, [rows[0]; 100], "version {version} is torn");
        winners.push(rows[0]);
    }
    winners.sort();
    assert_eq!(winners, (0..RACERS).collect::<Vec<_>>(), "each writer made one version");
}

#[test]
fn sixteen_appenders_lose_no_row_while_compaction_and_vacuum_run() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    store(&tables, &trades, []).unwrap();
    let eager = || {
        let settings =
            Settings { grace: Duration::from_secs(3_600), kept_versions: 1, ..Settings::default() };
        Tables::new(std::sync::Arc::new(DiskBackend::open(folder.path()).unwrap()), settings)
    };
    std::thread::scope(|scope| {
        let appenders: Vec<_> = (0..RACERS)
            .map(|racer| {
                let (trades, own) = (&trades, open(&folder));
                scope.spawn(move || {
                    for round in 0..4 {
                        append(&own, trades, [racer * 10 + round]).unwrap();
                        let rows = newest(&own, trades).unwrap();
                        assert!(rows.contains(&(racer * 10 + round)), "a reader sees what its writer wrote");
                    }
                })
            })
            .collect();
        let (trades, own) = (&trades, eager());
        let keeper = scope.spawn(move || {
            while !appenders.iter().all(|appender| appender.is_finished()) {
                own.compact(trades).unwrap();
                own.vacuum(trades).unwrap();
            }
            for appender in appenders {
                appender.join().unwrap();
            }
        });
        keeper.join().unwrap();
    });
    let mut rows = newest(&tables, &trades).unwrap();
    rows.sort();
    let expected: Vec<i64> =
        (0..RACERS).flat_map(|racer| (0..4).map(move |round| racer * 10 + round)).collect();
    assert_eq!(rows, expected);
    assert_eq!(tables.versions(&trades).unwrap().len() as i64, 1 + RACERS * 4);
}

#[test]
fn of_sixteen_creators_one_succeeds() {
    let (_, folder) = on_disk();
    let trades = name("trades");
    let outcomes: Vec<Result<_, Error>> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..RACERS)
            .map(|racer| {
                let (trades, own) = (&trades, open(&folder));
                scope.spawn(move || {
                    write(&own, trades, &numbers([racer]), WriteOptions::new(WriteMode::Create))
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for refused in outcomes.into_iter().filter_map(Result::err) {
        assert!(matches!(refused, Error::AlreadyExists { version: 1, .. }), "{refused}");
    }
}

#[test]
fn of_sixteen_that_expect_one_version_one_succeeds() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    store(&tables, &trades, [0]).unwrap();
    let succeeded: usize = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..RACERS)
            .map(|racer| {
                let (trades, own) = (&trades, open(&folder));
                let how = WriteOptions::new(WriteMode::Append).expecting(1);
                scope.spawn(move || match write(&own, trades, &numbers([racer]), how) {
                    Ok(published) => published.version as usize - 1,
                    Err(Error::VersionConflict { expected: 1, actual: 2, .. }) => 0,
                    Err(other) => panic!("{other}"),
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    assert_eq!(succeeded, 1);
    assert_eq!(newest(&tables, &trades).unwrap().len(), 2);
}

#[test]
fn one_request_sent_sixteen_times_at_once_is_one_write() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    store(&tables, &trades, [0]).unwrap();
    let how = WriteOptions::new(WriteMode::Append).with_request(RequestId::fresh());
    std::thread::scope(|scope| {
        for _ in 0..RACERS {
            let (trades, own) = (&trades, open(&folder));
            scope.spawn(move || assert_eq!(write(&own, trades, &numbers([7]), how).unwrap().version, 2));
        }
    });
    assert_eq!(newest(&tables, &trades).unwrap(), [0, 7]);
}

#[test]
fn an_overwrite_in_mid_scan_does_not_tear_the_reader() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    store(&tables, &trades, std::iter::repeat_n(1, 300_000)).unwrap();
    let snapshot = tables.snapshot(&trades, At::Newest).unwrap();
    let mut reader = tables.read(&snapshot, 0).unwrap();
    let first = reader.next().unwrap().unwrap();
    let other = open(&folder);
    store(&other, &trades, [2]).unwrap();
    other.compact(&trades).unwrap();
    other.vacuum(&trades).unwrap();
    let rest: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(first.num_rows() + rest, 300_000);
    assert_eq!(newest(&tables, &trades).unwrap(), [2]);
}
