//! What aggregates make of all values of a group, which are collected in a list in no order.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray as _, ListArray, MapArray, StringArray, StructArray, UInt64Array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{SortOptions, take};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::row::Rows;
use datafusion::error::Result;

use super::keys::rows;
use super::lists::places;
use super::retyped::retyped;
use super::{Native, last_type, unexpected};

/// `joined(texts, separator)`: the texts that are not NULL, in their order; NULL if there are none.
pub(crate) const JOINED: Native = Native::new(
    "duckdb_joined",
    |_| Ok(DataType::Utf8),
    |arguments, _| {
        let lists = arguments[0].as_list::<i32>();
        let separators = arguments[1].as_string::<i32>();
        let joined = (0..lists.len()).map(|row| {
            let texts = lists.is_valid(row).then(|| lists.value(row))?;
            let texts: Vec<&str> = texts.as_string::<i32>().iter().flatten().collect();
            (!texts.is_empty()).then(|| texts.join(separators.value(row)))
        });
        Ok(Arc::new(joined.collect::<StringArray>()) as ArrayRef)
    },
);

/// `counted(values, null)`: how often each value is there, in the order of the values, as a map of the type of `null`. It is NULL
/// if there are none.
pub(crate) const COUNTED: Native = Native::new("duckdb_counted", last_type, |arguments, output| {
    let DataType::Map(entries, is_sorted) = output else {
        return Err(unexpected("duckdb_counted", std::slice::from_ref(output)));
    };
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(unexpected("duckdb_counted", std::slice::from_ref(output)));
    };
    let sorted = Sorted::of(arguments[0].as_list::<i32>(), false)?;
    let (mut keys, mut counts, mut lengths) =
        (Vec::new(), Vec::new(), Vec::with_capacity(sorted.places.len()));
    for places in &sorted.places {
        let runs = places.chunk_by(|one, other| sorted.is_same(*one, *other));
        let before = keys.len();
        for run in runs {
            keys.push(run[0] as u64);
            counts.push(run.len() as u64);
        }
        lengths.push(keys.len() - before);
    }
    let nulls: NullBuffer = lengths.iter().map(|length| *length > 0).collect();
    let keys = take(sorted.values, &UInt64Array::from(keys), None)?;
    let keys = retyped(&keys, fields[0].data_type())?;
    let pairs = StructArray::try_new(fields.clone(), vec![keys, Arc::new(UInt64Array::from(counts))], None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, pairs, Some(nulls), *is_sorted)?))
});

/// The values of lists that are not NULL, in order.
pub(super) struct Sorted<'l> {
    pub(super) values: &'l ArrayRef,
    /// For each list, the places of its values.
    pub(super) places: Vec<Vec<usize>>,
    keys: Rows,
}

impl<'l> Sorted<'l> {
    pub(super) fn of(lists: &'l ListArray, is_descending: bool) -> Result<Self> {
        let values = lists.values();
        let order = SortOptions { descending: is_descending, nulls_first: false };
        let keys = rows(&[Arc::clone(values)], &[order])?;
        let places = places(lists, |places| {
            places.retain(|place| values.is_valid(*place));
            places.sort_by(|one, other| keys.row(*one).cmp(&keys.row(*other)));
        });
        Ok(Self { values, places: places.into_iter().map(Option::unwrap_or_default).collect(), keys })
    }

    fn is_same(&self, one: usize, other: usize) -> bool {
        self.keys.row(one) == self.keys.row(other)
    }
}
