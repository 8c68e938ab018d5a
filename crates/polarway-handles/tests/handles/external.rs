//! What only handles in a storage do: several workers serve them.

use std::sync::Arc;
use std::time::Duration;

use polarway_handles::{Error, ExternalHandles, HandleStore};
use polarway_storage::{Backend, DiskBackend, Error as StorageError, ManualClock};
use uuid::Uuid;

use crate::support::{GRACE, OWNER, TTL, clock, external, fresh, rows, write};
use crate::timed::TimedBackend;

/// Longer than any clock may differ.
const MOMENT: Duration = Duration::from_millis(1);

/// A directory whose clock is this one.
fn disk(folder: &tempfile::TempDir, clock: &Arc<ManualClock>) -> Arc<dyn Backend> {
    TimedBackend::new(Arc::new(DiskBackend::open(folder.path()).unwrap()), clock.clone())
}

#[test]
fn a_handle_that_one_worker_made_is_served_extended_and_dropped_by_another() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let disk = disk(&folder, &clock);
    let (first, second) = (external(disk.clone(), &clock), external(disk, &clock));
    let id = fresh();
    let made = write(&first, id);
    assert_eq!(second.get(id).unwrap(), made);
    clock.advance(TTL / 2);
    let extended = second.extend(id, None).unwrap();
    assert_eq!(first.get(id).unwrap(), extended);
    second.remove(id).unwrap();
    assert!(matches!(first.get(id), Err(Error::Dropped { .. })));
}

#[test]
fn a_use_is_written_down_once_per_half_of_the_time() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let (handles, id) = (external(disk(&folder, &clock), &clock), fresh());
    write(&handles, id);
    let commits = || {
        let name = id.to_string();
        std::fs::read_dir(folder.path().join(&name[2..]).join("_polarway/commits")).unwrap().count()
    };
    for _ in 0..20 {
        handles.touch(id).unwrap();
    }
    assert_eq!(commits(), 1);
    clock.advance(TTL / 2 + MOMENT);
    for _ in 0..20 {
        handles.touch(id).unwrap();
    }
    assert_eq!(commits(), 2);
}

#[test]
fn of_a_worker_that_extends_and_one_that_finds_it_expired_one_is_right_for_both() {
    // The second worker's clock is the storage's: for it the handle has expired. The first one's is behind.
    let folder = tempfile::tempdir().unwrap();
    let (slow, fast) = (clock(), clock());
    let disk = disk(&folder, &fast);
    let (first, second) = (external(disk.clone(), &slow), external(disk, &fast));
    let ended_first = fresh();
    write(&first, ended_first);
    fast.advance(TTL);
    assert!(matches!(second.get(ended_first), Err(Error::Expired { .. })));
    assert!(matches!(first.extend(ended_first, None), Err(Error::Expired { .. })));

    let extended_first = fresh();
    write(&first, extended_first);
    first.extend(extended_first, Some(TTL * 3)).unwrap();
    assert!(second.get(extended_first).is_ok());
}

#[test]
fn workers_that_extend_and_expire_at_once_agree() {
    for round in 0..30 {
        let folder = tempfile::tempdir().unwrap();
        let (slow, fast) = (clock(), clock());
        fast.advance(TTL);
        let disk = disk(&folder, &fast);
        let (first, second) = (external(disk.clone(), &slow), external(disk, &fast));
        let id = fresh();
        write(&first, id);
        let (extended, seen) = std::thread::scope(|scope| {
            let extended = scope.spawn(|| first.extend(id, Some(TTL * 3)).is_ok());
            let seen = scope.spawn(|| second.get(id).is_ok());
            (extended.join().unwrap(), seen.join().unwrap())
        });
        assert_eq!(extended, seen, "round {round}");
        assert_eq!(first.get(id).is_ok(), extended, "round {round}");
        assert_eq!(second.get(id).is_ok(), extended, "round {round}");
    }
}

#[test]
fn what_ended_is_forgotten_after_the_grace_time_and_leaves_nothing() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let disk = disk(&folder, &clock);
    let handles = external(disk.clone(), &clock);
    let (expired, dropped, kept) = (fresh(), fresh(), fresh());
    for id in [expired, dropped, kept] {
        write(&handles, id);
    }
    handles.extend(kept, Some(GRACE * 10)).unwrap();
    handles.remove(dropped).unwrap();
    clock.advance(TTL);
    handles.tidy().unwrap();
    clock.advance(GRACE + MOMENT);
    handles.tidy().unwrap();
    // Asked as a worker that has just started.
    let other = external(disk, &clock);
    for id in [expired, dropped] {
        assert!(matches!(other.get(id), Err(Error::Unknown { .. })), "{id}");
    }
    assert!(other.get(kept).is_ok());
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the handle that is kept, and what Polarway keeps beside handles: {left:?}");
}

#[test]
fn a_handle_is_made_once_however_many_workers_make_it() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let disk = disk(&folder, &clock);
    let (first, second) = (external(disk.clone(), &clock), external(disk, &clock));
    let id = fresh();
    let made = write(&first, id);
    assert!(matches!(
        second.writer(id, Arc::clone(&made.schema), TTL, OWNER.into()).map(drop),
        Err(Error::Storage(polarway_storage::Error::AlreadyExists { .. }))
    ));
}

#[test]
fn files_that_several_workers_wrote_are_one_handle_and_what_nobody_published_is_removed_in_the_end() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let disk = disk(&folder, &clock);
    let (first, second) = (external(disk.clone(), &clock), external(disk, &clock));
    let stage = |handles: &ExternalHandles, id| {
        let mut writer = handles.stage(id, Uuid::now_v7(), rows().schema()).unwrap();
        writer.write(&rows()).unwrap();
        writer.finish(|| true).unwrap().unwrap()
    };
    let (kept, left) = (fresh(), fresh());
    let files = [stage(&first, kept), stage(&second, kept)];
    second.publish_staged(kept, &rows().schema(), TTL, OWNER.into(), &files).unwrap();
    let handle = first.get(kept).unwrap();
    assert_eq!((handle.rows, handle.owner.as_deref()), (6, Some(OWNER)));
    let again = first.publish_staged(kept, &rows().schema(), TTL, OWNER.into(), &[stage(&first, kept)]);
    assert!(matches!(again, Err(Error::Storage(StorageError::AlreadyExists { .. }))), "{again:?}");

    stage(&first, left);
    let lies = || folder.path().join(left.code()).join("_polarway").exists();
    second.tidy().unwrap();
    assert!(lies(), "perhaps its worker is only slow");
    assert!(matches!(second.get(left), Err(Error::Unknown { .. })));
    // It is claimed, the claim is ended, and then all of it goes.
    for _ in 0..3 {
        clock.advance(Duration::from_secs(24 * 3_600) + MOMENT);
        second.tidy().unwrap();
    }
    assert!(!lies());
}
