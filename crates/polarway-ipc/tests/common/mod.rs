//! Random schemas and tables, and what tests do with them.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, GenericBinaryArray, GenericListArray,
    GenericListViewArray, GenericStringArray, MapArray, NullArray, OffsetSizeTrait, RecordBatch,
    RecordBatchOptions, StructArray, UnionArray, make_array,
};
use arrow_array::{BinaryViewArray, StringViewArray};
use arrow_buffer::{MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_schema::{
    DataType, Field, FieldRef, Fields, IntervalUnit, Schema, SchemaRef, TimeUnit, UnionFields, UnionMode,
};
use bytes::Bytes;
use polarway_ipc::{Chunk, ChunkDecoder, DecodeLimits};
use proptest::prelude::*;

/// SplitMix64: enough to fill arrays with, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn text(&mut self) -> String {
        let length = self.below(24);
        (0..length).map(|_| ['a', 'ß', '木', '🦀', ' ', 'z'][self.below(6)]).collect()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn nulls(&mut self, rows: usize, nullable: bool) -> Option<NullBuffer> {
        (nullable && self.below(3) > 0).then(|| NullBuffer::from_iter((0..rows).map(|_| self.below(4) > 0)))
    }
}

fn flat_type() -> impl Strategy<Value = DataType> {
    use DataType::*;
    let unit = || {
        prop_oneof![
            Just(TimeUnit::Second),
            Just(TimeUnit::Millisecond),
            Just(TimeUnit::Microsecond),
            Just(TimeUnit::Nanosecond),
        ]
    };
    prop_oneof![
        prop::sample::select(vec![
            Null,
            Boolean,
            Int8,
            Int16,
            Int32,
            Int64,
            UInt8,
            UInt16,
            UInt32,
            UInt64,
            Float16,
            Float32,
            Float64,
            Date32,
            Date64,
            Utf8,
            LargeUtf8,
            Utf8View,
            Binary,
            LargeBinary,
            BinaryView,
        ]),
        prop::sample::select(vec![
            Time32(TimeUnit::Second),
            Time32(TimeUnit::Millisecond),
            Time64(TimeUnit::Microsecond),
            Time64(TimeUnit::Nanosecond),
            Interval(IntervalUnit::YearMonth),
            Interval(IntervalUnit::DayTime),
            Interval(IntervalUnit::MonthDayNano),
            Decimal32(9, 2),
            Decimal64(18, -3),
            Decimal128(38, 10),
            Decimal256(76, 0),
        ]),
        (unit(), prop::option::of(prop::sample::select(vec!["UTC", "+02:00", "Europe/Berlin"])))
            .prop_map(|(unit, zone)| Timestamp(unit, zone.map(Into::into))),
        unit().prop_map(Duration),
        (0..20).prop_map(FixedSizeBinary),
    ]
}

fn field(data_type: impl Strategy<Value = DataType>) -> impl Strategy<Value = Field> {
    let metadata = prop::collection::hash_map("[a-z]{1,4}", "\\PC{0,8}", 0..3);
    ("[a-z ß]{0,6}", data_type, any::<bool>(), metadata).prop_map(|(name, data_type, nullable, metadata)| {
        let nullable = nullable || has_nulls_of_its_own(&data_type);
        Field::new(name, data_type, nullable).with_metadata(metadata)
    })
}

/// Whether values may be null though the array has no validity.
fn has_nulls_of_its_own(data_type: &DataType) -> bool {
    match data_type {
        DataType::Null | DataType::RunEndEncoded(_, _) | DataType::Union(_, _) => true,
        DataType::Dictionary(_, values) => has_nulls_of_its_own(values),
        _ => false,
    }
}

/// Any type that an Arrow stream can hold, a few levels deep.
pub(crate) fn data_type() -> impl Strategy<Value = DataType> {
    flat_type().prop_recursive(3, 12, 4, |inner| {
        let child = || field(inner.clone()).prop_map(Arc::new);
        let keys = prop::sample::select(vec![
            DataType::Int8,
            DataType::UInt8,
            DataType::Int32,
            DataType::UInt16,
            DataType::Int64,
        ]);
        let values = inner.clone().prop_filter("a dictionary of dictionaries has no place", |values| {
            !matches!(values, DataType::Dictionary(_, _))
        });
        prop_oneof![
            child().prop_map(DataType::List),
            child().prop_map(DataType::LargeList),
            child().prop_map(DataType::ListView),
            child().prop_map(DataType::LargeListView),
            (child(), 0..4).prop_map(|(child, size)| DataType::FixedSizeList(child, size)),
            prop::collection::vec(child(), 0..4)
                .prop_map(|children| DataType::Struct(Fields::from(children))),
            (child(), any::<bool>()).prop_map(|(values, sorted)| {
                let keys = Field::new("keys", DataType::Utf8, false);
                let entries = Fields::from(vec![Arc::new(keys), values]);
                let entries = Field::new("entries", DataType::Struct(entries), false);
                DataType::Map(Arc::new(entries), sorted)
            }),
            (keys, values)
                .prop_map(|(keys, values)| { DataType::Dictionary(Box::new(keys), Box::new(values)) }),
            child().prop_map(|values| {
                let run_ends = Field::new("run_ends", DataType::Int32, false);
                DataType::RunEndEncoded(Arc::new(run_ends), values)
            }),
            (prop::collection::vec(child(), 1..4), any::<bool>()).prop_map(|(children, dense)| {
                let ids = (0..children.len()).map(|id| 3 * id as i8 + 1).collect::<Vec<_>>();
                let mode = if dense { UnionMode::Dense } else { UnionMode::Sparse };
                DataType::Union(UnionFields::try_new(ids, children).unwrap(), mode)
            }),
        ]
    })
}

pub(crate) fn schema() -> impl Strategy<Value = SchemaRef> {
    let metadata = prop::collection::hash_map("[a-z]{1,4}", "\\PC{0,8}", 0..3);
    (prop::collection::vec(field(data_type()), 0..5), metadata)
        .prop_map(|(fields, metadata)| Arc::new(Schema::new_with_metadata(fields, metadata)))
}

/// A batch of random values. Its columns are slices: they start somewhere inside their buffers.
pub(crate) fn batch(schema: &SchemaRef, rows: usize, random: &mut Random) -> RecordBatch {
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            let skipped = random.below(10);
            let whole = array(field, skipped + rows + random.below(5), random);
            whole.slice(skipped, rows)
        })
        .collect();
    let rows = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows).unwrap()
}

fn lengths_to_offsets<O: OffsetSizeTrait>(rows: usize, random: &mut Random) -> OffsetBuffer<O> {
    OffsetBuffer::from_lengths((0..rows).map(|_| random.below(4)))
}

fn list<O: OffsetSizeTrait>(
    child: &FieldRef,
    rows: usize,
    nulls: Option<NullBuffer>,
    random: &mut Random,
) -> ArrayRef {
    let offsets = lengths_to_offsets::<O>(rows, random);
    let values = array(child, offsets.last().unwrap().as_usize(), random);
    Arc::new(GenericListArray::new(Arc::clone(child), offsets, values, nulls))
}

fn list_view<O: OffsetSizeTrait>(
    child: &FieldRef,
    rows: usize,
    nulls: Option<NullBuffer>,
    random: &mut Random,
) -> ArrayRef {
    let values = array(child, 20, random);
    let views = (0..rows).map(|_| (random.below(16), random.below(5))).collect::<Vec<_>>();
    let offsets: ScalarBuffer<O> = views.iter().map(|(offset, _)| O::usize_as(*offset)).collect();
    let sizes: ScalarBuffer<O> = views.iter().map(|(_, size)| O::usize_as(*size)).collect();
    Arc::new(GenericListViewArray::new(Arc::clone(child), offsets, sizes, values, nulls))
}

fn strings(rows: usize, nulls: &Option<NullBuffer>, random: &mut Random) -> Vec<Option<String>> {
    let valid = |row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    (0..rows).map(|row| valid(row).then(|| random.text())).collect()
}

fn array(field: &Field, rows: usize, random: &mut Random) -> ArrayRef {
    let nulls = random.nulls(rows, field.is_nullable());
    match field.data_type() {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Boolean => {
            let values = (0..rows).map(|_| random.below(2) == 0).collect::<Vec<_>>();
            Arc::new(BooleanArray::new(values.into(), nulls))
        }
        DataType::Utf8 => Arc::new(GenericStringArray::<i32>::from_iter(strings(rows, &nulls, random))),
        DataType::LargeUtf8 => Arc::new(GenericStringArray::<i64>::from_iter(strings(rows, &nulls, random))),
        DataType::Utf8View => Arc::new(StringViewArray::from_iter(strings(rows, &nulls, random))),
        DataType::Binary => Arc::new(GenericBinaryArray::<i32>::from_iter(strings(rows, &nulls, random))),
        DataType::LargeBinary => {
            Arc::new(GenericBinaryArray::<i64>::from_iter(strings(rows, &nulls, random)))
        }
        DataType::BinaryView => Arc::new(BinaryViewArray::from_iter(strings(rows, &nulls, random))),
        DataType::List(child) => list::<i32>(child, rows, nulls, random),
        DataType::LargeList(child) => list::<i64>(child, rows, nulls, random),
        DataType::ListView(child) => list_view::<i32>(child, rows, nulls, random),
        DataType::LargeListView(child) => list_view::<i64>(child, rows, nulls, random),
        DataType::FixedSizeList(child, size) => {
            let values = array(child, rows * *size as usize, random);
            let child = Arc::clone(child);
            let list = FixedSizeListArray::try_new_with_length(child, *size, values, nulls, rows);
            Arc::new(list.unwrap())
        }
        DataType::Struct(children) => {
            let columns = children.iter().map(|child| array(child, rows, random)).collect();
            let children = children.clone();
            Arc::new(StructArray::try_new_with_length(children, columns, nulls, rows).unwrap())
        }
        DataType::Map(entries, sorted) => {
            let offsets = lengths_to_offsets::<i32>(rows, random);
            let values = array(entries, *offsets.last().unwrap() as usize, random);
            let values = values.as_any().downcast_ref::<StructArray>().unwrap().clone();
            Arc::new(MapArray::new(Arc::clone(entries), offsets, values, nulls, *sorted))
        }
        DataType::Dictionary(keys, values) => {
            let count = 1 + random.below(6);
            let values = Field::new("", values.as_ref().clone(), field.is_nullable());
            let values = array(&values, count, random);
            let mut buffer = MutableBuffer::new(rows * 8);
            for _ in 0..rows {
                let key = (random.below(count) as u64).to_le_bytes();
                buffer.extend_from_slice(&key[..keys.primitive_width().unwrap()]);
            }
            let data = ArrayData::builder(field.data_type().clone()).len(rows).nulls(nulls);
            let data = data.add_buffer(buffer.into()).add_child_data(values.to_data());
            make_array(data.build().unwrap())
        }
        DataType::RunEndEncoded(_, values) => {
            let mut ends = Vec::new();
            while ends.last().copied().unwrap_or(0) < rows as i32 {
                let next = ends.last().copied().unwrap_or(0) + 1 + random.below(3) as i32;
                ends.push(next.min(rows as i32));
            }
            let values = array(values, ends.len(), random);
            let ends = arrow_array::Int32Array::from(ends);
            let data = ArrayData::builder(field.data_type().clone()).len(rows);
            let data = data.add_child_data(ends.to_data()).add_child_data(values.to_data());
            make_array(data.build().unwrap())
        }
        DataType::Union(children, mode) => {
            let known = children.iter().map(|(id, _)| id).collect::<Vec<_>>();
            let ids = (0..rows).map(|_| known[random.below(known.len())]).collect::<Vec<_>>();
            let mut used = HashMap::new();
            let offsets = ids.iter().map(|id| {
                let count: &mut i32 = used.entry(*id).or_default();
                *count += 1;
                *count - 1
            });
            let offsets = offsets.collect::<ScalarBuffer<i32>>();
            let dense = *mode == UnionMode::Dense;
            let columns = children.iter().map(|(id, child)| {
                let length = if dense { used.get(&id).copied().unwrap_or(0) as usize } else { rows };
                array(child, length, random)
            });
            let columns = columns.collect();
            let offsets = dense.then_some(offsets);
            Arc::new(UnionArray::try_new(children.clone(), ids.into(), offsets, columns).unwrap())
        }
        fixed => {
            let width = match fixed {
                DataType::FixedSizeBinary(width) => *width as usize,
                other => other.primitive_width().unwrap(),
            };
            let mut buffer = MutableBuffer::new(rows * width);
            buffer.extend_from_slice(&random.bytes(rows * width));
            let data = ArrayData::builder(fixed.clone()).len(rows).nulls(nulls);
            make_array(data.add_buffer(buffer.into()).build().unwrap())
        }
    }
}

/// All chunks as one stream.
pub(crate) fn joined(chunks: impl IntoIterator<Item = Chunk>) -> Bytes {
    let chunks = chunks.into_iter().map(|chunk| chunk.ipc).collect::<Vec<_>>();
    chunks.concat().into()
}

pub(crate) fn decode_chunks(chunks: impl IntoIterator<Item = Chunk>) -> (SchemaRef, Vec<RecordBatch>) {
    let mut decoder = ChunkDecoder::new(DecodeLimits::default());
    let mut batches = Vec::new();
    for chunk in chunks {
        let decoded = decoder.decode(chunk.ipc).unwrap();
        let rows: usize = decoded.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows as u64, chunk.rows, "a chunk must hold as many rows as it says");
        batches.extend(decoded);
    }
    assert!(decoder.ended());
    let schema = Arc::clone(decoder.schema().unwrap());
    decoder.finish().unwrap();
    (schema, batches)
}

/// Compares rows, wherever batches begin and end.
pub(crate) fn assert_same_rows(left: &[RecordBatch], right: &[RecordBatch]) {
    let rows = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    assert_eq!(rows(left), rows(right));
    let mut right = right.iter().filter(|batch| batch.num_rows() > 0).cloned();
    let mut open: Option<RecordBatch> = None;
    for batch in left.iter().filter(|batch| batch.num_rows() > 0) {
        let mut done = 0;
        while done < batch.num_rows() {
            let other = open.take().or_else(|| right.next()).unwrap();
            let count = other.num_rows().min(batch.num_rows() - done);
            assert_same_columns(&batch.slice(done, count), &other.slice(0, count));
            done += count;
            open = (count < other.num_rows()).then(|| other.slice(count, other.num_rows() - count));
        }
    }
}

fn assert_same_columns(left: &RecordBatch, right: &RecordBatch) {
    for (index, field) in left.schema().fields().iter().enumerate() {
        assert_eq!(left.column(index).to_data(), right.column(index).to_data(), "{field:?}");
    }
}
