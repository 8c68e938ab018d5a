//! Files that other programs wrote, with what this crate's own encoder never makes.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;
use parquet::basic::Repetition;
use parquet::data_type::{Int64Type as ParquetInt64, Int96, Int96Type};
use parquet::file::metadata::{
    ColumnChunkMetaDataBuilder, FileMetaData, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataReader,
    ParquetMetaDataWriter,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type;
use polarway_parquet::{Error, FileReader, ReadOptions, Result, read};

const NANOS_PER_DAY: i128 = 86_400_000_000_000;
const JULIAN_DAY_OF_1970: i128 = 2_440_588;

/// 9999-12-31, which stands for "never ends" in many a table.
const LAST_DAY_SECONDS: i64 = 253_402_214_400;

/// A time in nanoseconds since 1970, as Spark, Hive and Impala write it.
fn int96(nanos: i128) -> Int96 {
    let day = u32::try_from(nanos.div_euclid(NANOS_PER_DAY) + JULIAN_DAY_OF_1970).unwrap();
    let in_day = nanos.rem_euclid(NANOS_PER_DAY) as u64;
    let mut value = Int96::new();
    value.set_data(in_day as u32, (in_day >> 32) as u32, day);
    value
}

type Writer<'w> = parquet::file::writer::SerializedRowGroupWriter<'w, Vec<u8>>;

/// A file of one row group, as `message` describes it.
fn file(message: &str, write: impl FnOnce(&mut Writer<'_>)) -> Bytes {
    let schema = Arc::new(parse_message_type(message).unwrap());
    written(schema, write)
}

fn written(schema: Arc<Type>, write: impl FnOnce(&mut Writer<'_>)) -> Bytes {
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    write(&mut group);
    group.close().unwrap();
    writer.into_inner().unwrap().into()
}

fn put_times(group: &mut Writer<'_>, times: &[Option<i128>]) {
    let mut column = group.next_column().unwrap().unwrap();
    let values: Vec<Int96> = times.iter().flatten().map(|nanos| int96(*nanos)).collect();
    let levels: Vec<i16> = times.iter().map(|time| i16::from(time.is_some())).collect();
    column.typed::<Int96Type>().write_batch(&values, Some(&levels), None).unwrap();
    column.close().unwrap();
}

fn put_numbers(group: &mut Writer<'_>, numbers: &[i64]) {
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ParquetInt64>().write_batch(numbers, None, None).unwrap();
    column.close().unwrap();
}

fn load(file: &Bytes) -> Result<RecordBatch> {
    let schema = FileReader::open(Arc::new(file.clone()))?.with_fitting_times()?.schema().clone();
    let batches: Vec<RecordBatch> =
        read(vec![Arc::new(file.clone())], &schema, ReadOptions::default())?.collect::<Result<_>>()?;
    assert_eq!(batches.len(), 1);
    Ok(batches[0].clone())
}

fn times_file(times: &[Option<i128>]) -> Bytes {
    file("message m { required int64 id; optional int96 t; }", |group| {
        put_numbers(group, &(0..times.len() as i64).collect::<Vec<_>>());
        put_times(group, times);
    })
}

fn micros(column: &ArrayRef) -> Vec<Option<i64>> {
    column.as_primitive::<TimestampMicrosecondType>().iter().collect()
}

#[test]
fn int96_reaches_the_year_9999_and_the_year_1() {
    let first_day = -62_135_596_800i64;
    let seconds = [0, LAST_DAY_SECONDS, first_day, -1];
    let mut times: Vec<Option<i128>> =
        seconds.iter().map(|seconds| Some(i128::from(*seconds) * 1_000_000_000)).collect();
    times.extend([None, Some(1_704_141_296_123_456_000)]);
    let batch = load(&times_file(&times)).unwrap();
    assert_eq!(batch.schema().field(1).data_type(), &DataType::Timestamp(TimeUnit::Microsecond, None));
    let mut expected: Vec<Option<i64>> = seconds.iter().map(|seconds| Some(seconds * 1_000_000)).collect();
    expected.extend([None, Some(1_704_141_296_123_456)]);
    assert_eq!(micros(batch.column(1)), expected);
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().values().len(), 6);
}

#[test]
fn int96_keeps_its_nanoseconds() {
    let times = [Some(1), None, Some(-1), Some(1_704_141_296_123_456_789)];
    let batch = load(&times_file(&times)).unwrap();
    let column = batch.column(1).as_primitive::<TimestampNanosecondType>();
    assert_eq!(column.iter().collect::<Vec<_>>(), [Some(1), None, Some(-1), Some(1_704_141_296_123_456_789)]);
}

#[test]
fn int96_that_fits_no_unit_is_an_error_that_names_the_column_and_never_another_time() {
    let never = i128::from(LAST_DAY_SECONDS) * 1_000_000_000;
    let error = load(&times_file(&[Some(1), Some(never)])).unwrap_err();
    let Error::InFile { source, .. } = &error else { panic!("{error}") };
    assert!(matches!(source.as_ref(), Error::TimeOutOfRange { column, .. } if column == "t"), "{source}");
    // Nanoseconds that come late, behind many rows without.
    let mut times = vec![Some(1_000); 70_000];
    times.push(Some(1_001));
    let file = times_file(&times);
    let schema =
        FileReader::open(Arc::new(file.clone())).unwrap().with_fitting_times().unwrap().schema().clone();
    let rows = read(vec![Arc::new(file)], &schema, ReadOptions::default()).unwrap();
    let failed = rows.filter_map(Result::err).next().expect("the time is not cut");
    assert!(failed.to_string().contains("file 0"), "{failed}");
}

#[test]
fn int96_inside_of_lists_and_structs_is_whole_too() {
    let message = "message m { optional group l (LIST) { repeated group list { optional int96 element; } } \
                   optional group s { optional int96 t; required int64 n; } }";
    let never = i128::from(LAST_DAY_SECONDS) * 1_000_000_000;
    let file = file(message, |group| {
        let mut column = group.next_column().unwrap().unwrap();
        let values = [int96(0), int96(never)];
        // [0, NULL, never], NULL
        column.typed::<Int96Type>().write_batch(&values, Some(&[3, 2, 3, 0]), Some(&[0, 1, 1, 0])).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int96Type>().write_batch(&[int96(never)], Some(&[2, 1]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ParquetInt64>().write_batch(&[7, 8], Some(&[1, 1]), None).unwrap();
        column.close().unwrap();
    });
    let batch = load(&file).unwrap();
    let list = batch.column(0).as_list::<i32>();
    assert!(list.is_null(1));
    let micros_of_never = LAST_DAY_SECONDS * 1_000_000;
    assert_eq!(micros(&list.value(0)), [Some(0), None, Some(micros_of_never)]);
    assert_eq!(micros(batch.column(1).as_struct().column(0)), [Some(micros_of_never), None]);
    assert_eq!(batch.column(1).as_struct().column(1).as_primitive::<Int64Type>().values(), &[7, 8]);
}

#[test]
fn a_load_from_the_middle_of_int96_starts_at_its_row() {
    let times: Vec<Option<i128>> = (0..10_000).map(|row| Some(row * 1_000)).collect();
    let file = times_file(&times);
    let schema = FileReader::open(Arc::new(file.clone())).unwrap().schema().clone();
    let options = ReadOptions::default().with_first_row(7_777).with_batch_rows(1_000);
    let batches: Vec<RecordBatch> =
        read(vec![Arc::new(file)], &schema, options).unwrap().collect::<Result<_>>().unwrap();
    assert_eq!(micros(batches[0].column(1))[0], Some(7_777));
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2_223);
}

#[test]
fn columns_of_one_name_are_each_read_in_their_order() {
    let column = |name: &str| {
        let column = Type::primitive_type_builder(name, parquet::basic::Type::INT64);
        Arc::new(column.with_repetition(Repetition::REQUIRED).build().unwrap())
    };
    let fields = vec![column("a"), column("b"), column("a")];
    let schema = Type::group_type_builder("m").with_fields(fields).build().unwrap();
    let file = written(Arc::new(schema), |group| {
        for numbers in [[1, 2], [10, 20], [100, 200]] {
            put_numbers(group, &numbers);
        }
    });
    let batch = load(&file).unwrap();
    let numbers = |column: usize| batch.column(column).as_primitive::<Int64Type>().values().to_vec();
    assert_eq!([numbers(0), numbers(1), numbers(2)], [[1, 2], [10, 20], [100, 200]]);
}

/// A footer's columns, changed.
fn with_columns(
    file: &Bytes,
    change: impl Fn(usize, ColumnChunkMetaDataBuilder) -> ColumnChunkMetaDataBuilder,
) -> Bytes {
    with_footer(file, |metadata| {
        let mut groups = Vec::new();
        for group in metadata.row_groups() {
            let columns = group.columns().iter().cloned().enumerate();
            let columns =
                columns.map(|(place, column)| change(place, column.into_builder()).build().unwrap());
            groups.push(group.clone().into_builder().set_column_metadata(columns.collect()).build().unwrap());
        }
        metadata.into_builder().set_row_groups(groups).build()
    })
}

fn with_footer(file: &Bytes, change: impl FnOnce(ParquetMetaData) -> ParquetMetaData) -> Bytes {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(file).unwrap();
    let (rest, tail) = file.split_at(file.len() - 8);
    let footer_bytes = u32::from_le_bytes(tail[..4].try_into().unwrap()) as usize;
    let mut changed = rest[..rest.len() - footer_bytes].to_vec();
    ParquetMetaDataWriter::new(&mut changed, &change(metadata)).finish().unwrap();
    changed.into()
}

fn created_by(file: &Bytes, writer: &str) -> Bytes {
    with_footer(file, |metadata| {
        let old = metadata.file_metadata();
        let schema = old.schema_descr_ptr();
        let new =
            FileMetaData::new(old.version(), old.num_rows(), Some(writer.to_owned()), None, schema, None);
        ParquetMetaDataBuilder::new(new).set_row_groups(metadata.row_groups().to_vec()).build()
    })
}

/// A file of 1,000 rows in one row group that says that it has others: the number is field 3, and the list of row groups is
/// behind it.
fn with_total(file: &Bytes, rows: i64) -> Bytes {
    let zigzag = (rows << 1) ^ (rows >> 63);
    let total = |zigzag: i64| [0x16, zigzag as u8 & 0x7f | 0x80, (zigzag >> 7) as u8, 0x19, 0x1c];
    let at = file.windows(5).position(|bytes| bytes == total(2_000)).unwrap();
    let mut changed = file.to_vec();
    changed[at..at + 5].copy_from_slice(&total(zigzag));
    changed.into()
}

/// Two columns, the first in a dictionary and the second not.
fn two_columns() -> Bytes {
    let schema = parse_message_type("message m { required int64 few; required int64 many; }").unwrap();
    let properties = WriterProperties::builder().set_column_dictionary_enabled("many".into(), false).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    put_numbers(&mut group, &(0..1_000).map(|row| row % 7).collect::<Vec<_>>());
    put_numbers(&mut group, &(0..1_000).collect::<Vec<_>>());
    group.close().unwrap();
    writer.into_inner().unwrap().into()
}

#[test]
fn a_dictionary_that_is_not_in_front_of_a_columns_pages_does_not_tell_where_they_start() {
    let file = two_columns();
    let expected = load(&file).unwrap();
    for nowhere in [0, -1, 3, file.len() as i64 - 9, i64::MAX, i64::MIN] {
        let file = with_columns(&file, |place, column| match place {
            1 => column.set_dictionary_page_offset(Some(nowhere)),
            _ => column,
        });
        assert_eq!(load(&file).unwrap(), expected, "{nowhere}");
    }
    // A dictionary is where it is, even if the footer does not know where the pages behind it are.
    let unknown = with_columns(&file, |place, column| match place {
        0 => column.set_data_page_offset(0),
        _ => column,
    });
    assert_eq!(load(&unknown).unwrap(), expected);
    let lost =
        with_columns(&file, |_, column| column.set_dictionary_page_offset(None).set_data_page_offset(-4));
    assert!(load(&lost).is_err());
}

#[test]
fn a_file_that_counts_no_rows_has_those_of_its_row_groups() {
    let file = two_columns();
    let uncounted = with_total(&file, 0);
    assert_eq!(FileReader::open(Arc::new(uncounted.clone())).unwrap().rows(), 1_000);
    assert_eq!(load(&uncounted).unwrap(), load(&file).unwrap());
    for wrong in [1, 999, 1_001, -1] {
        assert!(load(&with_total(&file, wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn columns_whose_size_leaves_out_the_header_of_their_dictionary_are_read_to_their_end() {
    let file = two_columns();
    let expected = load(&file).unwrap();
    // The header of a page has 14 bytes or more.
    let short = with_columns(&file, |place, column| {
        let built = column.build().unwrap();
        let size = built.compressed_size();
        let (start, _) = built.byte_range();
        let column = built.into_builder();
        match place {
            // Such writers do not tell of the dictionary either.
            0 => column
                .set_total_compressed_size(size - 14)
                .set_dictionary_page_offset(None)
                .set_data_page_offset(start as i64),
            _ => column,
        }
    });
    assert!(load(&short).is_err());
    for writer in ["parquet-mr", "parquet-mr version 1.2.8 (build 1)"] {
        assert_eq!(load(&created_by(&short, writer)).unwrap(), expected, "{writer}");
    }
}

#[test]
fn an_encrypted_file_is_known_as_such() {
    let file = two_columns();
    let mut hidden = file.to_vec();
    let end = hidden.len();
    hidden[..4].copy_from_slice(b"PARE");
    hidden[end - 4..].copy_from_slice(b"PARE");
    assert!(matches!(FileReader::open(Arc::new(Bytes::from(hidden))), Err(Error::Encrypted)));
    // The footer of others can be read, and says how the rest is encrypted: an empty struct as field 8, behind field 7.
    let (rest, tail) = file.split_at(file.len() - 8);
    let footer_bytes = u32::from_le_bytes(tail[..4].try_into().unwrap()) as usize;
    let mut open = rest[..rest.len() - 1].to_vec();
    open.extend([0x0c, 16, 0, 0]); // the kind of a struct, the number 8, no fields, the end
    open.extend((footer_bytes as u32 + 3).to_le_bytes());
    open.extend(b"PAR1");
    assert!(matches!(FileReader::open(Arc::new(Bytes::from(open))), Err(Error::Encrypted)));
}
