//! The size of rows with every value written out.
//!
//! A dictionary, a view, a run or a list view refers to a value, and many rows may refer to the same one: kilobytes can become
//! terabytes when they are written out. Code that writes rows out calls this module first. It allocates nothing except one
//! number for each value inside of others.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, ByteViewType, Int16Type, Int32Type, Int64Type, RunEndIndexType,
};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, GenericByteViewArray, OffsetSizeTrait, RecordBatch, RunArray,
    UnionArray, downcast_dictionary_array,
};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;

use crate::size::{bytes_in_views, children, span, view_bytes};

/// The largest number of inner values that get a number each; of more values, each counts as the longest.
const MOST_RUNNING: usize = 32 << 20;

/// The bytes of an array's rows with every value written out: once for each row that refers to it, at its full width if the
/// width is fixed, and at least one byte. The sum saturates. Values that list views skip may count too.
///
/// ```
/// use std::sync::Arc;
/// use arrow_array::{DictionaryArray, Int8Array, StringArray};
/// use polarway_table::plain_bytes;
///
/// let pages = StringArray::from(vec!["a page of text ".repeat(1_000)]);
/// let books = DictionaryArray::new(Int8Array::from(vec![0; 100]), Arc::new(pages));
/// assert_eq!(plain_bytes(&books), 100 * (15_000 + 4));
/// ```
pub fn plain_bytes(array: &dyn Array) -> u64 {
    let rows = array.len() as u64;
    if let Some(width) = fixed_width(array.data_type()) {
        return rows.saturating_mul(width);
    }
    let own = own_bytes(array.data_type()).saturating_mul(rows);
    match array.data_type() {
        DataType::Utf8 => own + span(array.as_string::<i32>().value_offsets()),
        DataType::LargeUtf8 => own + span(array.as_string::<i64>().value_offsets()),
        DataType::Binary => own + span(array.as_binary::<i32>().value_offsets()),
        DataType::LargeBinary => own + span(array.as_binary::<i64>().value_offsets()),
        DataType::Utf8View => view_bytes(array.as_string_view()),
        DataType::BinaryView => view_bytes(array.as_binary_view()),
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::Map(_, _)
        | DataType::FixedSizeList(_, _)
        | DataType::Struct(_) => {
            let children = children(array);
            let values = children.iter().fold(own, |sum, child| sum.saturating_add(plain_bytes(child)));
            values.max(rows)
        }
        _ => {
            let mut sum = 0u64;
            for_each_row(array, &mut |bytes, rows| {
                sum = sum.saturating_add(bytes.saturating_mul(rows as u64));
            });
            // To write list views out writes all values between their first and their last one.
            children(array).iter().fold(0u64, |sum, child| sum.saturating_add(plain_bytes(child))).max(sum)
        }
    }
}

/// The bytes of a batch's rows with every value written out, see [`plain_bytes`].
pub fn plain_batch_bytes(batch: &RecordBatch) -> u64 {
    batch.columns().iter().fold(0, |sum, column| sum.saturating_add(plain_bytes(column)))
}

/// [`plain_batch_bytes`], if they are more than `limit`. It is faster than to count them if they are clearly fewer.
pub fn plain_bytes_over(columns: &[ArrayRef], limit: u64) -> Option<u64> {
    let sum = |bytes: fn(&dyn Array) -> u64| {
        columns.iter().fold(0u64, |sum, column| sum.saturating_add(bytes(column)))
    };
    if sum(quick_bound) <= limit {
        return None;
    }
    Some(sum(plain_bytes)).filter(|bytes| *bytes > limit)
}

/// The batch in parts, in order, that each have at most `most_bytes` with every value written out, or a single row.
pub fn plain_parts(batch: &RecordBatch, most_bytes: u64) -> Vec<RecordBatch> {
    parts_that(batch, |part| plain_bytes_over(part.columns(), most_bytes).is_none())
}

/// The batch in parts, in order, that each fit, or have a single row.
pub fn parts_that(batch: &RecordBatch, fit: impl Fn(&RecordBatch) -> bool) -> Vec<RecordBatch> {
    let mut parts = Vec::with_capacity(1);
    // A stack instead of recursion. It is filled from the end, so that parts leave it in row order.
    let mut open = vec![batch.clone()];
    while let Some(part) = open.pop() {
        let rows = part.num_rows();
        if rows <= 1 || fit(&part) {
            parts.push(part);
        } else {
            let half = rows / 2;
            open.push(part.slice(half, rows - half));
            open.push(part.slice(0, half));
        }
    }
    parts
}

/// The bytes of each row of a type whose rows all have the same size, also nulls.
pub fn fixed_width(data_type: &DataType) -> Option<u64> {
    let width = match data_type {
        DataType::Null | DataType::Boolean => 1,
        DataType::FixedSizeBinary(width) => u64::from(width.unsigned_abs()),
        DataType::FixedSizeList(item, size) => {
            fixed_width(item.data_type())?.saturating_mul(u64::from(size.unsigned_abs()))
        }
        DataType::Struct(fields) => fields
            .iter()
            .try_fold(0u64, |sum, field| Some(sum.saturating_add(fixed_width(field.data_type())?)))?,
        DataType::Dictionary(_, values) => fixed_width(values)?,
        DataType::RunEndEncoded(_, values) => fixed_width(values.data_type())?,
        other => other.primitive_width()? as u64,
    };
    Some(width.max(1))
}

/// The bytes of each row besides its values.
fn own_bytes(data_type: &DataType) -> u64 {
    match data_type {
        DataType::Utf8 | DataType::Binary | DataType::List(_) | DataType::Map(_, _) => 4,
        DataType::LargeUtf8 | DataType::LargeBinary | DataType::LargeList(_) | DataType::ListView(_) => 8,
        DataType::LargeListView(_) => 16,
        DataType::Union(_, _) => 5,
        _ => 0,
    }
}

/// At least [`plain_bytes`], without a look at a dictionary's keys.
fn quick_bound(array: &dyn Array) -> u64 {
    match array.data_type() {
        DataType::Dictionary(_, values) if fixed_width(values).is_none() => {
            let values = array.as_any_dictionary().values();
            let longest = match values.len() > array.len() {
                true => u64::MAX, // to look at all of them would take longer than to look at the keys
                false => Lengths::of(values).longest(values.len()),
            };
            (array.len() as u64).saturating_mul(longest)
        }
        _ => plain_bytes(array),
    }
}

/// Passes on the bytes of one row after another, and how many consecutive rows have that size.
fn for_each_row(array: &dyn Array, row: &mut impl FnMut(u64, usize)) {
    match array.data_type() {
        DataType::Dictionary(_, _) => downcast_dictionary_array! {
            array => for_each_key(array, row),
            _ => {}
        },
        DataType::Utf8View => for_each_view(array.as_string_view(), row),
        DataType::BinaryView => for_each_view(array.as_binary_view(), row),
        DataType::ListView(_) => {
            let list = array.as_list_view::<i32>();
            for_each_list_view(list.value_offsets(), list.value_sizes(), list.values(), row);
        }
        DataType::LargeListView(_) => {
            let list = array.as_list_view::<i64>();
            for_each_list_view(list.value_offsets(), list.value_sizes(), list.values(), row);
        }
        DataType::RunEndEncoded(run_ends, _) => match run_ends.data_type() {
            DataType::Int16 => for_each_run::<Int16Type>(array.as_run(), row),
            DataType::Int32 => for_each_run::<Int32Type>(array.as_run(), row),
            _ => for_each_run::<Int64Type>(array.as_run(), row),
        },
        DataType::Union(_, _) => for_each_in_union(array.as_union(), row),
        _ => {
            let lengths = Lengths::of(array);
            (0..array.len()).for_each(|at| row(lengths.bytes(at..at + 1), 1));
        }
    }
}

fn for_each_key<K: ArrowDictionaryKeyType>(array: &DictionaryArray<K>, row: &mut impl FnMut(u64, usize)) {
    let lengths = Lengths::of(array.values());
    let looked_up: Vec<u64> = match array.values().len() <= array.len() {
        true => (0..array.values().len()).map(|value| lengths.bytes(value..value + 1)).collect(),
        false => Vec::new(),
    };
    let bytes_of = |key: K::Native| {
        let value = key.as_usize();
        looked_up.get(value).copied().unwrap_or_else(|| lengths.bytes(value..value + 1)).max(1)
    };
    match array.keys().null_count() {
        0 => array.keys().values().iter().for_each(|key| row(bytes_of(*key), 1)),
        _ => array.keys().iter().for_each(|key| row(key.map_or(1, bytes_of), 1)),
    }
}

fn for_each_view<T: ByteViewType + ?Sized>(
    array: &GenericByteViewArray<T>,
    row: &mut impl FnMut(u64, usize),
) {
    let views = array.views().iter().map(std::slice::from_ref);
    views.for_each(|view| row(size_of_val(view) as u64 + bytes_in_views(view), 1));
}

fn for_each_list_view<O: OffsetSizeTrait>(
    offsets: &[O],
    sizes: &[O],
    values: &ArrayRef,
    row: &mut impl FnMut(u64, usize),
) {
    let lengths = Lengths::of(values);
    for (offset, size) in offsets.iter().zip(sizes) {
        let own = 2 * size_of::<O>() as u64;
        row(own.saturating_add(lengths.bytes(offset.as_usize()..offset.as_usize() + size.as_usize())), 1);
    }
}

fn for_each_run<R: RunEndIndexType>(array: &RunArray<R>, row: &mut impl FnMut(u64, usize)) {
    let values = array.values_slice();
    let lengths = Lengths::of(&values);
    let mut start = 0;
    for (run, end) in array.run_ends().sliced_values().enumerate() {
        row(lengths.bytes(run..run + 1).max(1), end.as_usize() - start);
        start = end.as_usize();
    }
}

fn for_each_in_union(array: &UnionArray, row: &mut impl FnMut(u64, usize)) {
    let own = own_bytes(array.data_type());
    let mut children: [Option<Lengths<'_>>; 128] = [const { None }; 128]; // by type id, which is not negative
    for (type_id, _) in array.fields().iter() {
        children[type_id as usize] = Some(Lengths::of(array.child(type_id)));
    }
    for (at, type_id) in array.type_ids().iter().enumerate() {
        let value = array.offsets().map_or(at, |offsets| offsets[at] as usize);
        let bytes = children[*type_id as usize].as_ref().map_or(0, |child| child.bytes(value..value + 1));
        row(own.saturating_add(bytes), 1);
    }
}

/// The lengths of an array's values, for repeated look-ups.
enum Lengths<'a> {
    /// All have this many bytes, or count as if they had.
    Fixed(u64),
    /// Texts and lists: the bytes of each itself, and the range of its values.
    Lists { own: u64, offsets: Offsets<'a>, values: Box<Self> },
    /// Lists of so many values each.
    FixedLists { size: usize, values: Box<Self> },
    /// Structs.
    Sum(Vec<Self>),
    /// The bytes of all values up to each, from 0.
    Running(Vec<u64>),
}

enum Offsets<'a> {
    Narrow(&'a [i32]),
    Wide(&'a [i64]),
}

impl Offsets<'_> {
    /// The values of the rows `rows`.
    fn values(&self, rows: &Range<usize>) -> Range<usize> {
        match self {
            Self::Narrow(offsets) => offsets[rows.start].as_usize()..offsets[rows.end].as_usize(),
            Self::Wide(offsets) => offsets[rows.start].as_usize()..offsets[rows.end].as_usize(),
        }
    }
}

impl<'a> Lengths<'a> {
    fn of(array: &'a dyn Array) -> Self {
        if let Some(width) = fixed_width(array.data_type()) {
            return Self::Fixed(width);
        }
        let own = own_bytes(array.data_type());
        let texts = |offsets| Self::Lists { own, offsets, values: Box::new(Self::Fixed(1)) };
        let lists =
            |offsets, values: &'a dyn Array| Self::Lists { own, offsets, values: Box::new(Self::of(values)) };
        match array.data_type() {
            DataType::Utf8 => texts(Offsets::Narrow(array.as_string::<i32>().value_offsets())),
            DataType::LargeUtf8 => texts(Offsets::Wide(array.as_string::<i64>().value_offsets())),
            DataType::Binary => texts(Offsets::Narrow(array.as_binary::<i32>().value_offsets())),
            DataType::LargeBinary => texts(Offsets::Wide(array.as_binary::<i64>().value_offsets())),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                lists(Offsets::Narrow(list.value_offsets()), list.values())
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                lists(Offsets::Wide(list.value_offsets()), list.values())
            }
            DataType::Map(_, _) => {
                let map = array.as_map();
                lists(Offsets::Narrow(map.value_offsets()), map.entries())
            }
            DataType::FixedSizeList(_, size) => {
                let size = usize::try_from(*size).unwrap_or(0);
                let values = Self::of(array.as_fixed_size_list().values());
                Self::FixedLists { size, values: Box::new(values) }
            }
            DataType::Struct(_) => {
                Self::Sum(array.as_struct().columns().iter().map(|column| Self::of(column)).collect())
            }
            _ => Self::counted(array),
        }
    }

    /// For values that refer to others: each is looked up once.
    fn counted(array: &dyn Array) -> Self {
        if array.len() > MOST_RUNNING {
            let mut longest = 1;
            for_each_row(array, &mut |bytes, _| longest = longest.max(bytes));
            return Self::Fixed(longest);
        }
        let mut running = Vec::with_capacity(array.len() + 1);
        let mut sum = 0u64;
        running.push(sum);
        for_each_row(array, &mut |bytes, rows| {
            for _ in 0..rows {
                sum = sum.saturating_add(bytes);
                running.push(sum);
            }
        });
        Self::Running(running)
    }

    fn bytes(&self, rows: Range<usize>) -> u64 {
        let count = rows.len() as u64;
        match self {
            Self::Fixed(width) => count.saturating_mul(*width),
            Self::Lists { own, offsets, values } => {
                own.saturating_mul(count).saturating_add(values.bytes(offsets.values(&rows)))
            }
            Self::FixedLists { size, values } => values.bytes(rows.start * size..rows.end * size).max(count),
            Self::Sum(fields) => {
                let bytes = fields.iter().map(|field| field.bytes(rows.clone()));
                bytes.fold(0u64, u64::saturating_add).max(count)
            }
            // A sum that has saturated shows no differences any more.
            Self::Running(running) => match (rows.is_empty(), running.last()) {
                (true, _) | (_, None) => 0,
                (_, Some(&u64::MAX)) => u64::MAX,
                _ => running[rows.end] - running[rows.start],
            },
        }
    }

    /// The bytes of the longest of the first `count` values.
    fn longest(&self, count: usize) -> u64 {
        (0..count).map(|value| self.bytes(value..value + 1)).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
