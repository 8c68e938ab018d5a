//! Gives decoded columns exactly the types that were stored.
//!
//! What the decoder returns differs in some leaves (see [`decoded_type`](crate::schema::decoded_type)) and in what
//! Parquet has no place for: names, metadata and nullability inside of maps, and metadata inside of any nested type.
//! The same machinery makes, before encoding, what the encoder takes of what is stored.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, GenericListArray, GenericListViewArray, MapArray, OffsetSizeTrait,
    StructArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow_cast::display::FormatOptions;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, FieldRef, Fields};
use arrow_select::take::take;

use polarway_table::viewed_part;

use crate::dictionary::to_dictionary;
use crate::kept::KeptDictionaries;

/// Casts that would lose a value are errors, never nulls.
pub(crate) const EXACT: CastOptions<'static> =
    CastOptions { safe: false, format_options: FormatOptions::new() };

#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    /// The rows hold more values than the dictionary's keys can tell apart: fewer rows will do.
    #[error("too many values for the dictionary's keys")]
    DictionaryOverflow,
    #[error("the column has another shape than was stored")]
    Shape,
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

/// Whether [`restore`] can make `wanted` of what is read as `decoded`.
pub(crate) fn is_restorable(decoded: &DataType, wanted: &DataType) -> bool {
    use DataType::*;
    match (decoded, wanted) {
        (Struct(decoded), Struct(wanted)) => {
            decoded.len() == wanted.len()
                && decoded.iter().zip(wanted).all(|(decoded, wanted)| {
                    decoded.name() == wanted.name() && is_restorable(decoded.data_type(), wanted.data_type())
                })
        }
        (List(decoded), List(wanted))
        | (LargeList(decoded), LargeList(wanted))
        | (ListView(decoded), ListView(wanted))
        | (LargeListView(decoded), LargeListView(wanted)) => {
            is_restorable(decoded.data_type(), wanted.data_type())
        }
        (FixedSizeList(decoded, length), FixedSizeList(wanted, wanted_length)) => {
            length == wanted_length && is_restorable(decoded.data_type(), wanted.data_type())
        }
        (Map(decoded, _), Map(wanted, _)) => match (decoded.data_type(), wanted.data_type()) {
            (Struct(decoded), Struct(wanted)) => {
                decoded.len() == wanted.len()
                    && decoded
                        .iter()
                        .zip(wanted)
                        .all(|(decoded, wanted)| is_restorable(decoded.data_type(), wanted.data_type()))
            }
            _ => false,
        },
        (decoded, wanted) => *decoded == crate::schema::decoded_type(wanted),
    }
}

/// `array` as `wanted`, to the last nested field's metadata, with the dictionaries that were `kept`. No leaf's values are
/// copied.
pub(crate) fn restore(
    array: &ArrayRef,
    wanted: &DataType,
    kept: Option<&KeptDictionaries>,
) -> Result<ArrayRef, RestoreError> {
    use DataType::*;
    if kept.is_none() && array.data_type() == wanted && !may_be_padded(wanted) {
        return Ok(array.clone());
    }
    let of_item = kept.and_then(|kept| kept.child(0));
    match (array.data_type(), wanted) {
        (_, Dictionary(keys, values)) => {
            to_dictionary(array, keys, values, kept.and_then(KeptDictionaries::own))
        }
        (Dictionary(_, values), wanted) if values.as_ref() == wanted => {
            let dictionary = array.as_any_dictionary();
            Ok(take(dictionary.values(), dictionary.keys(), None)?)
        }
        (List(_), List(item)) => restore_list::<i32>(array, item, of_item),
        (LargeList(_), LargeList(item)) => restore_list::<i64>(array, item, of_item),
        (ListView(_), ListView(item)) => restore_list_view::<i32>(array, item, of_item),
        (LargeListView(_), LargeListView(item)) => restore_list_view::<i64>(array, item, of_item),
        (FixedSizeList(found, _), FixedSizeList(item, size)) => {
            let list = array.as_fixed_size_list();
            let values = restore(list.values(), item.data_type(), of_item)?;
            let mut nulls = list.nulls().cloned();
            if let Some(padding) = padding(found, &values) {
                let size = usize::try_from(*size).map_err(|_| RestoreError::Shape)?;
                let whole = |row| (row * size..(row + 1) * size).all(|value| padding.is_valid(value));
                let whole = NullBuffer::new(BooleanBuffer::collect_bool(list.len(), whole));
                nulls = NullBuffer::union(nulls.as_ref(), Some(&whole));
            }
            Ok(Arc::new(FixedSizeListArray::try_new(item.clone(), *size, values, nulls)?))
        }
        (Struct(_), Struct(fields)) => Ok(Arc::new(restore_struct(array.as_struct(), fields, kept)?)),
        (Map(_, _), Map(entries, sorted)) => {
            let Struct(fields) = entries.data_type() else { return Err(RestoreError::Shape) };
            let map = array.as_map();
            let (offsets, range) = cut(map.offsets());
            let pairs = restore_struct(&map.entries().slice(range.start, range.len()), fields, of_item)?;
            Ok(Arc::new(MapArray::try_new(entries.clone(), offsets, pairs, map.nulls().cloned(), *sorted)?))
        }
        (Decimal32(_, _), Decimal64(_, _)) | (Decimal64(_, _), Decimal32(_, _)) => {
            Ok(cast_with_options(array, wanted, &EXACT)?)
        }
        _ => Err(RestoreError::Shape),
    }
}

fn restore_list<O: OffsetSizeTrait>(
    array: &ArrayRef,
    item: &FieldRef,
    kept: Option<&KeptDictionaries>,
) -> Result<ArrayRef, RestoreError> {
    let list = array.as_list::<O>();
    let (offsets, range) = cut(list.offsets());
    let values = restore(&list.values().slice(range.start, range.len()), item.data_type(), kept)?;
    Ok(Arc::new(GenericListArray::<O>::try_new(item.clone(), offsets, values, list.nulls().cloned())?))
}

/// Offsets from 0, and the range of values that they stand for: a part of an array must not carry the values of
/// the rest, which may be too many for a dictionary.
fn cut<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> (OffsetBuffer<O>, Range<usize>) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let range = first.as_usize()..last.as_usize();
    if range.start == 0 {
        return (offsets.clone(), range);
    }
    let lengths = offsets.windows(2).map(|pair| pair[1].as_usize() - pair[0].as_usize());
    (OffsetBuffer::from_lengths(lengths), range)
}

fn restore_list_view<O: OffsetSizeTrait>(
    array: &ArrayRef,
    item: &FieldRef,
    kept: Option<&KeptDictionaries>,
) -> Result<ArrayRef, RestoreError> {
    let list = array.as_list_view::<O>();
    let (offsets, values) = viewed_part(list);
    let values = restore(&values, item.data_type(), kept)?;
    let (sizes, nulls) = (list.sizes().clone(), list.nulls().cloned());
    Ok(Arc::new(GenericListViewArray::<O>::try_new(item.clone(), offsets, sizes, values, nulls)?))
}

fn restore_struct(
    array: &StructArray,
    fields: &Fields,
    kept: Option<&KeptDictionaries>,
) -> Result<StructArray, RestoreError> {
    if array.num_columns() != fields.len() {
        return Err(RestoreError::Shape);
    }
    let mut nulls = array.nulls().cloned();
    let mut columns = Vec::with_capacity(fields.len());
    let columns_found = array.columns().iter().zip(array.fields());
    for (place, ((column, found), field)) in columns_found.zip(fields).enumerate() {
        let column = restore(column, field.data_type(), kept.and_then(|kept| kept.child(place)))?;
        if let Some(padding) = padding(found, &column) {
            nulls = NullBuffer::union(nulls.as_ref(), Some(&padding));
        }
        columns.push(column);
    }
    Ok(StructArray::try_new(fields.clone(), columns, nulls)?)
}

/// Whether there is a column in it that can't have nulls and has a parent with as many rows: [`padding`] may be in it.
fn may_be_padded(data_type: &DataType) -> bool {
    use DataType::*;
    let is_padded = |field: &FieldRef| !field.is_nullable() || may_be_padded(field.data_type());
    match data_type {
        Struct(fields) => fields.iter().any(is_padded),
        FixedSizeList(item, _) => is_padded(item),
        // Where a parent is null, these have no items.
        List(item) | LargeList(item) | ListView(item) | LargeListView(item) | Map(item, _) => {
            may_be_padded(item.data_type())
        }
        _ => false,
    }
}

/// The nulls in a column that can't have any: the decoder puts them where a parent is null, also where it does not
/// mark the parents in between as null. Arrow takes such a column only if its parent is marked.
fn padding(found: &FieldRef, column: &ArrayRef) -> Option<NullBuffer> {
    if found.is_nullable() { None } else { column.logical_nulls().filter(|nulls| nulls.null_count() > 0) }
}
