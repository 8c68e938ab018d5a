//! Tables to send around.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use polarway_client::Table;

/// One column `n` of numbers.
pub(crate) fn numbers(range: Range<i64>) -> Table {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(range));
    RecordBatch::try_from_iter([("n", numbers)]).unwrap().into()
}

/// Some columns of several types, in two batches: about 80 bytes a row.
pub(crate) fn wide(rows: i64, seed: i64) -> Table {
    let batch = |range: Range<i64>| {
        let scattered = |step: i64| {
            let value = move |n: i64| (n + seed).wrapping_mul(step) ^ (n << 7);
            Arc::new(Int64Array::from_iter_values(range.clone().map(value))) as ArrayRef
        };
        let names = range.clone().map(|n| (n % 7 != 0).then(|| format!("row {n} of table {seed}")));
        RecordBatch::try_from_iter_with_nullable([
            ("n", Arc::new(Int64Array::from_iter_values(range.clone())) as ArrayRef, false),
            ("a", scattered(0x9E37_79B9), true),
            ("b", scattered(0x85EB_CA6B), true),
            ("c", scattered(0xC2B2_AE35), true),
            ("name", Arc::new(names.collect::<StringArray>()), true),
        ])
        .unwrap()
    };
    let batches = vec![batch(0..rows / 3), batch(rows / 3..rows)];
    Table::new(batches[0].schema(), batches)
}

/// Whether two tables have the same columns and the same rows, however they are cut into batches.
pub(crate) fn same(left: &Table, right: &Table) -> bool {
    left.schema().fields() == right.schema().fields() && left.to_batch().unwrap() == right.to_batch().unwrap()
}

/// The sum of the first column, of whole numbers.
pub(crate) fn sum_of(table: &Table) -> i64 {
    let columns = table.batches().iter().map(|batch| batch.column(0).as_primitive::<Int64Type>());
    columns.flat_map(|column| column.iter().flatten()).sum()
}
