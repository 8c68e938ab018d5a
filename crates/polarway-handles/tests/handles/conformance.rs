//! One suite for all stores.

use std::time::Duration;

use polarway_handles::{Error, HandleId};

use crate::support::{Bench, OWNER, TTL, fresh};

fn for_each_store(test: impl Fn(&Bench)) {
    for (name, bench) in Bench::all() {
        eprintln!("{name}");
        test(&bench);
    }
}

#[test]
fn a_handle_is_described_as_it_was_made() {
    for_each_store(|bench| {
        let handle = bench.store.get(bench.make()).unwrap();
        assert_eq!((handle.rows, handle.bytes, handle.schema.field(0).name().as_str()), (3, 24, "n"));
        assert_eq!(handle.lease.ttl(), TTL);
        assert_eq!(handle.lease.expires_us - handle.lease.since_us, handle.lease.ttl_us);
    });
}

#[test]
fn a_handle_keeps_its_owner_whoever_uses_it() {
    for_each_store(|bench| {
        let id = bench.make();
        let is_owned = |owner: Option<&str>| assert_eq!(owner, Some(OWNER));
        is_owned(bench.store.get(id).unwrap().owner.as_deref());
        is_owned(bench.store.extend(id, Some(2 * TTL)).unwrap().owner.as_deref());
        bench.clock.advance(2 * TTL - Duration::from_secs(1));
        is_owned(bench.store.touch(id).unwrap().owner.as_deref());
        is_owned(bench.store.list().unwrap()[0].owner.as_deref());
    });
}

#[test]
fn what_a_store_says_of_a_handle_that_may_not_be_known_is_what_it_says_of_none() {
    for_each_store(|bench| {
        let id = fresh();
        assert_eq!(bench.store.unknown(id).to_string(), bench.store.get(id).unwrap_err().to_string());
    });
}

#[test]
fn an_id_that_never_was_is_unknown() {
    for_each_store(|bench| {
        let id = fresh();
        assert!(matches!(bench.store.get(id), Err(Error::Unknown { id: told, .. }) if told == id));
        assert!(matches!(bench.store.extend(id, None), Err(Error::Unknown { .. })));
        assert!(matches!(bench.store.touch(id), Err(Error::Unknown { .. })));
        assert!(matches!(bench.store.remove(id), Err(Error::Unknown { .. })));
    });
}

#[test]
fn what_nobody_uses_expires_and_stays_so() {
    for_each_store(|bench| {
        let id = bench.make();
        bench.clock.advance(TTL - Duration::from_secs(1));
        assert!(bench.store.get(id).is_ok(), "to look is allowed, and keeps nothing");
        bench.clock.advance(Duration::from_secs(1));
        assert!(matches!(bench.store.get(id), Err(Error::Expired { .. })));
        assert!(matches!(bench.store.extend(id, None), Err(Error::Expired { .. })));
        assert!(matches!(bench.store.touch(id), Err(Error::Expired { .. })));
        assert!(matches!(bench.store.remove(id), Err(Error::Expired { .. })));
        assert!(bench.store.list().unwrap().is_empty());
    });
}

#[test]
fn a_use_puts_the_expiry_off() {
    for_each_store(|bench| {
        let id = bench.make();
        for _ in 0..10 {
            bench.clock.advance(TTL * 2 / 3);
            bench.store.touch(id).unwrap();
        }
        bench.clock.advance(TTL);
        assert!(matches!(bench.store.touch(id), Err(Error::Expired { .. })));
    });
}

#[test]
fn to_extend_puts_the_expiry_off_for_as_long_as_before_or_another_time() {
    for_each_store(|bench| {
        let id = bench.make();
        let since_us = bench.store.get(id).unwrap().lease.since_us;
        bench.clock.advance(TTL / 2);
        bench.store.extend(id, None).unwrap();
        bench.clock.advance(TTL * 3 / 4);
        let extended = bench.store.extend(id, Some(TTL * 10)).unwrap();
        assert_eq!((extended.lease.ttl(), extended.lease.since_us), (TTL * 10, since_us));
        bench.clock.advance(TTL * 9);
        assert_eq!(bench.store.get(id).unwrap().lease, extended.lease);
        bench.clock.advance(TTL);
        assert!(matches!(bench.store.get(id), Err(Error::Expired { .. })));
    });
}

#[test]
fn a_handle_can_be_extended_to_a_shorter_time_and_to_for_ever() {
    for_each_store(|bench| {
        let (short, long) = (bench.make(), bench.make());
        bench.store.extend(short, Some(Duration::from_secs(1))).unwrap();
        bench.store.extend(long, Some(Duration::MAX)).unwrap();
        bench.clock.advance(Duration::from_secs(1));
        assert!(matches!(bench.store.get(short), Err(Error::Expired { .. })));
        bench.clock.advance(Duration::from_secs(1_000_000_000));
        assert!(bench.store.touch(long).is_ok());
    });
}

#[test]
fn a_dropped_handle_says_so_and_can_be_dropped_again() {
    for_each_store(|bench| {
        let (id, other) = (bench.make(), bench.make());
        bench.store.remove(id).unwrap();
        bench.store.remove(id).unwrap();
        assert!(matches!(bench.store.get(id), Err(Error::Dropped { .. })));
        assert!(matches!(bench.store.extend(id, None), Err(Error::Dropped { .. })));
        assert!(bench.store.get(other).is_ok());
    });
}

#[test]
fn all_handles_are_listed() {
    for_each_store(|bench| {
        let mut made: Vec<HandleId> = (0..5).map(|_| bench.make()).collect();
        made.sort();
        let mut listed: Vec<HandleId> = bench.store.list().unwrap().iter().map(|handle| handle.id).collect();
        listed.sort();
        assert_eq!(listed, made);
    });
}

#[test]
fn tidying_ends_what_has_expired_and_leaves_the_rest() {
    for_each_store(|bench| {
        let old = bench.make();
        bench.clock.advance(TTL / 2);
        let young = bench.make();
        bench.clock.advance(TTL / 2);
        bench.store.tidy().unwrap();
        assert!(matches!(bench.store.get(old), Err(Error::Expired { .. })));
        assert!(bench.store.get(young).is_ok());
    });
}

#[test]
fn a_store_that_works_takes_handles() {
    for_each_store(|bench| bench.store.check().unwrap());
}
