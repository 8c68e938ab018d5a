//! What a caller may have of an engine: beyond it is refused, leaves nothing behind, and the others are served.

use std::sync::Arc;

use futures::future::join_all;
use polarway_core::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use polarway_core::{
    AccessPolicy, Action, Caller, ErrorKind, HandleOptions, Polarway, Quota, Target, WriteMode, WriteOptions,
};

use crate::handles::engines;
use crate::support::{config, engine, until};

fn with_quota(polarway: &Polarway, quota: Quota) -> Polarway {
    polarway.on_behalf_of(Caller::named("bounded").with_quota(quota))
}

/// A table of this many rows, which take eight bytes each and can't be made smaller.
fn noise(rows: usize) -> RecordBatch {
    let mixed = |row: u64| {
        let row = (row + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let row = (row ^ (row >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (row ^ (row >> 27)) as i64
    };
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows as u64).map(mixed)));
    RecordBatch::try_from_iter([("n", column)]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_has_so_many_queries_at_once() {
    let (polarway, _folder) = engine().await;
    let bounded = with_quota(&polarway, Quota { queries: Some(2), ..Quota::default() });
    let sql = "SELECT range AS n FROM range(1000000000)";
    let first = bounded.query_stream(sql).await.unwrap();
    let second = bounded.query_stream(sql).await.unwrap();
    let refused = bounded.query("SELECT 1").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ResourceExhausted, "{refused}");
    assert!(refused.to_string().contains("bounded has 2 queries"), "{refused}");
    polarway.query("SELECT 1").await.unwrap();
    drop((first, second));
    until(|| polarway.queries().unwrap().is_empty()).await;
    bounded.query("SELECT 1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handles_of_a_caller_take_so_many_bytes_in_each_store() {
    for (store, polarway, _folder) in engines().await {
        let quota = Quota { handle_bytes: Some(1_000_000), ..Quota::default() };
        let bounded = with_quota(&polarway, quota);
        let sql = |rows: u64| format!("SELECT range AS n FROM range({rows})");
        let first = bounded.query_handle(&sql(100_000)).await.unwrap().handle;
        let refused = bounded.query_handle(&sql(100_000)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::QuotaExceeded, "{store}: {refused}");
        assert!(refused.to_string().contains("bounded"), "{store}: {refused}");
        polarway.query_handle(&sql(100_000)).await.unwrap();
        bounded.query_handle(&sql(20_000)).await.unwrap();
        assert_eq!(polarway.handles().await.unwrap().len(), 3, "{store}");
        bounded.drop_handle(&first.id.to_string()).await.unwrap();
        bounded.query_handle(&sql(100_000)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_that_are_made_at_once_share_the_quota_and_a_retry_finds_its_own() {
    for (store, polarway, _folder) in engines().await {
        let quota = Quota { handle_bytes: Some(1_000_000), ..Quota::default() };
        let bounded = with_quota(&polarway, quota);
        let made = join_all((0..8_u8).map(|number| {
            let bounded = bounded.clone();
            async move {
                let options = HandleOptions { request: Some([number; 16]), ..HandleOptions::default() };
                (number, bounded.query_handle_with("SELECT range AS n FROM range(40000)", options).await)
            }
        }));
        let mut kept = Vec::new();
        for (number, outcome) in made.await {
            match outcome {
                Ok(_) => kept.push(number),
                Err(error) => assert_eq!(error.kind(), ErrorKind::QuotaExceeded, "{store}: {error}"),
            }
        }
        assert_eq!(kept.len(), 3, "{store}");
        let bytes: u64 = bounded.handles().await.unwrap().iter().map(|handle| handle.bytes).sum();
        assert!(bytes <= 1_000_000, "{store}: {bytes}");
        let options = HandleOptions { request: Some([kept[0]; 16]), ..HandleOptions::default() };
        bounded.query_handle_with("SELECT range AS n FROM range(40000)", options).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_stores_takes_so_many_bytes() {
    let (polarway, folder) = engine().await;
    let bounded = with_quota(&polarway, Quota { stored_bytes: Some(1_000_000), ..Quota::default() });
    bounded.store("a", noise(50_000)).await.unwrap();
    // It replaces what is there, so that does not count.
    bounded.store("a", noise(100_000)).await.unwrap();
    for refused in [bounded.store("b", noise(50_000)).await, bounded.append("a", noise(50_000)).await] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::QuotaExceeded, "{refused}");
        assert!(refused.to_string().contains("nothing of it was published"), "{refused}");
    }
    assert_eq!(polarway.datasets().await.unwrap().len(), 1);
    assert_eq!(polarway.load("a").await.unwrap().num_rows(), 100_000);
    let left = std::fs::read_dir(folder.path().join("cold/b/_polarway/data")).map(|files| files.count());
    assert_eq!(left.unwrap_or(0), 0, "nothing is left of what was refused");
    // A caller without a quota is not bounded, and what it stores counts where both may write it.
    polarway.store("of_another", noise(100_000)).await.unwrap();
    bounded.delete("a").await.unwrap();
    bounded.delete("of_another").await.unwrap();
    bounded.store("b", noise(100_000)).await.unwrap();
}

/// Lets callers write the datasets that begin with their names.
#[derive(Debug)]
struct OwnNames;

impl AccessPolicy for OwnNames {
    fn allows(&self, caller: &Caller, action: Action, target: Target<'_>) -> bool {
        match (action, target) {
            (Action::Write | Action::Delete, Target::Dataset(name)) => {
                name.as_str().starts_with(caller.name())
            }
            _ => true,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_caller_may_write_counts_and_a_retry_of_what_was_stored_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let polarway = Polarway::builder(config(&folder)).access_policy(Arc::new(OwnNames)).open().await.unwrap();
    polarway.on_behalf_of(Caller::named("other")).store("other.large", noise(200_000)).await.unwrap();
    let bounded = with_quota(&polarway, Quota { stored_bytes: Some(900_000), ..Quota::default() });
    let request = polarway_core::RequestId::fresh();
    let options = WriteOptions { request: Some(request), ..WriteOptions::new(WriteMode::Append) };
    bounded.store("bounded.small", noise(10)).await.unwrap();
    let stored = bounded.store_with("bounded.small", noise(100_000), options).await.unwrap();
    let again = bounded.store_with("bounded.small", noise(100_000), options).await.unwrap();
    assert!(again.was_retry);
    assert_eq!(again.version, stored.version);
    let refused = bounded.append("bounded.small", noise(100_000)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::QuotaExceeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_stored_at_once_share_the_quota() {
    let (polarway, _folder) = engine().await;
    let bounded = with_quota(&polarway, Quota { stored_bytes: Some(1_000_000), ..Quota::default() });
    let stored = join_all((0..8).map(|number| {
        let bounded = bounded.clone();
        async move { bounded.store(&format!("t{number}"), noise(40_000)).await }
    }));
    let stored = stored.await.into_iter().filter(Result::is_ok).count();
    assert!((1..=3).contains(&stored), "{stored}");
    let bytes: u64 = polarway.datasets().await.unwrap().iter().map(|dataset| dataset.bytes).sum();
    assert!(bytes <= 1_000_000, "{bytes}");
}
