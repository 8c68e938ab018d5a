//! Maps, and lists of their parts.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray as _, ListArray, UInt64Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;

use super::retyped::retyped;
use super::{Native, last_type, unexpected};

/// `map_entries(map, null)`: a list of the pairs of keys and values, of the type of `null`.
pub(crate) const MAP_ENTRIES: Native = Native::new("duckdb_map_entries", last_type, |arguments, output| {
    let map = arguments[0].as_map();
    listed(&arguments[0], Arc::new(map.entries().clone()), output)
});

/// `map_keys(map, null)`: a list of the keys.
pub(crate) const MAP_KEYS: Native = Native::new("duckdb_map_keys", last_type, |arguments, output| {
    listed(&arguments[0], Arc::clone(arguments[0].as_map().keys()), output)
});

/// `map_values(map, null)`: a list of the values.
pub(crate) const MAP_VALUES: Native = Native::new("duckdb_map_values", last_type, |arguments, output| {
    listed(&arguments[0], Arc::clone(arguments[0].as_map().values()), output)
});

/// The number of pairs.
pub(crate) const MAP_LENGTH: Native = Native::new(
    "duckdb_map_length",
    |_| Ok(DataType::UInt64),
    |arguments, _| {
        let map = arguments[0].as_map();
        let lengths = map.offsets().lengths().enumerate();
        let lengths = lengths.map(|(row, length)| map.is_valid(row).then_some(length as u64));
        Ok(Arc::new(lengths.collect::<UInt64Array>()) as ArrayRef)
    },
);

/// Parts of the pairs of maps as lists.
fn listed(maps: &ArrayRef, parts: ArrayRef, output: &DataType) -> Result<ArrayRef> {
    let DataType::List(item) = output else {
        return Err(unexpected("a function of maps", std::slice::from_ref(output)));
    };
    let items = retyped(&parts, item.data_type())?;
    let (offsets, nulls) = (maps.as_map().offsets().clone(), maps.nulls().cloned());
    Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, items, nulls)?))
}
