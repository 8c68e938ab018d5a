//! Lists, and their items.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray as _, Int64Array, ListArray, ListBuilder, StringBuilder, UInt64Array,
    new_empty_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{interleave, take};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;

use super::keys::{order, rows};
use super::retyped::retyped;
use super::{Native, first_type, last_type, second_type, unexpected};

/// `list(item, …, null)`: the items as a list of the type of `null`.
pub(crate) const LIST: Native = Native::new("duckdb_list", last_type, |arguments, output| {
    let (DataType::List(item), Some((null, items))) = (output, arguments.split_last()) else {
        return Err(unexpected("duckdb_list", std::slice::from_ref(output)));
    };
    let items = items.iter().map(|items| retyped(items, item.data_type())).collect::<Result<Vec<_>>>()?;
    let (count, lists) = (items.len(), null.len());
    let places: Vec<_> = (0..lists).flat_map(|row| (0..count).map(move |place| (place, row))).collect();
    let all: Vec<&dyn Array> = items.iter().map(AsRef::as_ref).collect();
    let all = if all.is_empty() { new_empty_array(item.data_type()) } else { interleave(&all, &places)? };
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(count, lists));
    Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, all, None)?))
});

/// `item(list, place)`: from 1, or from -1 backwards. NULL where there is none.
pub(crate) const ITEM: Native = Native::new(
    "duckdb_item",
    |types| match types {
        [DataType::List(item), _] => Ok(item.data_type().clone()),
        _ => Err(unexpected("duckdb_item", types)),
    },
    |arguments, _| {
        let lists = arguments[0].as_list::<i32>();
        let places = arguments[1].as_primitive::<Int64Type>();
        let found = places.iter().enumerate().map(|(row, place)| {
            let (start, length) = (i64::from(lists.value_offsets()[row]), i64::from(lists.value_length(row)));
            let place = match place? {
                place @ 1.. => place - 1,
                0 => return None,
                place => length.checked_add(place)?,
            };
            let is_item = lists.is_valid(row) && (0..length).contains(&place);
            is_item.then(|| (start + place).cast_unsigned())
        });
        Ok(take(lists.values(), &found.collect::<UInt64Array>(), None)?)
    },
);

/// `slice(list, begin, end)`: from 1 on, or from -1 backwards, both included.
pub(crate) const SLICE: Native = Native::new("duckdb_slice", first_type, |arguments, _| {
    let lists = arguments[0].as_list::<i32>();
    let (begins, ends) = (arguments[1].as_primitive::<Int64Type>(), arguments[2].as_primitive::<Int64Type>());
    let (mut items, mut nulls) = (Vec::with_capacity(lists.len()), Vec::with_capacity(lists.len()));
    for row in 0..lists.len() {
        let is_valid = lists.is_valid(row) && begins.is_valid(row) && ends.is_valid(row);
        nulls.push(is_valid);
        items.push(is_valid.then(|| {
            let (start, length) = (i64::from(lists.value_offsets()[row]), i64::from(lists.value_length(row)));
            let range = slice(begins.value(row), ends.value(row), length);
            range.filter_map(|place| usize::try_from(start + place).ok()).collect()
        }));
    }
    rearranged(lists.values(), &items, Some(NullBuffer::from(nulls)))
});

/// The places, from 0, between two bounds of a list with this length.
fn slice(begin: i64, end: i64, length: i64) -> std::ops::Range<i64> {
    let begin = if begin == 0 { 0 } else { begin.saturating_sub(1) };
    let begin = match begin < -length {
        true if end < -length => return 0..0,
        true => 0,
        false => begin,
    };
    let place = |bound: i64| match bound {
        0.. => Some(bound.min(length)),
        _ => Some(length + bound + 1).filter(|place| *place >= 0),
    };
    match (place(begin), place(end)) {
        (Some(begin), Some(end)) => begin..end.max(begin),
        _ => 0..0,
    }
}

/// The parts of a text between the places where another one is.
pub(crate) const SPLIT: Native = Native::new(
    "duckdb_split",
    |_| Ok(DataType::new_list(DataType::Utf8, true)),
    |arguments, _| {
        let (texts, separators) = (arguments[0].as_string::<i32>(), arguments[1].as_string::<i32>());
        let mut lists = ListBuilder::new(StringBuilder::new());
        for (text, separator) in texts.iter().zip(separators) {
            match (text, separator) {
                (Some(text), Some(separator)) => lists.append_value(text.split(separator).map(Some)),
                _ => lists.append_null(),
            }
        }
        Ok(Arc::new(lists.finish()) as ArrayRef)
    },
);

/// The number of items.
pub(crate) const LENGTH: Native = Native::new(
    "duckdb_length",
    |_| Ok(DataType::Int64),
    |arguments, _| {
        let lists = arguments[0].as_list::<i32>();
        let length = |row| lists.is_valid(row).then(|| i64::from(lists.value_length(row)));
        Ok(Arc::new((0..lists.len()).map(length).collect::<Int64Array>()) as ArrayRef)
    },
);

/// `sort_items(list, order)`: the items in an order, a word of `order_word`.
pub(crate) const SORT_ITEMS: Native = Native::new("duckdb_sort_items", first_type, |arguments, _| {
    let lists = arguments[0].as_list::<i32>();
    let order = order(arguments[1].as_string::<i32>().value(0))?;
    let keys = rows(&[Arc::clone(lists.values())], &[order])?;
    let items = places(lists, |places| places.sort_by(|one, other| keys.row(*one).cmp(&keys.row(*other))));
    rearranged(lists.values(), &items, lists.nulls().cloned())
});

/// `ordered(list)`: of a list of pairs, the values in the order of their keys.
pub(crate) const ORDERED: Native = Native::new(
    "duckdb_ordered",
    |types| match types {
        [DataType::List(pair)] => match pair.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                Ok(DataType::List(Arc::new(fields[1].as_ref().clone().with_name("item"))))
            }
            _ => Err(unexpected("duckdb_ordered", types)),
        },
        _ => Err(unexpected("duckdb_ordered", types)),
    },
    |arguments, _| {
        let lists = arguments[0].as_list::<i32>();
        let pairs = lists.values().as_struct();
        let keys = pairs.column(0).as_binary::<i32>();
        let items =
            places(lists, |places| places.sort_by(|one, other| keys.value(*one).cmp(keys.value(*other))));
        rearranged(pairs.column(1), &items, lists.nulls().cloned())
    },
);

/// `first_of(order, value, …)`: of several values, the one that is first in an order, a word of `order_word`. NULLs are last.
pub(crate) const FIRST_OF: Native = Native::new("duckdb_first_of", second_type, |arguments, _| {
    let order = order(arguments[0].as_string::<i32>().value(0))?;
    let values = &arguments[1..];
    let keys = values.iter().map(|values| rows(std::slice::from_ref(values), &[order]));
    let keys = keys.collect::<Result<Vec<_>>>()?;
    // Of values that are equal, the first one.
    let first = |row| (0..keys.len()).min_by_key(|place| keys[*place].row(row)).unwrap_or_default();
    let places: Vec<_> = (0..arguments[0].len()).map(|row| (first(row), row)).collect();
    let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
    Ok(interleave(&values, &places)?)
});

/// The places of the items of each list, arranged.
pub(super) fn places(lists: &ListArray, arrange: impl Fn(&mut Vec<usize>)) -> Vec<Option<Vec<usize>>> {
    let bounds = lists.value_offsets().windows(2).enumerate();
    let of_list = |(row, bounds): (usize, &[i32])| {
        lists.is_valid(row).then(|| {
            let mut places: Vec<usize> =
                (bounds[0]..bounds[1]).filter_map(|place| usize::try_from(place).ok()).collect();
            arrange(&mut places);
            places
        })
    };
    bounds.map(of_list).collect()
}

/// Lists of the values at these places.
fn rearranged(
    values: &ArrayRef,
    places: &[Option<Vec<usize>>],
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let taken = places.iter().flatten().flatten().map(|place| *place as u64);
    let values = take(values, &UInt64Array::from_iter_values(taken), None)?;
    let offsets = OffsetBuffer::from_lengths(places.iter().map(|places| places.as_ref().map_or(0, Vec::len)));
    let item = datafusion::arrow::datatypes::Field::new("item", values.data_type().clone(), true);
    Ok(Arc::new(ListArray::try_new(Arc::new(item), offsets, values, nulls)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_counts_from_both_ends_and_is_never_outside_of_its_list() {
        for (begin, end, expect) in [
            (2, 3, 1..3),
            (0, 2, 0..2),
            (-2, i64::MAX, 2..4),
            (-9, 2, 0..2),
            (3, 2, 2..2),
            (1, -9, 0..0),
            (-9, -9, 0..0),
            (i64::MIN, i64::MAX, 0..4),
        ] {
            assert_eq!(slice(begin, end, 4), expect, "[{begin}:{end}]");
        }
    }
}
