use std::sync::{Arc, Mutex};

use arrow_array::builder::{Float64Builder, Int64Builder, MapBuilder};
use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::{
    Array as _, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, DictionaryArray, DurationSecondArray,
    Float32Array, Float64Array, Int64Array, ListArray, MapArray, PrimitiveArray, StringArray, StructArray,
    Time64MicrosecondArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema};

use super::*;

/// A sink that can be looked into afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written(format: OutputFormat, batches: &[RecordBatch], width: Option<usize>) -> String {
    let sink = Shared::default();
    let schema = batches[0].schema();
    let mut writer = Writer::start(format, &schema, Box::new(sink.clone()), Shape { width }).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    let bytes = sink.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn awkward() -> RecordBatch {
    let columns: [(&str, ArrayRef); 6] = [
        ("n", Arc::new(Int64Array::from(vec![Some(1), None]))),
        ("text", Arc::new(StringArray::from(vec![Some("a, \"b\"\nc"), None]))),
        (
            "price",
            Arc::new(
                Decimal128Array::from(vec![Some(123_456), None]).with_precision_and_scale(20, 2).unwrap(),
            ),
        ),
        (
            "tags",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None])),
        ),
        ("raw", Arc::new(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), None]))),
        ("took", Arc::new(DurationSecondArray::from(vec![Some(90), None]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

fn numbers(rows: i64) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    RecordBatch::try_from_iter([("n", column)]).unwrap()
}

#[test]
fn csv_holds_any_type_and_nulls_are_empty() {
    let text = written(OutputFormat::Csv, &[awkward()], None);
    let lines: Vec<&str> = text.splitn(2, '\n').collect();
    assert_eq!(lines[0], "n,text,price,tags,raw,took");
    assert!(lines[1].starts_with("1,\"a, \"\"b\"\"\nc\",1234.56,\"[1, "), "{text}");
    assert!(lines[1].ends_with("\n,,,,,\n"), "{text}");
}

#[test]
fn csv_without_rows_has_its_header() {
    assert_eq!(written(OutputFormat::Csv, &[numbers(0)], None), "n\n");
}

#[test]
fn json_lines_have_all_keys_and_keep_the_digits_of_decimals() {
    let text = written(OutputFormat::Json, &[awkward()], None);
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&rows[0]["price"], &rows[0]["n"]), (&"1234.56".into(), &1.into()));
    assert_eq!(rows[0]["tags"], serde_json::json!([1, null]));
    assert_eq!(rows[1].as_object().unwrap().len(), 6);
    assert!(rows[1]["text"].is_null());
}

#[test]
fn a_short_table_is_drawn_whole() {
    let truths: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None]));
    let names: ArrayRef = Arc::new(StringArray::from(vec!["one", "二"]));
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("n", Arc::new(Int64Array::from(vec![1, 22])) as ArrayRef, true),
        ("name", names, true),
        ("is it", truths, true),
    ])
    .unwrap();
    let expect = "\
┌───────┬──────┬─────────┐
│   n   │ name │  is it  │
│ int64 │ utf8 │ boolean │
├───────┼──────┼─────────┤
│     1 │ one  │ true    │
│    22 │ 二   │ NULL    │
└───────┴──────┴─────────┘
2 rows
";
    assert_eq!(written(OutputFormat::Table, &[batch], None), expect);
}

#[test]
fn a_long_table_shows_its_first_and_last_rows_and_says_how_many_there_are() {
    let text = written(OutputFormat::Table, &[numbers(30), numbers(1_000_000), numbers(5)], None);
    let cells: Vec<&str> =
        text.lines().filter(|line| line.starts_with('│')).map(|line| line.trim_matches(['│', ' '])).collect();
    assert_eq!(cells.len(), 2 + 20 + 1 + 20);
    assert_eq!((cells[2], cells[21], cells[22]), ("0", "19", "…"));
    assert_eq!((cells[23], cells[37], cells[42]), ("999985", "999999", "4"));
    assert!(text.ends_with("1,000,035 rows (40 shown)\n"), "{text}");
}

#[test]
fn a_wide_table_is_cut_to_the_terminal_and_says_what_is_hidden() {
    let columns = (0..30).map(|number| {
        let column: ArrayRef = Arc::new(StringArray::from(vec!["a text of some length"]));
        (format!("column_{number}"), column)
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    for width in [20, 40, 80, 120] {
        let text = written(OutputFormat::Table, std::slice::from_ref(&batch), Some(width));
        for line in text.lines().filter(|line| !line.starts_with('1')) {
            assert!(unicode_width::UnicodeWidthStr::width(line) <= width, "{width}:\n{text}");
        }
        assert!(text.contains("30 columns (") && text.contains("shown)"), "{text}");
        assert!(text.contains("column_0") || width == 20, "{text}");
    }
}

#[test]
fn what_would_move_the_cursor_is_shown_as_what_it_is() {
    let column: ArrayRef = Arc::new(StringArray::from(vec!["\u{1b}[31mred\n"]));
    let text = written(OutputFormat::Table, &[RecordBatch::try_from_iter([("a\tb", column)]).unwrap()], None);
    assert!(!text.contains('\u{1b}') && text.contains("\\u{1b}[31mred\\n"), "{text}");
    assert!(text.contains("a\\tb"), "{text}");
}

#[test]
fn a_plan_is_written_as_it_was_drawn() {
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("explain_key", text("physical_plan")),
        ("explain_value", text("┌──────┐\n│ \u{7} │\n└──────┘")),
    ])
    .unwrap();
    assert_eq!(
        written(OutputFormat::Table, std::slice::from_ref(&batch), Some(5)),
        "┌──────┐\n│ \\u{7} │\n└──────┘\n"
    );
    assert!(written(OutputFormat::Csv, &[batch], None).starts_with("explain_key,explain_value\n"));
}

#[test]
fn a_table_says_how_long_it_took_if_it_is_asked_to() {
    let sink = Shared::default();
    let batch = numbers(1);
    let shape = Shape { width: None };
    let mut writer =
        Writer::start(OutputFormat::Table, &batch.schema(), Box::new(sink.clone()), shape).unwrap();
    writer.write(&batch).unwrap();
    writer.finish_after(Duration::from_millis(1_234)).unwrap();
    let bytes = sink.0.lock().unwrap().clone();
    assert!(String::from_utf8(bytes).unwrap().ends_with("\n1 row in 1.234 s\n"));
}

/// A pipe that somebody closed.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

#[test]
fn a_closed_pipe_is_known_in_every_format() {
    use clap::ValueEnum as _;

    for format in OutputFormat::value_variants() {
        let batch = numbers(100_000);
        let written = Writer::start(*format, &batch.schema(), Box::new(Closed), Shape { width: None })
            .and_then(|mut writer| {
                writer.write(&batch)?;
                writer.finish()
            });
        let error = written.err().unwrap();
        assert!(error.is_closed_pipe(), "{format:?}: {error}");
    }
}

fn column(array: impl arrow_array::Array + 'static) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("v", Arc::new(array) as ArrayRef, true)]).unwrap()
}

/// A map's keys with their values.
type Entries<'a> = &'a [(i64, Option<f64>)];

/// Maps of these entries, `None` where the map itself is null.
fn maps(entries: &[Option<Entries<'_>>]) -> MapArray {
    let mut maps = MapBuilder::new(None, Int64Builder::new(), Float64Builder::new());
    for map in entries {
        for (key, value) in map.unwrap_or_default() {
            maps.keys().append_value(*key);
            maps.values().append_option(*value);
        }
        maps.append(map.is_some()).unwrap();
    }
    maps.finish()
}

#[test]
fn a_value_of_any_type_is_json_that_a_parser_reads_and_loses_nothing() {
    let times = |value| TimestampMicrosecondArray::from(vec![value]);
    let keys = PrimitiveArray::<Int8Type>::from(vec![Some(0), Some(1), None]);
    let cases: [(RecordBatch, &[&str]); 11] = [
        (column(Float64Array::from(vec![1.0, 0.1, 1e300])), &["1.0", "0.1", "1e300"]),
        (
            column(Float64Array::from(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY])),
            &["\"NaN\"", "\"Infinity\"", "\"-Infinity\""],
        ),
        (column(Float32Array::from(vec![0.1, -0.0])), &["0.1", "-0.0"]),
        (column(UInt64Array::from(vec![u64::MAX])), &["18446744073709551615"]),
        (
            column(maps(&[Some(&[(1, Some(f64::NAN)), (-2, None)]), Some(&[]), None])),
            &["{\"1\":\"NaN\",\"-2\":null}", "{}", "null"],
        ),
        // SQL's maps have a key once; those of others may not.
        (column(maps(&[Some(&[(1, Some(0.5)), (1, Some(2.5))])])), &["{\"1\":0.5,\"1_1\":2.5}"]),
        (column(times(i64::MAX - 1)), &["\"+294247-01-10T04:00:54.775806\""]),
        (column(Time64MicrosecondArray::from(vec![86_400_000_000])), &["\"24:00:00\""]),
        (
            column(DictionaryArray::new(keys, Arc::new(StringArray::from(vec![Some("x"), None])))),
            &["\"x\"", "null", "null"],
        ),
        (column(StringArray::from(vec!["\u{1}\"\\\n"])), &["\"\\u0001\\\"\\\\\\n\""]),
        (column(BinaryArray::from(vec![&b"\x00\xff"[..]])), &["\"00ff\""]),
    ];
    for (batch, expect) in cases {
        let text = written(OutputFormat::Json, std::slice::from_ref(&batch), None);
        let lines: Vec<String> = expect.iter().map(|value| format!("{{\"v\":{value}}}")).collect();
        assert_eq!(text.lines().collect::<Vec<_>>(), lines, "{}", batch.schema());
        for line in text.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
}

#[test]
fn of_columns_and_fields_of_one_name_json_has_every_value() {
    let number = |value| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let field = |name| Arc::new(Field::new(name, DataType::Int64, true));
    let structs = StructArray::from(vec![(field("a"), number(5)), (field("a"), number(6))]);
    let schema = Schema::new(vec![
        Field::new("v", DataType::Int64, true),
        Field::new("v", DataType::Int64, true),
        Field::new("V", DataType::Int64, true),
        Field::new("v_1", DataType::Int64, true),
        Field::new("", structs.data_type().clone(), true),
    ]);
    let columns = vec![number(1), number(2), number(3), number(4), Arc::new(structs)];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    assert_eq!(
        written(OutputFormat::Json, &[batch], None),
        "{\"v\":1,\"v_2\":2,\"V\":3,\"v_1\":4,\"\":{\"a\":5,\"a_1\":6}}\n"
    );
}

#[test]
fn a_parquet_file_has_each_name_once() {
    let number = |value| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let fields = ["v", "v", "w"].map(|name| Field::new(name, DataType::Int64, true));
    let batch =
        RecordBatch::try_new(Arc::new(Schema::new(fields.to_vec())), vec![number(1), number(2), number(3)]);
    let sink = Shared::default();
    let batch = batch.unwrap();
    let shape = Shape { width: None };
    let mut writer =
        Writer::start(OutputFormat::Parquet, &batch.schema(), Box::new(sink.clone()), shape).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let bytes = sink.0.lock().unwrap().clone();
    let file = polarway_parquet::FileReader::open(Arc::new(bytes::Bytes::from(bytes))).unwrap();
    let names: Vec<_> = file.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["v", "v_1", "w"]);
}

#[test]
fn a_header_of_csv_stands_in_quotes_where_it_has_to() {
    let number = || Arc::new(Int64Array::from(vec![1])) as ArrayRef;
    let names = ["plain", "a,b", "say \"x\"", "two\nlines", "", "é"];
    let batch = RecordBatch::try_from_iter(names.map(|name| (name, number()))).unwrap();
    assert_eq!(
        written(OutputFormat::Csv, &[batch], None),
        "plain,\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",,é\n1,1,1,1,1,1\n"
    );
    let nameless = RecordBatch::try_from_iter([("", number())]).unwrap();
    assert_eq!(written(OutputFormat::Csv, &[nameless], None), "\"\"\n1\n");
}

#[test]
fn what_lies_far_from_now_is_told_in_every_format() {
    let array: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![i64::MIN]).with_timezone("UTC"));
    let batch = RecordBatch::try_from_iter([("t", array)]).unwrap();
    for format in [OutputFormat::Table, OutputFormat::Csv, OutputFormat::Json] {
        let text = written(format, std::slice::from_ref(&batch), None);
        assert!(text.contains("-290308-12-21T19:59:05.224192Z"), "{text}");
    }
}
