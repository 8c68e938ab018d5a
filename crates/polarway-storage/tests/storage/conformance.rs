//! What versioned tables promise on every storage, also on one that fails.

use std::sync::Arc;

use bytes::Bytes;
use polarway_storage::{At, Backend, Created, Error, Settings, Tables, WriteMode, WriteOptions};

use crate::support::failing::{FailingBackend, Failure};
use crate::support::{append, backends, load, name, newest, numbers, store, write};

fn on_every_backend(check: impl Fn(Arc<dyn Backend>)) {
    for (kind, backend, _folder) in backends() {
        println!("on {kind}");
        check(backend);
    }
}

#[test]
fn of_all_who_create_one_commit_exactly_one_succeeds() {
    on_every_backend(|backend| {
        let outcomes: Vec<Created> = std::thread::scope(|scope| {
            let racer = |racer: u8| {
                let backend = &backend;
                scope.spawn(move || backend.create_commit("a/b/0000000001.json", vec![racer].into()).unwrap())
            };
            let racers: Vec<_> = (0..8).map(racer).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Created::New).count(), 1);
        let winner = outcomes.iter().position(|outcome| *outcome == Created::New).unwrap();
        assert_eq!(backend.get("a/b/0000000001.json").unwrap().unwrap(), vec![winner as u8]);
    });
}

#[test]
fn creating_a_commit_again_with_its_own_contents_is_a_success() {
    on_every_backend(|backend| {
        let contents = Bytes::from_static(b"mine");
        assert_eq!(backend.create_commit("c/1", contents.clone()).unwrap(), Created::New);
        assert_eq!(backend.create_commit("c/1", contents).unwrap(), Created::New);
        assert_eq!(backend.create_commit("c/1", Bytes::from_static(b"other")).unwrap(), Created::Taken);
    });
}

#[test]
fn what_is_not_there_is_absent_and_no_failure() {
    on_every_backend(|backend| {
        assert_eq!(backend.get("no/such").unwrap(), None);
        assert_eq!(backend.head("no/such").unwrap(), None);
        assert!(backend.list("no").unwrap().is_empty());
        backend.remove("no/such").unwrap();
        assert_eq!(backend.open("no/such", 9).unwrap_err().kind, polarway_storage::FailureKind::NotFound);
    });
}

#[test]
fn a_folder_goes_when_nothing_is_in_it_and_can_be_made_again() {
    on_every_backend(|backend| {
        for path in ["d/_polarway/commits/1", "d/_polarway/commits/2"] {
            backend.create_commit(path, "x".into()).unwrap();
        }
        backend.remove("d/_polarway/commits/1").unwrap();
        assert!(!backend.remove_empty_folder("d/_polarway/commits").unwrap(), "another file is in it");
        assert_eq!(backend.get("d/_polarway/commits/2").unwrap().unwrap(), "x");
        backend.remove("d/_polarway/commits/2").unwrap();
        assert!(backend.remove_empty_folder("d/_polarway/commits").unwrap());
        assert!(backend.remove_empty_folder("d/_polarway/commits").unwrap(), "it is gone already");
        assert_eq!(backend.create_commit("d/_polarway/commits/1", "y".into()).unwrap(), Created::New);
    });
}

#[test]
fn a_storage_that_is_well_says_so_and_keeps_nothing_of_it() {
    on_every_backend(|backend| {
        backend.check().unwrap();
        backend.probe().unwrap();
        assert!(backend.list("").unwrap().iter().all(|entry| entry.file.is_none()));
    });
}

#[test]
fn a_data_file_appears_when_it_is_finished_and_not_when_it_is_dropped() {
    on_every_backend(|backend| {
        let mut dropped = backend.create_data("d/data/dropped").unwrap();
        dropped.write_all(b"half").unwrap();
        drop(dropped);
        assert_eq!(backend.head("d/data/dropped").unwrap(), None);

        let mut kept = backend.create_data("d/data/kept").unwrap();
        kept.write_all(b"all of it").unwrap();
        kept.finish().unwrap();
        assert_eq!(backend.head("d/data/kept").unwrap().unwrap().bytes, 9);
        let source = backend.open("d/data/kept", 9).unwrap();
        assert_eq!(source.read_at(4, 2).unwrap(), "of");
        assert!(source.read_at(8, 2).is_err(), "a read over the end is an error");

        backend.copy_data("d/data/kept", "d/data/copy").unwrap();
        assert_eq!(backend.get("d/data/copy").unwrap().unwrap(), "all of it");
        let names: Vec<String> =
            backend.list("d/data").unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["copy", "kept"]);
    });
}

#[test]
fn a_replaced_file_has_the_new_contents_and_another_identity() {
    on_every_backend(|backend| {
        backend.replace("r/hint", Bytes::from_static(b"1")).unwrap();
        let before = backend.head("r/hint").unwrap().unwrap();
        backend.replace("r/hint", Bytes::from_static(b"22")).unwrap();
        assert_eq!(backend.get("r/hint").unwrap().unwrap(), "22");
        assert_ne!(backend.head("r/hint").unwrap().unwrap().identity, before.identity);
    });
}

#[test]
fn versions_are_numbered_without_holes_and_stay_readable() {
    on_every_backend(|backend| {
        let tables = Tables::new(backend, Settings::default());
        let trades = name("trades");
        assert_eq!(store(&tables, &trades, [1, 2]).unwrap().version, 1);
        assert_eq!(append(&tables, &trades, [3]).unwrap().version, 2);
        assert_eq!(store(&tables, &trades, [9]).unwrap().version, 3);
        assert_eq!(newest(&tables, &trades).unwrap(), [9]);
        assert_eq!(load(&tables, &trades, At::Version(1)).unwrap(), [1, 2]);
        assert_eq!(load(&tables, &trades, At::Version(2)).unwrap(), [1, 2, 3]);
        let versions = tables.versions(&trades).unwrap();
        assert_eq!(
            versions.iter().map(|version| (version.version, version.rows)).collect::<Vec<_>>(),
            [(1, 2), (2, 3), (3, 1)]
        );
    });
}

#[test]
fn a_deleted_dataset_is_unknown_and_its_old_versions_are_not() {
    on_every_backend(|backend| {
        let tables = Tables::new(backend, Settings::default());
        let trades = name("trades");
        store(&tables, &trades, [1]).unwrap();
        assert_eq!(tables.delete(&trades, None, None).unwrap().version, 2);
        assert!(matches!(newest(&tables, &trades), Err(Error::UnknownDataset { deleted: true, .. })));
        assert!(matches!(
            load(&tables, &trades, At::Version(2)),
            Err(Error::VersionIsDeletion { version: 2, .. })
        ));
        assert_eq!(load(&tables, &trades, At::Version(1)).unwrap(), [1]);
        assert!(tables.datasets().unwrap().is_empty());
        assert!(matches!(tables.delete(&trades, None, None), Err(Error::UnknownDataset { .. })));
        assert!(matches!(append(&tables, &trades, [2]), Err(Error::UnknownDataset { deleted: true, .. })));
        assert_eq!(store(&tables, &trades, [3]).unwrap().version, 3);
        assert_eq!(newest(&tables, &trades).unwrap(), [3]);
    });
}

#[test]
fn compaction_and_vacuum_change_no_version_and_no_row() {
    on_every_backend(|backend| {
        let settings = Settings { grace: std::time::Duration::ZERO, kept_versions: 1, ..Settings::default() };
        let tables = Tables::new(backend, settings);
        let trades = name("trades");
        store(&tables, &trades, [0]).unwrap();
        for n in 1..10 {
            append(&tables, &trades, [n]).unwrap();
        }
        let compacted = tables.compact(&trades).unwrap();
        assert_eq!((compacted.inputs, compacted.outputs), (10, 1));
        assert_eq!(newest(&tables, &trades).unwrap(), (0..10).collect::<Vec<_>>());
        assert_eq!(tables.vacuum(&trades).unwrap().files, 10);
        assert_eq!(newest(&tables, &trades).unwrap(), (0..10).collect::<Vec<_>>());
        assert_eq!(append(&tables, &trades, [10]).unwrap().version, 11);
        assert!(matches!(
            load(&tables, &trades, At::Version(3)),
            Err(Error::VersionVacuumed { version: 3, .. })
        ));
    });
}

/// Runs a write, an append and a delete on a storage whose every operation fails in turn.
/// Whatever fails: the tables are as before or as after, whole, and the next write works.
#[test]
fn a_failure_at_any_operation_leaves_the_old_version_or_the_new_one() {
    for failure in [Failure::Before, Failure::After, Failure::FromHereOn] {
        for (kind, backend, _folder) in backends() {
            for step in 0.. {
                let dataset = name(&format!("d{step}"));
                let failing = FailingBackend::new(Arc::clone(&backend), failure);
                let tables = Tables::new(failing.clone(), Settings::default());
                store(&tables, &dataset, [1]).unwrap();
                failing.fail_after(step);
                let appended = append(&tables, &dataset, [2]);
                let came = failing.heal();
                let now = newest(&tables, &dataset).unwrap();
                match &appended {
                    Ok(published) => {
                        assert_eq!(
                            (published.version, &now[..]),
                            (2, &[1, 2][..]),
                            "{kind} {failure:?} {step}"
                        );
                    }
                    // What it may have done it did whole.
                    Err(_) => assert!(now == [1] || now == [1, 2], "{kind} {failure:?} {step}: {now:?}"),
                }
                let fresh = Tables::new(Arc::clone(&backend), Settings::default());
                assert_eq!(newest(&fresh, &dataset).unwrap(), now, "another process sees the same");
                append(&fresh, &dataset, [3]).unwrap();
                assert_eq!(newest(&tables, &dataset).unwrap(), [&now[..], &[3]].concat());
                if !came {
                    assert!(appended.is_ok());
                    break;
                }
            }
        }
    }
}

#[test]
fn a_write_whose_answers_were_lost_is_done_once_when_it_is_sent_again() {
    for failure in [Failure::Before, Failure::After, Failure::FromHereOn] {
        for (kind, backend, _folder) in backends() {
            for step in 0.. {
                let dataset = name(&format!("d{step}"));
                let failing = FailingBackend::new(Arc::clone(&backend), failure);
                let tables = Tables::new(failing.clone(), Settings::default());
                store(&tables, &dataset, [1]).unwrap();
                let request = polarway_storage::RequestId::fresh();
                let how = WriteOptions::new(WriteMode::Append).with_request(request);
                failing.fail_after(step);
                let first = write(&tables, &dataset, &numbers([2]), how);
                let came = failing.heal();
                // The retry may go to another worker.
                let other = Tables::new(Arc::clone(&backend), Settings::default());
                let second = write(&other, &dataset, &numbers([2]), how).unwrap();
                assert_eq!(second.version, 2, "{kind} {failure:?} {step}: {first:?}");
                assert_eq!(newest(&tables, &dataset).unwrap(), [1, 2], "{kind} {failure:?} {step}");
                if !came {
                    break;
                }
            }
        }
    }
}

#[test]
fn paths_with_escapes_in_them_are_taken_as_they_are() {
    on_every_backend(|backend| {
        let mut writer = backend.create_data("t/city=S%C3%A3o/x~[1].parquet").unwrap();
        writer.write_all(b"x").unwrap();
        writer.finish().unwrap();
        let folder = backend.list("t").unwrap().remove(0).name;
        let file = backend.list(&format!("t/{folder}")).unwrap().remove(0).name;
        assert_eq!(backend.get(&format!("t/{folder}/{file}")).unwrap().unwrap(), "x", "{folder}/{file}");
    });
}

#[test]
fn a_backend_may_be_dropped_by_async_code() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { drop(backends()) });
}
