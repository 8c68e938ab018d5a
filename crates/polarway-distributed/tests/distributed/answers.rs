//! The same answers as one process gives, and nothing left behind.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{Array as _, AsArray as _, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::JoinType;
use datafusion::prelude::{col, lit};
use polarway_distributed::{Query, Spread};

use crate::support::{Plans, Tables, collect, fleet, fleet_spreading, forced, urls};

/// So many rows with a key of ten values and a number.
pub(crate) fn numbers(from: i64, to: i64) -> RecordBatch {
    let schema =
        Schema::new(vec![Field::new("key", DataType::Utf8, true), Field::new("n", DataType::Int64, true)]);
    let keys = StringArray::from_iter_values((from..to).map(|n| format!("k{}", n % 10)));
    RecordBatch::try_new(
        Arc::new(schema),
        vec![Arc::new(keys), Arc::new(Int64Array::from_iter_values(from..to))],
    )
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aggregate_runs_on_all_workers_and_leaves_nothing_behind() {
    let tables = Tables::new();
    let batches: Vec<_> = (0..6).map(|part| numbers(part * 1000, (part + 1) * 1000)).collect();
    let table = tables.store("numbers", &batches, 100);
    let peers = fleet(tables.root(), 3).await;
    let mut plans = Plans::new();
    let plan = plans.scan("numbers", &table);
    let plan = plan.filter(col("n").gt_eq(lit(10_i64))).unwrap();
    let plan = plan.aggregate([col("key")], [count(col("n")), sum(col("n"))]).unwrap();
    let plan = plan.sort([col("key").sort(true, false)]).unwrap().build().unwrap();
    let rows = collect(&peers[0], plans.query(plan), urls(&peers)).await.unwrap();
    let rows = arrow::compute::concat_batches(&rows[0].schema(), &rows).unwrap();
    assert_eq!(rows.num_rows(), 10);
    for row in 0..10 {
        let key = row as i64;
        assert_eq!(rows.column(0).as_string_view().value(row), format!("k{key}"));
        assert_eq!(rows.column(1).as_primitive::<Int64Type>().value(row), 599);
        let expected: i64 = (1..600).map(|ten| ten * 10 + key).sum();
        assert_eq!(rows.column(2).as_primitive::<Int64Type>().value(row), expected);
    }
    assert!(rows.column(2).null_count() == 0);
    let opened = |at: usize| peers[at].files.opened.load(Ordering::SeqCst);
    assert!((0..3).all(|at| opened(at) > 0), "{} {} {}", opened(0), opened(1), opened(2));
    for peer in &peers {
        peer.idle().await;
    }
    let counts: Vec<_> = peers.iter().map(|peer| peer.worker.counts()).collect();
    assert_eq!(counts.iter().map(|counts| counts.tries).collect::<Vec<_>>(), [1, 0, 0]);
    assert!(counts.iter().all(|counts| counts.plans > 0 && counts.plans_refused == 0), "{counts:?}");
    let (sent, received) = counts.iter().fold((0, 0), |(sent, received), worker| {
        (sent + worker.sent_bytes, received + worker.received_bytes)
    });
    assert!(0 < received && received <= sent, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_task_of_a_join_reads_a_small_table_itself() {
    let tables = Tables::new();
    let batches: Vec<_> = (0..6).map(|part| numbers(part * 1000, (part + 1) * 1000)).collect();
    let large = tables.store("large", &batches, 100);
    let small = tables.store("small", &[numbers(10, 15)], 100);
    let bytes: u64 = small.files[0].files.iter().map(|file| file.bytes).sum();
    for (bytes_of_each_task, is_sent) in [(bytes - 1, true), (bytes, false)] {
        let spread = Spread { bytes_of_each_task, ..forced() };
        let peers = fleet_spreading(tables.root(), 3, spread).await;
        let mut plans = Plans::new();
        let plan = plans.scan("large", &large);
        let few = plans.scan("small", &small).filter(col("small.n").gt(lit(11_i64))).unwrap();
        let few = few.build().unwrap();
        let plan = plan.join(few, JoinType::Inner, (vec!["large.n"], vec!["small.n"]), None).unwrap();
        let plan = plan.project([col("large.n")]).unwrap();
        let plan = plan.sort([col("large.n").sort(true, false)]).unwrap().build().unwrap();
        let query = Query { is_analyzed: true, ..plans.query(plan) };
        let mut rows = peers[0].worker.run(query, urls(&peers));
        let mut found = Vec::new();
        while let Some(batch) = rows.next().await {
            found.extend_from_slice(batch.unwrap().column(0).as_primitive::<Int64Type>().values());
        }
        assert_eq!(found, [12, 13, 14]);
        assert_eq!(rows.workers(), 3);
        let analysis = rows.analysis().unwrap();
        assert_eq!(analysis.contains("BroadcastExec"), is_sent, "{analysis}");
        // Stages have numbers without gaps.
        let stages = analysis.lines().filter_map(|line| line.strip_prefix("stage "));
        let numbers: Vec<_> = stages.map(|stage| stage.split(',').next().unwrap()).collect();
        assert_eq!(numbers, if is_sent { vec!["1", "2"] } else { vec!["1"] }, "{analysis}");
    }
}
