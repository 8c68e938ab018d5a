//! A network between worker and bucket that delays, refuses, cuts, repeats and loses requests.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use polarway_cloud::{Action, Answer, Request};
use polarway_storage::{Settings, Tables, WriteMode, WriteOptions};
use polarway_testing::is_long;

use crate::support::buckets::{Place, given};
use crate::support::{append, clock_ahead_by, name, newest, numbers, request, store, write};

/// What happens to the `n`th request: nothing to most of them.
pub(crate) fn fault(n: u64, request: &Request) -> Action {
    let refusal = |status: u16| {
        let body = format!("<Error><Code>Fault</Code><Message>The proxy says {status}.</Message></Error>");
        Answer::new(status, body)
    };
    // Numbers that look random and are the same in each run.
    let drawn =
        n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 32;
    match drawn % 60 {
        0 => Action::Delay(Duration::from_millis(30)),
        1 => Action::Drop,
        2 => Action::Lose,
        3 => Action::Cut(0.5),
        4 => Action::Repeat,
        5 => Action::Refuse(refusal(500)),
        6 => Action::Refuse(refusal(503)),
        7 => Action::Refuse(refusal(429)),
        8 => Action::Replace(refusal(500)),
        9 => Action::Replace(refusal(503)),
        // A refusal of the protocol in reply to what may have been done. For a read it means that the object is not as it was.
        10 if !request.is_read() => Action::Refuse(refusal(409)),
        11 if !request.is_read() => Action::Replace(refusal(412)),
        12 => Action::Stall(Duration::from_millis(100)),
        _ => Action::Pass,
    }
}

#[test]
fn with_a_network_that_fails_no_acknowledged_row_is_lost_and_none_is_doubled() {
    const WORKERS: i64 = 2;

    let appends = if is_long() { 200 } else { 8 };
    for given in given() {
        let place = Place::new(&given);
        let trades = name("trades");
        store(&Tables::new(place.backend(None), Settings::default()), &trades, []).unwrap();
        let count = Arc::new(AtomicU64::new(0));
        let acknowledged: BTreeSet<i64> = std::thread::scope(|scope| {
            let work = |worker: i64| {
                let (count, place, trades) = (Arc::clone(&count), &place, &trades);
                scope.spawn(move || {
                    let decide =
                        move |request: &Request| fault(count.fetch_add(1, Ordering::SeqCst), request);
                    let (_proxy, backend) = place.behind(decide)?;
                    let tables = Tables::new(backend, Settings::default());
                    let mut done = BTreeSet::new();
                    for row in (0..appends).map(|n| worker * 1_000 + n) {
                        let how = WriteOptions::new(WriteMode::Append)
                            .with_request(request(&clock_ahead_by(0), row as u64));
                        // A caller sends a write again, with the same id, as long as it does not know.
                        if (0..5).any(|_| write(&tables, trades, &numbers([row]), how).is_ok()) {
                            done.insert(row);
                        }
                        if let Ok(rows) = newest(&tables, trades) {
                            assert!(
                                done.iter().all(|row| rows.contains(row)),
                                "a reader misses its own rows"
                            );
                        }
                    }
                    Some(done)
                })
            };
            let workers: Vec<_> = (0..WORKERS).map(work).collect();
            workers.into_iter().filter_map(|worker| worker.join().unwrap()).flatten().collect()
        });
        let rows = newest(&Tables::new(place.backend(None), Settings::default()), &trades).unwrap();
        let distinct: BTreeSet<i64> = rows.iter().copied().collect();
        assert_eq!(distinct.len(), rows.len(), "{}: a row is there twice: {rows:?}", given.url);
        assert!(acknowledged.is_subset(&distinct), "{}: {acknowledged:?} is not all in {rows:?}", given.url);
        assert!(
            given.server.is_none() || acknowledged.len() as i64 > WORKERS * appends / 2,
            "{acknowledged:?}"
        );
    }
}

#[test]
fn a_bucket_that_goes_and_comes_back_is_told_and_loses_nothing() {
    for given in given() {
        let place = Place::new(&given);
        let is_gone = Arc::new(AtomicU64::new(0));
        let gone = Arc::clone(&is_gone);
        let no_bucket =
            || Answer::new(404, "<Error><Code>NoSuchBucket</Code><Message>It is gone.</Message></Error>");
        let decide = move |_: &Request| match gone.load(Ordering::SeqCst) {
            0 => Action::Pass,
            _ => Action::Refuse(no_bucket()),
        };
        let Some((_proxy, backend)) = place.behind(decide) else { continue };
        let settings = Settings { max_staleness: Duration::from_secs(600), ..Settings::default() };
        let tables = Tables::new(backend, settings);
        let trades = name("trades");
        store(&tables, &trades, [1]).unwrap();
        is_gone.store(1, Ordering::SeqCst);
        for error in [append(&tables, &trades, [2]).unwrap_err(), tables.datasets().unwrap_err()] {
            assert!(error.to_string().contains("there is no such bucket"), "{error}");
        }
        let snapshot = tables.snapshot(&trades, polarway_storage::At::Newest).unwrap();
        assert_eq!(snapshot.version, 1, "what was seen lately is still known");
        is_gone.store(0, Ordering::SeqCst);
        append(&tables, &trades, [3]).unwrap();
        assert_eq!(newest(&tables, &trades).unwrap(), [1, 3]);
    }
}
