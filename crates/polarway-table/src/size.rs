//! The size of rows in memory as Arrow.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::ByteViewType;
use arrow_array::{
    Array, ArrayRef, GenericByteViewArray, GenericListViewArray, OffsetSizeTrait, RecordBatch,
};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType;

/// The uncompressed size in bytes of a batch's rows: the size of their values, not of their buffers, which other batches may
/// share.
pub fn arrow_bytes(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(|column| array_bytes(column)).sum()
}

/// The uncompressed size in bytes of an array's rows, as [`arrow_bytes`] counts it.
pub fn array_bytes(array: &dyn Array) -> u64 {
    let rows = array.len() as u64;
    let validity = if array.null_count() > 0 { rows.div_ceil(8) } else { 0 };
    validity
        + match array.data_type() {
            DataType::Boolean => rows.div_ceil(8),
            DataType::FixedSizeBinary(size) => rows * u64::from(size.unsigned_abs()),
            DataType::Utf8 => 4 * rows + span(array.as_string::<i32>().value_offsets()),
            DataType::LargeUtf8 => 8 * rows + span(array.as_string::<i64>().value_offsets()),
            DataType::Binary => 4 * rows + span(array.as_binary::<i32>().value_offsets()),
            DataType::LargeBinary => 8 * rows + span(array.as_binary::<i64>().value_offsets()),
            DataType::Utf8View => view_bytes(array.as_string_view()),
            DataType::BinaryView => view_bytes(array.as_binary_view()),
            DataType::Dictionary(key, _) => {
                let values = array.as_any_dictionary().values();
                // A dictionary larger than the batch is shared with others: count this batch's part.
                let whole = array_bytes(values);
                let part =
                    if values.len() > array.len() { whole * rows / values.len() as u64 } else { whole };
                rows * width(key) + part
            }
            DataType::List(_) => 4 * rows + children_bytes(array),
            DataType::LargeList(_) => 8 * rows + children_bytes(array),
            DataType::ListView(_) => 8 * rows + children_bytes(array),
            DataType::LargeListView(_) => 16 * rows + children_bytes(array),
            DataType::Map(_, _) => 4 * rows + children_bytes(array),
            DataType::FixedSizeList(_, _) | DataType::Struct(_) => children_bytes(array),
            fixed => rows * width(fixed),
        }
}

fn children_bytes(array: &dyn Array) -> u64 {
    children(array).iter().map(|child| array_bytes(child)).sum()
}

/// The children of a nested array, cut to the values that its rows refer to; for list views, to the range from the first to the
/// last of them.
pub fn children(array: &dyn Array) -> Vec<ArrayRef> {
    match array.data_type() {
        DataType::Struct(_) => array.as_struct().columns().to_vec(),
        DataType::List(_) => {
            vec![visible(array.as_list::<i32>().value_offsets(), array.as_list::<i32>().values())]
        }
        DataType::LargeList(_) => {
            vec![visible(array.as_list::<i64>().value_offsets(), array.as_list::<i64>().values())]
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            map.entries().columns().iter().map(|column| visible(map.value_offsets(), column)).collect()
        }
        DataType::FixedSizeList(_, size) => {
            let list = array.as_fixed_size_list();
            let size = usize::try_from(*size).unwrap_or(0);
            // A sliced fixed-size list holds a slice of its values already.
            vec![list.values().slice(0, list.len() * size)]
        }
        DataType::ListView(_) => {
            vec![viewed_part(array.as_list_view::<i32>()).1]
        }
        DataType::LargeListView(_) => {
            vec![viewed_part(array.as_list_view::<i64>()).1]
        }
        _ => Vec::new(),
    }
}

fn visible<O: OffsetSizeTrait>(offsets: &[O], values: &ArrayRef) -> ArrayRef {
    let start = offsets.first().map_or(0, |offset| offset.as_usize());
    let end = offsets.last().map_or(0, |offset| offset.as_usize());
    values.slice(start, end - start)
}

/// The part of its child that list views need, from the first to the last value that they point to, and their offsets in it.
pub fn viewed_part<O: OffsetSizeTrait>(list: &GenericListViewArray<O>) -> (ScalarBuffer<O>, ArrayRef) {
    let used = viewed_range(list.value_offsets(), list.value_sizes());
    let start = O::usize_as(used.start);
    let views = list.value_offsets().iter().zip(list.value_sizes());
    // An empty one may point anywhere.
    let shifted =
        views.map(|(offset, size)| if size.as_usize() > 0 { *offset - start } else { O::usize_as(0) });
    (shifted.collect(), list.values().slice(used.start, used.len()))
}

/// The range of its child from the first to the last value that list views point to.
pub fn viewed_range<O: OffsetSizeTrait>(offsets: &[O], sizes: &[O]) -> Range<usize> {
    let views = offsets.iter().zip(sizes).filter(|(_, size)| size.as_usize() > 0);
    views
        .map(|(offset, size)| offset.as_usize()..offset.as_usize() + size.as_usize())
        .reduce(|used, view| used.start.min(view.start)..used.end.max(view.end))
        .unwrap_or(0..0)
}

pub(crate) fn span<O: OffsetSizeTrait>(offsets: &[O]) -> u64 {
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => (last.as_usize() - first.as_usize()) as u64,
        _ => 0,
    }
}

pub(crate) fn view_bytes<T: ByteViewType + ?Sized>(array: &GenericByteViewArray<T>) -> u64 {
    size_of_val(array.views().as_ref()) as u64 + bytes_in_views(array.views())
}

/// The bytes outside of string or binary views that they point to, once for each view.
pub fn bytes_in_views(views: &[u128]) -> u64 {
    // The low four bytes of a view are its value's length; up to 12 bytes stand in the view itself.
    views.iter().map(|view| *view as u32).filter(|length| *length > 12).map(u64::from).sum()
}

/// Bytes per value of a type that has a fixed width, else 0.
fn width(data_type: &DataType) -> u64 {
    data_type.primitive_width().unwrap_or(0) as u64
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int32Type;
    use arrow_array::{Int64Array, ListArray, StringArray, StringViewArray};

    use super::*;

    #[test]
    fn a_slice_counts_its_own_rows_only() {
        let ints = Int64Array::from_iter_values(0..1_000);
        assert_eq!(array_bytes(&ints.slice(10, 20)), 160);
        let strings = StringArray::from(vec!["abcd"; 100]);
        assert_eq!(array_bytes(&strings.slice(50, 10)), 10 * 4 + 40);
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1); 10]); 100]);
        assert_eq!(array_bytes(&lists.slice(90, 10)), 10 * 4 + 10 * 40);
        let views = StringViewArray::from(vec!["short", "a string of more than twelve bytes"]);
        assert_eq!(array_bytes(&views), 2 * 16 + 34);
    }
}
