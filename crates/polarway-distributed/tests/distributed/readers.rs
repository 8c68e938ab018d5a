//! Readers that pause hold up nobody else.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::{Expr, col};

use crate::support::{Plans, Tables, collect, fleet, urls};

/// As many queries as a worker takes part in, but for one.
const PAUSED: usize = 15;
const FILES: usize = 6;
const ROWS_OF_A_FILE: usize = 400_000;

/// How long a query may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_runs_beside_many_whose_readers_pause() {
    let tables = Tables::new();
    let mut random = fastrand::Rng::with_seed(7);
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    // Random, so that compression leaves them as large as they are.
    let files: Vec<_> = (0..FILES)
        .map(|_| {
            let numbers = Int64Array::from_iter_values((0..ROWS_OF_A_FILE).map(|_| random.i64(..)));
            RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(numbers)]).unwrap()
        })
        .collect();
    let table = tables.store("noise", &files, 50_000);
    let peers = fleet(tables.root(), 3).await;
    let mut paused = Vec::new();
    for _ in 0..PAUSED {
        let mut plans = Plans::new();
        let plan = plans.scan("noise", &table).sort([col("n").sort(true, false)]).unwrap().build().unwrap();
        let mut rows = peers[0].worker.run(plans.query(plan), urls(&peers));
        assert!(matches!(rows.next().await, Some(Ok(_))));
        assert_eq!(rows.workers(), 3);
        paused.push(rows);
    }
    // What fits into their buffers is on its way now.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut plans = Plans::new();
    let plan = plans.scan("noise", &table).aggregate(Vec::<Expr>::new(), [count(col("n"))]).unwrap();
    let query = plans.query(plan.build().unwrap());
    let counted = tokio::time::timeout(PATIENCE, collect(&peers[0], query, urls(&peers))).await;
    let counted = counted.expect("it waits for those that pause").unwrap();
    assert_eq!(counted.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    // And those that paused go on.
    let mut rows = paused.pop().unwrap();
    let mut more = 0;
    while let Some(batch) = rows.next().await {
        more += batch.unwrap().num_rows();
    }
    assert!(more > 0 && more < FILES * ROWS_OF_A_FILE);
    drop((paused, rows));
    for peer in &peers {
        peer.idle().await;
    }
}
