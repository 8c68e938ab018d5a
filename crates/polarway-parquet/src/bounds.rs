//! Keeps statistics from hiding rows, and from being what a reader fails at.
//!
//! Minimum and maximum leave NaN out, as Parquet asks. To DuckDB, NaN is the greatest of all values: by bounds that know
//! nothing of it, `c > 5` would pass over a chunk that has one, and `max(c)` would not see it. And DuckDB turns bounds of
//! milliseconds into microseconds before it knows which columns a query wants: one that they can't reach keeps it from reading
//! any column. A chunk with such a value gets no bounds, neither as a whole nor page by page.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow_schema::{DataType, Schema, TimeUnit};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result as ParquetResult;
use parquet::file::statistics::{Statistics, ValueStatistics};
use polarway_table::holds_leaf;

use crate::leaves::for_each_leaf;

/// Milliseconds that are as many microseconds, counted from 1970 in either direction.
const MOST_MILLISECONDS: i64 = i64::MAX / 1_000;

/// Whether a column is of floats, or holds some at any depth: only then NaN is something to reckon with.
pub fn holds_floats(schema: &Schema) -> bool {
    let is_float = |leaf: &DataType| value_type(leaf).is_floating();
    schema.fields().iter().any(|field| holds_leaf(field.data_type(), &is_float))
}

/// Which leaves of a column were seen to hold a value that bounds would mislead about.
pub(crate) struct MisleadingBounds {
    /// In the order of the file's leaves; empty where the column has no type of which that may be.
    seen: Vec<bool>,
}

impl MisleadingBounds {
    /// For a column of `leaves` leaves.
    pub(crate) fn new(data_type: &DataType, leaves: usize) -> Self {
        Self { seen: vec![false; if holds_leaf(data_type, &may_mislead) { leaves } else { 0 }] }
    }

    /// Looks through the column's next rows.
    pub(crate) fn look_through(&mut self, part: &ArrayRef) {
        if self.seen.is_empty() {
            return;
        }
        let mut leaves = self.seen.iter_mut();
        for_each_leaf(part, &mut |leaf| {
            if let Some(seen) = leaves.next() {
                *seen = *seen || misleads(leaf);
            }
        });
    }

    /// Takes the bounds of a leaf's chunk away if they would mislead.
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

fn value_type(leaf: &DataType) -> &DataType {
    match leaf {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

fn may_mislead(leaf: &DataType) -> bool {
    let values = value_type(leaf);
    values.is_floating() || matches!(values, DataType::Timestamp(TimeUnit::Millisecond, _))
}

fn misleads(leaf: &ArrayRef) -> bool {
    match leaf.data_type() {
        DataType::Float16 => has::<Float16Type>(leaf, is_nan),
        DataType::Float32 => has::<Float32Type>(leaf, is_nan),
        DataType::Float64 => has::<Float64Type>(leaf, is_nan),
        DataType::Timestamp(TimeUnit::Millisecond, _) => has::<TimestampMillisecondType>(leaf, |time| {
            !(-MOST_MILLISECONDS..=MOST_MILLISECONDS).contains(time)
        }),
        DataType::Dictionary(_, _) => misleads(leaf.as_any_dictionary().values()),
        _ => false,
    }
}

fn has<T: ArrowPrimitiveType>(array: &ArrayRef, is_it: impl Fn(&T::Native) -> bool) -> bool {
    let array = array.as_primitive::<T>();
    // Without a way out of the loop, many values are compared at once.
    let anywhere = array.values().iter().fold(false, |found, value| found | is_it(value));
    anywhere && (array.null_count() == 0 || array.iter().flatten().any(|value| is_it(&value)))
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
        Statistics::Int64(_) => Statistics::Int64(ValueStatistics::new(None, None, None, nulls, false)),
        _ => Statistics::FixedLenByteArray(ValueStatistics::new(None, None, None, nulls, false)),
    }
}
