//! What goes in comes out.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Int32Array, Int64Array, ListArray, RecordBatch, RecordBatchOptions,
    StringArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_ipc::reader::StreamReader;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use common::{Random, assert_same_rows, decode_chunks, joined};
use polarway_ipc::{
    Chunk, ChunkDecoder, ChunkEncoder, Compression, DecodeLimits, EncodeOptions, EncodedTable, Error,
    encode_batch, encode_end, encode_schema,
};
use proptest::prelude::*;

fn encode(schema: &SchemaRef, batches: &[RecordBatch], options: EncodeOptions) -> Vec<Chunk> {
    EncodedTable::encode(schema, batches, options).unwrap().chunks().to_vec()
}

fn small_chunks(target_bytes: usize) -> EncodeOptions {
    EncodeOptions { target_bytes, ..EncodeOptions::default() }
}

fn numbers(rows: i64) -> RecordBatch {
    let numbers = Int64Array::from_iter_values(0..rows);
    RecordBatch::try_from_iter([("n", Arc::new(numbers) as ArrayRef)]).unwrap()
}

proptest! {
    #![proptest_config(polarway_testing::tries(192, 10_000))]

    #[test]
    fn a_table_of_any_schema_comes_back_as_it_was(
        schema in common::schema(),
        rows in prop::collection::vec(0..40usize, 0..4),
        target_bytes in prop::sample::select(vec![1usize, 700, 5000, 1 << 20]),
        compression in prop::sample::select(vec![Compression::None, Compression::Lz4, Compression::Zstd]),
        seed in any::<u64>(),
    ) {
        let mut random = Random(seed);
        let batches: Vec<_> =
            rows.iter().map(|rows| common::batch(&schema, *rows, &mut random)).collect();
        let options = EncodeOptions { target_bytes, compression, ..EncodeOptions::default() };
        let chunks = encode(&schema, &batches, options);

        let (decoded_schema, decoded) = decode_chunks(chunks.clone());
        prop_assert_eq!(&decoded_schema, &schema);
        assert_same_rows(&batches, &decoded);

        let bytes = joined(chunks);
        let reader = StreamReader::try_new(bytes.as_ref(), None).unwrap();
        prop_assert_eq!(reader.schema(), schema);
        let read = reader.collect::<Result<Vec<_>, _>>().unwrap();
        assert_same_rows(&batches, &read);
    }

    #[test]
    fn a_stream_from_any_row_is_the_tail_of_the_table(
        schema in common::schema(),
        rows in prop::collection::vec(0..12usize, 1..3),
        seed in any::<u64>(),
    ) {
        let mut random = Random(seed);
        let batches: Vec<_> =
            rows.iter().map(|rows| common::batch(&schema, *rows, &mut random)).collect();
        let table = EncodedTable::encode(&schema, &batches, small_chunks(900)).unwrap();
        let all = table.decode().unwrap();
        for row in 0..=table.rows() {
            let chunks: Vec<_> = table.from_row(row).unwrap().collect();
            let mut next = row;
            for chunk in &chunks {
                prop_assert_eq!(chunk.first_row, next);
                next = chunk.end_row();
            }
            prop_assert_eq!(next, table.rows());

            let (decoded_schema, tail) = decode_chunks(chunks.clone());
            prop_assert_eq!(&decoded_schema, &schema);
            assert_same_rows(&rows_from(&all, row as usize), &tail);
            let bytes = joined(chunks);
            let reader = StreamReader::try_new(bytes.as_ref(), None).unwrap();
            assert_same_rows(&tail, &reader.collect::<Result<Vec<_>, _>>().unwrap());
        }
    }

    #[test]
    fn any_rows_of_a_table_are_a_stream_of_their_own_and_views_of_it(
        schema in common::schema(),
        seed in any::<u64>(),
    ) {
        let mut random = Random(seed);
        let batches = [common::batch(&schema, 7, &mut random), common::batch(&schema, 9, &mut random)];
        let table = EncodedTable::encode(&schema, &batches, small_chunks(300)).unwrap();
        let all = table.decode().unwrap();
        for start in 0..=table.rows() {
            let from_start = rows_from(&all, start as usize);
            for end in start..=table.rows() + 1 {
                let expected = first_rows(&from_start, (end - start) as usize);
                let views: Vec<_> = table.batches_in(start..end).unwrap().collect::<Result<_, _>>().unwrap();
                assert_same_rows(&expected, &views);
                let chunks: Vec<_> = table.rows_in(start..end).unwrap().collect();
                let mut next = start;
                for chunk in &chunks {
                    prop_assert_eq!(chunk.first_row, next);
                    next = chunk.end_row();
                }
                prop_assert_eq!(next, end.min(table.rows()));
                let bytes = joined(chunks);
                let reader = StreamReader::try_new(bytes.as_ref(), None).unwrap();
                assert_same_rows(&expected, &reader.collect::<Result<Vec<_>, _>>().unwrap());
            }
        }
        prop_assert!(table.rows_in(table.rows() + 1..table.rows() + 2).is_err());
        prop_assert!(table.batches_in(table.rows() + 1..table.rows() + 2).is_err());
    }

    #[test]
    fn pieces_of_any_size_decode_to_the_same_rows(
        schema in common::schema(),
        piece in 1..300usize,
        seed in any::<u64>(),
    ) {
        let batch = common::batch(&schema, 25, &mut Random(seed));
        let bytes = joined(encode(&schema, std::slice::from_ref(&batch), small_chunks(500)));
        let mut decoder = ChunkDecoder::new(DecodeLimits::default());
        let mut decoded = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = rest.split_to(piece.min(rest.len()));
            decoded.extend(decoder.decode(piece).unwrap());
        }
        prop_assert_eq!(decoder.rows(), 25);
        decoder.finish().unwrap();
        assert_same_rows(&[batch], &decoded);
    }
}

fn first_rows(batches: &[RecordBatch], mut rows: usize) -> Vec<RecordBatch> {
    let mut taken = Vec::new();
    for batch in batches {
        let length = rows.min(batch.num_rows());
        rows -= length;
        taken.push(batch.slice(0, length));
    }
    taken
}

fn rows_from(batches: &[RecordBatch], mut row: usize) -> Vec<RecordBatch> {
    let mut tail = Vec::new();
    for batch in batches {
        let skipped = row.min(batch.num_rows());
        tail.push(batch.slice(skipped, batch.num_rows() - skipped));
        row -= skipped;
    }
    tail
}

#[test]
fn a_table_without_rows_keeps_its_schema() {
    let schema = numbers(0).schema();
    for batches in [vec![], vec![numbers(0)]] {
        let chunks = encode(&schema, &batches, EncodeOptions::default());
        assert_eq!(chunks.len(), 1);
        assert_eq!((chunks[0].first_row, chunks[0].rows), (0, 0));
        assert_eq!(decode_chunks(chunks), (Arc::clone(&schema), vec![]));
    }
}

#[test]
fn a_table_without_columns_keeps_its_rows() {
    let schema = Arc::new(Schema::empty());
    let rows = RecordBatchOptions::new().with_row_count(Some(7));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), vec![], &rows).unwrap();
    let table = EncodedTable::encode(&schema, [&batch, &batch], EncodeOptions::default()).unwrap();
    assert_eq!(table.rows(), 14);
    let (_, decoded) = decode_chunks(table.from_row(5).unwrap());
    assert_eq!(decoded.iter().map(RecordBatch::num_rows).sum::<usize>(), 9);
}

#[test]
fn the_flag_of_an_ordered_dictionary_survives() {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let field = Field::new("size", dictionary, true).with_dict_is_ordered(true);
    let chunk = encode_schema(&Schema::new(vec![field]), 0).unwrap();
    let mut decoder = ChunkDecoder::new(DecodeLimits::default());
    decoder.decode(chunk.ipc).unwrap();
    assert_eq!(decoder.schema().unwrap().field(0).dict_is_ordered(), Some(true));
}

#[test]
fn dictionaries_that_grow_and_change_between_batches_survive() {
    let batch = |values: Vec<&str>| {
        let column: DictionaryArray<Int32Type> = values.into_iter().collect();
        RecordBatch::try_from_iter([("d", Arc::new(column) as ArrayRef)]).unwrap()
    };
    let batches = [
        batch(vec!["a", "b"]),
        batch(vec!["a", "b"]),
        batch(vec!["a", "b", "c", "c"]),
        batch(vec!["x", "a"]),
    ];
    let table = EncodedTable::encode(&batches[0].schema(), &batches, EncodeOptions::default()).unwrap();
    assert_same_rows(&batches, &table.decode().unwrap());
    for row in 0..=table.rows() {
        let (_, tail) = decode_chunks(table.from_row(row).unwrap());
        assert_same_rows(&rows_from(&batches, row as usize), &tail);
    }
}

#[test]
fn additions_to_a_dictionary_by_another_writer_are_understood() {
    use arrow_ipc::writer::{DictionaryHandling, IpcWriteOptions, StreamWriter};
    let batch = |values: Vec<&str>| {
        let column: DictionaryArray<Int32Type> = values.into_iter().collect();
        RecordBatch::try_from_iter([("d", Arc::new(column) as ArrayRef)]).unwrap()
    };
    let batches = [batch(vec!["a", "b"]), batch(vec!["a", "b", "c"])];
    let options = IpcWriteOptions::default().with_dictionary_handling(DictionaryHandling::Delta);
    let mut bytes = Vec::new();
    let schema = batches[0].schema();
    let mut writer = StreamWriter::try_new_with_options(&mut bytes, &schema, options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    let decoded = ChunkDecoder::new(DecodeLimits::default()).decode(bytes.into()).unwrap();
    assert_same_rows(&batches, &decoded);
}

#[test]
fn a_large_dictionary_is_cut_down_to_what_each_chunk_uses() {
    let values: ArrayRef = Arc::new(StringArray::from_iter_values((0..1000).map(|n| format!("{n:0100}"))));
    let keys = Int32Array::from_iter_values((0..1000).rev());
    let column = DictionaryArray::new(keys, values);
    let batch = RecordBatch::try_from_iter([("d", Arc::new(column) as ArrayRef)]).unwrap();
    let options = EncodeOptions { target_bytes: 8 << 10, max_bytes: 64 << 10, ..Default::default() };
    let table = EncodedTable::encode(&batch.schema(), [&batch], options).unwrap();
    assert!(table.chunks().len() > 10, "100 kB of values make more than ten chunks of 8 KiB");
    assert!(table.chunks().iter().all(|chunk| chunk.ipc.len() < 16 << 10));
    for row in [0, 1, 499, 999] {
        let (_, tail) = decode_chunks(table.from_row(row).unwrap());
        assert_same_rows(&[batch.slice(row as usize, 1000 - row as usize)], &tail);
    }
}

#[test]
fn chunks_are_about_as_large_as_asked_for() {
    let batch = numbers(1_000_000);
    let chunks = encode(&batch.schema(), &[batch], EncodeOptions::default());
    assert_eq!(chunks.len(), 9, "8 MB in pieces of 1 MiB, and the end");
    assert!(chunks.iter().all(|chunk| chunk.ipc.len() <= (5 << 20) / 4));
}

#[test]
fn one_long_row_among_short_ones_gets_a_chunk_of_its_own() {
    let long = "x".repeat(50_000);
    let values = (0..1000).map(|row| if row == 400 { long.as_str() } else { "y" });
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(values));
    let batch = RecordBatch::try_from_iter([("s", column)]).unwrap();
    let chunks = encode(&batch.schema(), std::slice::from_ref(&batch), small_chunks(2000));
    let holder = chunks.iter().find(|chunk| chunk.end_row() > 400).unwrap();
    assert_eq!((holder.first_row, holder.rows), (400, 1));
    assert!(chunks.iter().filter(|chunk| *chunk != holder).all(|chunk| chunk.ipc.len() < 4000));
    assert_same_rows(&[batch], &decode_chunks(chunks).1);
}

#[test]
fn a_row_that_fits_into_no_chunk_is_refused_by_its_number() {
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(["a", "b", &"x".repeat(5000)]));
    let batch = RecordBatch::try_from_iter([("s", column)]).unwrap();
    let options = EncodeOptions { target_bytes: 100, max_bytes: 4000, ..Default::default() };
    let mut encoder = ChunkEncoder::new(&batch.schema(), options).unwrap().starting_at(40);
    let error = encoder.encode(&batch).unwrap_err();
    assert!(matches!(error, Error::RowTooLarge { row: 42, max_bytes: 4000, .. }), "{error}");
}

#[test]
fn a_slice_of_views_does_not_drag_all_values_along() {
    let mut views = StringViewBuilder::new();
    (0..10_000).for_each(|n| views.append_value(format!("a string of some length, number {n}")));
    let views: ArrayRef = Arc::new(views.finish());
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(10, 1000));
    let item = Arc::new(Field::new_list_field(DataType::Utf8View, true));
    let lists: ArrayRef = Arc::new(ListArray::new(item, offsets, Arc::clone(&views), None));
    for column in [views, lists] {
        let batch = RecordBatch::try_from_iter([("s", column.slice(500, 10))]).unwrap();
        let chunks = encode(&batch.schema(), std::slice::from_ref(&batch), EncodeOptions::default());
        assert!(joined(chunks.clone()).len() < 10_000);
        assert_same_rows(&[batch], &decode_chunks(chunks).1);
    }
}

#[test]
fn batches_encoded_apart_join_to_one_stream() {
    let batch = numbers(1000);
    let halves = [batch.slice(0, 600), batch.slice(600, 400)];
    let options = small_chunks(1000);
    let mut chunks = vec![encode_schema(&batch.schema(), 0).unwrap()];
    chunks.extend(encode_batch(&halves[0], 0, &options).unwrap());
    chunks.extend(encode_batch(&halves[1], 600, &options).unwrap());
    chunks.push(encode_end(1000));
    let table = EncodedTable::from_chunks(batch.schema(), chunks).unwrap();
    assert_same_rows(&[batch], &table.decode().unwrap());
}

#[test]
fn batches_with_dictionaries_are_not_encoded_apart() {
    let column: DictionaryArray<Int32Type> = ["a"].into_iter().collect();
    let batch = RecordBatch::try_from_iter([("d", Arc::new(column) as ArrayRef)]).unwrap();
    let error = encode_batch(&batch, 0, &EncodeOptions::default()).unwrap_err();
    assert!(matches!(error, Error::HasDictionaries { column } if column == "d"));
}

#[test]
fn a_batch_of_another_schema_is_refused() {
    let mut encoder = ChunkEncoder::new(&numbers(0).schema(), EncodeOptions::default()).unwrap();
    let column: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let other = RecordBatch::try_from_iter([("n", column)]).unwrap();
    let error = encoder.encode(&other).unwrap_err();
    assert!(matches!(error, Error::SchemaMismatch(_)));
    assert_eq!(encoder.encode(&numbers(3)).unwrap()[0].first_row, 0);
}

#[test]
fn a_dictionary_of_dictionaries_and_a_bottomless_type_are_refused() {
    let dictionary = |values| DataType::Dictionary(Box::new(DataType::Int8), Box::new(values));
    let twice = dictionary(dictionary(DataType::Utf8));
    let schema = Schema::new(vec![Field::new("d", twice, true)]);
    assert!(matches!(encode_schema(&schema, 0), Err(Error::UnsupportedType { .. })));

    let deep = (0..100).fold(DataType::Int8, |inner, _| DataType::new_list(inner, true));
    let schema = Schema::new(vec![Field::new("l", deep, true)]);
    assert!(matches!(encode_schema(&schema, 0), Err(Error::TooDeep { .. })));
}

#[test]
fn the_deepest_type_that_can_be_written_can_be_read() {
    let deep = (0..23).fold(DataType::Int8, |inner, _| DataType::new_list(inner, true));
    let metadata = HashMap::from([("k".to_owned(), "v".to_owned())]);
    let schema = Schema::new(vec![Field::new("l", deep, true).with_metadata(metadata)]);
    let mut decoder = ChunkDecoder::new(DecodeLimits::default());
    decoder.decode(encode_schema(&schema, 0).unwrap().ipc).unwrap();
    assert_eq!(**decoder.schema().unwrap(), schema);
}

#[test]
fn a_thousand_columns_survive() {
    let column: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    let columns = (0..1000).map(|n| (format!("c{n}"), Arc::clone(&column)));
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).unwrap();
    let chunks = encode(&batch.schema(), std::slice::from_ref(&batch), EncodeOptions::default());
    assert_same_rows(&[batch], &decode_chunks(chunks).1);
}

#[test]
fn a_whole_chunk_decodes_without_a_copy() {
    let batch = numbers(1000);
    let table = EncodedTable::encode(&batch.schema(), [&batch], EncodeOptions::default()).unwrap();
    let bytes = &table.chunks()[0].ipc;
    let decoded = table.decode().unwrap();
    let values = decoded[0].column(0).to_data().buffers()[0].as_ptr() as usize;
    let range = bytes.as_ptr() as usize..bytes.as_ptr() as usize + bytes.len();
    assert!(range.contains(&values));
    assert_eq!(values % 64, 0);
}

#[test]
fn a_row_after_the_end_and_chunks_with_holes_are_refused() {
    let batch = numbers(10);
    let table = EncodedTable::encode(&batch.schema(), [&batch], EncodeOptions::default()).unwrap();
    let error = table.from_row(11).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::RowOutOfRange { row: 11, rows: 10 }));
    let chunks = vec![encode_schema(&batch.schema(), 0).unwrap(), encode_end(5)];
    let error = EncodedTable::from_chunks(batch.schema(), chunks).unwrap_err();
    assert!(matches!(error, Error::NotContiguous { expected: 0, found: 5 }));
}

#[test]
fn bytes_at_any_address_decode_to_the_same_rows() {
    let schema = numbers(0).schema();
    let bytes = joined(encode(&schema, &[numbers(100)], EncodeOptions::default()));
    for shift in 1..16 {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(&bytes);
        let piece = Bytes::from(shifted).slice(shift..);
        let decoded = ChunkDecoder::new(DecodeLimits::default()).decode(piece).unwrap();
        assert_same_rows(&[numbers(100)], &decoded);
    }
}

#[test]
fn dictionaries_that_do_not_fit_into_one_chunk_get_chunks_of_their_own() {
    let columns = (0..6).map(|column| {
        let values = (0..90).map(|n| format!("{column}{n:099}"));
        let values: ArrayRef = Arc::new(StringArray::from_iter_values(values));
        let keys = Int32Array::from_iter_values((0..90).rev());
        (format!("d{column}"), Arc::new(DictionaryArray::new(keys, values)) as ArrayRef)
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let options = EncodeOptions { max_bytes: 40_000, ..EncodeOptions::default() };
    let table = EncodedTable::encode(&batch.schema(), [&batch], options).unwrap();
    assert!(table.chunks().iter().all(|chunk| chunk.ipc.len() <= 40_000));
    assert_eq!((table.chunks()[0].rows, table.rows()), (0, 90));
    for row in [0, 1, 89, 90] {
        let (_, tail) = decode_chunks(table.from_row(row).unwrap());
        assert_same_rows(&rows_from(std::slice::from_ref(&batch), row as usize), &tail);
    }
}

#[test]
fn everything_moves_between_threads() {
    fn moves<T: Send>() {}
    moves::<ChunkEncoder>();
    moves::<ChunkDecoder>();
    moves::<EncodedTable>();
    moves::<Error>();
}
