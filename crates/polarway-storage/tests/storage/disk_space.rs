//! A disk that is full, and one that takes no writes. Both need a mount, and so root.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use polarway_storage::{Backend as _, DiskBackend, FailureKind, Settings, Tables, WriteMode, WriteOptions};
use tempfile::TempDir;

use crate::support::{name, newest, numbers, open, store};

/// A mount that goes with its guard.
struct Mounted(TempDir);

impl Mounted {
    fn new(arguments: &[&str]) -> Option<Self> {
        let point = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(arguments).arg(point.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(point)),
            _ => {
                println!("NOT TESTED: this user can't mount, so a full or read-only disk can't be made");
                None
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
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

#[test]
fn a_full_disk_is_a_clear_error_that_leaves_the_old_version_and_no_leftovers() {
    let Some(mounted) = Mounted::new(&["-t", "tmpfs", "-o", "size=2m", "none"]) else { return };
    let tables = open(&mounted.0);
    let trades = name("trades");
    store(&tables, &trades, [1, 2]).unwrap();
    let before = files_below(mounted.0.path());
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
    assert_eq!(files_below(mounted.0.path()), before);

    // The disk is full to the last byte: not even the commit fits.
    let filler = mounted.0.path().join("filler");
    let mut writer =
        tables.writer(&trades, numbers([]).schema(), WriteOptions::new(WriteMode::Overwrite)).unwrap();
    writer.write(&numbers([3])).unwrap();
    let mut room = 4 << 20;
    while room > 0 {
        use std::io::Write as _;

        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&filler).unwrap();
        if file.write_all(&vec![0; room]).is_err() {
            room /= 2;
        }
    }
    match writer.publish() {
        Err(error) => assert!(error.is_full(), "{error}"),
        Ok(_) => panic!("there was no room for it"),
    }
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(newest(&tables, &trades).unwrap(), [1, 2]);
    assert_eq!(files_below(mounted.0.path()), before);
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
    let Some(mounted) = Mounted::new(&["--bind", "-o", "ro", source.path().to_str().unwrap()]) else {
        return;
    };

    let backend = DiskBackend::open(mounted.0.path()).unwrap();
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
