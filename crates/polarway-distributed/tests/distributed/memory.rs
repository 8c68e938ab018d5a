//! Queries that need more memory than a worker may give them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray as _, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::functions_aggregate::expr_fn::{count, max, sum};
use datafusion::logical_expr::{JoinType, LogicalPlan};
use datafusion::prelude::{col, lit};
use polarway_distributed::{Error, Query};
use polarway_query::StoredTable;

use crate::support::{Peer, Plans, Tables, collect, fleet, urls};

/// The memory of a query on each worker: a sort takes 10 MB for each of its partitions before its first row.
const LIMIT: usize = 48 << 20;

/// The bytes of a row's text.
const WIDTH: usize = 64;

/// Rows of texts that are all different, and take so much memory together.
fn wide(tables: &Tables, bytes: usize) -> (StoredTable, i64) {
    const FILES: i64 = 6;
    let per_file = (bytes / WIDTH) as i64 / FILES;
    let schema = Arc::new(Schema::new(vec![
        Field::new("k", DataType::Utf8, true),
        Field::new("n", DataType::Int64, true),
    ]));
    let file = |number: i64| {
        // Not in the order of the texts.
        let numbers = || (0..per_file).map(move |row| (row * FILES + number) * 7_919 % (per_file * FILES));
        let texts = StringArray::from_iter_values(numbers().map(|n| format!("{n:0>WIDTH$}")));
        let numbers = Int64Array::from_iter_values(numbers());
        RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(texts), Arc::new(numbers)]).unwrap()
    };
    let files: Vec<RecordBatch> = (0..FILES).map(file).collect();
    (tables.store("wide", &files, 4_096), per_file * FILES)
}

fn bounded(plans: Plans, plan: LogicalPlan, memory_bytes: usize) -> Query {
    Query { memory_bytes, is_analyzed: true, ..plans.query(plan) }
}

/// All rows, which the workers could not hold in memory.
async fn spilling(peers: &[Peer], query: Query) -> Vec<RecordBatch> {
    let mut rows = peers[0].worker.run(query, urls(peers));
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        batches.push(batch.unwrap());
    }
    let analysis = rows.analysis().unwrap();
    assert!(analysis.contains(", spilled "), "{analysis}");
    drop(rows);
    for peer in peers {
        peer.idle().await;
        assert_eq!(files_below(peer.spill()), 0, "files are left");
    }
    batches
}

fn files_below(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 }).sum()
}

fn only_number(batches: &[RecordBatch]) -> i64 {
    let numbers: Vec<i64> = batches
        .iter()
        .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec())
        .collect();
    let [number] = numbers.as_slice() else { panic!("{numbers:?}") };
    *number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aggregate_of_four_times_a_workers_memory_spills_and_leaves_no_file() {
    let tables = Tables::new();
    let (table, rows) = wide(&tables, 4 * LIMIT);
    let peers = fleet(tables.root(), 2).await;
    let mut plans = Plans::new();
    let groups = plans.scan("wide", &table).aggregate([col("k")], [max(col("n")).alias("m")]).unwrap();
    let plan = groups.aggregate([lit(1).alias("all")], [count(col("k")), sum(col("m"))]).unwrap();
    let batches = spilling(&peers, bounded(plans, plan.build().unwrap(), LIMIT)).await;
    let [batch] = batches.as_slice() else { panic!("{batches:?}") };
    let number = |column: usize| batch.column(column).as_primitive::<Int64Type>().value(0);
    assert_eq!((number(1), number(2)), (rows, (0..rows).sum()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sort_of_four_times_a_workers_memory_spills_and_keeps_all_rows_in_order() {
    let tables = Tables::new();
    let (table, rows) = wide(&tables, 4 * LIMIT);
    let peers = fleet(tables.root(), 2).await;
    let mut plans = Plans::new();
    let plan = plans.scan("wide", &table).sort([col("k").sort(true, false)]).unwrap();
    let batches = spilling(&peers, bounded(plans, plan.build().unwrap(), LIMIT)).await;
    let numbers = batches.iter().flat_map(|batch| batch.column(1).as_primitive::<Int64Type>().values());
    assert!(numbers.copied().eq(0..rows), "rows are missing or not in order");
}

/// The rows of a table that are its own partners.
fn joined(table: &StoredTable, memory_bytes: usize) -> Query {
    let mut plans = Plans::new();
    let right = plans.scan("other", table).build().unwrap();
    let left = plans.scan("wide", table);
    let joined = left.join(right, JoinType::Inner, (vec!["wide.k"], vec!["other.k"]), None).unwrap();
    // Both sides' texts are needed, so none of them is left out before the join.
    let joined = joined.filter(col("wide.n").eq(col("other.n"))).unwrap();
    let plan = joined.aggregate(Vec::<datafusion::prelude::Expr>::new(), [count(col("other.k"))]).unwrap();
    bounded(plans, plan.build().unwrap(), memory_bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_that_is_too_large_for_one_worker_runs_on_three() {
    let tables = Tables::new();
    let (table, rows) = wide(&tables, LIMIT);
    let peers = fleet(tables.root(), 3).await;
    let alone = collect(&peers[0], joined(&table, LIMIT), vec![peers[0].url.clone()]).await.unwrap_err();
    assert!(matches!(alone, Error::OutOfMemory(_)), "{alone:?}");
    let together = collect(&peers[0], joined(&table, LIMIT), urls(&peers)).await.unwrap();
    assert_eq!(only_number(&together), rows);
    for peer in &peers {
        peer.idle().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_that_is_too_large_for_all_workers_fails_with_the_reason_and_they_live_on() {
    let tables = Tables::new();
    let (table, rows) = wide(&tables, LIMIT);
    let peers = fleet(tables.root(), 3).await;
    let failed = collect(&peers[0], joined(&table, LIMIT / 4), urls(&peers)).await.unwrap_err();
    let Error::OutOfMemory(reason) = &failed else { panic!("{failed:?}") };
    assert!(reason.contains("HashJoin"), "{reason}");
    for peer in &peers {
        peer.idle().await;
        assert_eq!(files_below(peer.spill()), 0, "files are left");
    }
    assert_eq!(only_number(&collect(&peers[1], joined(&table, LIMIT), urls(&peers)).await.unwrap()), rows);
}
