//! An engine whose datasets and handles are in a bucket.

use polarway_cloud::Given;
use polarway_core::{Config, ErrorKind, HandleStoreKind, Polarway, WriteMode, WriteOptions};
use polarway_testing::{is_long, not_run};
use tempfile::TempDir;

use crate::given::options;
use crate::support::{config, lines, trades};

/// A configuration for a place of its own in this bucket.
fn in_bucket(given: &Given, place: &str, folder: &TempDir) -> Config {
    let mut config = config(folder);
    config.cold_tier = format!("{}/{place}/cold", given.url).parse().unwrap();
    config.handles.store = HandleStoreKind::External;
    config.handles.state = format!("{}/{place}/handles", given.url).parse().unwrap();
    config.buckets = options(given);
    config
}

/// The buckets that there are. Without any, the test is noted as not run.
fn all_given() -> Vec<Given> {
    let all = Given::all();
    if all.is_empty() {
        not_run("there are no servers of buckets: `cargo xtask test` starts them");
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn of_128_writers_on_four_workers_who_create_one_dataset_one_succeeds_in_each_round() {
    const WRITERS: usize = 128;
    const WORKERS: usize = 4;

    let rounds = if is_long() { 50 } else { 1 };
    for given in all_given() {
        let place = format!("engine-{}", uuid::Uuid::now_v7());
        let folders: [_; WORKERS] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
        let mut workers = Vec::new();
        for folder in &folders {
            workers.push(Polarway::open(in_bucket(&given, &place, folder)).await.unwrap());
        }
        for round in 0..rounds {
            let name = format!("race-{round}");
            let writers = (0..WRITERS).map(|writer| {
                let (worker, name) = (workers[writer % WORKERS].clone(), name.clone());
                tokio::spawn(async move {
                    let table = trades(&[("winner", writer as i64)]);
                    let create = WriteOptions::new(WriteMode::Create);
                    (writer, worker.store_with(&name, table, create).await)
                })
            });
            let mut winners = Vec::new();
            for writer in writers.collect::<Vec<_>>() {
                match writer.await.unwrap() {
                    (writer, Ok(stored)) => {
                        assert_eq!(stored.version, 1);
                        winners.push(writer);
                    }
                    (_, Err(error)) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}"),
                }
            }
            let [winner] = winners[..] else { panic!("{}, round {round}: {winners:?}", given.url) };
            for worker in &workers {
                assert_eq!(lines(&worker.load(&name).await.unwrap()), [format!("winner,{winner}")]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_datasets_and_handles_in_a_bucket() {
    for given in all_given() {
        let place = format!("engine-{}", uuid::Uuid::now_v7());
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let first = Polarway::open(in_bucket(&given, &place, &folders[0])).await.unwrap();
        let second = Polarway::open(in_bucket(&given, &place, &folders[1])).await.unwrap();

        first.store("trades", trades(&[("BTC", 5), ("ETH", 3)])).await.unwrap();
        assert_eq!(second.append("trades", trades(&[("BTC", 7)])).await.unwrap().version, 2);
        assert_eq!(lines(&first.load("trades").await.unwrap()), ["BTC,5", "ETH,3", "BTC,7"], "{}", given.url);
        let sql = "SELECT symbol, sum(cents)::BIGINT AS cents FROM trades GROUP BY symbol ORDER BY symbol";
        assert_eq!(lines(&second.query(sql).await.unwrap()), ["BTC,12", "ETH,3"], "{}", given.url);

        let kept = first.query_handle(sql).await.unwrap().handle.id.to_string();
        let joined = second.query(&format!("SELECT cents FROM {kept} ORDER BY cents")).await.unwrap();
        assert_eq!(lines(&joined), ["3", "12"], "{}", given.url);
        assert_eq!(lines(&second.load(&kept).await.unwrap()), ["BTC,12", "ETH,3"], "{}", given.url);
        second.drop_handle(&kept).await.unwrap();
        assert_eq!(first.load(&kept).await.unwrap_err().kind(), ErrorKind::HandleDropped, "{}", given.url);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_ends_the_start_with_its_name_and_the_reason() {
    for given in Given::all().into_iter().filter(|given| given.server.is_some()) {
        let folder = tempfile::tempdir().unwrap();
        let mut config = in_bucket(&given, "x", &folder);
        config.cold_tier = format!("{}://no-such-bucket/cold", given.scheme()).parse().unwrap();
        let error = Polarway::open(config).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let told = format!("{error}: {}", std::error::Error::source(&error).unwrap());
        assert!(told.contains("://no-such-bucket/cold") && told.contains("no such bucket"), "{told}");
    }
}
