//! How many bytes a range of rows takes in a message's body, and where to cut a batch by it.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{ByteViewType, Int16Type, Int32Type, Int64Type, RunEndIndexType};
use arrow_array::{Array, ArrayRef, GenericByteViewArray, OffsetSizeTrait, RunArray, UnionArray};
use arrow_schema::{DataType, UnionMode};
use polarway_table::{bytes_in_views, plain_bytes_over, viewed_range};

use crate::used::{prune_dictionary, used_by_type_id};
use crate::{EncodeOptions, Error, Result};

/// Rows that take no bytes still have to be cut somewhere: readers count rows of a message in 31 bits.
const MAX_ROWS: usize = i32::MAX as usize;

/// Buffers start at multiples of this in a body.
const ALIGNMENT: usize = 64;

/// The ranges that `columns` is cut into, in order and without holes.
///
/// A range aims at the target; one that is more than a quarter over it, or means more than a message
/// may, is cut again, down to single rows. `first_row` is only for naming a row that is too large.
pub(crate) fn cut(
    columns: &[ArrayRef],
    rows: usize,
    first_row: u64,
    options: &EncodeOptions,
) -> Result<Vec<Range<usize>>> {
    let mut ranges = Vec::new();
    let row_bytes = match options.targets(columns.len()) {
        1 => 0,
        _ => bytes_of_columns(columns, &(0..rows), options)?.checked_div(rows).unwrap_or(0),
    };
    let target_bytes = options.chunk_bytes(columns.len(), row_bytes);
    // A stack instead of recursion, filled from the back so that ranges come off it in row order.
    let mut open: Vec<_> = std::iter::once(0..rows).collect();
    while let Some(range) = open.pop() {
        if range.is_empty() {
            continue;
        }
        let bytes = bytes_of_columns(columns, &range, options)?;
        let plain_bytes = plain_bytes_over_limit(columns, &range, options);
        let tolerated = target_bytes.saturating_add(target_bytes / 4);
        if bytes <= tolerated.min(options.max_bytes) && plain_bytes.is_none() && range.len() <= MAX_ROWS {
            ranges.push(range);
        } else if range.len() == 1 {
            let row = first_row.saturating_add(range.start as u64);
            if bytes > options.max_bytes {
                return Err(Error::RowTooLarge { row, bytes, max_bytes: options.max_bytes });
            }
            if let Some(bytes) = plain_bytes {
                return Err(Error::RowTooLarge { row, bytes, max_bytes: options.max_plain_bytes });
            }
            ranges.push(range);
        } else {
            let pieces = bytes
                .div_ceil(target_bytes.max(1))
                .max(plain_bytes.unwrap_or(0).div_ceil(options.max_plain_bytes.max(1)))
                .max(range.len().div_ceil(MAX_ROWS))
                .clamp(2, range.len());
            let border = |piece: usize| {
                // The product needs more than 64 bits for row counts that only columns without bytes reach.
                let rows = range.len() as u128 * piece as u128 / pieces as u128;
                range.start + rows as usize
            };
            open.extend((0..pieces).rev().map(|piece| border(piece)..border(piece + 1)));
        }
    }
    Ok(ranges)
}

/// What the rows take with every value written out, if that is more than a message may.
fn plain_bytes_over_limit(
    columns: &[ArrayRef],
    range: &Range<usize>,
    options: &EncodeOptions,
) -> Option<usize> {
    let part: Vec<ArrayRef> = columns.iter().map(|column| column.slice(range.start, range.len())).collect();
    let over = plain_bytes_over(&part, options.max_plain_bytes as u64)?;
    Some(usize::try_from(over).unwrap_or(usize::MAX))
}

fn bytes_of_columns(columns: &[ArrayRef], range: &Range<usize>, options: &EncodeOptions) -> Result<usize> {
    let mut bytes = 0usize;
    for column in columns {
        bytes = bytes.saturating_add(bytes_of_rows(column, range.clone(), options)?);
    }
    Ok(bytes)
}

/// What the rows `range` of `array` take in the body of a message, dictionaries aside that are sent
/// once for many messages.
pub(crate) fn bytes_of_rows(array: &ArrayRef, range: Range<usize>, options: &EncodeOptions) -> Result<usize> {
    let rows = range.len();
    let validity = match array.nulls() {
        Some(_) => padded(rows.div_ceil(8)),
        None => 0,
    };
    let data_type = array.data_type();
    let values = match data_type {
        DataType::Null => 0,
        DataType::Boolean => padded(rows.div_ceil(8)),
        DataType::Utf8 => bytes_in_offsets(array.as_string::<i32>().value_offsets(), &range),
        DataType::Binary => bytes_in_offsets(array.as_binary::<i32>().value_offsets(), &range),
        DataType::LargeUtf8 => bytes_in_offsets(array.as_string::<i64>().value_offsets(), &range),
        DataType::LargeBinary => bytes_in_offsets(array.as_binary::<i64>().value_offsets(), &range),
        DataType::Utf8View => bytes_of_views(array.as_string_view(), &range),
        DataType::BinaryView => bytes_of_views(array.as_binary_view(), &range),
        DataType::FixedSizeBinary(width) => padded(rows.saturating_mul(usize::try_from(*width).unwrap_or(0))),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            bytes_of_list(list.value_offsets(), list.values(), &range, options)?
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            bytes_of_list(list.value_offsets(), list.values(), &range, options)?
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            let entries: ArrayRef = std::sync::Arc::new(map.entries().clone());
            bytes_of_list(map.value_offsets(), &entries, &range, options)?
        }
        DataType::ListView(_) => {
            let list = array.as_list_view::<i32>();
            let (offsets, sizes) = (list.value_offsets(), list.value_sizes());
            let used = viewed_range(&offsets[range.clone()], &sizes[range]);
            2 * padded(rows * 4) + bytes_of_rows(list.values(), used, options)?
        }
        DataType::LargeListView(_) => {
            let list = array.as_list_view::<i64>();
            let (offsets, sizes) = (list.value_offsets(), list.value_sizes());
            let used = viewed_range(&offsets[range.clone()], &sizes[range]);
            2 * padded(rows * 8) + bytes_of_rows(list.values(), used, options)?
        }
        DataType::FixedSizeList(_, size) => {
            let list = array.as_fixed_size_list();
            let size = usize::try_from(*size).unwrap_or(0);
            bytes_of_rows(list.values(), range.start * size..range.end * size, options)?
        }
        DataType::Struct(_) => bytes_of_columns(array.as_struct().columns(), &range, options)?,
        DataType::Dictionary(key, _) => {
            let dictionary = array.as_any_dictionary();
            let keys = padded(rows * key.primitive_width().unwrap_or(8));
            let values = dictionary.values();
            let whole = bytes_of_rows(values, 0..values.len(), options)?;
            if whole > options.shared_dictionary_bytes() {
                let slice = array.slice(range.start, rows);
                let pruned = prune_dictionary(&slice)?;
                let values = pruned.as_any_dictionary().values();
                keys.saturating_add(bytes_of_rows(values, 0..values.len(), options)?)
            } else {
                keys
            }
        }
        DataType::RunEndEncoded(run_ends, _) => match run_ends.data_type() {
            DataType::Int16 => bytes_of_runs::<Int16Type>(array.as_run(), &range, options)?,
            DataType::Int32 => bytes_of_runs::<Int32Type>(array.as_run(), &range, options)?,
            _ => bytes_of_runs::<Int64Type>(array.as_run(), &range, options)?,
        },
        DataType::Union(_, mode) => bytes_of_union(array.as_union(), *mode, &range, options)?,
        fixed_width => padded(rows.saturating_mul(fixed_width.primitive_width().unwrap_or(16))),
    };
    Ok(validity.saturating_add(values))
}

fn padded(bytes: usize) -> usize {
    bytes.checked_next_multiple_of(ALIGNMENT).unwrap_or(usize::MAX)
}

fn bytes_in_offsets<O: OffsetSizeTrait>(offsets: &[O], range: &Range<usize>) -> usize {
    let values = offsets[range.end].as_usize() - offsets[range.start].as_usize();
    padded((range.len() + 1) * size_of::<O>()).saturating_add(padded(values))
}

fn bytes_of_views<T: ByteViewType + ?Sized>(array: &GenericByteViewArray<T>, range: &Range<usize>) -> usize {
    let views = &array.views()[range.clone()];
    padded(size_of_val(views)).saturating_add(padded(bytes_in_views(views) as usize))
}

fn bytes_of_list<O: OffsetSizeTrait>(
    offsets: &[O],
    values: &ArrayRef,
    range: &Range<usize>,
    options: &EncodeOptions,
) -> Result<usize> {
    let used = offsets[range.start].as_usize()..offsets[range.end].as_usize();
    let own = padded((range.len() + 1) * size_of::<O>());
    Ok(own.saturating_add(bytes_of_rows(values, used, options)?))
}

fn bytes_of_runs<R: RunEndIndexType>(
    array: &RunArray<R>,
    range: &Range<usize>,
    options: &EncodeOptions,
) -> Result<usize> {
    if range.is_empty() {
        return Ok(0);
    }
    let runs = array.get_physical_index(range.start)..array.get_physical_index(range.end - 1) + 1;
    let run_ends = padded(runs.len() * size_of::<R::Native>());
    Ok(run_ends.saturating_add(bytes_of_rows(array.values(), runs, options)?))
}

fn bytes_of_union(
    array: &UnionArray,
    mode: UnionMode,
    range: &Range<usize>,
    options: &EncodeOptions,
) -> Result<usize> {
    let mut bytes = padded(range.len());
    if mode == UnionMode::Dense {
        bytes = bytes.saturating_add(padded(range.len() * 4));
    }
    for (type_id, _) in array.fields().iter() {
        let used = match array.offsets() {
            Some(offsets) => used_by_type_id(array.type_ids(), offsets, type_id, range),
            None => range.clone(),
        };
        bytes = bytes.saturating_add(bytes_of_rows(array.child(type_id), used, options)?);
    }
    Ok(bytes)
}
