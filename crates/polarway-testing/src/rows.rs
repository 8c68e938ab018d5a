//! Comparing tables by their rows.

use arrow_array::{Array, RecordBatch};

/// Asserts that both are the same rows, of the same types, however they are cut into batches.
///
/// # Panics
/// When they are not; the message shows the first column that differs.
#[track_caller]
pub fn assert_same_rows(left: &[RecordBatch], right: &[RecordBatch]) {
    let rows = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    assert_eq!(rows(left), rows(right), "the number of rows");
    let (mut left, mut right) = (left.iter().cloned(), right.iter().cloned());
    let (mut one, mut other) = (None::<RecordBatch>, None::<RecordBatch>);
    loop {
        let filled = |batch: &RecordBatch| batch.num_rows() > 0;
        let a = one.take().filter(filled).or_else(|| left.find(filled));
        let b = other.take().filter(filled).or_else(|| right.find(filled));
        let (Some(a), Some(b)) = (a, b) else { return };
        let length = a.num_rows().min(b.num_rows());
        for (column, field) in a.schema().fields().iter().enumerate() {
            let (x, y) = (a.column(column).slice(0, length), b.column(column).slice(0, length));
            assert_eq!(x.data_type(), y.data_type(), "{field}");
            assert!(x.to_data() == y.to_data(), "column {field}\n{x:?}\n{y:?}");
        }
        one = Some(a.slice(length, a.num_rows() - length));
        other = Some(b.slice(length, b.num_rows() - length));
    }
}
