//! Random arrays of any type that can be stored.

use std::sync::Arc;

use arrow_array::builder::*;
use arrow_array::*;
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer, i256};
use arrow_schema::{DataType, Field, SchemaRef};

/// Numbers that look random and follow from the seed.
#[derive(Debug)]
pub struct Noise(u64);

impl Noise {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2) + 1)
    }

    /// The next number; all of its 64 bits are random.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number from 0 to `end`, which is not included and must not be 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }
}

/// Batches of `rows` rows each; half of them are slices of longer ones.
///
/// # Panics
/// For a type that can't be stored.
pub fn batches(noise: &mut Noise, schema: &SchemaRef, rows: &[usize]) -> Vec<RecordBatch> {
    let batch = |rows: &usize| {
        let (before, after) = if noise.below(2) == 0 { (0, 0) } else { (noise.below(20), noise.below(20)) };
        let columns =
            schema.fields().iter().map(|field| array(noise, field, before + rows + after)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(before + rows + after));
        RecordBatch::try_new_with_options(schema.clone(), columns, &options).unwrap().slice(before, *rows)
    };
    rows.iter().map(batch).collect()
}

fn array(noise: &mut Noise, field: &Field, rows: usize) -> ArrayRef {
    let nulls = nulls(noise, field.is_nullable(), rows);
    match field.data_type() {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Boolean => {
            let bits = BooleanBuffer::collect_bool(rows, |_| noise.below(2) == 0);
            Arc::new(BooleanArray::new(bits, nulls))
        }
        DataType::Utf8 => Arc::new(strings::<StringBuilder>(noise, nulls.as_ref(), rows).finish()),
        DataType::LargeUtf8 => Arc::new(strings::<LargeStringBuilder>(noise, nulls.as_ref(), rows).finish()),
        DataType::Utf8View => Arc::new(strings::<StringViewBuilder>(noise, nulls.as_ref(), rows).finish()),
        DataType::Binary => Arc::new(binaries::<BinaryBuilder>(noise, nulls.as_ref(), rows).finish()),
        DataType::LargeBinary => {
            Arc::new(binaries::<LargeBinaryBuilder>(noise, nulls.as_ref(), rows).finish())
        }
        DataType::BinaryView => Arc::new(binaries::<BinaryViewBuilder>(noise, nulls.as_ref(), rows).finish()),
        DataType::FixedSizeBinary(size) => {
            let bytes: Buffer = (0..rows * *size as usize).map(|_| noise.next() as u8).collect();
            Arc::new(FixedSizeBinaryArray::new(*size, bytes, nulls))
        }
        decimal if decimal.is_decimal() => decimals(noise, decimal, nulls, rows),
        DataType::Dictionary(key, value) => {
            let most = if matches!(**key, DataType::Int8) { 128 } else { 200 };
            let count = 1 + noise.below(most);
            let values = array(noise, &Field::new("", value.as_ref().clone(), false), count);
            let keys: Int64Array = (0..rows).map(|_| noise.below(count) as i64).collect::<Vec<_>>().into();
            let keys = Int64Array::new(keys.values().clone(), nulls);
            let keys = arrow_cast::cast(&keys, key).unwrap();
            let data = keys.to_data().into_builder().data_type(field.data_type().clone());
            make_array(data.add_child_data(values.to_data()).build().unwrap())
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().map(|field| array(noise, field, rows)).collect();
            Arc::new(StructArray::new(fields.clone(), columns, nulls))
        }
        DataType::List(item) => {
            let (offsets, end) = offsets(noise, rows);
            let offsets = OffsetBuffer::new(offsets.iter().map(|offset| *offset as i32).collect());
            Arc::new(ListArray::new(item.clone(), offsets, array(noise, item, end), nulls))
        }
        DataType::LargeList(item) => {
            let (offsets, end) = offsets(noise, rows);
            let offsets = OffsetBuffer::new(offsets.iter().map(|offset| *offset as i64).collect());
            Arc::new(LargeListArray::new(item.clone(), offsets, array(noise, item, end), nulls))
        }
        DataType::ListView(item) => {
            let (starts, sizes, end) = views(noise, rows);
            let cast = |numbers: Vec<usize>| numbers.into_iter().map(|number| number as i32).collect();
            let (starts, sizes): (ScalarBuffer<i32>, ScalarBuffer<i32>) = (cast(starts), cast(sizes));
            Arc::new(ListViewArray::new(item.clone(), starts, sizes, array(noise, item, end), nulls))
        }
        DataType::LargeListView(item) => {
            let (starts, sizes, end) = views(noise, rows);
            let cast = |numbers: Vec<usize>| numbers.into_iter().map(|number| number as i64).collect();
            let (starts, sizes): (ScalarBuffer<i64>, ScalarBuffer<i64>) = (cast(starts), cast(sizes));
            Arc::new(LargeListViewArray::new(item.clone(), starts, sizes, array(noise, item, end), nulls))
        }
        DataType::FixedSizeList(item, size) => {
            let values = array(noise, item, rows * *size as usize);
            Arc::new(FixedSizeListArray::new(item.clone(), *size, values, nulls))
        }
        DataType::Map(entries, sorted) => {
            let (offsets, end) = offsets(noise, rows);
            let offsets = OffsetBuffer::new(offsets.iter().map(|offset| *offset as i32).collect());
            let DataType::Struct(pair) = entries.data_type() else { panic!("a map of no pairs") };
            let columns = pair.iter().map(|field| array(noise, field, end)).collect();
            let pairs = StructArray::new(pair.clone(), columns, None);
            Arc::new(MapArray::new(entries.clone(), offsets, pairs, nulls, *sorted))
        }
        fixed => {
            let width = fixed.primitive_width().unwrap();
            // Bits at random, few values, or a sequence: each suits another encoding.
            let style = noise.below(3);
            let mut bytes = Vec::with_capacity(rows * width);
            for row in 0..rows {
                let value = match style {
                    0 => noise.next(),
                    1 => noise.next() & 3,
                    _ => row as u64,
                };
                bytes.extend_from_slice(&value.to_le_bytes()[..width]);
            }
            let data = new_null_array(fixed, rows).to_data().into_builder();
            make_array(
                data.buffers(vec![Buffer::from_vec(bytes)]).nulls(nulls).align_buffers(true).build().unwrap(),
            )
        }
    }
}

fn nulls(noise: &mut Noise, nullable: bool, rows: usize) -> Option<NullBuffer> {
    let kind = noise.below(4);
    if !nullable || kind == 0 {
        return None;
    }
    Some(NullBuffer::new(BooleanBuffer::collect_bool(rows, |_| kind != 1 && noise.below(4) > 0)))
}

fn offsets(noise: &mut Noise, rows: usize) -> (Vec<usize>, usize) {
    let mut end = noise.below(3);
    let mut offsets = vec![end];
    for _ in 0..rows {
        end += noise.below(4);
        offsets.push(end);
    }
    (offsets, end)
}

/// Views in any order, which may overlap.
fn views(noise: &mut Noise, rows: usize) -> (Vec<usize>, Vec<usize>, usize) {
    let end = 1 + rows;
    let starts: Vec<usize> = (0..rows).map(|_| noise.below(end)).collect();
    let sizes = starts.iter().map(|start| noise.below((end - start).min(4) + 1)).collect();
    (starts, sizes, end)
}

fn decimals(noise: &mut Noise, data_type: &DataType, nulls: Option<NullBuffer>, rows: usize) -> ArrayRef {
    let mut number = |most: u8| {
        let digits = noise.below(most as usize + 1);
        let mut number = i256::ZERO;
        for _ in 0..digits {
            number = number.wrapping_mul(i256::from(10)).wrapping_add(i256::from(noise.below(10) as i64));
        }
        if noise.below(2) == 0 { number } else { number.wrapping_neg() }
    };
    match data_type {
        DataType::Decimal32(precision, _) => {
            let values = (0..rows).map(|_| number(*precision).as_i128() as i32).collect();
            Arc::new(Decimal32Array::new(values, nulls).with_data_type(data_type.clone()))
        }
        DataType::Decimal64(precision, _) => {
            let values = (0..rows).map(|_| number(*precision).as_i128() as i64).collect();
            Arc::new(Decimal64Array::new(values, nulls).with_data_type(data_type.clone()))
        }
        DataType::Decimal128(precision, _) => {
            let values = (0..rows).map(|_| number(*precision).as_i128()).collect();
            Arc::new(Decimal128Array::new(values, nulls).with_data_type(data_type.clone()))
        }
        DataType::Decimal256(precision, _) => {
            let values = (0..rows).map(|_| number(*precision)).collect();
            Arc::new(Decimal256Array::new(values, nulls).with_data_type(data_type.clone()))
        }
        other => panic!("{other} is no decimal"),
    }
}

trait Append<'a>: Default {
    type Value: ?Sized;
    fn append(&mut self, value: Option<&'a Self::Value>);
}

macro_rules! append {
    ($($builder:ty => $value:ty,)+) => {$(
        impl<'a> Append<'a> for $builder {
            type Value = $value;
            fn append(&mut self, value: Option<&'a $value>) {
                self.append_option(value);
            }
        }
    )+};
}

append! {
    StringBuilder => str, LargeStringBuilder => str, StringViewBuilder => str,
    BinaryBuilder => [u8], LargeBinaryBuilder => [u8], BinaryViewBuilder => [u8],
}

const TEXTS: [&str; 7] =
    ["", "a", "twelve bytes", "thirteen bytes", "ünïcödé ✓", "\0", "a text that fits into no view"];

fn strings<B: for<'a> Append<'a, Value = str>>(
    noise: &mut Noise,
    nulls: Option<&NullBuffer>,
    rows: usize,
) -> B {
    let mut builder = B::default();
    let unique = noise.below(3) == 0;
    for row in 0..rows {
        let text = TEXTS[noise.below(TEXTS.len())];
        let text = if unique { format!("{text}{row}") } else { text.to_owned() };
        builder.append(nulls.is_none_or(|nulls| nulls.is_valid(row)).then_some(&text));
    }
    builder
}

fn binaries<B: for<'a> Append<'a, Value = [u8]>>(
    noise: &mut Noise,
    nulls: Option<&NullBuffer>,
    rows: usize,
) -> B {
    let mut builder = B::default();
    for row in 0..rows {
        let bytes: Vec<u8> = (0..noise.below(20)).map(|_| noise.next() as u8).collect();
        builder.append(nulls.is_none_or(|nulls| nulls.is_valid(row)).then_some(&bytes));
    }
    builder
}
