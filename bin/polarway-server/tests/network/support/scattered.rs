//! A table whose files are as large as it is.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use polarway_client::Table;

/// One column `n` of numbers without a pattern, which take as much room in a file as in memory.
pub(crate) fn scattered(rows: i64) -> Table {
    // The mixing steps of SplitMix64.
    let mixed = |n: i64| {
        let n = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (n ^ (n >> 31)) as i64
    };
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(mixed)));
    RecordBatch::try_from_iter([("n", numbers)]).unwrap().into()
}
