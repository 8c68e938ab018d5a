//! What may be a storage of handles, and what lies in one that is nobody's handle.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use polarway_handles::{Error, ExternalHandles, HandleStore, claim_storage};
use polarway_storage::{Backend, DiskBackend, Settings, Tables};
use tempfile::TempDir;

use crate::support::{clock, external, fresh, write};

/// A handle's folder.
const CODE: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaa";

const DATA_FILE: &str = "0199c0de-0000-7000-8000-000000000001.parquet";

fn disk(folder: &TempDir) -> DiskBackend {
    DiskBackend::open(folder.path()).unwrap()
}

fn put(folder: &Path, path: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "mine").unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(365 * 24 * 3_600);
    fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
}

#[test]
fn an_empty_storage_becomes_one_for_handles_and_stays_one_whatever_comes_in() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("lost+found")).unwrap();
    put(folder.path(), ".polarway-probe-7-0-x");
    claim_storage(&disk(&folder)).unwrap();
    put(folder.path(), "notes.txt");
    claim_storage(&disk(&folder)).unwrap();
}

#[test]
fn a_storage_of_handles_from_before_there_was_a_mark_is_taken() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let handles = external(Arc::new(disk(&folder)), &clock);
    let id = fresh();
    write(&handles, id);
    fs::create_dir(folder.path().join(CODE)).unwrap();
    claim_storage(&disk(&folder)).unwrap();
    assert!(folder.path().join("_polarway/handles").exists());
    handles.get(id).unwrap();
}

#[test]
fn a_storage_that_holds_something_else_is_refused_by_what_it_holds_and_left_as_it_was() {
    for (stranger, path) in [
        ("notes.txt", "notes.txt".to_owned()),
        (".git", ".git/config".to_owned()),
        ("flights", "flights/_polarway/commits/0000000001.json".to_owned()),
        ("weather.parquet", "weather.parquet".to_owned()),
        (CODE, CODE.to_owned()),
        (CODE, format!("{CODE}/thesis.tex")),
        (CODE, format!("{CODE}/photos/cat.jpg")),
        ("h_aaaaaaaaaaaaaaaaaaaaaaaaaa", format!("h_{CODE}/_polarway/data/{DATA_FILE}")),
        ("aaaaaaaaaaaaaaaaaaaaaaaaab", format!("aaaaaaaaaaaaaaaaaaaaaaaaab/_polarway/data/{DATA_FILE}")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), &path);
        let refused = claim_storage(&disk(&folder)).unwrap_err();
        assert!(matches!(&refused, Error::NotForHandles { found } if found == stranger), "{path}: {refused}");
        assert!(folder.path().join(&path).exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{path}: nothing was put there");
    }
}

#[test]
fn folders_that_are_no_handles_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { grace: Duration::ZERO, orphan_grace: Duration::ZERO, ..Settings::default() };
    let backend: Arc<dyn Backend> = Arc::new(disk(&folder));
    let handles = ExternalHandles::new(Arc::new(Tables::new(backend, settings)));
    let strangers = [
        "lost+found/x".to_owned(),
        "notes.txt".to_owned(),
        // Named like no handle, but with what a writer leaves that died.
        format!("flights/_polarway/data/{DATA_FILE}"),
        format!("aaaaaaaaaaaaaaaaaaaaaaaaab/_polarway/data/{DATA_FILE}"),
        // Named like a handle, with something else in it.
        format!("{CODE}/thesis.tex"),
        "bbbbbbbbbbbbbbbbbbbbbbbbba/_polarway/data/thesis.parquet".to_owned(),
    ];
    for stranger in &strangers {
        put(folder.path(), stranger);
    }
    for _ in 0..3 {
        handles.tidy().unwrap();
    }
    assert!(handles.list().unwrap().is_empty());
    for stranger in &strangers {
        assert!(folder.path().join(stranger).exists(), "{stranger}");
    }
}
