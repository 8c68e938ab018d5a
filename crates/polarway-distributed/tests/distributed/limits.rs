//! A limit is one of the whole query, however many tasks read the rows below it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{AsArray as _, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{LogicalPlanBuilder, not_in_subquery};
use datafusion::prelude::{col, lit};
use polarway_query::StoredTable;

use crate::support::{Peer, Plans, Tables, collect, fleet, urls};

fn values(from: i64, to: i64) -> RecordBatch {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from_iter_values(from..to))]).unwrap()
}

async fn numbers_of(peers: &[Peer], plans: Plans, plan: LogicalPlanBuilder) -> Vec<i64> {
    let plan = plan.build().unwrap();
    let batches = collect(&peers[0], plans.query(plan), urls(peers)).await.unwrap();
    let column = |batch: &RecordBatch| batch.column(0).as_primitive::<Int64Type>().values().to_vec();
    batches.iter().flat_map(column).collect()
}

fn check_some(found: &[i64], expected: usize, all: i64, what: &str) {
    assert_eq!(found.len(), expected, "{what}");
    let distinct: HashSet<_> = found.iter().collect();
    assert_eq!(distinct.len(), found.len(), "{what}: a row came twice");
    assert!(found.iter().all(|n| (0..all).contains(n)), "{what}");
}

/// A table in tiny files, with each number below `all` once.
fn table(tables: &Tables, name: &str, all: i64, per_file: i64) -> StoredTable {
    let batches: Vec<_> =
        (0..all).step_by(per_file as usize).map(|from| values(from, all.min(from + per_file))).collect();
    tables.store(name, &batches, 2)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_offsets_unions_and_not_in_are_of_the_whole_query() {
    let tables = Tables::new();
    let peers = fleet(tables.root(), 3).await;
    let mut random = fastrand::Rng::with_seed(16);
    let all = 40_i64;
    let stored = table(&tables, "tiny", all, 5);
    for _ in 0..if polarway_testing::is_long() { 300 } else { 12 } {
        let (skip, fetch) = (random.usize(0..50), random.usize(0..50));
        let some = (all as usize).saturating_sub(skip).min(fetch);
        let what = format!("LIMIT {fetch} OFFSET {skip}");

        let mut plans = Plans::new();
        let plan = plans.scan("t", &stored).limit(skip, Some(fetch)).unwrap();
        check_some(&numbers_of(&peers, plans, plan).await, some, all, &what);

        let mut plans = Plans::new();
        let plan = plans
            .scan("t", &stored)
            .filter(col("n").gt_eq(lit(10_i64)))
            .unwrap()
            .limit(skip, Some(fetch))
            .unwrap();
        let left = (all as usize - 10).saturating_sub(skip).min(fetch);
        check_some(&numbers_of(&peers, plans, plan).await, left, all, &format!("WHERE, {what}"));

        let mut plans = Plans::new();
        let plan = plans
            .scan("t", &stored)
            .sort([col("n").sort(false, true)])
            .unwrap()
            .limit(skip, Some(fetch))
            .unwrap();
        let sorted: Vec<i64> = (0..all).rev().skip(skip).take(fetch).collect();
        assert_eq!(numbers_of(&peers, plans, plan).await, sorted, "ORDER BY, {what}");

        let mut plans = Plans::new();
        let plan = plans.scan("t", &stored).limit(skip, Some(fetch)).unwrap();
        let plan = plan.aggregate(Vec::<datafusion::prelude::Expr>::new(), [count(lit(1))]).unwrap();
        assert_eq!(numbers_of(&peers, plans, plan).await, [some as i64], "count of {what}");

        let mut plans = Plans::new();
        let one = plans.scan("t", &stored).limit(0, Some(fetch)).unwrap().build().unwrap();
        let plan = plans.scan("t", &stored).limit(skip, Some(3)).unwrap().union(one).unwrap();
        let both = (all as usize).saturating_sub(skip).min(3) + fetch.min(all as usize);
        assert_eq!(numbers_of(&peers, plans, plan).await.len(), both, "UNION ALL of {what}");

        let mut plans = Plans::new();
        let other = plans.scan("o", &stored).build().unwrap();
        let plan = plans.scan("t", &stored).union(other).unwrap().limit(skip, Some(fetch)).unwrap();
        let both = (2 * all as usize).saturating_sub(skip).min(fetch);
        assert_eq!(numbers_of(&peers, plans, plan).await.len(), both, "UNION ALL, {what}");

        let mut plans = Plans::new();
        let first = plans
            .scan("o", &stored)
            .sort([col("n").sort(true, true)])
            .unwrap()
            .limit(0, Some(fetch))
            .unwrap();
        let first = Arc::new(first.build().unwrap());
        let plan = plans.scan("t", &stored).filter(not_in_subquery(col("t.n"), first)).unwrap();
        check_some(
            &numbers_of(&peers, plans, plan).await,
            (all as usize).saturating_sub(fetch),
            all,
            "NOT IN",
        );
    }
    for peer in &peers {
        peer.idle().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_outside_of_a_list_with_a_null() {
    let tables = Tables::new();
    let peers = fleet(tables.root(), 3).await;
    let stored = table(&tables, "tiny", 40, 5);
    let schema = stored.schema.clone();
    let batch = |values: Vec<Option<i64>>| {
        RecordBatch::try_new(schema.clone(), vec![Arc::new(Int64Array::from(values))]).unwrap()
    };
    let with_null =
        tables.store("nulls", &[batch(vec![Some(1), Some(2)]), batch(vec![Some(3)]), batch(vec![None])], 1);
    let mut plans = Plans::new();
    let list = Arc::new(plans.scan("o", &with_null).build().unwrap());
    let plan = plans.scan("t", &stored).filter(not_in_subquery(col("t.n"), list)).unwrap();
    assert_eq!(numbers_of(&peers, plans, plan).await, Vec::<i64>::new());
}
