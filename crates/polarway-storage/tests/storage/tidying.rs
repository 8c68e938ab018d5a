//! A storage of tables that are kept while they are used: what is removed, what stays, and which error
//! tells that a table was removed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use polarway_storage::{
    Backend, DatasetName, DiskBackend, Environment, Error, Leased, ManualClock, Published, Result, Settings,
    Tables, Write,
};
use tempfile::TempDir;

use crate::support::failing::{FailingBackend, Failure};
use crate::support::slow::SlowRemovals;
use crate::support::timed::TimedBackend;
use crate::support::{backends, clock, in_small_groups, many_rows, name, newest, numbers, store, write};

const HOUR: Duration = Duration::from_secs(3_600);
const TTL: Duration = Duration::from_secs(60);

fn kept() -> Write {
    Write::leased(TTL)
}

fn make(tables: &Tables, name: &DatasetName) -> Result<Published> {
    write(tables, name, &numbers([1, 2, 3]), kept())
}

/// One worker's view of a storage whose clock the test sets.
fn worker(backend: &Arc<dyn Backend>, clock: &Arc<ManualClock>) -> Tables {
    let settings = Settings { encode: in_small_groups(), ..Settings::default() };
    Tables::with_environment(Arc::clone(backend), settings, Environment::with_clock(clock.clone()))
}

fn timed(folder: &TempDir) -> (Arc<dyn Backend>, Arc<ManualClock>) {
    let clock = clock();
    let disk = Arc::new(DiskBackend::open(folder.path()).unwrap());
    (TimedBackend::new(disk, clock.clone()), clock)
}

fn everything(_: &DatasetName) -> bool {
    true
}

/// All files below a folder with their contents.
fn contents(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

/// Makes everything below a folder look a year old.
fn age(folder: &Path) {
    for (path, _) in contents(folder) {
        let long_ago = SystemTime::now() - HOUR * 24 * 365;
        std::fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
}

#[test]
fn two_eager_janitors_and_slow_removals_lose_no_table_and_fail_no_writer() {
    let orphans_kept = [Duration::ZERO, Settings::default().orphan_grace];
    let tables_per_writer = if polarway_testing::is_long() { 300 } else { 15 };
    for (kind, backend, _folder) in backends() {
        for orphan_grace in orphans_kept {
            let settings = Settings { orphan_grace, grace: Duration::ZERO, ..Settings::default() };
            let worker = |backend: &Arc<dyn Backend>| Tables::new(Arc::clone(backend), settings.clone());
            let slow: Arc<dyn Backend> = SlowRemovals::new(Arc::clone(&backend));
            let is_over = AtomicBool::new(false);
            let made: Vec<DatasetName> = std::thread::scope(|scope| {
                for _ in 0..2 {
                    let janitor = worker(&slow);
                    let is_over = &is_over;
                    scope.spawn(move || {
                        while !is_over.load(Ordering::SeqCst) {
                            janitor.tidy_leased(everything).unwrap();
                        }
                    });
                }
                let writers: Vec<_> = (0..4)
                    .map(|writer| {
                        let tables = worker(&backend);
                        let make = move |n: u32| {
                            let name = name(
                                &format!("{kind}{}_{writer}_{n}", orphan_grace.as_secs()).replace("://", ""),
                            );
                            // Half of them without rows, so without a data file.
                            let rows = numbers(0..i64::from(n % 2));
                            let how = Write::leased(HOUR);
                            let made = write(&tables, &name, &rows, how);
                            assert_eq!(made.unwrap_or_else(|error| panic!("{name}: {error:?}")).version, 1);
                            name
                        };
                        scope.spawn(move || (0..tables_per_writer).map(make).collect::<Vec<_>>())
                    })
                    .collect();
                let made = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
                is_over.store(true, Ordering::SeqCst);
                made
            });
            let fresh = worker(&backend);
            for name in &made {
                newest(&fresh, name).unwrap_or_else(|error| panic!("{kind}: {name} is lost: {error}"));
            }
        }
    }
}

#[test]
fn a_writer_that_is_taken_for_dead_goes_on_and_publishes() {
    let folder = tempfile::tempdir().unwrap();
    let (backend, clock) = timed(&folder);
    let (writer, janitor) = (worker(&backend, &clock), worker(&backend, &clock));
    let table = name("table");
    let mut upload = writer.writer(&table, numbers([]).schema(), kept()).unwrap();
    upload.write(&numbers([7])).unwrap();
    clock.advance(HOUR * 25);
    janitor.tidy_leased(everything).unwrap();
    assert!(matches!(janitor.leased(&table).unwrap(), Leased::Unknown), "a claim is no table");
    assert!(matches!(newest(&janitor, &table), Err(Error::UnknownDataset { .. })));
    assert_eq!(upload.publish().unwrap().version, 1);
    for tables in [&writer, &janitor, &worker(&backend, &clock)] {
        assert!(matches!(tables.leased(&table).unwrap(), Leased::Kept(_)));
        assert_eq!(newest(tables, &table).unwrap(), [7]);
    }
    assert!(matches!(make(&janitor, &table), Err(Error::AlreadyExists { .. })));
    clock.advance(TTL);
    assert!(matches!(make(&janitor, &table), Err(Error::AlreadyExists { .. })), "it is over and stays so");
}

#[test]
fn a_writer_that_slept_until_all_was_removed_is_told_and_publishes_nothing() {
    let rounds_until_it_wakes = [2, 3];
    for rounds in rounds_until_it_wakes {
        let folder = tempfile::tempdir().unwrap();
        let (backend, clock) = timed(&folder);
        let (writer, janitor) = (worker(&backend, &clock), worker(&backend, &clock));
        let table = name("table");
        let mut upload = writer.writer(&table, numbers([]).schema(), kept()).unwrap();
        upload.write(&numbers(many_rows())).unwrap();
        for _ in 0..rounds {
            clock.advance(HOUR * 25);
            janitor.tidy_leased(everything).unwrap();
        }
        let refused = upload.publish().unwrap_err();
        let is_told =
            matches!(refused, Error::AlreadyExists { .. } | Error::UploadExpired { .. } | Error::Backend(_));
        assert!(is_told, "after {rounds} rounds: {refused}");
        for tables in [&writer, &janitor, &worker(&backend, &clock)] {
            let there = tables.leased(&table).unwrap();
            assert!(
                matches!(there, Leased::Unknown | Leased::Ended { .. }),
                "after {rounds} rounds: {there:?}"
            );
        }
        for _ in 0..4 {
            clock.advance(HOUR * 25);
            janitor.tidy_leased(everything).unwrap();
        }
        assert!(!folder.path().join("table").exists(), "after {rounds} rounds");
    }
}

#[test]
fn what_writers_left_that_died_goes_in_the_end_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (backend, clock) = timed(&folder);
    let janitor = worker(&backend, &clock);
    let (died, gave_up) = (name("died"), name("gave_up"));
    for table in [&died, &gave_up] {
        let mut upload = janitor.writer(table, numbers([]).schema(), kept()).unwrap();
        upload.write(&numbers(many_rows())).unwrap();
        if *table == died {
            std::mem::forget(upload);
        }
    }
    let there = |table: &DatasetName| folder.path().join(table.as_str()).exists();
    janitor.tidy_leased(everything).unwrap();
    assert!(there(&died), "it may be slow");
    assert!(!there(&gave_up), "folders without a file are nothing to keep");
    clock.advance(HOUR * 23);
    janitor.tidy_leased(everything).unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join("died/_polarway/data")).unwrap().count(), 1);
    for _ in 0..3 {
        clock.advance(HOUR * 2);
        janitor.tidy_leased(everything).unwrap();
    }
    assert!(!there(&died));
}

#[test]
fn a_table_that_is_being_forgotten_is_there_for_nobody_wherever_that_stops() {
    for dropped in [false, true] {
        for operations in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let (backend, clock) = timed(&folder);
            let (tables, table) = (worker(&backend, &clock), name("table"));
            let how = Write::leased(HOUR * 24 * 30);
            write(&tables, &table, &numbers([1]), how).unwrap();
            let (saw_it_made, saw_it_renewed) = (worker(&backend, &clock), worker(&backend, &clock));
            saw_it_made.leased(&table).unwrap();
            tables.renew(&table, Some(HOUR * 24 * 40)).unwrap();
            saw_it_renewed.leased(&table).unwrap();
            if dropped {
                tables.delete(&table, None, None).unwrap();
                clock.advance(HOUR * 2);
            } else {
                clock.advance(HOUR * 24 * 41);
                tables.leased(&table).unwrap();
                clock.advance(HOUR * 2);
            }
            let failing = FailingBackend::new(Arc::clone(&backend), Failure::FromHereOn);
            let dying: Arc<dyn Backend> = failing.clone();
            let janitor = worker(&dying, &clock);
            failing.fail_after(operations);
            let _ = janitor.tidy_leased(everything);
            let was_stopped = failing.heal();
            for tables in [&worker(&backend, &clock), &saw_it_renewed, &saw_it_made, &tables] {
                let there = tables.leased(&table).unwrap();
                assert!(!matches!(there, Leased::Kept(_)), "stopped at {operations}: {there:?}");
                assert!(newest(tables, &table).is_err(), "stopped at {operations}");
            }
            // Whoever comes next completes it. An empty folder may be anybody's.
            for _ in 0..3 {
                clock.advance(HOUR * 25);
                tables.tidy_leased(everything).unwrap();
            }
            let left = std::fs::read_dir(folder.path().join("table")).map_or(0, Iterator::count);
            assert_eq!(left, 0, "stopped at {operations}");
            if !was_stopped {
                break;
            }
        }
    }
}

#[test]
fn what_cannot_be_read_holds_up_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (backend, clock) = timed(&folder);
    let tables = worker(&backend, &clock);
    let names: Vec<DatasetName> = ["a", "b", "c", "d", "e", "f"].map(name).into();
    for table in &names {
        make(&tables, table).unwrap();
    }
    let commits = |table: &str| folder.path().join(table).join("_polarway/commits");
    std::fs::write(commits("a").join("0000000002.json"), "{\"format\": 9}").unwrap();
    std::fs::write(commits("b").join("0000000001.json"), "\0\0\0").unwrap();
    std::fs::create_dir(commits("c").join("0000000002.json")).unwrap();
    std::fs::remove_dir_all(commits("d")).unwrap();
    std::fs::write(commits("d"), "a file in the place of a folder").unwrap();
    let kept_by_others = contents(&folder.path().join("a"));
    clock.advance(TTL + HOUR * 2);
    for _ in 0..2 {
        worker(&backend, &clock).tidy_leased(everything).unwrap();
        clock.advance(HOUR * 2);
    }
    for gone in ["e", "f"] {
        assert!(!folder.path().join(gone).exists(), "{gone} is past its time");
    }
    assert_eq!(contents(&folder.path().join("a")), kept_by_others, "what is not understood stays");
    let fine = name("fine");
    make(&tables, &fine).unwrap();
    let listed = tables.all_leased(everything).unwrap();
    assert_eq!(listed.iter().map(|snapshot| snapshot.name.clone()).collect::<Vec<_>>(), [fine]);
}

#[test]
fn what_others_put_into_the_storage_is_never_touched() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let backend: Arc<dyn Backend> = Arc::new(DiskBackend::open(folder.path()).unwrap());
    let settings = Settings { grace: Duration::ZERO, orphan_grace: Duration::ZERO, ..Settings::default() };
    let tables = Tables::new(Arc::clone(&backend), settings);
    let data_file = "0199c0de-0000-7000-8000-000000000001.parquet";
    // A dataset that was stored and deleted here; one elsewhere that a link leads to.
    store(&tables, &name("deleted"), [1]).unwrap();
    tables.delete(&name("deleted"), None, None).unwrap();
    let project = elsewhere.path().join("project/_polarway");
    std::fs::create_dir_all(project.join("data")).unwrap();
    std::fs::write(project.join("data").join(data_file), "mine").unwrap();
    for (path, to) in [("whole", "project"), ("part/_polarway", "project/_polarway")] {
        std::fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join(to), folder.path().join(path)).unwrap();
    }
    for path in [
        "photos/2024/cat.jpg".to_owned(),
        "photos.parquet".to_owned(),
        format!("plain/{data_file}"),
        format!("with_file/_polarway/data/{data_file}"),
        "with_file/thesis.tex".to_owned(),
        format!("with_others/_polarway/data/{data_file}"),
        "with_others/_polarway/data/thesis.parquet".to_owned(),
        "with_folder/_polarway/data/mine/cat.jpg".to_owned(),
        "_polarway/notes.txt".to_owned(),
    ] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "mine").unwrap();
    }
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    age(folder.path());
    age(elsewhere.path());
    let before = (contents(folder.path()), contents(elsewhere.path()));
    for _ in 0..3 {
        tables.tidy_leased(everything).unwrap();
    }
    assert_eq!((contents(folder.path()), contents(elsewhere.path())), before);
    assert!(folder.path().join("empty").exists());
}

#[test]
fn only_tables_whose_names_are_wanted_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let (backend, clock) = timed(&folder);
    let tables = worker(&backend, &clock);
    let (ours, theirs) = (name("ours"), name("theirs"));
    for table in [&ours, &theirs] {
        make(&tables, table).unwrap();
    }
    clock.advance(TTL + HOUR * 2);
    let before = contents(&folder.path().join("theirs"));
    for _ in 0..2 {
        tables.tidy_leased(|table| *table == ours).unwrap();
        clock.advance(HOUR * 2);
    }
    assert!(!folder.path().join("ours").exists());
    assert_eq!(contents(&folder.path().join("theirs")), before);
}
