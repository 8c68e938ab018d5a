//! Buckets of real servers: races, costs in requests, and why they refuse.

use std::error::Error as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use polarway_bucket::Bucket;
use polarway_cloud::{Action, Answer, Proxy, Request, SECRET_KEY};
use polarway_storage::{
    At, Backend, BackendError, Created, Environment, Error, FailureKind, FileMeta, FileToOpen, ObjectBackend,
    Settings, Tables, WriteMode, WriteOptions,
};
use polarway_testing::is_long;

use crate::support::buckets::{Place, files, given, is_batch};
use crate::support::{append, clock_ahead_by, load, name, newest, numbers, store, write};

/// Changes the variables with the credentials.
type Change<'c> = &'c dyn Fn(&mut Vec<(&'static str, String)>);

/// An error with all its causes.
fn told(error: &BackendError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[test]
fn of_128_writers_of_one_object_one_wins_in_each_round() {
    const WRITERS: usize = 128;

    let rounds = if is_long() { 50 } else { 3 };
    for given in given() {
        let place = Place::new(&given);
        let workers: Vec<_> = (0..4).map(|_| place.backend(None)).collect();
        for round in 0..rounds {
            let path = format!("race/{round}");
            let start = Barrier::new(WRITERS);
            let winners: Vec<usize> = std::thread::scope(|scope| {
                let race = |writer: usize| {
                    let (backend, start, path) = (&workers[writer % workers.len()], &start, &path);
                    scope.spawn(move || {
                        start.wait();
                        let created = create(&**backend, path, writer);
                        (created == Created::New).then_some(writer)
                    })
                };
                let racers: Vec<_> = (0..WRITERS).map(race).collect();
                racers.into_iter().filter_map(|racer| racer.join().unwrap()).collect()
            });
            let there = workers[0].get(&path).unwrap().unwrap();
            let there: usize = std::str::from_utf8(&there).unwrap().parse().unwrap();
            assert_eq!(winners, [there], "{}, round {round}", given.url);
        }
    }
}

/// Creates an object as a commit is created: again, as long as nobody knows who won.
fn create(backend: &dyn Backend, path: &str, writer: usize) -> Created {
    let mut failures = 0;
    loop {
        match backend.create_commit(path, writer.to_string().into()) {
            Ok(created) => return created,
            Err(error) => {
                failures += 1;
                assert!(backend.pause_before_retry(failures), "{}", told(&error));
            }
        }
    }
}

#[test]
fn writers_of_one_table_in_a_bucket_lose_no_row_and_one_of_them_creates_it() {
    const WRITERS: i64 = 16;

    for given in given() {
        let place = Place::new(&given);
        let trades = name("trades");
        let start = Barrier::new(WRITERS as usize);
        let created: Vec<bool> = std::thread::scope(|scope| {
            let race = |writer: i64| {
                let (place, trades, start) = (&place, &trades, &start);
                scope.spawn(move || {
                    let tables = Tables::new(place.backend(None), Settings::default());
                    start.wait();
                    let how = WriteOptions::new(WriteMode::Create);
                    let created = match write(&tables, trades, &numbers([-1]), how) {
                        Ok(_) => true,
                        Err(Error::AlreadyExists { .. }) => false,
                        Err(error) => panic!("{error}"),
                    };
                    append(&tables, trades, [writer]).unwrap();
                    created
                })
            };
            let racers: Vec<_> = (0..WRITERS).map(race).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert_eq!(created.iter().filter(|created| **created).count(), 1, "{}", given.url);
        let mut rows = newest(&Tables::new(place.backend(None), Settings::default()), &trades).unwrap();
        rows.sort_unstable();
        assert_eq!(rows, (-1..WRITERS).collect::<Vec<_>>(), "{}", given.url);
    }
}

#[test]
fn a_store_a_load_and_a_look_cost_few_requests() {
    for given in given() {
        let place = Place::new(&given);
        let bucket = place.bucket(None);
        let traffic = Arc::clone(bucket.traffic());
        let tables = Tables::new(Arc::new(ObjectBackend::of_bucket(bucket).unwrap()), Settings::default());
        let trades = name("trades");
        store(&tables, &trades, 0..100).unwrap();
        let cost = |work: &dyn Fn()| {
            let before = traffic.requests();
            work();
            traffic.requests() - before
        };
        let to_store = cost(&|| drop(store(&tables, &trades, 0..100).unwrap()));
        let to_load = cost(&|| assert_eq!(load(&tables, &trades, At::Newest).unwrap().len(), 100));
        let to_look = cost(&|| drop(tables.snapshot(&trades, At::Newest).unwrap()));
        let costs = (to_store <= 5, to_load <= 3, to_look <= 1);
        assert_eq!(costs, (true, true, true), "{}: {to_store}, {to_load}, {to_look}", given.url);

        for other in 0..50 {
            store(&tables, &name(&format!("other_{other}")), [other]).unwrap();
        }
        let to_miss = cost(&|| {
            let missing = tables.snapshot(&name("trdes"), At::Newest).unwrap_err();
            assert!(missing.to_string().contains("near it: trades"), "{missing}");
        });
        assert!(to_miss <= 12, "{}: {to_miss} requests for a name that is not there", given.url);
    }
}

#[test]
fn many_files_are_removed_with_few_requests_and_one_that_is_gone_is_removed() {
    for given in given() {
        let place = Place::new(&given);
        let batches = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&batches);
        let Some((_proxy, backend)) = place.behind(move |request| {
            counted.fetch_add(is_batch(request).into(), Ordering::SeqCst);
            Action::Pass
        }) else {
            continue;
        };
        let mut paths = files(&*backend, 20);
        paths.insert(7, "d/was-never-there".to_owned());
        backend.remove_all(&paths).unwrap();
        assert_eq!(backend.list("d").unwrap(), [], "{}", given.url);
        // Google has no request for many objects.
        let expected = u64::from(given.scheme() != "gs");
        assert_eq!(batches.load(Ordering::SeqCst), expected, "{}", given.url);
        backend.remove_all(&[]).unwrap();
        backend.remove_all(&paths).unwrap();
    }
}

#[test]
fn a_service_that_takes_no_request_for_many_objects_is_asked_to_delete_each() {
    for (status, code) in
        [(501, "NotImplemented"), (403, "AuthorizationFailure"), (405, "MethodNotAllowed"), (404, "")]
    {
        for given in given() {
            let place = Place::new(&given);
            let seen = Arc::new(Mutex::new(Vec::new()));
            let noted = Arc::clone(&seen);
            let Some((_proxy, backend)) = place.behind(move |request| {
                let is_batch = is_batch(request);
                if is_batch || request.method == "DELETE" {
                    noted.lock().unwrap().push(is_batch);
                }
                if is_batch { Action::Refuse(refusal(status, code)) } else { Action::Pass }
            }) else {
                continue;
            };
            let paths = files(&*backend, 20);
            backend.remove_all(&paths).unwrap();
            assert_eq!(backend.list("d").unwrap(), [], "{}: {status}", given.url);
            backend.remove("d/one-more").unwrap();
            // The service is not asked a second time for what it does not do.
            let batches = seen.lock().unwrap().iter().filter(|is_batch| **is_batch).count();
            assert_eq!(batches, usize::from(given.scheme() != "gs"), "{}: {status}", given.url);
        }
    }
}

#[test]
fn of_many_files_those_are_removed_that_can_be_and_the_failure_names_one_that_is_left() {
    for given in given() {
        let place = Place::new(&given);
        let Some((_proxy, backend)) = place.behind(move |request| {
            let is_kept = request.method == "DELETE" && request.target.contains("part%2013");
            if is_batch(request) || is_kept {
                Action::Refuse(refusal(403, "AccessDenied"))
            } else {
                Action::Pass
            }
        }) else {
            continue;
        };
        let paths = files(&*backend, 20);
        let error = backend.remove_all(&paths).unwrap_err();
        assert_eq!(error.kind, FailureKind::WriteDenied, "{}: {}", given.url, told(&error));
        assert!(error.to_string().contains("part 13"), "{}", told(&error));
        let left: Vec<String> = backend.list("d").unwrap().into_iter().map(|entry| entry.name).collect();
        assert!(left.len() == 1 && left[0].contains("part 13"), "{}: {left:?}", given.url);
    }
}

#[test]
fn files_of_others_in_a_bucket_are_datasets() {
    for given in given() {
        let backend = Place::new(&given).backend(None);
        let mut encoder =
            polarway_parquet::TableEncoder::new(Vec::new(), numbers([1]).schema(), Default::default())
                .unwrap();
        encoder.write(&numbers([1, 2])).unwrap();
        let file = encoder.finish().unwrap().0;
        for path in ["trades.parquet", "days/year=2024/part 0.parquet", "days/year=2025/b+c.parquet"] {
            backend.replace(path, file.clone().into()).unwrap();
        }
        let tables = Tables::new(backend, Settings::default());
        assert_eq!(newest(&tables, &name("trades")).unwrap(), [1, 2], "{}", given.url);
        assert_eq!(newest(&tables, &name("days")).unwrap(), [1, 2, 1, 2], "{}", given.url);
        let names: Vec<String> =
            tables.datasets().unwrap().into_iter().map(|listed| listed.name.to_string()).collect();
        assert_eq!(names, ["days", "trades"]);
    }
}

#[test]
fn a_file_of_others_that_is_another_one_only_while_it_is_copied_is_not_copied() {
    const COPY_SOURCES: [&str; 3] = ["x-amz-copy-source", "x-ms-copy-source", "x-goog-copy-source"];

    for given in given() {
        let place = Place::new(&given);
        let direct = place.backend(None);
        let put = Arc::clone(&direct);
        let Some((_proxy, backend)) = place.behind(move |request| {
            // Whatever reads its bytes finds it changed, and whatever looks at it finds it as it was.
            let is_copy = COPY_SOURCES.iter().any(|header| request.header(header).is_some());
            if is_copy || request.path().contains("trades.parquet") {
                let now = if request.method == "HEAD" { "first" } else { "other" };
                put.replace("trades.parquet", now.into()).unwrap();
            }
            Action::Pass
        }) else {
            continue;
        };
        direct.replace("trades.parquet", "first".into()).unwrap();
        let FileMeta { bytes, identity, .. } = direct.head("trades.parquet").unwrap().unwrap();
        let state = |identity| FileToOpen { identity, ..FileToOpen::new("trades.parquet", bytes) };
        let copied = backend.copy_pinned(&state(Some(&*identity)), "copy");
        assert_eq!(copied.unwrap_err().kind, FailureKind::Changed, "{}", given.url);
        assert_eq!(direct.head("copy").unwrap(), None, "{}", given.url);

        direct.replace("trades.parquet", "first".into()).unwrap();
        let identity = direct.head("trades.parquet").unwrap().unwrap().identity;
        direct.copy_pinned(&state(Some(&*identity)), "copy").unwrap();
        assert_eq!(direct.get("copy").unwrap().unwrap(), &b"first"[..], "{}", given.url);
    }
}

#[test]
fn a_large_file_goes_up_in_parts_and_comes_back_in_ranges_and_half_of_one_is_none() {
    const MIB: usize = 1 << 20;

    let contents: Vec<u8> = (0..37 * MIB + 5).map(|at| (at * 31 % 251) as u8).collect();
    for given in given() {
        let place = Place::new(&given);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let Some((_proxy, backend)) = place.behind(move |request| {
            seen.lock().unwrap().push(format!("{} {}", request.method, request.target));
            Action::Pass
        }) else {
            continue;
        };
        let mut kept = backend.create_data("d/kept").unwrap();
        kept.write_all(&contents).unwrap();
        kept.finish().unwrap();
        let file = backend.open("d/kept", contents.len() as u64).unwrap();
        assert_eq!(file.len(), contents.len() as u64);
        assert!(file.read_at(3, 36 * MIB).unwrap() == contents[3..3 + 36 * MIB], "{}", given.url);
        assert!(file.read_at(0, contents.len()).unwrap() == contents, "{}", given.url);
        assert!(file.read_at(contents.len() as u64 - 10, 10).unwrap() == contents[contents.len() - 10..]);
        let shorter = backend.open("d/kept", 64 * MIB as u64).unwrap();
        assert_eq!(shorter.len(), contents.len() as u64, "a file that is not as long as was said");

        requests.lock().unwrap().clear();
        let mut dropped = backend.create_data("d/dropped").unwrap();
        dropped.write_all(&contents).unwrap();
        drop(dropped);
        assert_eq!(backend.head("d/dropped").unwrap(), None);
        let aborted = requests.lock().unwrap().iter().any(|request| request.starts_with("DELETE"));
        // Azure removes the blocks of such an upload by itself.
        assert!(aborted || given.scheme() == "az", "{}: the upload was not aborted", given.url);
    }
}

#[test]
fn why_a_bucket_can_not_be_used_is_told_by_name() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    for given in given().iter().filter(|given| given.server.is_some()) {
        let place = Place::new(given);
        let check = |url: &str, through: Option<SocketAddr>, change: Change<'_>| {
            let mut options = place.options(through);
            let mut variables = given.variables.clone();
            change(&mut variables);
            options.variables = Some(variables.into_iter().collect());
            let bucket = Bucket::new(&url.parse().unwrap(), &options).unwrap();
            let error = ObjectBackend::of_bucket(bucket).unwrap().check().unwrap_err();
            assert!(!told(&error).contains(SECRET_KEY), "{}", told(&error));
            error.kind
        };
        let scheme = given.scheme();
        let as_it_is: Change<'_> = &|_| {};
        assert_eq!(
            check(&format!("{scheme}://no-such-bucket"), None, as_it_is),
            FailureKind::NoBucket,
            "{scheme}"
        );
        assert_eq!(check(&given.url, Some(nobody), as_it_is), FailureKind::Unreachable, "{scheme}");
        if scheme != "gs" {
            let other_key: Change<'_> = &|variables| {
                for (name, value) in variables {
                    match *name {
                        "AWS_SECRET_ACCESS_KEY" => value.push('x'),
                        "AZURE_STORAGE_KEY" => value.replace_range(..4, "AAAA"),
                        _ => {}
                    }
                }
            };
            // Azurite says in other words than Azure that the key is wrong.
            let kinds = [FailureKind::Unauthenticated, FailureKind::Denied];
            let kinds = if scheme == "az" { &kinds[..] } else { &kinds[..1] };
            assert!(kinds.contains(&check(&given.url, None, other_key)), "{scheme}");
        }
    }
}

fn refusal(status: u16, code: &str) -> Answer {
    Answer::new(status, format!("<Error><Code>{code}</Code><Message>No.</Message></Error>"))
        .with_header("content-type", "application/xml")
}

#[test]
fn a_missing_right_another_region_and_a_service_that_can_not_are_told_by_name() {
    let denied = || Action::Refuse(refusal(403, "AccessDenied"));
    for given in given() {
        let place = Place::new(&given);
        let is_list = |request: &Request| request.method == "GET" && request.target.contains("prefix");
        let decide = move |request: &Request| if is_list(request) { denied() } else { Action::Pass };
        let Some((_proxy, blind)) = place.behind(decide) else { continue };
        assert_eq!(blind.check().unwrap_err().kind, FailureKind::Denied);

        let decide = move |request: &Request| if request.is_read() { Action::Pass } else { denied() };
        let (_proxy, reader) = place.behind(decide).unwrap();
        reader.check().unwrap();
        assert_eq!(reader.probe().unwrap_err().kind, FailureKind::WriteDenied);

        let elsewhere = || refusal(301, "PermanentRedirect").with_header("x-amz-bucket-region", "eu-west-1");
        let (_proxy, elsewhere) = place.behind(move |_| Action::Refuse(elsewhere())).unwrap();
        let error = elsewhere.check().unwrap_err();
        assert_eq!(error.kind, FailureKind::WrongRegion);
        assert!(told(&error).contains("eu-west-1"), "{}", told(&error));

        let (_proxy, poor) = place.behind(move |_| Action::Refuse(refusal(501, "NotImplemented"))).unwrap();
        assert_eq!(poor.create_commit("c/1", "x".into()).unwrap_err().kind, FailureKind::Unsuitable);
    }
}

#[test]
fn a_service_that_does_not_refuse_a_second_creation_is_unsuitable() {
    for given in given() {
        let place = Place::new(&given);
        let done = || Answer::new(201, "").with_header("etag", "\"x\"");
        let decide = move |request: &Request| match request.method.as_str() {
            "PUT" => Action::Refuse(done()),
            _ => Action::Pass,
        };
        let Some((_proxy, careless)) = place.behind(decide) else { continue };
        let error = careless.prove_exclusive().unwrap_err();
        assert_eq!(error.kind, FailureKind::Unsuitable, "{}", told(&error));
        place.backend(None).prove_exclusive().unwrap();
    }
}

#[test]
fn a_busy_service_is_counted_and_asked_again() {
    for (status, code) in [
        (503, "SlowDown"),
        (503, ""),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (409, "OperationAborted"),
    ] {
        for given in given() {
            let place = Place::new(&given);
            let is_busy = Arc::new(AtomicU64::new(0));
            let refused = Arc::clone(&is_busy);
            // Two of three requests.
            let decide = move |_: &Request| match refused.fetch_add(1, Ordering::SeqCst) % 3 {
                2 => Action::Pass,
                _ => Action::Refuse(refusal(status, code)),
            };
            let Some(server) = given.server else { continue };
            let proxy = Proxy::start(server, decide).unwrap();
            let bucket = place.bucket(Some(proxy.address()));
            let traffic = Arc::clone(bucket.traffic());
            let backend = ObjectBackend::of_bucket(bucket).unwrap();
            backend.replace("a", "x".into()).unwrap();
            assert_eq!(backend.get("a").unwrap().unwrap(), "x");
            assert_eq!(backend.list("").unwrap().len(), 1);
            backend.remove("a").unwrap();
            assert_eq!((traffic.requests(), traffic.busy()), (12, 8), "{}: {status} {code}", given.url);
        }
    }
}

#[test]
fn workers_that_start_at_the_same_time_in_an_empty_bucket_all_find_it_suitable() {
    const WORKERS: usize = 8;

    for given in given() {
        for _ in 0..if is_long() { 50 } else { 5 } {
            let place = Place::new(&given);
            let start = Barrier::new(WORKERS);
            std::thread::scope(|scope| {
                for _ in 0..WORKERS {
                    scope.spawn(|| {
                        let backend = place.backend(None);
                        start.wait();
                        backend.prove_exclusive().unwrap();
                        backend.probe().unwrap();
                    });
                }
            });
        }
    }
}

#[test]
fn a_creation_that_nobody_won_is_tried_again_at_the_start() {
    for given in given() {
        let place = Place::new(&given);
        let puts = Arc::new(AtomicU64::new(0));
        let decide = move |request: &Request| match request.method.as_str() {
            "PUT" if puts.fetch_add(1, Ordering::SeqCst) < 2 => {
                Action::Refuse(refusal(409, "ConditionalRequestConflict"))
            }
            _ => Action::Pass,
        };
        let Some((_proxy, backend)) = place.behind(decide) else { continue };
        backend.prove_exclusive().unwrap();
    }
}

#[test]
fn a_commit_is_sent_once_and_a_busy_service_gets_time() {
    for given in given() {
        let place = Place::new(&given);
        let puts = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&puts);
        let decide = move |request: &Request| match request.method.as_str() {
            "PUT" if counted.fetch_add(1, Ordering::SeqCst) < 2 => Action::Refuse(refusal(503, "SlowDown")),
            _ => Action::Pass,
        };
        let Some((_proxy, backend)) = place.behind(decide) else { continue };
        assert_eq!(backend.create_commit("c/1", "x".into()).unwrap_err().kind, FailureKind::Busy);
        assert_eq!(puts.load(Ordering::SeqCst), 1, "a commit is not sent again by the client");
        backend.replace("r", "x".into()).unwrap();
        assert_eq!(puts.load(Ordering::SeqCst), 3, "another object is");
    }
}

#[test]
fn what_a_killed_writer_left_goes_by_the_buckets_clock_and_not_by_the_workers() {
    const DAY: i64 = 86_400;
    const UPLOAD: &str = "trades/_polarway/data/0199c0de-0000-7000-8000-000000000001.parquet";
    const ORPHAN: &str = "trades/_polarway/data/0199c0de-0000-7000-8000-000000000002.parquet";
    const OTHERS: &str = "trades/backup.tar";

    for given in given() {
        let place = Place::new(&given);
        let trades = name("trades");
        store(&Tables::new(place.backend(None), Settings::default()), &trades, [1]).unwrap();
        let backend = place.backend(None);
        for path in [UPLOAD, OTHERS] {
            let mut upload = backend.create_data(path).unwrap();
            upload.write_all(&vec![7; 40 << 20]).unwrap();
            std::mem::forget(upload); // its process was killed
        }
        let mut orphan = backend.create_data(ORPHAN).unwrap();
        orphan.write_all(b"x").unwrap();
        orphan.finish().unwrap();
        let worker = |ahead_seconds: i64, orphan_grace: Duration| {
            let settings = Settings { orphan_grace, ..Settings::default() };
            let environment = Environment::with_clock(clock_ahead_by(ahead_seconds));
            Tables::with_environment(place.backend(None), settings, environment)
        };
        let fast = worker(10 * DAY, Duration::from_secs(DAY as u64));
        assert_eq!(fast.remove_unfinished(|_| true).unwrap(), 0, "{}", given.url);
        assert_eq!(fast.vacuum(&trades).unwrap().files, 0, "{}", given.url);
        assert!(backend.head(ORPHAN).unwrap().is_some(), "{}", given.url);
        let slow = worker(-10 * DAY, Duration::ZERO);
        assert_eq!(slow.remove_unfinished(|name| *name != trades).unwrap(), 0, "{}", given.url);
        // The clock of a bucket has whole seconds only: what is old enough may count as such a second later.
        let removed_in_time = |remove: &dyn Fn() -> usize| {
            while remove() == 0 {}
        };
        // Azure has no list of uploads: it removes their blocks by itself.
        if given.scheme() != "az" {
            removed_in_time(&|| slow.remove_unfinished(|_| true).unwrap());
        }
        assert_eq!(slow.remove_unfinished(|_| true).unwrap(), 0, "{}", given.url);
        removed_in_time(&|| slow.vacuum(&trades).unwrap().files);
        assert_eq!(backend.head(ORPHAN).unwrap(), None, "{}", given.url);
        assert_eq!(newest(&slow, &trades).unwrap(), [1]);
        assert_eq!(backend.head(UPLOAD).unwrap(), None);
    }
}

#[test]
fn a_file_of_others_that_becomes_another_and_then_itself_again_is_never_read_as_the_other() {
    let file = |rows: std::ops::Range<i64>| {
        let batch =
            numbers(rows.map(|n| n.wrapping_mul(n).wrapping_mul(n).wrapping_mul(0x1E37_79B9_7F4A_7C15)));
        let mut encoder =
            polarway_parquet::TableEncoder::new(Vec::new(), batch.schema(), Default::default()).unwrap();
        encoder.write(&batch).unwrap();
        encoder.finish().unwrap().0
    };
    // Some megabytes each.
    let (first, second) = (file(0..600_000), file(1_000_000..1_600_000));
    for given in given() {
        let place = Place::new(&given);
        let backend = place.backend(None);
        let put = |contents: &[u8]| backend.replace("trades.parquet", contents.to_vec().into()).unwrap();
        put(&first);
        let tables = Tables::new(place.backend(None), Settings::default());
        let snapshot = tables.snapshot(&name("trades"), At::Newest).unwrap();
        put(&second);
        let read = tables.read(&snapshot, 0).and_then(|batches| batches.collect::<Result<Vec<_>, _>>());
        assert!(matches!(read, Err(Error::AdoptedFileChanged { .. })), "{}: {read:?}", given.url);
        put(&first);

        // It is another one only while its rows are read.
        let FileMeta { bytes, identity, .. } = backend.head("trades.parquet").unwrap().unwrap();
        let opened = backend.open_pinned("trades.parquet", bytes, &identity).unwrap();
        assert_eq!(opened.read_at(0, 4).unwrap(), &b"PAR1"[..]);
        put(&second);
        let between = opened.read_at(1 << 20, 1 << 20).unwrap_err();
        assert!(between.to_string().to_lowercase().contains("precondition"), "{}: {between}", given.url);
        put(&first);
        let again = backend.head("trades.parquet").unwrap().unwrap().identity;
        // Azure gives each write a tag of its own, the others one for the contents.
        assert_eq!(again == identity, given.scheme() != "az", "{}", given.url);
        let now = tables.snapshot(&name("trades"), At::Newest).unwrap();
        let rows: usize = tables.read(&now, 0).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
        assert_eq!(rows, 600_000);
    }
}
