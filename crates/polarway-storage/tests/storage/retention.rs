//! What is kept, what goes, and what a vacuum must never take.

use std::sync::Arc;
use std::time::Duration;

use polarway_storage::{
    At, Backend, DiskBackend, Environment, Error, ManualClock, Settings, Tables, Vacuumed, WriteMode,
    WriteOptions,
};
use tempfile::TempDir;

use crate::support::timed::TimedBackend;
use crate::support::{
    append, backends, clock, clock_ahead_by, in_small_groups, load, many_rows, name, newest, numbers,
    on_disk, store, write,
};

const HOUR: Duration = Duration::from_secs(3_600);

/// Tables in a folder, whose clock and the worker's are the one that the test sets.
fn timed(folder: &TempDir, settings: Settings) -> (Tables, Arc<ManualClock>) {
    let clock = clock();
    let backend = TimedBackend::new(Arc::new(DiskBackend::open(folder.path()).unwrap()), clock.clone());
    (Tables::with_environment(backend, settings, Environment::with_clock(clock.clone())), clock)
}

/// Two workers over one folder: one that puts its rows into small groups, and one that takes each upload for a leftover.
fn writer_and_hasty_worker(folder: &TempDir) -> (Tables, Tables, Arc<ManualClock>) {
    let settings = Settings { encode: in_small_groups(), ..Settings::default() };
    let (tables, clock) = timed(folder, settings);
    let hasty = Settings { orphan_grace: Duration::ZERO, ..Settings::default() };
    let environment = Environment::with_clock(clock.clone());
    let hasty = Tables::with_environment(Arc::clone(tables.backend()), hasty, environment);
    (tables, hasty, clock)
}

fn data_files(folder: &TempDir, dataset: &str) -> usize {
    std::fs::read_dir(folder.path().join(dataset).join("_polarway/data")).unwrap().count()
}

#[test]
fn the_newest_five_versions_stay_and_older_ones_go_after_the_grace_time() {
    let folder = tempfile::tempdir().unwrap();
    let (tables, clock) = timed(&folder, Settings::default());
    let trades = name("trades");
    for n in 1..=8 {
        store(&tables, &trades, [n]).unwrap();
    }
    assert_eq!(tables.vacuum(&trades).unwrap(), Vacuumed::default(), "all were superseded just now");
    clock.advance(HOUR * 2);
    assert_eq!(tables.vacuum(&trades).unwrap().files, 3);
    assert_eq!(data_files(&folder, "trades"), 5);
    for version in 1..=3 {
        let gone = load(&tables, &trades, At::Version(version));
        assert!(matches!(gone, Err(Error::VersionVacuumed { .. })), "{gone:?}");
    }
    for version in 4..=8 {
        assert_eq!(load(&tables, &trades, At::Version(version)).unwrap(), [version as i64]);
    }
    let vacuumed: Vec<bool> =
        tables.versions(&trades).unwrap().iter().map(|version| version.vacuumed).collect();
    assert_eq!(vacuumed, [true, true, true, false, false, false, false, false]);
    assert_eq!(tables.vacuum(&trades).unwrap(), Vacuumed::default(), "a second vacuum finds nothing");
    assert_eq!(store(&tables, &trades, [9]).unwrap().version, 9, "a vacuum makes no version");
}

#[test]
fn compaction_makes_the_old_files_superfluous_after_the_grace_time() {
    let folder = tempfile::tempdir().unwrap();
    let (tables, clock) = timed(&folder, Settings { kept_versions: 1, ..Settings::default() });
    let trades = name("trades");
    store(&tables, &trades, [0]).unwrap();
    for n in 1..9 {
        append(&tables, &trades, [n]).unwrap();
    }
    tables.compact(&trades).unwrap();
    assert_eq!(tables.vacuum(&trades).unwrap(), Vacuumed::default(), "a reader may hold the old files");
    clock.advance(HOUR * 2);
    assert_eq!(tables.vacuum(&trades).unwrap().files, 9);
    assert_eq!(newest(&tables, &trades).unwrap(), (0..9).collect::<Vec<_>>());
}

#[test]
fn what_a_writer_that_died_left_goes_after_a_day_and_not_before() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    store(&tables, &trades, [1]).unwrap();
    let orphan = folder.path().join("trades/_polarway/data/0199c0de-0000-7000-8000-000000000001.parquet");
    std::fs::write(&orphan, "half a file").unwrap();
    assert_eq!(tables.vacuum(&trades).unwrap(), Vacuumed::default());
    assert!(orphan.exists());
    let yesterday = std::time::SystemTime::now() - Duration::from_secs(25 * 3_600);
    std::fs::File::options().write(true).open(&orphan).unwrap().set_modified(yesterday).unwrap();
    assert_eq!(tables.vacuum(&trades).unwrap(), Vacuumed { files: 1, bytes: 11 });
    assert!(!orphan.exists());
    assert_eq!(newest(&tables, &trades).unwrap(), [1]);
}

#[test]
fn a_writer_whose_upload_was_condemned_uploads_again() {
    let folder = tempfile::tempdir().unwrap();
    let rows = many_rows();
    let (tables, hasty, clock) = writer_and_hasty_worker(&folder);
    let trades = name("trades");
    store(&tables, &trades, [1]).unwrap();

    let mut writer =
        tables.writer(&trades, numbers([]).schema(), WriteOptions::new(WriteMode::Append)).unwrap();
    writer.write(&numbers(rows.clone())).unwrap();
    // The writer is so slow that another worker takes its file for a leftover, and stops
    // between saying so and removing it.
    let data = folder.path().join("trades/_polarway/data");
    let saved = tempfile::tempdir().unwrap();
    clock.advance(Duration::from_secs(1));
    let before: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    for file in &before {
        std::fs::hard_link(data.join(file), saved.path().join(file)).unwrap();
    }
    assert_eq!(hasty.vacuum(&trades).unwrap().files, 1);
    for file in &before {
        let _ = std::fs::hard_link(saved.path().join(file), data.join(file)); // those not removed are there
    }

    let whole: Vec<i64> = [1].into_iter().chain(rows).collect();
    assert_eq!(writer.publish().unwrap().version, 2);
    assert_eq!(newest(&tables, &trades).unwrap(), whole);
    assert_eq!(
        hasty.vacuum(&trades).unwrap(),
        Vacuumed::default(),
        "the writer removed the condemned file itself"
    );
    assert_eq!(newest(&tables, &trades).unwrap(), whole);
}

#[test]
fn a_writer_whose_condemned_upload_is_gone_is_told_to_store_again() {
    let folder = tempfile::tempdir().unwrap();
    let rows = many_rows();
    let (tables, hasty, clock) = writer_and_hasty_worker(&folder);
    let trades = name("trades");
    store(&tables, &trades, [1]).unwrap();
    let mut writer =
        tables.writer(&trades, numbers([]).schema(), WriteOptions::new(WriteMode::Append)).unwrap();
    writer.write(&numbers(rows)).unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(hasty.vacuum(&trades).unwrap().files, 1);
    let error = writer.publish().unwrap_err();
    assert!(matches!(&error, Error::UploadExpired { name } if *name == trades), "{error:?}");
    assert_eq!(newest(&tables, &trades).unwrap(), [1]);
}

#[test]
fn time_travel_by_time_finds_the_version_of_that_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (tables, clock) = timed(&folder, Settings::default());
    let trades = name("trades");
    let times: Vec<i64> = (1..=6)
        .map(|n| {
            clock.advance(HOUR);
            store(&tables, &trades, [n]).unwrap().time_us
        })
        .collect();
    for (n, time_us) in (1..).zip(&times) {
        assert_eq!(load(&tables, &trades, At::TimeUs(*time_us)).unwrap(), [n]);
        assert_eq!(load(&tables, &trades, At::TimeUs(time_us + 1_000)).unwrap(), [n]);
    }
    assert_eq!(load(&tables, &trades, At::TimeUs(i64::MAX)).unwrap(), [6]);
    let too_early = load(&tables, &trades, At::TimeUs(times[0] - 1));
    assert!(matches!(too_early, Err(Error::NoVersionThen { .. })), "{too_early:?}");
}

#[test]
fn commit_times_increase_even_when_the_clock_stands_still() {
    let folder = tempfile::tempdir().unwrap();
    let (tables, _) = timed(&folder, Settings::default());
    let trades = name("trades");
    let first = store(&tables, &trades, [1]).unwrap();
    let second = store(&tables, &trades, [2]).unwrap();
    assert_eq!(second.time_us, first.time_us + 1);
}

#[test]
fn a_vacuum_removes_what_polarway_made_and_nothing_else() {
    let (tables, folder) = on_disk();
    let trades = name("trades");
    for n in 0..3 {
        store(&tables, &trades, [n]).unwrap();
    }
    let control = folder.path().join("trades/_polarway");
    let strangers = ["data/thesis.parquet", "data/notes.txt", "data/mine/photo.parquet", "staging/letter"];
    let yesterday = std::time::SystemTime::now() - HOUR * 25;
    for stranger in strangers {
        let path = control.join(stranger);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "mine").unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(yesterday).unwrap();
    }
    assert_eq!(tables.purge(&trades).unwrap().files, 2);
    for stranger in strangers {
        assert_eq!(std::fs::read(control.join(stranger)).unwrap(), b"mine", "{stranger}");
    }
}

#[test]
fn a_vacuum_removes_nothing_behind_a_link_and_says_so() {
    let (elsewhere, elsewhere_folder) = on_disk();
    let trades = name("trades");
    for n in 0..3 {
        store(&elsewhere, &trades, [n]).unwrap();
    }
    let its = |part: &str| elsewhere_folder.path().join("trades").join(part);
    // The dataset's folder itself, the one in it, or the one of the files alone.
    for linked in ["", "_polarway", "_polarway/data"] {
        let (tables, folder) = on_disk();
        let ours = |part: &str| folder.path().join("trades").join(part);
        if linked == "_polarway/data" {
            std::fs::create_dir_all(ours("_polarway/commits")).unwrap();
            for commit in std::fs::read_dir(its("_polarway/commits")).unwrap() {
                let commit = commit.unwrap();
                let copy = ours("_polarway/commits").join(commit.file_name());
                std::fs::copy(commit.path(), copy).unwrap();
            }
        }
        let link = folder.path().join(format!("trades/{linked}").trim_end_matches('/'));
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(its(linked), &link).unwrap();

        assert_eq!(newest(&tables, &trades).unwrap(), [2], "what a link leads to is read");
        let refused = tables.purge(&trades).unwrap_err();
        assert!(refused.to_string().contains("symbolic link"), "{linked:?}: {refused}");
        for version in 1..=3 {
            assert_eq!(load(&elsewhere, &trades, At::Version(version)).unwrap(), [version as i64 - 1]);
        }
    }
}

#[test]
fn what_a_writer_left_of_a_dataset_that_was_never_made_goes_and_the_dataset_can_be_made() {
    const LEFT: &str = "trades/_polarway/data/0199c0de-0000-7000-8000-000000000001.parquet";

    for (kind, backend, _folder) in backends() {
        let trades = name("trades");
        let mut left = backend.create_data(LEFT).unwrap();
        left.write_all(b"x").unwrap();
        left.finish().unwrap();
        let clock = clock_ahead_by(60);
        let timed: Arc<dyn Backend> = TimedBackend::new(backend, clock.clone());
        let tables = |orphan_grace: u64| {
            let settings =
                Settings { orphan_grace: Duration::from_secs(orphan_grace), ..Settings::default() };
            Tables::with_environment(timed.clone(), settings, Environment::with_clock(clock.clone()))
        };
        assert_eq!(tables(86_400).vacuum(&trades).unwrap().files, 0, "{kind}");
        assert!(timed.head(LEFT).unwrap().is_some(), "{kind}: another writer may be at work");
        let hasty = tables(10);
        assert_eq!(hasty.vacuum(&trades).unwrap().files, 1, "{kind}");
        assert_eq!(hasty.vacuum(&trades).unwrap().files, 0, "{kind}");
        assert_eq!(timed.head(LEFT).unwrap(), None, "{kind}");
        // There is still no such dataset, and there was none.
        for unknown in [
            newest(&hasty, &trades).map(drop),
            hasty.versions(&trades).map(drop),
            append(&hasty, &trades, [1]).map(drop),
            hasty.delete(&trades, None, None).map(drop),
        ] {
            let unknown = unknown.unwrap_err();
            assert!(matches!(unknown, Error::UnknownDataset { deleted: false, .. }), "{kind}: {unknown:?}");
        }
        assert!(hasty.names().unwrap().is_empty(), "{kind}");
        assert!(hasty.newest_snapshots(|_| true).unwrap().is_empty(), "{kind}");
        let create = WriteOptions::new(WriteMode::Create);
        assert_eq!(write(&hasty, &trades, &numbers([7]), create).unwrap().version, 1, "{kind}");
        assert_eq!(newest(&tables(10), &trades).unwrap(), [7], "{kind}");
        assert_eq!(hasty.versions(&trades).unwrap().len(), 1, "{kind}");
    }
}
