//! Who may do what: every way to a dataset, handle or query goes through one door.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, stream};
use polarway_core::arrow::array::RecordBatch;
use polarway_core::arrow::datatypes::SchemaRef;
use polarway_core::arrow::record_batch::RecordBatchIterator;
use polarway_core::components::ManualClock;
use polarway_core::{
    AccessPolicy, Action, At, Caller, Compression, Config, DeleteOptions, Error, ErrorKind, HandleOptions,
    HandleStoreKind, LoadOptions, PieceReader, PiecesError, Polarway, QueryOptions, Target, WriteOptions,
};
use tempfile::TempDir;

use crate::support::{config, lines, trades, until};

/// Lets the caller "owner" do everything, and everybody else nothing.
#[derive(Debug)]
struct OwnerAlone;

impl AccessPolicy for OwnerAlone {
    fn allows(&self, caller: &Caller, _action: Action, _target: Target<'_>) -> bool {
        caller.name() == "owner"
    }
}

/// As roles and patterns would have it: all may run queries and keep results, readers read what begins with `public`, and
/// handles and queries are their owners' alone.
#[derive(Debug)]
struct Patterns;

impl AccessPolicy for Patterns {
    fn allows(&self, caller: &Caller, action: Action, target: Target<'_>) -> bool {
        let is_owner = caller.name() == "owner";
        match target {
            Target::Dataset(name) => {
                is_owner || (action == Action::Read && name.as_str().starts_with("public"))
            }
            Target::Analytics { table, .. } => is_owner || table.starts_with("public"),
            Target::Handle { owner, .. } => owner == Some(caller.name()),
            Target::RunningQuery { owner } => owner == caller.name(),
            Target::Statistics | Target::Engine => true,
        }
    }
}

fn owner() -> Caller {
    Caller::named("owner")
}

/// An engine for its owner, and the same for a stranger.
async fn engines(config: Config, policy: impl AccessPolicy + 'static) -> (Polarway, Polarway) {
    let engine = Polarway::builder(config).access_policy(Arc::new(policy)).open().await.unwrap();
    (engine.on_behalf_of(owner()), engine.on_behalf_of(Caller::named("stranger")))
}

/// An engine in each of whose stores there is something to get at.
async fn filled(policy: impl AccessPolicy + 'static) -> (Polarway, Polarway, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (owner, stranger) = engines(config(&folder), policy).await;
    for name in ["public_trades", "private_trades"] {
        owner.store(name, trades(&[("BTC", 1)])).await.unwrap();
    }
    (owner, stranger, folder)
}

type Outcome<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

/// A public way into the engine, and a call of it.
struct Way {
    name: &'static str,
    call: for<'a> fn(&'a Polarway, &'a str) -> Outcome<'a>,
}

macro_rules! ways {
    ($($name:ident($engine:ident, $handle:ident) => $call:expr;)*) => {
        [$(Way {
            name: stringify!($name),
            call: |$engine, $handle| async move { $call.map(drop) }.boxed_local(),
        }),*]
    };
}

/// Every method of the engine, on a dataset that there is, and with the id of a handle that there is.
fn ways() -> impl Iterator<Item = Way> {
    const DATASET: &str = "private_trades";
    const SQL: &str = "SELECT 42";

    ways! {
        authorize(engine, _handle) => engine.authorize(Action::Read, Target::Engine);
        store(engine, _handle) => engine.store(DATASET, trades(&[])).await;
        store(engine, _handle) => engine.store("made_by_it", trades(&[])).await;
        append(engine, _handle) => engine.append(DATASET, trades(&[])).await;
        store_with(engine, _handle) => engine.store_with(DATASET, trades(&[]), WriteOptions::default()).await;
        store_reader(engine, _handle) => {
            let rows = trades(&[]);
            let reader = RecordBatchIterator::new([Ok(rows.clone())], rows.schema());
            engine.store_reader(DATASET, reader, WriteOptions::default()).await
        };
        store_pieces(engine, _handle) => {
            let pieces = stream::iter([(trades(&[]), engine.memory().nothing())]);
            engine.store_pieces(DATASET, pieces, Batches(None), WriteOptions::default()).await.map_err(|error| match error {
                PiecesError::Engine(error) => error,
                PiecesError::Reader(never) => match never {},
            })
        };
        store_batch(engine, _handle) => {
            let mut results = engine.store_batch([(DATASET, trades(&[]))]).await;
            results.remove(0)
        };
        delete(engine, _handle) => engine.delete(DATASET).await;
        delete_with(engine, _handle) => {
            engine.delete_with(DATASET, DeleteOptions { purge: true, ..DeleteOptions::default() }).await
        };
        load(engine, _handle) => engine.load(DATASET).await;
        load(engine, handle) => engine.load(handle).await;
        load_at(engine, _handle) => engine.load_at(DATASET, At::Newest).await;
        load_stream(engine, _handle) => engine.load_stream(DATASET, At::Newest).await;
        load_stream(engine, handle) => engine.load_stream(handle, At::Newest).await;
        load_chunks(engine, _handle) => engine.load_chunks(DATASET, At::Newest, 0, Compression::None).await;
        load_chunks(engine, handle) => engine.load_chunks(handle, At::Newest, 0, Compression::None).await;
        load_with(engine, _handle) => engine.load_with(DATASET, LoadOptions::default()).await;
        load_stream_with(engine, _handle) => engine.load_stream_with(DATASET, LoadOptions::default()).await;
        load_chunks_with(engine, _handle) => {
            engine.load_chunks_with(DATASET, LoadOptions::default(), Compression::None).await
        };
        cache_stats(engine, _handle) => engine.cache_stats();
        datasets(engine, _handle) => engine.datasets().await;
        datasets_after(engine, _handle) => engine.datasets_after("", 10).await;
        describe(engine, _handle) => engine.describe(DATASET).await;
        describe_at(engine, _handle) => engine.describe_at(DATASET, At::Newest).await;
        versions(engine, _handle) => engine.versions(DATASET).await;
        query(engine, _handle) => engine.query(SQL).await;
        query_with(engine, _handle) => engine.query_with(SQL, QueryOptions::default()).await;
        query_stream(engine, _handle) => engine.query_stream(SQL).await;
        query_stream_with(engine, _handle) => engine.query_stream_with(SQL, QueryOptions::default()).await;
        query_chunks(engine, _handle) => engine.query_chunks(SQL, QueryOptions::default(), Compression::None);
        queries(engine, _handle) => engine.queries();
        cancel_query(engine, _handle) => engine.cancel_query("01985f2e-3c1d-7a6b-9f00-5a4b3c2d1e0f");
        query_handle(engine, _handle) => engine.query_handle(SQL).await;
        query_handle_with(engine, _handle) => engine.query_handle_with(SQL, HandleOptions::default()).await;
        handle(engine, handle) => engine.handle(handle).await;
        handles(engine, _handle) => engine.handles().await;
        extend_handle(engine, handle) => engine.extend_handle(handle, None).await;
        drop_handle(engine, handle) => engine.drop_handle(handle).await;
    }
    .into_iter()
}

/// What leads to no dataset, handle or query: how an engine is opened and scoped, and what health asks.
const BESIDE_THE_DOOR: [&str; 12] = [
    "builder",
    "caller",
    "check_cold_tier",
    "check_handles",
    "cold_tier_refuses_writes",
    "distribution", // once, for the program that opened the engine
    "memory",
    "on_behalf_of",
    "open",
    "query_engine",
    "sample_metrics",
    "watch_for_standstill",
];

/// The names of all public methods of [`Polarway`], read off the source.
fn public_methods() -> BTreeSet<String> {
    fn walk(folder: &Path, methods: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, methods);
                continue;
            }
            let mut is_inside = false;
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                match line {
                    "impl Polarway {" => is_inside = true,
                    "}" => is_inside = false,
                    _ => {}
                }
                let line = line.trim_start();
                let method = line.strip_prefix("pub async fn ").or_else(|| line.strip_prefix("pub fn "));
                if let Some(method) = method.filter(|_| is_inside) {
                    let end = method.find(|character: char| !character.is_alphanumeric() && character != '_');
                    methods.insert(method[..end.unwrap()].to_owned());
                }
            }
        }
    }

    let mut methods = BTreeSet::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut methods);
    methods
}

#[test]
fn every_public_method_is_called_here_or_leads_to_no_data() {
    let called = ways().map(|way| way.name).chain(BESIDE_THE_DOOR).map(str::to_owned);
    assert_eq!(public_methods(), called.collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_refuses_all_lets_no_method_pass() {
    for store in [HandleStoreKind::Memory, HandleStoreKind::External] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        config.handles.store = store;
        let (owner, stranger) = engines(config, OwnerAlone).await;
        owner.store("private_trades", trades(&[("BTC", 1)])).await.unwrap();
        let handle = owner.query_handle("SELECT 42").await.unwrap().handle;
        let id = handle.id.to_string();
        for way in ways() {
            let error = (way.call)(&stranger, &id).await.expect_err(way.name);
            let is_refused = matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::UnknownDataset | ErrorKind::UnknownHandle
            );
            assert!(is_refused, "{} with handles in {store:?}: {error:?}", way.name);
        }
        assert_eq!(owner.versions("private_trades").await.unwrap().len(), 1, "nothing was changed");
        assert_eq!(owner.datasets().await.unwrap().len(), 1);
        let lease = owner.handle(&id).await.unwrap().lease;
        assert_eq!(lease.ttl_us, handle.lease.ttl_us);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_passes_a_door_that_lets_the_caller_through() {
    let (owner, _, _folder) = filled(OwnerAlone).await;
    for way in ways() {
        // Some of them remove what they are called with.
        owner.store("private_trades", trades(&[("BTC", 1)])).await.unwrap();
        let version = owner.describe("private_trades").await.unwrap().version;
        let handle = owner.query_handle("SELECT 42").await.unwrap().handle.id.to_string();
        match (way.call)(&owner, &handle).await {
            Err(error) if way.name == "cancel_query" => assert_eq!(error.kind(), ErrorKind::UnknownQuery),
            outcome => assert!(outcome.is_ok(), "{} at version {version}: {outcome:?}", way.name),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forbidden_dataset_looks_like_a_missing_one() {
    let (owner, stranger, folder) = filled(Patterns).await;
    let told = async |name: &str| {
        let mut told = Vec::new();
        told.push(stranger.load(name).await.map(drop).unwrap_err().to_string());
        told.push(stranger.describe(name).await.map(drop).unwrap_err().to_string());
        told.push(stranger.versions(name).await.map(drop).unwrap_err().to_string());
        told.push(stranger.delete(name).await.map(drop).unwrap_err().to_string());
        let pattern = format!("{}/cold/{name}.parquet", folder.path().display());
        for sql in [
            format!("FROM {name}"),
            format!("FROM {}", name.to_uppercase()),
            format!("FROM {name} AT (VERSION => 1)"),
            format!("DESCRIBE {name}"),
            format!("FROM '{pattern}'"),
        ] {
            told.push(stranger.query(&sql).await.map(drop).unwrap_err().to_string());
        }
        told.into_iter()
            .map(|text| text.replace(name, "NAME").replace(&name.to_uppercase(), "NAME"))
            .collect::<Vec<_>>()
    };
    // Both are as far from the names that may be seen.
    assert_eq!(told("private_trades").await, told("psivate_trades").await);
    assert_eq!(owner.load("private_trades").await.unwrap().num_rows(), 1);
}

/// Rights that note what was refused.
#[derive(Debug, Default)]
struct Noting(std::sync::Mutex<Vec<String>>);

impl AccessPolicy for Noting {
    fn allows(&self, caller: &Caller, action: Action, target: Target<'_>) -> bool {
        Patterns.allows(caller, action, target) && target != Target::Statistics
    }

    fn refused(&self, caller: &Caller, action: Action, target: Target<'_>) {
        self.0.lock().unwrap().push(format!("{caller}: {action} {target}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_own_rights_narrow_what_the_engine_allows_and_hear_of_refusals() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Polarway::open(config(&folder)).await.unwrap();
    for name in ["public_trades", "private_trades"] {
        engine.store(name, trades(&[("BTC", 1)])).await.unwrap();
    }
    let noted = Arc::new(Noting::default());
    let rights = Arc::clone(&noted) as Arc<dyn AccessPolicy>;
    let stranger = engine.on_behalf_of(Caller::named("stranger").with_rights(rights));
    stranger.load("public_trades").await.unwrap();
    assert_eq!(stranger.datasets().await.unwrap().len(), 1);
    stranger.query("SHOW TABLES").await.unwrap();
    assert_eq!(*noted.0.lock().unwrap(), Vec::<String>::new(), "what a list leaves out is not refused");

    let missing = ErrorKind::UnknownDataset;
    assert_eq!(stranger.load("private_trades").await.map(drop).unwrap_err().kind(), missing);
    assert_eq!(stranger.query("FROM private_trades").await.map(drop).unwrap_err().kind(), missing);
    let denied = ErrorKind::PermissionDenied;
    assert_eq!(stranger.store("public_trades", trades(&[])).await.unwrap_err().kind(), denied);
    assert_eq!(stranger.cache_stats().unwrap_err().kind(), denied);
    let expect = [
        "stranger: read the dataset \"private_trades\"",
        "stranger: read the dataset \"private_trades\"",
        "stranger: write the dataset \"public_trades\"",
        "stranger: read counters over all datasets",
    ];
    assert_eq!(*noted.0.lock().unwrap(), expect);
    // Whoever has no rights of its own may do what the engine allows.
    assert_eq!(engine.datasets().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_globs_and_suggestions_have_only_what_may_be_seen() {
    let (owner, stranger, folder) = filled(Patterns).await;
    let names = |datasets: Vec<polarway_core::Dataset>| -> Vec<String> {
        datasets.into_iter().map(|dataset| dataset.name.to_string()).collect()
    };
    assert_eq!(names(stranger.datasets().await.unwrap()), ["public_trades"]);
    assert_eq!(names(owner.datasets().await.unwrap()), ["private_trades", "public_trades"]);
    let (page, is_last) = stranger.datasets_after("", 1).await.unwrap();
    assert_eq!((names(page), is_last), (vec!["public_trades".to_owned()], true));

    for (sql, expect) in [
        ("SHOW TABLES", vec!["public_trades"]),
        ("SELECT table_name FROM information_schema.tables", vec!["public_trades"]),
        ("SELECT DISTINCT table_name FROM information_schema.columns", vec!["public_trades"]),
    ] {
        assert_eq!(lines(&stranger.query(sql).await.unwrap()), expect, "{sql}");
    }
    let all =
        format!("SELECT count(*) FROM parquet_scan('{}/cold/*_trades.parquet')", folder.path().display());
    assert_eq!(lines(&stranger.query(&all).await.unwrap()), ["1"]);
    assert_eq!(lines(&owner.query(&all).await.unwrap()), ["2"]);

    for error in [
        stranger.load("privat_trades").await.map(drop).unwrap_err(),
        stranger.append("privat_trades", trades(&[])).await.map(drop).unwrap_err(),
        stranger.delete("privat_trades").await.map(drop).unwrap_err(),
        stranger.query("FROM privat_trades").await.map(drop).unwrap_err(),
    ] {
        assert!(!error.to_string().contains("private"), "{error}");
    }
    let suggested = owner.load("privat_trades").await.unwrap_err().to_string();
    assert!(suggested.contains("private_trades"), "{suggested}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_read_and_not_be_changed_says_so() {
    let (owner, stranger, _folder) = filled(Patterns).await;
    assert_eq!(stranger.load("public_trades").await.unwrap().num_rows(), 1);
    for error in [
        stranger.store("public_trades", trades(&[])).await.map(drop).unwrap_err(),
        stranger.append("public_trades", trades(&[])).await.map(drop).unwrap_err(),
        stranger.delete("public_trades").await.map(drop).unwrap_err(),
        stranger.store("private_trades", trades(&[])).await.map(drop).unwrap_err(),
        stranger.store("missing", trades(&[])).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().starts_with("stranger may not "), "{error}");
    }
    assert_eq!(owner.versions("public_trades").await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_record_their_owner_and_others_find_none() {
    for store in [HandleStoreKind::Memory, HandleStoreKind::External] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        config.handles.store = store;
        let (owner, stranger) = engines(config, Patterns).await;
        let made = owner.query_handle("SELECT 42 AS n").await.unwrap().handle;
        assert_eq!(made.owner.as_deref(), Some("owner"));
        let id = made.id.to_string();
        assert_eq!(owner.handle(&id).await.unwrap().owner.as_deref(), Some("owner"));
        assert_eq!(owner.extend_handle(&id, None).await.unwrap().owner.as_deref(), Some("owner"));

        assert!(stranger.handles().await.unwrap().is_empty());
        for error in [
            stranger.handle(&id).await.map(drop).unwrap_err(),
            stranger.load(&id).await.map(drop).unwrap_err(),
            stranger.extend_handle(&id, None).await.map(drop).unwrap_err(),
            stranger.drop_handle(&id).await.unwrap_err(),
            stranger.query(&format!("FROM {id}")).await.map(drop).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::UnknownHandle, "{store:?}: {error}");
        }
        assert_eq!(lines(&owner.load(&id).await.unwrap()), ["42"]);
        owner.drop_handle(&id).await.unwrap();
        owner.drop_handle(&id).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_knows_an_id_can_neither_keep_the_handle_nor_learn_what_became_of_it() {
    for store in [HandleStoreKind::Memory, HandleStoreKind::External] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        config.handles.store = store;
        let clock = ManualClock::new(1_767_225_600_000_000);
        let builder = Polarway::builder(config).clock(clock.clone()).access_policy(Arc::new(Patterns));
        let engine = builder.open().await.unwrap();
        let (owner, stranger) =
            (engine.on_behalf_of(owner()), engine.on_behalf_of(Caller::named("stranger")));
        let ttl = Duration::from_secs(3_600);
        let keep = || HandleOptions { ttl: Some(ttl), request: Some([7; 16]), ..HandleOptions::default() };
        let made = owner.query_handle_with("SELECT 42 AS n", keep()).await.unwrap().handle;
        let dropped = owner.query_handle("SELECT 42").await.unwrap().handle.id.to_string();
        owner.drop_handle(&dropped).await.unwrap();
        let id = made.id.to_string();
        let missing = "h_aaaaaaaaaaaaaaaaaaaaaaaaaa";
        let told = async |id: &str| {
            let told = [
                stranger.handle(id).await.map(drop).unwrap_err(),
                stranger.load(id).await.map(drop).unwrap_err(),
                stranger.extend_handle(id, None).await.map(drop).unwrap_err(),
                stranger.drop_handle(id).await.unwrap_err(),
                stranger.query(&format!("FROM {id}")).await.map(drop).unwrap_err(),
            ];
            told.map(|error| (error.kind(), error.to_string().replace(id, "ID")))
        };
        clock.advance(ttl * 3 / 4);
        assert_eq!(told(&id).await, told(missing).await, "{store:?}");
        assert_eq!(owner.handle(&id).await.unwrap().lease, made.lease, "{store:?}: it was not put off");
        assert_eq!(told(&dropped).await, told(missing).await, "{store:?}");
        // The same request of another caller is another one.
        let theirs = stranger.query_handle_with("SELECT 1", keep()).await.unwrap();
        assert!(theirs.summary.is_some() && theirs.handle.id != made.id);
        assert_eq!(owner.query_handle_with("SELECT 1", keep()).await.unwrap().handle.id, made.id);

        assert_eq!(owner.handle(&dropped).await.unwrap_err().kind(), ErrorKind::HandleDropped, "{store:?}");
        if store == HandleStoreKind::External {
            continue; // its lease goes by the storage's clock as well
        }
        clock.advance(ttl / 4);
        assert_eq!(owner.handle(&id).await.unwrap_err().kind(), ErrorKind::HandleExpired);
        assert_eq!(told(&id).await, told(missing).await, "{store:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_record_their_owner_and_others_can_not_cancel_them() {
    let (owner, stranger, _folder) = filled(Patterns).await;
    let endless = "SELECT sum(a.range * b.range % 7) FROM range(100000000) a, range(100000000) b";
    let running = {
        let owner = owner.clone();
        tokio::spawn(async move { owner.query(endless).await.map(drop) })
    };
    until(|| !owner.queries().unwrap().is_empty()).await;
    let query = owner.queries().unwrap().remove(0);
    assert_eq!(&*query.owner, "owner");
    assert!(stranger.queries().unwrap().is_empty());
    let id = query.id.to_string();
    let refused = stranger.cancel_query(&id).unwrap_err();
    assert_eq!(
        (refused.kind(), refused.to_string()),
        (ErrorKind::UnknownQuery, format!("no query {id:?} runs here"))
    );
    owner.cancel_query(&id).unwrap();
    assert_eq!(running.await.unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_the_analytics_database_are_hidden_from_who_may_not_read_them() {
    let folder = tempfile::tempdir().unwrap();
    duckdb::Connection::open(folder.path().join("analytics.duckdb"))
        .unwrap()
        .execute_batch(
            "CREATE TABLE public_facts AS SELECT 1 AS n; CREATE TABLE private_facts AS SELECT 2 AS n;",
        )
        .unwrap();
    let (owner, stranger) = engines(config(&folder), Patterns).await;
    let sql = "FROM analytics.private_facts";
    // What the owner's text was found to be must not pass for the stranger's.
    assert_eq!(lines(&owner.query(sql).await.unwrap()), ["2"]);
    assert_eq!(lines(&stranger.query("FROM analytics.public_facts").await.unwrap()), ["1"]);
    let forbidden = stranger.query(sql).await.map(drop).unwrap_err();
    let missing = stranger.query("FROM analytics.psivate_facts").await.map(drop).unwrap_err();
    assert_eq!(forbidden.kind(), ErrorKind::UnknownDataset);
    assert_eq!(forbidden.to_string().replace("private", "psivate"), missing.to_string());
    let suggested = owner.query("FROM analytics.psivate_facts").await.map(drop).unwrap_err().to_string();
    assert!(suggested.contains("analytics.private_facts"), "{suggested}");
    assert_eq!(lines(&owner.query(sql).await.unwrap()), ["2"]);
}

/// Batches as pieces.
struct Batches(Option<SchemaRef>);

impl PieceReader for Batches {
    type Piece = RecordBatch;
    type Error = Infallible;

    fn read(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>, Infallible> {
        self.0 = Some(batch.schema());
        Ok(vec![batch])
    }

    fn schema(&self) -> Option<&SchemaRef> {
        self.0.as_ref()
    }

    fn finish(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
