//! Bytes from strangers: whatever they are, they give an error or valid batches, in bounded memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use arrow_array::builder::Int8Builder;
use arrow_array::types::Int8Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, FixedSizeListArray, Int64Array, NullArray, RecordBatch,
    RecordBatchOptions, StringArray,
};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use common::{Random, joined};
use flatbuffers::FlatBufferBuilder;
use polarway_ipc::{
    ChunkDecoder, Compression, DecodeLimits, EncodeOptions, EncodedTable, Error, encode_batch, encode_end,
    encode_schema,
};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// Counts what the current thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST_HELD: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that is being torn down counts no more.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = MOST_HELD.try_with(|most| most.set(most.get().max(held.get())));
    });
}

// SAFETY: every call is handed to the system's allocator as it came; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may be there at the same time.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `GlobalAlloc::realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` returns, and the most bytes it held on the way.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    MOST_HELD.set(before);
    let result = work();
    (result, (MOST_HELD.get() - before).max(0) as usize)
}

fn small_limits() -> DecodeLimits {
    DecodeLimits {
        max_message_bytes: 1 << 20,
        max_metadata_bytes: 1 << 18,
        max_decoded_bytes: 1 << 20,
        max_dictionary_bytes: 1 << 20,
        max_fields: 1000,
        ..DecodeLimits::default()
    }
}

/// What decoding under [`small_limits`] may hold: decoded buffers, copies of misaligned ones, and the
/// blocks and tables that the codecs keep for themselves.
const SMALL_MEMORY: usize = 16 << 20;

fn decode(bytes: impl Into<Bytes>) -> Result<Vec<RecordBatch>, Error> {
    let mut decoder = ChunkDecoder::new(small_limits());
    let batches = decoder.decode(bytes.into())?;
    decoder.finish()?;
    Ok(batches)
}

/// Decodes, and holds the answer to what any bytes must keep to.
fn decode_anything(bytes: Vec<u8>) -> Result<Vec<RecordBatch>, Error> {
    let bytes = Bytes::from(bytes);
    let (result, most_held) = measured(|| decode(bytes));
    assert!(most_held <= SMALL_MEMORY, "decoding held {most_held} bytes");
    match &result {
        Ok(batches) => {
            for column in batches.iter().flat_map(RecordBatch::columns) {
                column.to_data().validate_full().unwrap();
            }
        }
        Err(error) => assert!(!error.to_string().contains("panic"), "{error}"),
    }
    result
}

fn encoded(batch: &RecordBatch, compression: Compression) -> Vec<u8> {
    let options = EncodeOptions { compression, ..EncodeOptions::default() };
    let table = EncodedTable::encode(&batch.schema(), [batch], options).unwrap();
    joined(table.chunks().iter().cloned()).to_vec()
}

fn one_column(column: impl Array + 'static) -> RecordBatch {
    RecordBatch::try_from_iter([("column", Arc::new(column) as ArrayRef)]).unwrap()
}

/// Replaces the number wherever it stands.
fn replace(bytes: &mut [u8], from: i64, to: i64) -> usize {
    let mut count = 0;
    for start in 0..bytes.len() - 7 {
        if bytes[start..start + 8] == from.to_le_bytes() {
            bytes[start..start + 8].copy_from_slice(&to.to_le_bytes());
            count += 1;
        }
    }
    count
}

/// Streams of many schemas, the same in each run.
fn corpus(size: usize) -> Vec<Vec<u8>> {
    let mut runner = TestRunner::deterministic();
    let mut random = Random(1);
    let compressions = [Compression::None, Compression::Lz4, Compression::Zstd];
    let schemas = common::schema();
    (0..size)
        .map(|index| {
            let schema = schemas.new_tree(&mut runner).unwrap().current();
            let batch = common::batch(&schema, 1 + random.below(30), &mut random);
            encoded(&batch, compressions[index % compressions.len()])
        })
        .collect()
}

#[test]
fn a_stream_cut_off_at_any_byte_is_an_error_or_known_not_to_have_ended() {
    let batch = one_column(StringArray::from(vec![Some("a"), None, Some("ccc")]));
    let options = EncodeOptions { target_bytes: 1, ..EncodeOptions::default() };
    let mut chunks = vec![encode_schema(&batch.schema(), 0).unwrap()];
    chunks.extend(encode_batch(&batch, 0, &options).unwrap());
    chunks.push(encode_end(3));
    let borders: Vec<usize> = chunks
        .iter()
        .scan(0, |end, chunk| {
            *end += chunk.ipc.len();
            Some(*end)
        })
        .collect();
    let bytes = joined(chunks);
    assert_eq!(borders.len(), 5);
    for length in 0..bytes.len() {
        let mut decoder = ChunkDecoder::new(DecodeLimits::default());
        let batches = decoder.decode(bytes.slice(..length)).unwrap();
        let whole_messages = borders.iter().filter(|border| **border <= length).count();
        assert_eq!(batches.len(), whole_messages.saturating_sub(1));
        assert!(!decoder.ended());
        match decoder.finish() {
            Ok(()) => assert!(borders.contains(&length), "cut at {length}"),
            Err(Error::NoSchema) => assert_eq!(length, 0),
            Err(error) => assert!(matches!(error, Error::Truncated), "cut at {length}: {error}"),
        }
    }
}

#[test]
fn malformed_bytes_give_an_error_and_never_a_panic() {
    let mut random = Random(7);
    for stream in corpus(120) {
        decode_anything(stream.clone()).unwrap();
        for _ in 0..50 {
            let mut bytes = stream.clone();
            for _ in 0..1 + random.below(4) {
                let place = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes[place] ^= 1 << random.below(8),
                    1 => bytes[place] = random.next() as u8,
                    2 => bytes[place] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
                    _ => {
                        let number = [0, 1, -1, i64::MAX, i64::MIN, 1 << 31, 1 << 40];
                        let number = number[random.below(7)].to_le_bytes();
                        let place = place & !7;
                        let end = (place + 8).min(bytes.len());
                        bytes[place..end].copy_from_slice(&number[..end - place]);
                    }
                }
            }
            let _ = decode_anything(bytes);
        }
    }
}

#[test]
fn bytes_moved_and_cut_out_give_an_error_and_never_a_panic() {
    let mut random = Random(11);
    for stream in corpus(60) {
        for _ in 0..20 {
            let mut bytes = stream.clone();
            let (from, to) = (random.below(bytes.len()) & !7, random.below(bytes.len()) & !7);
            let length = random.below(64).min(bytes.len() - from.max(to));
            if random.below(2) == 0 {
                bytes.copy_within(from..from + length, to);
            } else {
                bytes.drain(from..from + length);
            }
            let _ = decode_anything(bytes);
        }
    }
}

#[test]
fn bytes_that_are_no_arrow_are_named_so() {
    for bytes in [&b"PAR1 and so on"[..], b"{\"rows\": []}", b"ARROW1\0\0 a file"] {
        assert!(matches!(decode(bytes.to_vec()), Err(Error::NotArrow)));
    }
    assert!(matches!(decode(Vec::new()), Err(Error::NoSchema)));
    assert!(matches!(decode(b"\xff\xff".to_vec()), Err(Error::Truncated)));
    assert!(matches!(decode(b"\xff\xff\xff\xff\0\0\0\0".to_vec()), Err(Error::NoSchema)));
}

#[test]
fn bytes_after_the_end_are_an_error() {
    let mut bytes = encoded(&one_column(Int64Array::from(vec![1])), Compression::None);
    bytes.push(0);
    assert!(matches!(decode(bytes), Err(Error::AfterEnd)));
}

#[test]
fn a_decoder_that_failed_stays_failed() {
    let mut decoder = ChunkDecoder::new(DecodeLimits::default());
    decoder.decode(Bytes::from_static(b"nonsense")).unwrap_err();
    let good = encoded(&one_column(Int64Array::from(vec![1])), Compression::None);
    assert!(matches!(decoder.decode(good.into()), Err(Error::Failed)));
    assert!(matches!(decoder.finish(), Err(Error::Failed)));
}

#[test]
fn a_second_schema_and_a_missing_one_are_errors() {
    let batch = one_column(Int64Array::from(vec![1]));
    let schema = encode_schema(&batch.schema(), 0).unwrap();
    let rows = encode_batch(&batch, 0, &EncodeOptions::default()).unwrap();
    assert!(matches!(decode(joined([schema.clone(), schema])), Err(Error::Malformed(_))));
    assert!(matches!(decode(joined(rows)), Err(Error::Malformed(_))));
}

#[track_caller]
fn assert_over_limit(bytes: Vec<u8>) {
    let (result, most_held) = measured(|| decode(bytes));
    let error = result.unwrap_err();
    assert!(matches!(error, Error::LimitExceeded { .. }), "{error}");
    assert!(most_held < SMALL_MEMORY, "{most_held}");
}

#[test]
fn lengths_that_lie_are_refused_before_memory_is_taken() {
    let metadata = b"\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec();
    assert_over_limit(metadata);

    let batch = one_column(Int64Array::from(vec![0; 3200]));
    let mut body = encoded(&batch, Compression::None);
    assert!(replace(&mut body, 25_600, 1 << 40) > 0);
    assert_over_limit(body);

    let rows = RecordBatchOptions::new().with_row_count(Some(7777));
    let schema = Arc::new(Schema::empty());
    let no_columns = RecordBatch::try_new_with_options(schema, vec![], &rows).unwrap();
    for batch in [no_columns, one_column(NullArray::new(7777))] {
        let mut rows = encoded(&batch, Compression::None);
        assert!(replace(&mut rows, 7777, 1 << 62) > 0);
        assert_over_limit(rows);
    }
}

#[test]
fn negative_lengths_are_errors() {
    for number in [-1, i64::MIN] {
        let batch = one_column(Int64Array::from(vec![0; 3200]));
        let mut bytes = encoded(&batch, Compression::None);
        assert!(replace(&mut bytes, 25_600, number) > 0);
        assert!(matches!(decode(bytes), Err(Error::Malformed(_))));
    }
}

#[test]
fn a_decompression_bomb_is_refused_by_what_it_declares() {
    for compression in [Compression::Lz4, Compression::Zstd] {
        let batch = one_column(Int64Array::from(vec![0; 4 << 20])).slice(0, 3 << 20);
        let options = EncodeOptions { target_bytes: 32 << 20, compression, ..Default::default() };
        let table = EncodedTable::encode(&batch.schema(), [&batch], options).unwrap();
        assert_over_limit(joined(table.chunks().iter().cloned()).to_vec());
    }
}

#[test]
fn a_decompression_bomb_that_declares_little_gives_no_more_than_that() {
    for compression in [Compression::Lz4, Compression::Zstd] {
        let batch = one_column(Int64Array::from(vec![0; 3 << 20]));
        let options = EncodeOptions { target_bytes: 32 << 20, compression, ..Default::default() };
        let table = EncodedTable::encode(&batch.schema(), [&batch], options).unwrap();
        for declared in [1, 8, 1 << 19] {
            let mut bytes = joined(table.chunks().iter().cloned()).to_vec();
            assert_eq!(replace(&mut bytes, 24 << 20, declared), 1);
            let error = decode_anything(bytes).unwrap_err();
            assert!(matches!(error, Error::Malformed(_)), "{error}");
        }
    }
}

#[test]
fn many_small_bombs_in_one_piece_are_bounded_together() {
    let batch = one_column(Int64Array::from(vec![0; 100_000]));
    for compression in [Compression::Lz4, Compression::Zstd] {
        let options = EncodeOptions { compression, ..EncodeOptions::default() };
        let table = EncodedTable::encode(&batch.schema(), vec![&batch; 50], options).unwrap();
        assert_over_limit(joined(table.chunks().iter().cloned()).to_vec());
        // One by one they are fine.
        let mut decoder = ChunkDecoder::new(small_limits());
        for chunk in table.chunks() {
            decoder.decode(chunk.ipc.clone()).unwrap();
        }
        assert_eq!(decoder.rows(), 5_000_000);
    }
}

#[test]
fn buffers_that_name_the_same_bytes_twice_are_refused() {
    let left: ArrayRef = Arc::new(Int64Array::from(vec![1; 8]));
    let batch = RecordBatch::try_from_iter([("a", Arc::clone(&left)), ("b", left)]).unwrap();
    let mut bytes = encoded(&batch, Compression::None);
    // Both columns take all of the body.
    assert!(replace(&mut bytes, 64, 128) >= 2);
    assert!(matches!(decode(bytes), Err(Error::Malformed(_))));
}

#[test]
fn values_that_break_the_rules_of_their_type_are_refused() {
    let column = DictionaryArray::<Int8Type>::from_iter(["a", "b"]);
    let mut keys = encoded(&one_column(column), Compression::None);
    let place = keys.len() - 8 - 64;
    assert_eq!(keys[place..place + 2], [0, 1]);
    keys[place + 1] = 2;
    let error = decode(keys).unwrap_err();
    assert!(matches!(&error, Error::InvalidColumn { column, .. } if column == "column"), "{error}");

    let mut text = encoded(&one_column(StringArray::from(vec!["ab"])), Compression::None);
    let place = text.len() - 8 - 64;
    assert_eq!(text[place..place + 2], *b"ab");
    text[place] = 0xff;
    assert!(matches!(decode(text.clone()), Err(Error::InvalidColumn { .. })));

    text[place] = b'a';
    text[place - 64 + 4] = 200; // the offset of the end
    assert!(matches!(decode(text), Err(Error::InvalidColumn { .. })));
}

#[test]
fn nulls_where_the_schema_allows_none_are_refused() {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let batch = RecordBatch::try_from_iter_with_nullable([("n", column, true)]).unwrap();
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, false)]);
    let mut chunks = vec![encode_schema(&schema, 0).unwrap()];
    chunks.extend(encode_batch(&batch, 0, &EncodeOptions::default()).unwrap());
    assert!(matches!(decode(joined(chunks)), Err(Error::InvalidBatch(_))));
}

#[test]
fn a_batch_of_other_columns_than_the_schema_is_refused() {
    let narrow = one_column(Int64Array::from(vec![1]));
    let column = narrow.column(0);
    let wide = RecordBatch::try_from_iter([("a", column), ("b", column)].map(|(n, c)| (n, c.clone())));
    let wide = wide.unwrap();
    for (schema, batch) in [(&narrow, &wide), (&wide, &narrow)] {
        let mut chunks = vec![encode_schema(&schema.schema(), 0).unwrap()];
        chunks.extend(encode_batch(batch, 0, &EncodeOptions::default()).unwrap());
        assert!(matches!(decode(joined(chunks)), Err(Error::Malformed(_))));
    }
}

#[test]
fn huge_fixed_size_lists_of_nothing_are_refused() {
    let item = Arc::new(Field::new_list_field(DataType::Null, true));
    let list = FixedSizeListArray::new(item, 2, Arc::new(NullArray::new(4)), None);
    let mut bytes = encoded(&one_column(list), Compression::None);
    assert!(replace(&mut bytes, 4, 1 << 61) > 0);
    assert!(decode_anything(bytes).is_err());
}

#[test]
fn dictionaries_beyond_their_limit_are_refused() {
    let values: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(2 << 20)]));
    let mut keys = Int8Builder::new();
    keys.append_value(0);
    let column = DictionaryArray::<Int8Type>::new(keys.finish(), values);
    let bytes = encoded(&one_column(column), Compression::None);
    let limits = DecodeLimits { max_dictionary_bytes: 1 << 20, ..DecodeLimits::default() };
    let error = ChunkDecoder::new(limits).decode(bytes.into()).unwrap_err();
    assert!(matches!(error, Error::LimitExceeded { .. }), "{error}");
}

/// A stream of one message: a schema whose fields are made by `fields`.
fn schema_message(
    fields: impl for<'a> FnOnce(&mut FlatBufferBuilder<'a>) -> Vec<flatbuffers::WIPOffset<arrow_ipc::Field<'a>>>,
) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let fields = fields(&mut builder);
    let fields = builder.create_vector(&fields);
    let mut schema = arrow_ipc::SchemaBuilder::new(&mut builder);
    schema.add_fields(fields);
    let schema = schema.finish();
    let mut message = arrow_ipc::MessageBuilder::new(&mut builder);
    message.add_version(arrow_ipc::MetadataVersion::V5);
    message.add_header_type(arrow_ipc::MessageHeader::Schema);
    message.add_header(schema.as_union_value());
    let message = message.finish();
    builder.finish(message, None);
    let metadata = builder.finished_data();
    let mut bytes = vec![0xff; 4];
    bytes.extend((metadata.len() as u32).to_le_bytes());
    bytes.extend(metadata);
    bytes
}

#[test]
fn a_small_schema_that_describes_a_huge_one_is_refused() {
    // One field with a long name, named from many places.
    let wide = schema_message(|builder| {
        let name = builder.create_string(&"n".repeat(10_000));
        let children = builder.create_vector::<flatbuffers::WIPOffset<arrow_ipc::Field>>(&[]);
        let null = arrow_ipc::NullBuilder::new(builder).finish().as_union_value();
        let mut field = arrow_ipc::FieldBuilder::new(builder);
        field.add_name(name);
        field.add_nullable(true);
        field.add_type_type(arrow_ipc::Type::Null);
        field.add_type_(null);
        field.add_children(children);
        vec![field.finish(); 900]
    });
    assert!(decode_anything(wide).is_err());

    // Structs of two fields, which are the same field, twenty levels deep: a million fields.
    let deep = schema_message(|builder| {
        let mut children = builder.create_vector::<flatbuffers::WIPOffset<arrow_ipc::Field>>(&[]);
        let mut both = Vec::new();
        for _ in 0..20 {
            let details = arrow_ipc::Struct_Builder::new(builder).finish().as_union_value();
            let mut field = arrow_ipc::FieldBuilder::new(builder);
            field.add_type_type(arrow_ipc::Type::Struct_);
            field.add_type_(details);
            field.add_children(children);
            both = vec![field.finish(); 2];
            children = builder.create_vector(&both);
        }
        both
    });
    assert!(decode_anything(deep).is_err());
}

#[test]
fn a_schema_with_a_type_that_makes_no_sense_is_refused() {
    let int_of_seven_bits = schema_message(|builder| {
        let mut int = arrow_ipc::IntBuilder::new(builder);
        int.add_bitWidth(7);
        let int = int.finish().as_union_value();
        let mut field = arrow_ipc::FieldBuilder::new(builder);
        field.add_type_type(arrow_ipc::Type::Int);
        field.add_type_(int);
        vec![field.finish()]
    });
    assert!(matches!(decode(int_of_seven_bits), Err(Error::Malformed(_))));

    let list_of_nothing = schema_message(|builder| {
        let list = arrow_ipc::ListBuilder::new(builder).finish().as_union_value();
        let mut field = arrow_ipc::FieldBuilder::new(builder);
        field.add_type_type(arrow_ipc::Type::List);
        field.add_type_(list);
        vec![field.finish()]
    });
    assert!(matches!(decode(list_of_nothing), Err(Error::Malformed(_))));
}
