//! Tables of random schemas and rows, the same in each run, to begin with.

use arrow::array::RecordBatch;
use polarway_testing::{Noise, batches, schemas};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

/// So many tables of two batches each.
pub(crate) fn tables(count: usize) -> Vec<Vec<RecordBatch>> {
    let mut runner = TestRunner::deterministic();
    let schemas = schemas();
    (0..count)
        .map(|seed| {
            let schema = schemas.new_tree(&mut runner).unwrap().current();
            batches(&mut Noise::new(seed as u64), &schema, &[20, 7])
        })
        .collect()
}
