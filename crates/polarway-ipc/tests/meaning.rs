//! Few bytes that mean many: rows that name the same long value again and again.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::Arc;

use arrow_array::builder::BinaryViewBuilder;
use arrow_array::types::Int8Type;
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, DictionaryArray, FixedSizeBinaryArray, Int8Array, Int64Array,
    LargeListViewArray, LargeStringArray, ListArray, NullArray, RecordBatch, StructArray,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};
use bytes::Bytes;
use polarway_ipc::{ChunkDecoder, Compression, DecodeLimits, EncodeOptions, EncodedTable, Error};

const MIB: usize = 1 << 20;

/// The batch as a stream of one message, which the encoder would not make by itself.
fn stream(batch: &RecordBatch) -> Bytes {
    let options = EncodeOptions {
        target_bytes: usize::MAX,
        max_bytes: usize::MAX,
        max_plain_bytes: usize::MAX,
        compression: Compression::Zstd,
    };
    let table = EncodedTable::encode(&batch.schema(), [batch], options).unwrap();
    table.chunks().iter().map(|chunk| chunk.ipc.to_vec()).collect::<Vec<_>>().concat().into()
}

fn decode(bytes: Bytes) -> Result<Vec<RecordBatch>, Error> {
    ChunkDecoder::new(DecodeLimits::default()).decode(bytes)
}

fn one_column(column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("column", column, true)]).unwrap()
}

fn keyed(values: ArrayRef, rows: usize) -> ArrayRef {
    Arc::new(DictionaryArray::<Int8Type>::new(Int8Array::from(vec![0; rows]), values))
}

fn wide_value() -> ArrayRef {
    Arc::new(FixedSizeBinaryArray::try_from_iter([vec![0u8; 40 * MIB]].into_iter()).unwrap())
}

fn long_text() -> ArrayRef {
    Arc::new(LargeStringArray::from(vec!["x".repeat(4 * MIB)]))
}

fn views(rows: usize) -> BinaryViewArray {
    let mut builder = BinaryViewBuilder::new();
    let block = builder.append_block(vec![7u8; MIB].into());
    for _ in 0..rows {
        builder.try_append_view(block, 0, MIB as u32).unwrap();
    }
    builder.finish()
}

#[test]
fn few_bytes_that_mean_many_are_refused_with_what_they_mean() {
    let views_of_all = |values: ArrayRef, rows: usize| -> ArrayRef {
        let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        let sizes = ScalarBuffer::from(vec![values.len() as i64; rows]);
        let offsets = ScalarBuffer::from(vec![0i64; rows]);
        Arc::new(LargeListViewArray::new(field, offsets, sizes, values, None))
    };
    let in_lists = |values: ArrayRef| -> ArrayRef {
        let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        Arc::new(ListArray::new(field, OffsetBuffer::from_lengths([values.len()]), values, None))
    };
    let in_structs = |values: ArrayRef| -> ArrayRef {
        let field = Arc::new(Field::new("inside", values.data_type().clone(), true));
        Arc::new(StructArray::from(vec![(field, values)]))
    };
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1; MIB]));
    let nulls: ArrayRef = Arc::new(NullArray::new(i32::MAX as usize));
    for (what, column) in [
        ("a dictionary of wide values", keyed(wide_value(), 100_000)),
        ("a dictionary of long texts", keyed(long_text(), 100_000)),
        ("views of the same bytes", Arc::new(views(MIB))),
        ("list views of the same numbers", views_of_all(numbers, 100_000)),
        ("list views of the same nulls", views_of_all(nulls, 100_000)),
        ("list views of a dictionary", views_of_all(keyed(long_text(), 50), 100_000)),
        ("a dictionary in lists", in_lists(keyed(long_text(), 100_000))),
        ("views in structs in lists", in_lists(in_structs(Arc::new(views(10_000))))),
    ] {
        let bytes = stream(&one_column(column));
        assert!(bytes.len() < MIB, "{what}: {}", bytes.len());
        let error = decode(bytes).unwrap_err();
        let Error::MeansTooMuch { bytes, limit, .. } = error else { panic!("{what}: {error}") };
        assert_eq!(limit, 256 << 20);
        assert!(bytes > 1_000 * limit / 100, "{what}: {bytes}");
        assert!(error.to_string().contains("rows"), "{error}");
    }
}

#[test]
fn the_values_of_a_dictionary_are_held_against_the_limit_too() {
    // Whoever writes the dictionary out as it is would write each of its views.
    let bytes = stream(&one_column(Arc::new(DictionaryArray::<Int8Type>::new(
        Int8Array::from(vec![0; 3]),
        Arc::new(views(1_000)),
    ))));
    let limits = DecodeLimits { max_plain_bytes: 100 * MIB, ..DecodeLimits::default() };
    let error = ChunkDecoder::new(limits).decode(bytes).unwrap_err();
    assert!(error.to_string().starts_with("dictionary 0 would take"), "{error}");
}

#[test]
fn a_large_dictionary_of_which_rows_mean_little_is_fine() {
    let values: Vec<String> = (0..120).map(|value| format!("{value}{}", "x".repeat(MIB))).collect();
    let keys =
        Int8Array::from_iter((0..100_000).map(|row| (row % 1_000 == 0).then_some((row / 1_000) as i8)));
    let column = DictionaryArray::<Int8Type>::new(keys, Arc::new(LargeStringArray::from(values)));
    let batch = one_column(Arc::new(column));
    assert_eq!(decode(stream(&batch)).unwrap()[0].num_rows(), batch.num_rows());
}

#[test]
fn what_the_encoder_makes_of_rows_that_mean_much_is_decoded() {
    let columns: [ArrayRef; 3] = [
        keyed(long_text(), 1_000),
        Arc::new(NullArray::new(600 << 20)),
        keyed(Arc::new(LargeStringArray::from(vec!["x".repeat(500)])), 3 * MIB),
    ];
    for column in columns {
        let batch = one_column(column);
        let table = EncodedTable::encode(&batch.schema(), [&batch], EncodeOptions::default()).unwrap();
        let mut decoder = ChunkDecoder::new(DecodeLimits::default());
        for chunk in table.chunks() {
            decoder.decode(chunk.ipc.clone()).unwrap();
        }
        assert_eq!(decoder.rows(), batch.num_rows() as u64);
    }
}

#[test]
fn a_row_that_means_more_than_a_message_may_is_refused_by_its_number() {
    let columns = (0..7).map(|column| (column.to_string(), keyed(wide_value(), 2)));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let options = EncodeOptions { max_bytes: usize::MAX, ..EncodeOptions::default() };
    let error = EncodedTable::encode(&batch.schema(), [&batch], options).unwrap_err();
    assert!(matches!(error, Error::RowTooLarge { row: 0, bytes, .. } if bytes == 280 * MIB), "{error}");
}

#[test]
fn nothing_is_written_out_to_find_out() {
    // 40 MiB for each of the rows would be 80 EiB.
    let values = FixedSizeBinaryArray::new(i32::MAX, Vec::<u8>::new().into(), None);
    let keys = Int8Array::from(vec![None; 1_000]);
    let column = DictionaryArray::<Int8Type>::try_new(keys, Arc::new(values)).unwrap();
    assert_eq!(
        column.data_type(),
        &DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::FixedSizeBinary(i32::MAX)),)
    );
    let error = decode(stream(&one_column(Arc::new(column)))).unwrap_err();
    assert!(
        matches!(error, Error::MeansTooMuch { bytes, .. } if bytes == 1_000 * i32::MAX as u64),
        "{error}"
    );
}
