//! Running queries, and waiting for them.

use std::time::{Duration, Instant};

use polarway_client::{DistributedClient, Error, QueryOptions, QueryPhase, RunningQuery, Table};
use tokio::task::JoinHandle;

use super::PATIENCE;

/// Runs for hours before it gives its only row.
pub(crate) const ENDLESS_SUM: &str =
    "SELECT sum(a.range * b.range % 7) FROM range(100000000) a, range(100000000) b";

/// Waits until there is something.
pub(crate) async fn until<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "not seen within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Runs a query in a task of its own.
pub(crate) fn in_background(
    client: &DistributedClient,
    sql: &str,
    options: impl Into<QueryOptions>,
) -> JoinHandle<Result<Table, Error>> {
    let (client, sql, options) = (client.clone(), sql.to_owned(), options.into());
    tokio::spawn(async move { client.query_with(&sql, options).await })
}

/// Waits until the query of this text is in this phase.
pub(crate) async fn query_in(phase: QueryPhase, client: &DistributedClient, sql: &str) -> RunningQuery {
    until(&format!("{phase:?} of {sql}"), async || {
        let queries = client.queries().await.unwrap();
        queries.into_iter().find(|query| query.sql == sql && query.phase == phase)
    })
    .await
}

/// Waits until no query runs or waits any more.
pub(crate) async fn all_ended(client: &DistributedClient) {
    until("the end of all queries", async || client.queries().await.unwrap().is_empty().then_some(())).await;
}
