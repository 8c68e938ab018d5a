//! Who and what a worker refuses.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::col;
use polarway_distributed::{
    Channels, Credentials, Error, Functions, Identity, PeerSource, PeerState, Peers, PinnedFiles, StoredScan,
    Token, Worker, WorkerLimits, WorkerOptions,
};
use polarway_query::StoredTable;

use crate::answers::numbers;
use crate::support::{Files, Folder, Peer, Plans, TOKEN, Tables, collect, fleet, forced, identity, urls};

fn grouped(table: &StoredTable) -> polarway_distributed::Query {
    let mut plans = Plans::new();
    let plan = plans.scan("numbers", table).aggregate([col("key")], [count(col("n"))]).unwrap();
    plans.query(plan.build().unwrap())
}

/// A worker that only calls others, with this token.
fn caller(tables: &Tables, token: Option<&str>) -> (Worker, tempfile::TempDir) {
    let spill = tempfile::tempdir().unwrap();
    let token = token.map(|token| Token::new(token).unwrap());
    let options = WorkerOptions {
        identity: identity(),
        token: token.clone(),
        files: Arc::new(Files(Folder::at(tables.root()))),
        result_files: None,
        functions: Functions::default(),
        spread: forced(),
        limits: WorkerLimits::default(),
        spill_folder: spill.path().to_owned(),
    };
    let channels = Channels::new(&Credentials { token, tls: None }).unwrap();
    (Worker::open(options, Arc::new(channels)).unwrap(), spill)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_without_the_token_gets_nothing() {
    let tables = Tables::new();
    let table = tables.store("numbers", &[numbers(0, 10), numbers(10, 20)], 5);
    let peers = fleet(tables.root(), 2).await;
    for token in [None, Some("another-token-of-16"), Some("0123456789abcdeF")] {
        let (worker, _spill) = caller(&tables, token);
        let refused = worker.run(grouped(&table), urls(&peers)).next().await;
        let Some(Err(Error::NoWorkers(refusals))) = refused else { panic!("{refused:?}") };
        assert_eq!(refusals.len(), 2);
        assert!(refusals.iter().all(|refusal| refusal.reason.contains("token")), "{refusals:?}");
        let all = Peers::new(&worker, PeerSource::List(urls(&peers)));
        all.refresh().await;
        assert!(all.ready().is_empty());
    }
    let (worker, _spill) = caller(&tables, Some(TOKEN));
    assert!(matches!(worker.run(grouped(&table), urls(&peers)).next().await, Some(Ok(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_of_another_version_or_storage_and_those_that_drain_or_are_gone_are_left_out() {
    let tables = Tables::new();
    let table = tables.store("numbers", &[numbers(0, 10), numbers(10, 20)], 5);
    let limits = WorkerLimits::default;
    let other =
        |version: &str, storage: &str| Identity { version: version.to_owned(), storage: storage.to_owned() };
    let mut peers = fleet(tables.root(), 2).await;
    peers.push(Peer::with(tables.root(), other("older", "folder"), limits()).await);
    peers.push(Peer::with(tables.root(), other("test", "bucket"), limits()).await);
    peers.push(Peer::start(tables.root()).await);
    peers[4].worker.drain();
    let mut all = urls(&peers);
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    all.push(format!("http://{}", closed.local_addr().unwrap()).parse().unwrap());
    drop(closed);

    let found = Peers::new(&peers[1].worker, PeerSource::List(all.clone()));
    found.refresh().await;
    assert_eq!(found.ready(), [peers[1].url.clone(), peers[0].url.clone()], "its own is the first");
    let states: Vec<_> = found.all().into_iter().map(|peer| peer.state).collect();
    assert!(matches!(&states[2], PeerState::Other(why) if why.contains("version older")), "{states:?}");
    assert!(matches!(&states[3], PeerState::Other(why) if why.contains("storage")), "{states:?}");
    assert_eq!(states[4], PeerState::Draining);
    assert!(matches!(&states[5], PeerState::Unreachable(_)), "{states:?}");

    // A query that does not know all that yet leaves them out as well.
    let rows = collect(&peers[0], grouped(&table), all.clone()).await.unwrap();
    assert_eq!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>(), 10);
    let refused = collect(&peers[0], grouped(&table), all[2..].to_vec()).await.unwrap_err();
    let message = refused.to_string();
    for part in ["version older", "another storage", "no new queries", "can't be reached"] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_no_data_of_their_dataset_are_refused_before_a_plan_is_sent() {
    let tables = Tables::new();
    let table = tables.store("numbers", &[numbers(0, 10)], 5);
    let peers = fleet(tables.root(), 2).await;
    for (path, why) in [
        ("../secret.parquet", "lead out"),
        ("/etc/passwd", "lead out"),
        ("numbers/_polarway/data/../../../x", "lead out"),
        ("numbers/_polarway/commits/0000000001.json", "no data file"),
        ("other/_polarway/data/0.parquet", "no data file"),
    ] {
        let mut forged = table.clone();
        forged.files[0].files[0].path = path.to_owned();
        let refused = collect(&peers[0], grouped(&forged), urls(&peers)).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{path}: {refused}");
    }
    assert!(peers.iter().all(|peer| peer.worker.status().is_idle()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_file_is_an_error_of_the_query_and_workers_live_on() {
    let tables = Tables::new();
    let table = tables.store("numbers", &[numbers(0, 10), numbers(10, 20), numbers(20, 30)], 5);
    let peers = fleet(tables.root(), 3).await;
    let kept = tables.root().join("kept");
    let missing = tables.root().join("numbers/_polarway/data/1.parquet");
    std::fs::rename(&missing, &kept).unwrap();
    let error = collect(&peers[0], grouped(&table), urls(&peers)).await.unwrap_err();
    assert!(matches!(error, Error::Execution(_) | Error::Files(_)), "{error:?}");
    assert!(error.to_string().contains("No such file"), "{error}");
    std::fs::rename(&kept, &missing).unwrap();
    assert!(collect(&peers[0], grouped(&table), urls(&peers)).await.is_ok());
    for peer in &peers {
        peer.idle().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_worker_is_left_out() {
    let tables = Tables::new();
    let table = tables.store("numbers", &[numbers(0, 10), numbers(10, 20)], 5);
    let none = WorkerLimits { queries: 0, ..WorkerLimits::default() };
    let peers = [Peer::start(tables.root()).await, Peer::with(tables.root(), identity(), none).await];
    assert!(collect(&peers[0], grouped(&table), urls(&peers)).await.is_ok());
    let refused = collect(&peers[0], grouped(&table), vec![peers[1].url.clone()]).await.unwrap_err();
    assert!(refused.to_string().contains("as many queries as it may"), "{refused}");
}

#[test]
fn a_column_that_only_duckdb_reads_exactly_is_refused_by_name_and_the_others_are_scanned() {
    let tables = Tables::new();
    let table = tables.store("numbers", &[numbers(0, 10)], 5);
    let columns = |fields: Vec<Field>| {
        let mut table = table.clone();
        table.schema = Arc::new(Schema::new(fields));
        table.files[0].schema = Arc::clone(&table.schema);
        StoredScan::new(&table, &mut PinnedFiles::default()).unwrap()
    };
    let span = Field::new("span", DataType::Duration(TimeUnit::Second), true);
    let scan = columns(vec![Field::new("n", DataType::Int64, true), span]);
    assert_eq!(scan.refusal(0), None);
    assert!(scan.refusal(1).unwrap().contains("\"span\""));
    let alike = columns(vec![Field::new("a", DataType::Int64, true), Field::new("A", DataType::Int64, true)]);
    assert!(alike.refusal(0).is_some() && alike.refusal(1).is_some());
}
