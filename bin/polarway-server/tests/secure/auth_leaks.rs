//! A caller tries every way to reach something that exists and is hidden: each answer is the same as for something that does not
//! exist.

use std::fmt::Write as _;
use std::path::PathBuf;

use polarway_client::{At, DistributedClient, QueryOptions, QueryPhase};
use polarway_proto::v1::{
    At as WireAt, CreateHandleRequest, DeleteDatasetRequest, GetDatasetRequest, LoadRequest, QueryRequest,
    StoreRequest, WriteMode, at, store_result,
};
use polarway_proto::{Method, Reason};
use polarway_server::Role;
use tonic::{Request, Status};

use crate::auth_support::{AuthFile, Known};
use crate::support::{
    Client, ENDLESS_SUM, Server, Subject, Upload, call, in_background, numbers, query_in, reason_of,
};

/// A hidden dataset, and names that do not exist, all equally different from the visible names.
const HIDDEN: &str = "private_trades";
const MISSING: &str = "psivate_trades";
/// One that was deleted.
const GONE: &str = "privage_trades";

/// A server with objects of every kind, and a caller who may see few of them.
struct Scene {
    server: Server,
    admin: DistributedClient,
    stranger: Client,
    other: DistributedClient,
    /// A handle of another caller.
    handle: String,
    _file: AuthFile,
}

impl Scene {
    async fn set_up() -> Self {
        let admin = Known::admin();
        let other = Known::new("other", Role::Writer, &[], &[]);
        let stranger =
            Known::new("stranger", Role::Writer, &["public_*", "analytics.public_*"], &["public_in_*"]);
        let file = AuthFile::of(&[&admin, &other, &stranger]);
        let database = file.path().with_file_name("facts.duckdb");
        duckdb::Connection::open(&database)
            .unwrap()
            .execute_batch(
                "CREATE TABLE public_facts AS SELECT 1 AS n; CREATE TABLE private_facts AS SELECT 2 AS n;",
            )
            .unwrap();
        let server = file.server_with(&[], &["--duckdb-path", database.to_str().unwrap()]);
        let admin = admin.client(&server).await;
        for name in ["public_trades", HIDDEN, GONE] {
            admin.store(name, numbers(0..3)).await.unwrap();
            admin.append(name, numbers(3..5)).await.unwrap();
        }
        admin.delete(GONE).await.unwrap();
        let other = other.client(&server).await;
        let handle = other.query_handle(&format!("FROM {HIDDEN}")).await.unwrap();
        handle.keep();
        let handle = handle.id().to_owned();
        let stranger = stranger.raw(&server).await;
        Self { server, admin, stranger, other, handle, _file: file }
    }

    fn cold(&self) -> PathBuf {
        self.server.folder().join("cold")
    }
}

/// Everything that a caller gets with a refusal.
fn told(status: &Status) -> String {
    format!("{:?} {} {:?}", status.code(), status.message(), String::from_utf8_lossy(status.details()))
}

/// The complete answer to a query: its schema and rows, or the reason for the refusal.
async fn asked(client: &mut Client, sql: &str) -> String {
    let request = QueryRequest { sql: sql.to_owned(), ..QueryRequest::default() };
    let mut answers = match client.query(request).await {
        Ok(answers) => answers.into_inner(),
        Err(status) => return told(&status),
    };
    let mut all = String::new();
    loop {
        match answers.message().await {
            Ok(Some(answer)) => {
                let chunk = answer.chunk.unwrap_or_default();
                let datasets = answer.summary.map(|summary| summary.datasets);
                write!(all, "{:?} {} {datasets:?}", chunk.ipc, chunk.rows).unwrap();
            }
            Ok(None) => return all,
            Err(status) => return all + &told(&status),
        }
    }
}

/// Stores a table in some way.
async fn stored(client: &mut Client, name: &str, mode: WriteMode, expected: Option<u64>) -> String {
    let mut upload = Upload::of(name, &numbers(0..3));
    upload.header().mode = mode.into();
    upload.header().expected_version = expected;
    let requests = upload.parts.into_iter().map(|part| StoreRequest { part: Some(part) });
    let requests = futures::stream::iter(requests.collect::<Vec<_>>());
    match client.store(Request::new(requests)).await {
        Ok(response) => match response.into_inner().results.remove(0).outcome.unwrap() {
            store_result::Outcome::Published(_) => "it was stored".to_owned(),
            store_result::Outcome::Failure(failure) => told(&failure.into()),
        },
        Err(status) => told(&status),
    }
}

/// All answers about a dataset with this name. In their texts, the name is replaced.
async fn of_dataset(scene: &Scene, name: &str) -> Vec<(String, String)> {
    let mut client = scene.stranger.clone();
    let mut all = Vec::new();
    let versions = [None, Some(at::At::Version(1)), Some(at::At::Version(99)), Some(at::At::AsOfUs(1))];
    for version in versions.map(|version| version.map(|at| WireAt { at: Some(at) })) {
        let request = LoadRequest { name: name.to_owned(), at: version, ..LoadRequest::default() };
        let loaded = match client.load(request).await {
            Ok(answers) => crate::auth_support::end_of(answers.into_inner()).await,
            Err(status) => Err(status),
        };
        all.push((format!("load at {version:?}"), told(&loaded.unwrap_err())));
        let request = GetDatasetRequest { name: name.to_owned(), at: version };
        all.push((format!("describe at {version:?}"), told(&client.get_dataset(request).await.unwrap_err())));
    }
    for expected in [None, Some(1), Some(2)] {
        let request = DeleteDatasetRequest {
            name: name.to_owned(),
            expected_version: expected,
            ..DeleteDatasetRequest::default()
        };
        all.push((format!("delete {expected:?}"), told(&client.delete_dataset(request).await.unwrap_err())));
        for mode in [WriteMode::Overwrite, WriteMode::Append, WriteMode::Create] {
            all.push((format!("{mode:?} {expected:?}"), stored(&mut client, name, mode, expected).await));
        }
    }
    let cold = scene.cold();
    let cold = cold.display();
    for sql in [
        format!("FROM {name}"),
        format!("FROM {}", name.to_uppercase()),
        format!("FROM \"{name}\" LIMIT 0"),
        format!("FROM main.{name}"),
        format!("FROM polarway.main.{name}"),
        format!("FROM {name} AT (VERSION => 1)"),
        format!("FROM {name} AT (VERSION => 99)"),
        format!("FROM {name} AT (TIMESTAMP => '2020-01-01')"),
        format!("SELECT count(*) FROM public_trades JOIN {name} USING (n)"),
        format!("SELECT (SELECT max(n) FROM {name})"),
        format!("SELECT nothing FROM {name}"),
        format!("DESCRIBE {name}"),
        format!("SUMMARIZE {name}"),
        format!("EXPLAIN FROM {name}"),
        format!("EXPLAIN ANALYZE FROM {name}"),
        format!("FROM '{cold}/{name}.parquet'"),
        format!("FROM '{cold}/{name}/*.parquet'"),
        format!("FROM '{cold}/{name}/_polarway/data/*.parquet'"),
        format!("FROM '{cold}/{name}/_polarway/commits/0000000001.json'"),
        format!("FROM read_parquet(['{cold}/public_trades.parquet', '{cold}/{name}.parquet'])"),
        format!("SELECT count(*) FROM parquet_scan('{cold}/{}*')", &name[..6]),
        format!("FROM information_schema.tables WHERE table_name = '{name}'"),
        format!("FROM information_schema.columns WHERE table_name = '{name}'"),
    ] {
        all.push((sql.clone(), asked(&mut client, &sql).await));
        let request = CreateHandleRequest { sql: sql.clone(), ..CreateHandleRequest::default() };
        if let Err(status) =
            crate::auth_support::end_of(client.create_handle(request).await.unwrap().into_inner()).await
        {
            all.push((format!("keep {sql}"), told(&status)));
        }
    }
    let neutral = |text: String| {
        text.replace(name, "NAME").replace(&name.to_uppercase(), "NAME").replace(&name[..6], "PREFIX")
    };
    all.into_iter().map(|(what, told)| (neutral(what), neutral(told))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_dataset_is_answered_for_as_one_that_is_not_there_to_the_byte() {
    let scene = Scene::set_up().await;
    let missing = of_dataset(&scene, MISSING).await;
    for name in [HIDDEN, GONE] {
        for (hidden, missing) in of_dataset(&scene, name).await.iter().zip(&missing) {
            assert_eq!(hidden, missing, "{name}");
        }
    }
    for (what, told) in &missing {
        let names_it = [HIDDEN, GONE, "private"].iter().any(|name| told.contains(name));
        assert!(!names_it, "{what}: {told}");
    }
    let versions = scene.admin.versions(HIDDEN).await.unwrap();
    assert_eq!(versions.len(), 2, "nothing was changed");
    assert_eq!(scene.admin.load_at(HIDDEN, At::Version(1)).await.unwrap().num_rows(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_answers_for_what_is_anothers_as_for_what_is_not_there() {
    let scene = Scene::set_up().await;
    let mut client = scene.stranger.clone();
    let _running = in_background(&scene.other, ENDLESS_SUM, QueryOptions::default());
    let query = query_in(QueryPhase::Running, &scene.admin, ENDLESS_SUM).await.query_id;
    let there = Subject { dataset: HIDDEN, handle: &scene.handle, query: &query };
    let missing = Subject {
        dataset: MISSING,
        handle: "h_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        query: "01985f2e-3c1d-7a6b-9f00-5a4b3c2d1e0f",
    };
    for method in Method::ALL {
        let mut outcomes = Vec::new();
        for subject in [there, missing] {
            let outcome = call(&mut client, *method, subject).await.map_err(|status| {
                told(&status)
                    .replace(subject.dataset, "NAME")
                    .replace(subject.handle, "HANDLE")
                    .replace(subject.query, "QUERY")
            });
            outcomes.push(outcome);
        }
        assert_eq!(outcomes[0], outcomes[1], "{method:?}");
        let of_its_own = matches!(
            method,
            Method::Query
                | Method::CreateHandle
                | Method::ListHandles
                | Method::ListDatasets
                | Method::ListQueries
                | Method::GetServerInfo
        );
        assert_eq!(outcomes[0].is_ok(), of_its_own, "{method:?}: {:?}", outcomes[0]);
    }
    scene.server.logged("delete this query").await;
    scene.server.logged("delete the handle").await;
    assert_eq!(scene.admin.versions(HIDDEN).await.unwrap().len(), 2, "nothing was changed");
    scene.admin.handle(&scene.handle).await.unwrap();
    assert!(scene.admin.queries().await.unwrap().iter().any(|running| running.query_id == query));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_refuses_a_reader_what_only_others_may_do() {
    let admin = Known::admin();
    let reader = Known::new("reader", Role::Reader, &["public"], &[]);
    let file = AuthFile::of(&[&admin, &reader]);
    let server = file.server();
    let admin = admin.client(&server).await;
    admin.store("public", numbers(0..3)).await.unwrap();
    let mut client = reader.raw(&server).await;
    let handle = reader.client(&server).await.query_handle("SELECT 42").await.unwrap();
    let subject = Subject { dataset: "public", handle: handle.id(), query: "none" };
    for method in Method::ALL {
        let outcome = call(&mut client, *method, subject).await;
        let expect = match method {
            Method::Store | Method::DeleteDataset | Method::GetCacheStats => Some(Reason::PermissionDenied),
            Method::CancelQuery => Some(Reason::UnknownQuery),
            _ => None,
        };
        assert_eq!(outcome.as_ref().err().map(reason_of), expect, "{method:?}: {outcome:?}");
    }
    assert_eq!(admin.versions("public").await.unwrap().len(), 1, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_patterns_and_suggestions_have_nothing_that_is_hidden() {
    let scene = Scene::set_up().await;
    let mut client = scene.stranger.clone();
    for sql in [
        "SHOW TABLES",
        "SHOW ALL TABLES",
        "FROM information_schema.tables",
        "FROM information_schema.columns",
        "FROM information_schema.schemata",
        "FROM privat_trades",
        "FROM analytics.privat_facts",
        "FROM duckdb_tables()",
        "FROM analytics.information_schema.tables",
    ] {
        let answer = asked(&mut client, sql).await;
        assert!(!answer.contains("private") && !answer.contains("privage"), "{sql}: {answer}");
    }
    let all = format!("SELECT count(*) FROM parquet_scan('{}/*')", scene.cold().display());
    let seen =
        format!("SELECT count(*) FROM parquet_scan('{}/public_trades.parquet')", scene.cold().display());
    assert_eq!(asked(&mut client, &all).await, asked(&mut client, &seen).await);
    let hidden = asked(&mut client, "FROM analytics.private_facts").await;
    let missing = asked(&mut client, "FROM analytics.psivate_facts").await;
    assert_eq!(hidden.replace("private", "psivate"), missing);
    assert!(!asked(&mut client, "FROM analytics.public_facts").await.contains("NotFound"));
    let listed =
        client.list_datasets(polarway_proto::v1::ListDatasetsRequest::default()).await.unwrap().into_inner();
    let names: Vec<_> = listed.datasets.iter().map(|dataset| dataset.name.as_str()).collect();
    assert_eq!((names, listed.next_page_token.as_str()), (vec!["public_trades"], ""));
}
