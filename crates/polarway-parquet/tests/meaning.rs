//! Files of few bytes whose rows mean many, by writers that don't say so.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::Field;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use parquet::schema::types::ColumnPath;
use polarway_parquet::{FileReader, ReadOptions, read};
use polarway_testing::{CountedMemory, is_long};

/// Less than one batch of as many rows as usual would take.
#[global_allocator]
static MEMORY: CountedMemory = CountedMemory::limited_to(2 << 30);

const MIB: usize = 1 << 20;
const ROWS: usize = 1_300;
/// What reading may hold: one batch at a time, and room for it to grow.
const ENOUGH: usize = 1_000 * MIB;

fn file(properties: WriterPropertiesBuilder, batches: impl Iterator<Item = RecordBatch>) -> Bytes {
    let mut batches = batches.peekable();
    let schema = batches.peek().unwrap().schema();
    let properties = properties
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_dictionary_page_size_limit(64 * MIB)
        .set_data_page_size_limit(64 * MIB)
        .set_data_page_row_count_limit(usize::MAX);
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties.build())).unwrap();
    batches.for_each(|batch| writer.write(&batch).unwrap());
    writer.into_inner().unwrap().into()
}

/// Rows with the number of each, and texts of a mebibyte that differ in their last letter.
fn rows(nest: fn(ArrayRef) -> ArrayRef) -> impl Iterator<Item = RecordBatch> {
    let long = "x".repeat(MIB);
    (0..ROWS).step_by(26).map(move |start| {
        let texts = (0..26).map(|row| format!("{long}{}", char::from(b'a' + row as u8)));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(start as i64..start as i64 + 26));
        RecordBatch::try_from_iter([("n", numbers), ("text", nest(texts))]).unwrap()
    })
}

fn flat(texts: ArrayRef) -> ArrayRef {
    texts
}

fn in_lists(texts: ArrayRef) -> ArrayRef {
    let field = Arc::new(Field::new_list_field(texts.data_type().clone(), true));
    Arc::new(ListArray::new(field, OffsetBuffer::from_lengths(vec![1; texts.len()]), texts, None))
}

/// What a file is called, how it is written, and how its texts are nested.
type Case = (&'static str, WriterPropertiesBuilder, fn(ArrayRef) -> ArrayRef);

#[test]
fn values_that_stand_for_many_rows_are_read_in_small_batches() {
    let memory = MEMORY.alone();
    let mut prefixes = WriterProperties::builder();
    for path in [vec!["text"], vec!["text", "list", "item"]] {
        let path = ColumnPath::new(path.into_iter().map(str::to_owned).collect());
        prefixes = prefixes
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BYTE_ARRAY);
    }
    let second = prefixes.clone().set_writer_version(WriterVersion::PARQUET_2_0);
    let mut cases: Vec<Case> =
        vec![("a dictionary", WriterProperties::builder(), flat), ("prefixes in lists", second, in_lists)];
    if is_long() {
        cases.push(("a dictionary in lists", WriterProperties::builder(), in_lists));
        cases.push(("prefixes in pages of the first version", prefixes, flat));
    }
    for (what, properties, nest) in cases {
        let file = file(properties, rows(nest));
        assert!(file.len() < 8 * MIB, "{what}: {}", file.len());
        for first_row in if is_long() { vec![0, 1_000] } else { vec![300] } {
            let (count, most_held) = memory.most_held_by(|| {
                let schema = FileReader::open(Arc::new(file.clone())).unwrap().schema().clone();
                let options = ReadOptions::default().with_first_row(first_row);
                let mut next = first_row as i64;
                for batch in read(vec![Arc::new(file.clone())], &schema, options).unwrap() {
                    let batch = batch.unwrap();
                    let numbers = batch.column(0).as_primitive::<arrow_array::types::Int64Type>();
                    let texts = match batch.column(1).as_list_opt::<i32>() {
                        Some(lists) => lists.values().clone(),
                        None => batch.column(1).clone(),
                    };
                    for (row, text) in texts.as_string::<i32>().iter().enumerate() {
                        assert_eq!(numbers.value(row), next);
                        let text = text.unwrap().as_bytes();
                        assert_eq!((text.len(), text[MIB]), (MIB + 1, b'a' + (next % 26) as u8));
                        next += 1;
                    }
                }
                next
            });
            assert_eq!(count, ROWS as i64, "{what}");
            assert!(most_held < ENOUGH, "{what}: {most_held}");
        }
    }
}

#[test]
fn metadata_that_declares_more_than_it_has_is_an_error_before_there_is_room_for_it() {
    let memory = MEMORY.alone();
    let batch =
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)]).unwrap();
    let whole = file(WriterProperties::builder(), [batch].into_iter());
    let end = whole.len() - 8;
    let footer = u32::from_le_bytes(whole[end..end + 4].try_into().unwrap()) as usize;
    for place in end - footer..end {
        let mut bytes = whole[..place].to_vec();
        // A list of structs, and 2^31 of them.
        bytes.extend([0xfc, 0xff, 0xff, 0xff, 0xff, 0x07]);
        bytes.extend(&whole[place.min(end)..end]);
        bytes.extend(((bytes.len() - (end - footer)) as u32).to_le_bytes());
        bytes.extend(b"PAR1");
        let (opened, most_held) = memory.most_held_by(|| FileReader::open(Arc::new(Bytes::from(bytes))));
        drop(opened);
        assert!(most_held < 64 * MIB, "{place}: {most_held}");
    }
}
