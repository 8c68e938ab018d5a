//! Leaves out what a slice does not use, where Arrow's writer would write it all.
//!
//! The writer cuts most arrays down to their rows. It does not for those whose rows point anywhere into
//! a shared part: string and binary views, list views, dense unions, and large dictionaries. And it
//! writes slices of runs and unions wrong where they are nested: it gets them without an offset.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ByteViewType, Int16Type, Int32Type, Int64Type, RunEndIndexType};
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, GenericByteViewArray, GenericListArray, GenericListViewArray,
    MapArray, OffsetSizeTrait, PrimitiveArray, RunArray, StructArray, UnionArray, make_array,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, FieldRef};
use polarway_table::{bytes_in_views, viewed_part};

use crate::schema::child_fields;
use crate::size::bytes_of_rows;
use crate::used::{prune_dictionary, used_by_type_id};
use crate::{EncodeOptions, Error, Result};

/// Whether arrays of the type may need [`compact`].
pub(crate) fn may_drag_along(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View
        | DataType::BinaryView
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::Dictionary(_, _)
        | DataType::RunEndEncoded(_, _)
        | DataType::Union(_, _) => true,
        other => child_fields(other).iter().any(|child| may_drag_along(child.data_type())),
    }
}

/// The same rows, which keep little else in memory.
pub(crate) fn compact(array: &ArrayRef, options: &EncodeOptions) -> Result<ArrayRef> {
    if !may_drag_along(array.data_type()) {
        return Ok(Arc::clone(array));
    }
    Ok(match array.data_type() {
        DataType::Utf8View => Arc::new(compact_views(array.as_string_view())),
        DataType::BinaryView => Arc::new(compact_views(array.as_binary_view())),
        DataType::List(field) => compact_list(array.as_list::<i32>(), field, options)?,
        DataType::LargeList(field) => compact_list(array.as_list::<i64>(), field, options)?,
        DataType::ListView(field) => compact_list_view(array.as_list_view::<i32>(), field, options)?,
        DataType::LargeListView(field) => compact_list_view(array.as_list_view::<i64>(), field, options)?,
        DataType::FixedSizeList(field, size) => {
            let list = array.as_fixed_size_list();
            let values = compact(list.values(), options)?;
            let nulls = list.nulls().cloned();
            let list =
                FixedSizeListArray::try_new_with_length(Arc::clone(field), *size, values, nulls, list.len());
            Arc::new(list.map_err(Error::Encode)?)
        }
        DataType::Map(field, sorted) => {
            let map = array.as_map();
            let (offsets, used) = rebase(map.value_offsets())?;
            let entries: ArrayRef = Arc::new(map.entries().slice(used.start, used.len()));
            let entries = compact(&entries, options)?.as_struct().clone();
            let nulls = map.nulls().cloned();
            let map = MapArray::try_new(Arc::clone(field), offsets, entries, nulls, *sorted);
            Arc::new(map.map_err(Error::Encode)?)
        }
        DataType::Struct(fields) => {
            let structs = array.as_struct();
            let columns = compact_all(structs.columns(), options)?;
            let nulls = structs.nulls().cloned();
            let length = structs.len();
            let structs = StructArray::try_new_with_length(fields.clone(), columns, nulls, length);
            Arc::new(structs.map_err(Error::Encode)?)
        }
        DataType::RunEndEncoded(run_ends, _) => match run_ends.data_type() {
            DataType::Int16 => compact_runs::<Int16Type>(array.as_run(), options)?,
            DataType::Int32 => compact_runs::<Int32Type>(array.as_run(), options)?,
            _ => compact_runs::<Int64Type>(array.as_run(), options)?,
        },
        DataType::Dictionary(_, _) => compact_dictionary(array, options)?,
        DataType::Union(_, _) => compact_union(array.as_union(), options)?,
        _ => Arc::clone(array),
    })
}

/// [`compact`] for several arrays.
pub(crate) fn compact_all(arrays: &[ArrayRef], options: &EncodeOptions) -> Result<Vec<ArrayRef>> {
    arrays.iter().map(|array| compact(array, options)).collect()
}

/// Copies the bytes in use into buffers of their own when the shared ones hold a quarter more.
fn compact_views<T: ByteViewType + ?Sized>(array: &GenericByteViewArray<T>) -> GenericByteViewArray<T> {
    let used = bytes_in_views(array.views()) as usize;
    let held: usize = array.data_buffers().iter().map(|buffer| buffer.len()).sum();
    if held > used.saturating_add(used / 4) { array.gc() } else { array.clone() }
}

/// The offsets counted from the first of them, and the range of the child that they span.
fn rebase<O: OffsetSizeTrait>(offsets: &[O]) -> Result<(OffsetBuffer<O>, Range<usize>)> {
    let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else {
        return Err(Error::Encode(ArrowError::InvalidArgumentError("a list without offsets".to_owned())));
    };
    let rebased: ScalarBuffer<O> = offsets.iter().map(|&offset| offset - first).collect();
    Ok((OffsetBuffer::new(rebased), first.as_usize()..last.as_usize()))
}

fn compact_list<O: OffsetSizeTrait>(
    list: &GenericListArray<O>,
    field: &FieldRef,
    options: &EncodeOptions,
) -> Result<ArrayRef> {
    let (offsets, used) = rebase(list.value_offsets())?;
    let values = compact(&list.values().slice(used.start, used.len()), options)?;
    let nulls = list.nulls().cloned();
    let list = GenericListArray::try_new(Arc::clone(field), offsets, values, nulls);
    Ok(Arc::new(list.map_err(Error::Encode)?))
}

fn compact_list_view<O: OffsetSizeTrait>(
    list: &GenericListViewArray<O>,
    field: &FieldRef,
    options: &EncodeOptions,
) -> Result<ArrayRef> {
    let (offsets, values) = viewed_part(list);
    let values = compact(&values, options)?;
    let (sizes, nulls) = (list.sizes().clone(), list.nulls().cloned());
    let list = GenericListViewArray::try_new(Arc::clone(field), offsets, sizes, values, nulls);
    Ok(Arc::new(list.map_err(Error::Encode)?))
}

/// Runs that begin with the first row and end with the last. The writer would cut them too, but gives
/// an empty slice a run that ends at row 0, and slices values after they have been compacted.
fn compact_runs<R: RunEndIndexType>(array: &RunArray<R>, options: &EncodeOptions) -> Result<ArrayRef> {
    let run_ends: ScalarBuffer<R::Native> = array.run_ends().sliced_values().collect();
    let run_ends = PrimitiveArray::<R>::new(run_ends, None);
    let values = compact(&array.values_slice(), options)?;
    let data = ArrayData::builder(array.data_type().clone())
        .len(array.len())
        .add_child_data(run_ends.to_data())
        .add_child_data(values.to_data())
        .build();
    Ok(make_array(data.map_err(Error::Encode)?))
}

fn compact_dictionary(array: &ArrayRef, options: &EncodeOptions) -> Result<ArrayRef> {
    let values = array.as_any_dictionary().values();
    let array = if bytes_of_rows(values, 0..values.len(), options)? > options.shared_dictionary_bytes() {
        prune_dictionary(array)?
    } else {
        Arc::clone(array)
    };
    let dictionary = array.as_any_dictionary();
    let values = dictionary.values();
    if !may_drag_along(values.data_type()) {
        return Ok(array);
    }
    let values = compact(values, options)?;
    Ok(dictionary.with_values(values))
}

fn compact_union(union: &UnionArray, options: &EncodeOptions) -> Result<ArrayRef> {
    let (fields, type_ids, offsets, children) = union.clone().into_parts();
    let Some(offsets) = offsets else {
        let children = compact_all(&children, options)?;
        let union = UnionArray::try_new(fields, type_ids, None, children);
        return Ok(Arc::new(union.map_err(Error::Encode)?));
    };
    let mut starts = [0i32; 128]; // by type id, which is not negative
    let mut used_children = Vec::with_capacity(children.len());
    for ((type_id, _), child) in fields.iter().zip(&children) {
        let used = used_by_type_id(&type_ids, &offsets, type_id, &(0..type_ids.len()));
        starts[type_id as usize] = used.start as i32;
        used_children.push(compact(&child.slice(used.start, used.len()), options)?);
    }
    let rows = type_ids.iter().zip(offsets.iter());
    let offsets = rows.map(|(id, offset)| offset - starts[*id as usize]).collect();
    let union = UnionArray::try_new(fields, type_ids, Some(offsets), used_children);
    Ok(Arc::new(union.map_err(Error::Encode)?))
}
