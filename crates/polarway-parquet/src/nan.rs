//! Keeps the statistics of float columns from hiding rows.
//!
//! Minimum and maximum leave NaN out, as Parquet asks. To DuckDB, NaN is the greatest of all values: by bounds that know
//! nothing of it, `c > 5` would pass over a chunk that has one, and `max(c)` would not see it. So a chunk with a NaN gets
//! no bounds, neither as a whole nor page by page.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow_schema::{DataType, Schema};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result as ParquetResult;
use parquet::file::statistics::{Statistics, ValueStatistics};

use crate::leaves::for_each_leaf;
use crate::schema::holds_leaf;

/// Whether a column is of floats, or holds some at any depth: only then NaN is something to reckon with.
pub fn holds_floats(schema: &Schema) -> bool {
    schema.fields().iter().any(|field| holds_leaf(field.data_type(), &is_float))
}

/// Which leaves of a column were seen to hold a NaN.
pub(crate) struct NanLeaves {
    /// In the order of the file's leaves; empty where the column has no floats.
    seen: Vec<bool>,
}

impl NanLeaves {
    /// For a column of `leaves` leaves.
    pub(crate) fn new(data_type: &DataType, leaves: usize) -> Self {
        let floats = holds_leaf(data_type, &is_float);
        Self { seen: vec![false; if floats { leaves } else { 0 }] }
    }

    /// Looks through the column's next rows.
    pub(crate) fn look_through(&mut self, part: &ArrayRef) {
        if self.seen.is_empty() {
            return;
        }
        let mut leaves = self.seen.iter_mut();
        for_each_leaf(part, &mut |leaf| {
            if let Some(seen) = leaves.next() {
                *seen = *seen || has_nan(leaf);
            }
        });
    }

    /// Takes the bounds of a leaf's chunk away if the chunk has a NaN.
    pub(crate) fn correct(&self, leaf: usize, chunk: &mut ColumnCloseResult) -> ParquetResult<()> {
        if !self.seen.get(leaf).copied().unwrap_or(false) {
            return Ok(());
        }
        chunk.column_index = None;
        let Some(statistics) = chunk.metadata.statistics().map(without_bounds) else { return Ok(()) };
        let metadata = chunk.metadata.clone().into_builder();
        chunk.metadata = metadata.set_statistics(statistics).build()?;
        Ok(())
    }
}

fn is_float(leaf: &DataType) -> bool {
    match leaf {
        DataType::Dictionary(_, values) => values.is_floating(),
        other => other.is_floating(),
    }
}

fn has_nan(leaf: &ArrayRef) -> bool {
    match leaf.data_type() {
        DataType::Float16 => holds_nan::<Float16Type>(leaf),
        DataType::Float32 => holds_nan::<Float32Type>(leaf),
        DataType::Float64 => holds_nan::<Float64Type>(leaf),
        DataType::Dictionary(_, _) => has_nan(leaf.as_any_dictionary().values()),
        _ => false,
    }
}

fn holds_nan<T: ArrowPrimitiveType>(array: &ArrayRef) -> bool {
    let array = array.as_primitive::<T>();
    // Without a way out of the loop, many values are compared at once.
    let anywhere = array.values().iter().fold(false, |found, value| found | is_nan(value));
    anywhere && (array.null_count() == 0 || array.iter().flatten().any(|value| is_nan(&value)))
}

fn is_nan<T: PartialOrd>(value: &T) -> bool {
    value.partial_cmp(value).is_none()
}

/// The same count of nulls, and nothing else.
fn without_bounds(statistics: &Statistics) -> Statistics {
    let nulls = statistics.null_count_opt();
    match statistics {
        Statistics::Float(_) => Statistics::Float(ValueStatistics::new(None, None, None, nulls, false)),
        Statistics::Double(_) => Statistics::Double(ValueStatistics::new(None, None, None, nulls, false)),
        _ => Statistics::FixedLenByteArray(ValueStatistics::new(None, None, None, nulls, false)),
    }
}
