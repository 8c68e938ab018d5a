//! Damaged files give typed errors: never a panic, never other rows.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use polarway_parquet::{EncodeOptions, Error, FileReader, ReadAt, ReadOptions, read};
use polarway_testing::{Noise, assert_same_rows, batches};
use proptest::prelude::*;
use support::{decode, encode, source};

fn schema() -> SchemaRef {
    let item = Arc::new(Field::new("item", DataType::Utf8, true));
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("price", DataType::Float64, true),
        Field::new("amount", DataType::Decimal128(20, 4), true),
        Field::new("at", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true),
        Field::new_dictionary("symbol", DataType::Int8, DataType::Utf8, true),
        Field::new("tags", DataType::List(item), true),
        Field::new("flag", DataType::Boolean, true),
    ]))
}

fn table() -> (SchemaRef, Vec<RecordBatch>, Bytes) {
    let schema = schema();
    let written = batches(&mut Noise::new(7), &schema, &[60, 40]);
    let (file, _) = encode(&schema, &written, EncodeOptions::default().with_row_group_rows(50));
    (schema, written, file)
}

#[test]
fn a_flipped_bit_is_an_error_or_changes_nothing() {
    let (schema, written, file) = table();
    let mut refused = 0;
    let step = if polarway_testing::is_long() { 1 } else { 3 };
    let mut flips = 0;
    for place in (0..file.len()).step_by(step) {
        flips += 1;
        let mut damaged = file.to_vec();
        damaged[place] ^= 1 << (place % 8);
        match decode(&[damaged.into()], &schema, ReadOptions::default()) {
            Ok(read) => assert_same_rows(&written, &read),
            Err(Error::InFile { index: 0, .. }) => refused += 1,
            Err(other) => panic!("byte {place}: {other}"),
        }
    }
    assert!(refused > flips / 4, "{refused} of {flips} flips were seen");
}

#[test]
fn a_check_without_decoding_finds_damage_and_goes_on_where_the_last_one_stopped() {
    let (_, _, file) = table();
    let check = |bytes: &Bytes, first, most| FileReader::open(source(bytes)).unwrap().check(first, most);
    let whole = check(&file, 0, u64::MAX).unwrap();
    assert_eq!(whole.row_groups, 2);
    let first = check(&file, 0, 1).unwrap();
    let second = check(&file, first.row_groups, 1).unwrap();
    assert_eq!((first.row_groups, second.row_groups, first.bytes + second.bytes), (1, 2, whole.bytes));
    assert_eq!(check(&file, 2, u64::MAX).unwrap().bytes, 0);
    let mut damaged = file.to_vec();
    damaged[first.bytes as usize + 10] ^= 1; // in the second row group
    let damaged = Bytes::from(damaged);
    assert_eq!(check(&damaged, 0, 1).unwrap(), first);
    for from in [0, 1] {
        assert!(matches!(check(&damaged, from, u64::MAX), Err(Error::Corrupt { .. })), "{from}");
    }
}

#[test]
fn a_file_cut_short_is_known_as_truncated() {
    let (schema, _, file) = table();
    for length in (4..file.len()).step_by(5).chain([file.len() - 1]) {
        let error = decode(&[file.slice(..length)], &schema, ReadOptions::default()).unwrap_err();
        let Error::InFile { source, .. } = error else { panic!("{error}") };
        assert!(matches!(*source, Error::Truncated), "{length}: {source}");
    }
}

#[test]
fn what_is_no_parquet_file_is_known_as_such() {
    for bytes in ["", "PAR", "id,price\n1,2\n", "ARROW1\0\0"] {
        let error = FileReader::open(Arc::new(Bytes::from(bytes))).unwrap_err();
        assert!(matches!(error, Error::NotParquet), "{bytes:?}: {error}");
    }
}

#[test]
fn rows_before_the_damage_are_delivered_and_the_error_ends_the_table() {
    let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false)]));
    let written = batches(&mut Noise::new(1), &schema, &[300]);
    let (file, summary) = encode(&schema, &written, EncodeOptions::default().with_row_group_rows(100));
    assert_eq!(summary.row_groups, 3);
    let group = |index: usize| {
        let reader =
            parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap();
        reader.metadata().row_group(index).column(0).byte_range()
    };
    let (start, length) = group(1);
    let mut damaged = file.to_vec();
    damaged[(start + length - 1) as usize] ^= 0x10;
    let mut reader = read(vec![source(&damaged.into())], &schema, ReadOptions::default()).unwrap();
    assert_same_rows(&[written[0].slice(0, 100)], &[reader.next().unwrap().unwrap()]);
    let error = reader.next().unwrap().unwrap_err();
    assert!(error.to_string().contains("file 0"), "{error}");
    assert!(reader.next().is_none());
}

#[derive(Debug)]
struct FailsLater {
    file: Bytes,
    reads_left: AtomicUsize,
}

impl ReadAt for FailsLater {
    fn len(&self) -> u64 {
        self.file.len() as u64
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let left =
            self.reads_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map_err(|_| io::Error::other("the disk is gone"))?;
        self.file.read_at(offset, length)
    }
}

#[test]
fn an_unreadable_medium_is_told_from_a_corrupt_file() {
    let (schema, _, file) = table();
    for reads in 0..8 {
        let source = Arc::new(FailsLater { file: file.clone(), reads_left: AtomicUsize::new(reads) });
        let result = read(vec![source], &schema, ReadOptions::default())
            .and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let Err(Error::InFile { source, .. }) = result else { panic!("{reads} reads were enough") };
        assert!(
            matches!(&*source, Error::Read(error) if error.to_string() == "the disk is gone"),
            "{source:?}"
        );
    }
}

#[test]
fn the_plain_parquet_reader_reads_the_file_too() {
    let (schema, written, file) = table();
    let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let reader = builder.with_batch_size(25).build().unwrap();
    assert_eq!(reader.schema().fields(), schema.fields());
    assert_eq!(
        reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(),
        written.iter().map(RecordBatch::num_rows).sum::<usize>()
    );
}

proptest! {
    #![proptest_config(polarway_testing::tries(256, 4_000))]

    #[test]
    fn random_bytes_in_place_of_the_metadata_are_an_error(footer in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut file = b"PAR1".to_vec();
        file.extend_from_slice(&footer);
        file.extend_from_slice(&(footer.len() as u32).to_le_bytes());
        file.extend_from_slice(b"PAR1");
        let opened = FileReader::open(Arc::new(Bytes::from(file)));
        // A byte of them may say that the file is encrypted.
        let is_refused = matches!(opened, Err(Error::Corrupt { .. } | Error::Encrypted));
        prop_assert!(is_refused);
    }

    #[test]
    fn random_damage_in_the_footer_never_panics_and_never_changes_rows(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let (schema, written, file) = table();
        let footer = u32::from_le_bytes(file[file.len() - 8..file.len() - 4].try_into().unwrap()) as usize;
        let start = file.len() - 8 - footer;
        let mut damaged = file.to_vec();
        for (place, byte) in damage {
            damaged[start + place.index(footer)] = byte;
        }
        if let Ok(read) = decode(&[damaged.into()], &schema, ReadOptions::default()) {
            assert_same_rows(&written, &read);
        }
    }
}
