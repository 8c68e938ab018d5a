//! Dictionaries: how wide their keys are in a file, and that they come back as they were stored.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowDictionaryKeyType, Int8Type, Int32Type, Int64Type, UInt16Type};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int64Array,
    LargeStringArray, ListArray, MapArray, PrimitiveArray, RecordBatch, StringArray, StringViewArray,
    StructArray, TimestampMicrosecondArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use polarway_parquet::{EncodeOptions, FileReader, ReadOptions, TableEncoder};
use support::{decode, encode, source};

fn texts(range: std::ops::Range<usize>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(range.map(|number| format!("text {number}"))))
}

fn coded<K: ArrowDictionaryKeyType>(
    keys: impl IntoIterator<Item = Option<K::Native>>,
    values: ArrayRef,
) -> ArrayRef {
    Arc::new(DictionaryArray::<K>::new(PrimitiveArray::from_iter(keys), values))
}

fn batch(column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap()
}

fn dictionary_of(column: &ArrayRef) -> (DataType, ArrayRef) {
    let dictionary = column.as_any_dictionary();
    (dictionary.keys().data_type().clone(), dictionary.values().clone())
}

#[test]
fn keys_are_wide_enough_for_the_values_of_all_batches_together() {
    let batches: Vec<RecordBatch> = (0..5)
        .map(|place| batch(coded::<Int8Type>((0..60).map(Some), texts(place * 60..place * 60 + 60))))
        .collect();
    let (file, summary) = encode(&batches[0].schema(), &batches, EncodeOptions::default());
    assert_eq!(FileReader::open(source(&file)).unwrap().schema(), &summary.schema);
    let read = decode(std::slice::from_ref(&file), &summary.schema, ReadOptions::default()).unwrap();
    assert_eq!(read.len(), 1, "one dictionary does for all rows");
    assert_eq!(dictionary_of(read[0].column(0)), (DataType::Int16, texts(0..300)));
    // A version whose schema has narrow keys is read as well, some rows at a time.
    let narrow = decode(&[file], &batches[0].schema(), ReadOptions::default()).unwrap();
    assert!(narrow.len() > 1);
    let rows = narrow.iter().flat_map(|batch| {
        let plain = arrow_cast::cast(batch.column(0), &DataType::Utf8).unwrap();
        plain.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect::<Vec<_>>()
    });
    assert!(rows.eq((0..300).map(|number| format!("text {number}"))));
}

#[test]
fn rows_may_come_with_keys_of_any_width_and_the_file_has_what_they_need() {
    let narrow = batch(coded::<Int8Type>([Some(0)], texts(0..1)));
    for (values, expected) in [(100, DataType::Int8), (129, DataType::Int16), (40_000, DataType::Int32)] {
        let wide = batch(coded::<Int64Type>([Some(0), None, Some(values as i64 - 1)], texts(0..values)));
        let mut encoder = TableEncoder::new(Vec::new(), narrow.schema(), EncodeOptions::default()).unwrap();
        encoder.write(&narrow).unwrap();
        encoder.write(&wide).unwrap();
        let (file, summary) = encoder.finish().unwrap();
        let read = decode(&[file.into()], &summary.schema, ReadOptions::default()).unwrap();
        assert_eq!(dictionary_of(read[0].column(0)).0, expected);
        let plain = arrow_cast::cast(read[0].column(0), &DataType::Utf8).unwrap();
        let last = format!("text {}", values - 1);
        assert_eq!(
            plain.as_ref(),
            &StringArray::from(vec![Some("text 0"), Some("text 0"), None, Some(&last)]) as &dyn Array
        );
    }
    let other = batch(Arc::new(Int64Array::from(vec![1])));
    let mut encoder = TableEncoder::new(Vec::new(), narrow.schema(), EncodeOptions::default()).unwrap();
    assert!(encoder.write(&other).is_err(), "another type is another type");
}

/// A dictionary whose first and fourth value no row has, and whose rows use the others in another order.
fn with_unused<K: ArrowDictionaryKeyType>(values: ArrayRef) -> ArrayRef
where
    K::Native: From<u8>,
{
    let key = |key: u8| Some(K::Native::from(key));
    coded::<K>([key(2), None, key(1), key(2)], values)
}

fn check_comes_back(column: ArrayRef) {
    let batch = batch(column);
    let batches = [batch.clone(), batch.slice(1, 2)];
    let options = EncodeOptions::default().with_row_group_rows(3);
    let (file, summary) = encode(&batch.schema(), &batches, options);
    assert_eq!(summary.schema, batch.schema());
    let read = decode(&[file], &batch.schema(), ReadOptions::default()).unwrap();
    assert_eq!(read.len(), 2);
    let mut expected = Vec::new();
    dictionaries(batch.column(0), &mut expected);
    for read in read {
        let mut found = Vec::new();
        dictionaries(read.column(0), &mut found);
        assert_eq!(found, expected, "{}", batch.schema());
    }
}

fn dictionaries(array: &ArrayRef, found: &mut Vec<ArrayRef>) {
    match array.data_type() {
        DataType::Dictionary(_, _) => found.push(array.as_any_dictionary().values().clone()),
        _ => polarway_table::children(array).iter().for_each(|child| dictionaries(child, found)),
    }
}

#[test]
fn dictionaries_of_every_kind_come_back_whole_and_in_their_order() {
    let unused = "a long value that no row has, longer than a view";
    let times = TimestampMicrosecondArray::from(vec![4, 3, 2, 1]).with_timezone("UTC");
    let decimals = Decimal128Array::from(vec![4, 3, 2, 1]).with_precision_and_scale(9, 2).unwrap();
    let kinds: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![unused, "z", "a", "m"])),
        Arc::new(LargeStringArray::from(vec![unused, "z", "a", "m"])),
        Arc::new(StringViewArray::from(vec![unused, "z", "a", "m"])),
        Arc::new(FixedSizeBinaryArray::try_from_iter([[9, 1], [8, 2], [7, 3], [6, 4]].into_iter()).unwrap()),
        Arc::new(Int64Array::from(vec![40, 30, 20, 10])),
        Arc::new(Float64Array::from(vec![f64::NAN, -0.0, 0.0, 1.0])),
        Arc::new(times),
        Arc::new(decimals),
    ];
    for values in kinds {
        check_comes_back(with_unused::<UInt16Type>(values.clone()));
        check_comes_back(with_unused::<Int32Type>(values.clone()));
        check_comes_back(with_unused::<Int64Type>(values));
    }
}

#[test]
fn dictionaries_inside_of_lists_structs_and_maps_come_back_whole() {
    let words = with_unused::<Int32Type>(texts(0..4));
    let numbers = with_unused::<UInt16Type>(Arc::new(Int64Array::from(vec![4, 3, 2, 1])));
    let ends = OffsetBuffer::<i32>::from_lengths([1, 1, 1, 1]);
    let item = Arc::new(Field::new("item", words.data_type().clone(), true));
    let list: ArrayRef = Arc::new(ListArray::new(item, ends.clone(), words.clone(), None));
    check_comes_back(list.clone());
    let fields = Fields::from(vec![
        Field::new("plain", DataType::Int64, true),
        Field::new("list", list.data_type().clone(), true),
        Field::new("number", numbers.data_type().clone(), true),
    ]);
    let plain: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
    check_comes_back(Arc::new(StructArray::new(fields, vec![plain.clone(), list, numbers.clone()], None)));
    let pair = Fields::from(vec![
        Field::new("key", DataType::Int64, false),
        Field::new("value", numbers.data_type().clone(), true),
    ]);
    let pairs = StructArray::new(pair.clone(), vec![plain, numbers], None);
    let entries = Arc::new(Field::new_struct("entries", pair, false));
    check_comes_back(Arc::new(MapArray::new(entries, ends, pairs, None, false)));
}

#[test]
fn an_ordered_dictionary_stays_ordered() {
    let column = with_unused::<UInt16Type>(texts(0..4));
    let field = Field::new("c", column.data_type().clone(), true).with_dict_is_ordered(true);
    let schema: SchemaRef = Arc::new(Schema::new(vec![field]));
    let batch = RecordBatch::try_new(schema.clone(), vec![column]).unwrap();
    let (file, summary) = encode(&schema, &[batch], EncodeOptions::default());
    for schema in [summary.schema, FileReader::open(source(&file)).unwrap().schema().clone()] {
        assert_eq!(schema.field(0).dict_is_ordered(), Some(true));
    }
}

#[test]
fn a_dictionary_that_is_too_large_is_not_kept_and_its_rows_are_right() {
    let long: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..300).map(|number| format!("{number}{}", "x".repeat(1_000))),
    ));
    let column = coded::<UInt16Type>([Some(7), None, Some(3)], long);
    let batch = batch(column);
    let (file, _) = encode(&batch.schema(), std::slice::from_ref(&batch), EncodeOptions::default());
    assert!(file.len() < 20_000, "{} bytes", file.len());
    let read = decode(&[file], &batch.schema(), ReadOptions::default()).unwrap();
    polarway_testing::assert_same_rows(&[batch], &read);
}

/// A file of somebody else's, whose footer says this of its dictionaries.
fn file_that_says(batch: &RecordBatch, entry: &str) -> bytes::Bytes {
    let entry = KeyValue::new("polarway:categories".to_owned(), entry.to_owned());
    let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![entry])).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap().into()
}

#[test]
fn a_footer_that_lies_about_dictionaries_changes_no_row() {
    let told = batch(coded::<Int8Type>([Some(1), Some(0)], texts(10..12)));
    let (file, _) = encode(&told.schema(), std::slice::from_ref(&told), EncodeOptions::default());
    let footer = parquet::file::metadata::ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
    let entries = footer.file_metadata().key_value_metadata().unwrap();
    let entry = entries.iter().find(|entry| entry.key == "polarway:categories").unwrap();
    let of_others = entry.value.as_deref().unwrap();
    let (message, body) = of_others.split_once(' ').unwrap();
    let real = batch(coded::<Int8Type>([Some(1), Some(0), None], texts(0..2)));
    let lies = [
        "",
        " ",
        "no base64 at all",
        of_others,
        &format!("{message} "),
        &format!(" {body}"),
        &format!("{body} {message}"),
        &format!("{message} {}", &body[..body.len() / 2 / 4 * 4]),
    ];
    for lie in lies {
        let file = file_that_says(&real, lie);
        let read = decode(&[file], &real.schema(), ReadOptions::default()).unwrap();
        polarway_testing::assert_same_rows(std::slice::from_ref(&real), &read);
    }
}
