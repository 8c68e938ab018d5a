//! What a caller may not read, several workers don't show, and a worker opens only data.

use std::sync::Arc;

use polarway_core::{AccessPolicy, Action, Caller, EngineChoice, ErrorKind, Target};
use polarway_distributed::PinnedFile;
use polarway_query::FileStorage;

use crate::support::{Fleet, ask, on};

/// Only the owner sees tables.
#[derive(Debug)]
struct OwnerAlone;

impl AccessPolicy for OwnerAlone {
    fn allows(&self, caller: &Caller, _action: Action, target: Target<'_>) -> bool {
        caller.name() == "owner" || matches!(target, Target::Engine)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_without_rights_gets_neither_rows_nor_a_plan() {
    let mut fleet =
        Fleet::with(3, |config| config.distributed_from_bytes = 1, Some(Arc::new(OwnerAlone))).await;
    let strangers: Vec<_> =
        fleet.members.iter().map(|member| member.engine.on_behalf_of(Caller::named("stranger"))).collect();
    for member in &mut fleet.members {
        member.engine = member.engine.on_behalf_of(Caller::named("owner"));
    }
    fleet.store_trades().await;
    assert!(ask(fleet.engine(), "SELECT sum(n) FROM trades", on(EngineChoice::Distributed)).await.is_ok());
    for sql in [
        "SELECT sum(n) FROM trades",
        "EXPLAIN SELECT sum(n) FROM trades",
        "EXPLAIN (DISTRIBUTED) SELECT sum(n) FROM trades",
    ] {
        for engine in [EngineChoice::Distributed, EngineChoice::Auto] {
            let error = ask(&strangers[0], sql, on(engine)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnknownDataset, "{sql}: {error}");
        }
    }
    fleet.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_worker_opens_no_file_that_is_no_data() {
    let fleet = Fleet::start().await;
    fleet.store_trades().await;
    let files = &fleet.members[2].files;
    let pinned = |path: &str, identity: Option<&str>| PinnedFile {
        storage: FileStorage::Datasets,
        dataset: "trades".parse().unwrap(),
        version: 1,
        path: path.to_owned(),
        bytes: 4,
        identity: identity.map(str::to_owned),
    };
    const FILE: &str = "0199c0de-0000-7000-8000-000000000001.parquet";
    assert_eq!(files.allow(&pinned(&format!("trades/_polarway/data/{FILE}"), None)), Ok(()));
    assert_eq!(files.allow(&pinned("trades/year=2024/a.parquet", Some("x"))), Ok(()));
    for (path, identity) in [
        ("/etc/passwd", None),
        ("/etc/passwd", Some("x")),
        ("trades/../../worker-0/tmp/secret.parquet", Some("x")),
        ("trades/_polarway/commits/0000000001.json", None),
        ("trades/_polarway/commits/0000000001.json", Some("x")),
        ("quotes/_polarway/data/0199c0de-0000-7000-8000-000000000001.parquet", None),
        ("trades/year=2024/a.parquet", None),
    ] {
        let file = pinned(path, identity);
        assert!(files.allow(&file).is_err(), "{path}");
        assert!(files.open(&file).is_err(), "{path}");
    }
    let of_handle = PinnedFile { storage: FileStorage::Handles, ..pinned("trades/a.parquet", Some("x")) };
    assert!(files.allow(&of_handle).is_err());
}
