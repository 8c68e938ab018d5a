//! What only handles in memory do: there is just so much of it, and other workers have their own.

use std::sync::atomic::Ordering;

use polarway_handles::{Error, Handle, HandleStore as _};

use crate::support::{Bench, TTL, fresh};

#[test]
fn what_ends_has_its_table_removed_once() {
    let (bench, _, holder) = Bench::memory(1000);
    let (dropped, expired) = (bench.make(), bench.make());
    bench.store.remove(dropped).unwrap();
    bench.store.remove(dropped).unwrap();
    bench.clock.advance(TTL);
    bench.store.tidy().unwrap();
    bench.store.tidy().unwrap();
    assert_eq!(*holder.removed.lock().unwrap(), [dropped.to_string(), expired.to_string()]);
}

#[test]
fn a_handle_over_the_budget_is_refused_and_its_table_removed() {
    let (bench, handles, holder) = Bench::memory(50);
    let handle = bench.store.get(bench.make()).unwrap();
    let large = Handle { id: fresh(), bytes: 27, ..handle.clone() };
    let refused = handles.add(large.clone(), holder.table("large")).unwrap_err();
    assert!(matches!(refused, Error::Full { taken: 24, budget: 50, more: 27 }), "{refused}");
    assert_eq!(*holder.removed.lock().unwrap(), ["large"]);
    assert!(matches!(bench.store.get(large.id), Err(Error::Unknown { .. })));
    handles.add(Handle { bytes: 26, ..large }, holder.table("fits")).unwrap();
    assert!(matches!(handles.check_room(), Err(Error::Full { taken: 50, .. })));
    bench.store.remove(handle.id).unwrap();
    handles.check_room().unwrap();
}

#[test]
fn of_two_tries_to_make_a_handle_the_first_is_the_answer_and_the_others_table_is_removed() {
    let (bench, handles, holder) = Bench::memory(1000);
    let made = bench.store.get(bench.make()).unwrap();
    let again = Handle { rows: 4, ..made.clone() };
    assert_eq!(handles.add(again, holder.table("again")).unwrap(), made);
    assert_eq!(*holder.removed.lock().unwrap(), ["again"]);
}

#[test]
fn a_table_that_is_read_stays_and_takes_room_until_its_last_reader_is_gone() {
    let (bench, handles, holder) = Bench::memory(24);
    let id = bench.make();
    let (_, table) = handles.table(id).unwrap();
    let another = handles.table(id).unwrap().1;
    bench.store.remove(id).unwrap();
    assert!(matches!(handles.check_room(), Err(Error::Full { taken: 24, .. })));
    drop(another);
    assert!(holder.removed.lock().unwrap().is_empty());
    drop(table);
    assert_eq!(*holder.removed.lock().unwrap(), [id.to_string()]);
    handles.check_room().unwrap();
}

#[test]
fn what_has_expired_takes_no_room() {
    let (bench, handles, _) = Bench::memory(24);
    bench.make();
    assert!(handles.check_room().is_err());
    bench.clock.advance(TTL);
    handles.check_room().unwrap();
    bench.make();
}

#[test]
fn another_worker_says_where_the_handle_may_be() {
    let (bench, _, _) = Bench::memory(1000);
    let (other, _, _) = Bench::memory(1000);
    let told = other.store.get(bench.make()).unwrap_err().to_string();
    assert!(told.contains("--handle-store external") && told.contains("on this worker"), "{told}");
}

#[test]
fn a_handle_whose_table_went_with_the_engine_is_said_to_be_lost() {
    let (bench, handles, holder) = Bench::memory(24);
    let id = bench.make();
    assert_eq!(handles.get(id).unwrap().id, id);
    holder.has_lost_all.store(true, Ordering::Relaxed);
    // They take no room, and are in no list.
    handles.check_room().unwrap();
    assert!(handles.list().unwrap().is_empty());
    for told in [handles.get(id).map(drop), handles.table(id).map(drop), handles.remove(id)] {
        let told = told.unwrap_err();
        assert!(matches!(told, Error::Lost { id: lost, .. } if lost == id), "{told}");
        assert!(told.to_string().contains("Run its query again"), "{told}");
    }
}
