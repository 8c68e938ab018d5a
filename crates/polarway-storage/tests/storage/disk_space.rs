//! A disk that is full, and one that takes no writes. Both need a mount, and so root.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use polarway_storage::{
    Backend as _, DiskBackend, Environment, FailureKind, Settings, Tables, Write, WriteMode, WriteOptions,
};
use polarway_testing::Mounted;

use crate::support::timed::TimedBackend;
use crate::support::{append, clock, name, newest, numbers, open, store, write};

fn tables_in(folder: &Path) -> Tables {
    Tables::new(Arc::new(DiskBackend::open(folder).unwrap()), Settings::default())
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path.display().to_string());
        }
    }
    found.sort();
    found
}

/// Takes all the room there is, to the last byte.
fn fill(filler: &Path) {
    use std::io::Write as _;

    let mut room = 4 << 20;
    while room > 0 {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(filler).unwrap();
        if file.write_all(&vec![0; room]).is_err() {
            room /= 2;
        }
    }
}

#[test]
fn a_full_disk_is_a_clear_error_that_leaves_the_old_version_and_no_leftovers() {
    let Some(mounted) = Mounted::in_memory("size=2m") else { return };
    let tables = tables_in(mounted.path());
    let trades = name("trades");
    store(&tables, &trades, [1, 2]).unwrap();
    let before = files_below(mounted.path());
    // Numbers without a pattern, so that they can't be made small.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let large = (0..1_000_000).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as i64
    });
    let error = store(&tables, &trades, large).unwrap_err();
    assert!(error.is_full(), "{error}");
    assert_eq!(newest(&tables, &trades).unwrap(), [1, 2]);
    assert_eq!(files_below(mounted.path()), before);

    // The disk is full to the last byte: not even the commit fits.
    let filler = mounted.path().join("filler");
    let mut writer =
        tables.writer(&trades, numbers([]).schema(), WriteOptions::new(WriteMode::Overwrite)).unwrap();
    writer.write(&numbers([3])).unwrap();
    fill(&filler);
    match writer.publish() {
        Err(error) => assert!(error.is_full(), "{error}"),
        Ok(_) => panic!("there was no room for it"),
    }
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(newest(&tables, &trades).unwrap(), [1, 2]);
    assert_eq!(files_below(mounted.path()), before);
    store(&tables, &trades, [4]).unwrap();
    assert_eq!(newest(&tables, &trades).unwrap(), [4], "with room again, all works again");
}

#[test]
fn a_read_only_folder_is_served_and_stores_are_refused() {
    let source = tempfile::tempdir().unwrap();
    let writable = open(&source);
    store(&writable, &name("stored"), [1]).unwrap();
    let file = source.path().join("stored/_polarway/data");
    let data = std::fs::read_dir(file).unwrap().next().unwrap().unwrap().path();
    std::fs::copy(data, source.path().join("adopted.parquet")).unwrap();
    let Some(mounted) = Mounted::read_only(source.path()) else { return };

    let backend = DiskBackend::open(mounted.path()).unwrap();
    assert_eq!(backend.probe().unwrap_err().kind, FailureKind::ReadOnly);
    let tables = Tables::new(Arc::new(backend), Settings::default());
    assert_eq!(newest(&tables, &name("stored")).unwrap(), [1]);
    assert_eq!(newest(&tables, &name("adopted")).unwrap(), [1]);
    assert_eq!(tables.names().unwrap(), [name("adopted"), name("stored")]);
    for error in [
        store(&tables, &name("stored"), [2]).unwrap_err(),
        store(&tables, &name("fresh"), [2]).unwrap_err(),
        tables.delete(&name("adopted"), None, None).unwrap_err(),
    ] {
        assert!(error.is_read_only(), "{error}");
    }
    assert_eq!(newest(&tables, &name("stored")).unwrap(), [1]);
}

/// Tables in a folder that keeps room for the commits that free some.
fn with_reserve(folder: &Path) -> Tables {
    Tables::new(Arc::new(DiskBackend::open(folder).unwrap().with_reserve()), Settings::default())
}

#[test]
fn on_a_full_disk_datasets_are_deleted_and_their_data_removed() {
    let Some(mounted) = Mounted::in_memory("size=6m") else { return };
    let tables = with_reserve(mounted.path());
    let names: Vec<_> = (0..6).map(|n| name(&format!("trades_{n}"))).collect();
    for trades in &names {
        store(&tables, trades, 0..10_000).unwrap();
    }
    // Many files, so that the vacuum's commit is larger than any one piece of what is kept.
    let large = name("large");
    store(&tables, &large, [0]).unwrap();
    for n in 0..250 {
        append(&tables, &large, [n]).unwrap();
    }
    fill(&mounted.path().join("filler"));
    assert!(store(&tables, &names[0], [1]).unwrap_err().is_full(), "what is kept is for nothing else");
    // As a process that has just begun, and as one that goes on.
    let fresh = with_reserve(mounted.path());
    for (trades, tables) in names.iter().zip([&tables, &fresh].into_iter().cycle()) {
        assert_eq!(tables.delete(trades, None, None).unwrap().version, 2);
    }
    tables.delete(&large, None, None).unwrap();
    assert_eq!(tables.purge(&large).unwrap().files, 251);
    for trades in &names {
        assert_eq!(fresh.purge(trades).unwrap().files, 1);
    }
    assert!(tables.datasets().unwrap().is_empty());
    store(&tables, &names[0], [1, 2, 3]).unwrap();
    assert_eq!(newest(&tables, &names[0]).unwrap(), [1, 2, 3]);
    assert_eq!(tables.versions(&names[0]).unwrap().len(), 3);

    // The room that was freed is kept for the next time first.
    fill(&mounted.path().join("filler again"));
    for _ in 0..2 {
        tables.delete(&names[0], None, None).unwrap();
        assert_eq!(tables.purge(&names[0]).unwrap().files, 1);
        store(&tables, &names[0], [4]).unwrap();
        fill(&mounted.path().join("filler again"));
    }
}

#[test]
fn where_no_more_files_can_be_made_datasets_are_deleted_and_their_data_removed() {
    let Some(mounted) = Mounted::in_memory("size=6m,nr_inodes=80") else { return };
    let tables = with_reserve(mounted.path());
    let trades = name("trades");
    for n in 0..10 {
        store(&tables, &trades, [n]).unwrap();
    }
    let folder = mounted.path().join("many");
    std::fs::create_dir(&folder).unwrap();
    let made = (0..).take_while(|n| std::fs::File::create(folder.join(n.to_string())).is_ok()).count();
    assert!(made > 0 && store(&tables, &trades, [3]).unwrap_err().is_full());
    tables.delete(&trades, None, None).unwrap();
    assert_eq!(tables.purge(&trades).unwrap().files, 10);
    store(&tables, &trades, [4]).unwrap();
    assert_eq!(newest(&tables, &trades).unwrap(), [4]);
}

#[test]
fn handles_that_are_over_go_from_a_full_disk() {
    let Some(mounted) = Mounted::in_memory("size=6m") else { return };
    let disk = Arc::new(DiskBackend::open(mounted.path()).unwrap().with_reserve());
    let settings = Settings { grace: Duration::ZERO, ..Settings::default() };
    let clock = clock();
    let disk = TimedBackend::new(disk, clock.clone());
    let tables = Tables::with_environment(disk, settings, Environment::with_clock(clock.clone()));
    let handle = name("handle");
    let kept = Write::leased(Duration::from_secs(3_600));
    write(&tables, &handle, &numbers(0..10_000), kept).unwrap();
    fill(&mounted.path().join("filler"));
    tables.delete(&handle, None, None).unwrap();
    for _ in 0..2 {
        clock.advance(Duration::from_secs(1));
        tables.tidy_leased(|_| true).unwrap();
    }
    assert!(!mounted.path().join("handle").exists());
}

#[test]
fn a_folder_that_is_only_read_keeps_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let tables = with_reserve(folder.path());
    assert!(tables.datasets().unwrap().is_empty());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    store(&tables, &name("trades"), [1]).unwrap();
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        2,
        "the dataset, and the room that is kept"
    );
    assert_eq!(tables.names().unwrap(), [name("trades")]);
}
