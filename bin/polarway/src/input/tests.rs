mod compressed;
mod exact;
mod malformed;

use std::io::Write as _;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::DataType;
use tempfile::TempDir;

use super::*;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        File::create(&path).unwrap().write_all(bytes.as_ref()).unwrap();
        path
    }
}

fn options() -> TextOptions {
    TextOptions {
        has_header: true,
        delimiter: b',',
        all_text: false,
        infer_rows: INFER_ROWS,
        types: Vec::new(),
    }
}

/// The rows of a file with this name and content, as one batch.
fn read(name: &str, bytes: impl AsRef<[u8]>, options: TextOptions) -> Result<RecordBatch, String> {
    let folder = Folder::new();
    let path = folder.write(name, bytes);
    let input = Input::new(&path, InputFormat::of(&path).unwrap(), options);
    let rows = input.open().map_err(|error| error.to_string())?;
    let schema = rows.schema();
    let batches = rows.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    Ok(arrow_select::concat::concat_batches(&schema, &batches).unwrap())
}

fn types(batch: &RecordBatch) -> Vec<(String, DataType)> {
    let fields = batch.schema_ref().fields().iter();
    fields.map(|field| (field.name().clone(), field.data_type().clone())).collect()
}

fn named(types: &[(&str, DataType)]) -> Vec<(String, DataType)> {
    types.iter().map(|(name, data_type)| ((*name).to_owned(), data_type.clone())).collect()
}

#[test]
fn a_csv_file_is_read_with_the_types_that_its_values_have() {
    let csv = "id,price,day,open,note\n1,2.5,2026-11-01,true,\"a, b\"\n2,,2026-11-02,false,\n";
    let batch = read("trades.csv", csv, options()).unwrap();
    let expect = [
        ("id", DataType::Int64),
        ("price", DataType::Float64),
        ("day", DataType::Date32),
        ("open", DataType::Boolean),
        ("note", DataType::Utf8),
    ];
    assert_eq!(types(&batch), named(&expect));
    assert_eq!(batch.column(4).as_string::<i32>().value(0), "a, b");
    assert!(batch.column(1).is_null(1));
}

#[test]
fn codes_with_leading_zeros_stay_text() {
    let batch = read("places.csv", "zip,n\n01067,0\n10115,10\n", options()).unwrap();
    assert_eq!(types(&batch), named(&[("zip", DataType::Utf8), ("n", DataType::Int64)]));
    assert_eq!(batch.column(0).as_string::<i32>().value(0), "01067");
}

#[test]
fn a_column_without_values_is_text_and_a_byte_order_mark_is_no_part_of_a_name() {
    let batch = read("x.csv", "\u{feff}a,b\n1,\n2,\n", options()).unwrap();
    assert_eq!(types(&batch), named(&[("a", DataType::Int64), ("b", DataType::Utf8)]));
}

#[test]
fn a_csv_file_with_a_header_alone_is_a_table_without_rows() {
    let batch = read("x.csv", "a,b\n", options()).unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (0, 2));
}

#[test]
fn options_tell_what_a_csv_file_does_not() {
    let no_header = TextOptions { has_header: false, delimiter: b';', ..options() };
    let batch = read("x.csv", "1;2\n3;4\n", no_header).unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (2, 2));
    let all_text = TextOptions { all_text: true, ..options() };
    assert_eq!(types(&read("x.csv", "a\n1\n", all_text).unwrap()), named(&[("a", DataType::Utf8)]));
}

#[test]
fn a_value_that_does_not_fit_the_first_rows_is_an_error_that_says_what_to_do() {
    let csv = format!("n\n{}many\n", "1\n".repeat(10));
    let few = TextOptions { infer_rows: 5, ..options() };
    let error = read("numbers.csv", &csv, few).unwrap_err();
    for part in ["numbers.csv", "many", "line 12", "\"n\"", "--infer-rows", "--type", "--all-text"] {
        assert!(error.contains(part), "{part} is missing: {error}");
    }
    assert_eq!(types(&read("numbers.csv", &csv, options()).unwrap()), named(&[("n", DataType::Utf8)]));
}

#[test]
fn line_breaks_in_quotes_do_not_cut_the_rows_that_are_looked_at() {
    let csv = format!("note,n\n{}", "\"two\nlines\",1\n".repeat(10));
    let few = TextOptions { infer_rows: 3, ..options() };
    assert_eq!(read("x.csv", csv, few).unwrap().num_rows(), 10);
}

#[test]
fn json_lines_are_read_with_nested_values() {
    let json = "{\"n\": 1, \"tags\": [\"a\"], \"at\": {\"x\": 1.5}}\n{\"n\": null, \"tags\": []}\n";
    let batch = read("x.jsonl", json, options()).unwrap();
    assert_eq!(batch.num_rows(), 2);
    assert!(batch.column_by_name("tags").unwrap().data_type().is_nested());
    assert_eq!(batch.column_by_name("n").unwrap().as_primitive::<Int64Type>().value(0), 1);
}

#[test]
fn a_key_that_comes_late_is_an_error_and_not_lost() {
    let json = format!("{}{{\"n\": 1, \"extra\": 2}}\n", "{\"n\": 1}\n".repeat(5));
    let few = TextOptions { infer_rows: 5, ..options() };
    let error = read("x.json", json, few).unwrap_err();
    for part in ["line 6", "\"extra\"", "--infer-rows"] {
        assert!(error.contains(part), "{part} is missing: {error}");
    }
}

#[test]
fn files_that_are_something_else_are_refused_by_name() {
    for (name, bytes, said) in [
        ("x.csv", "", "x.csv is empty"),
        ("x.json", " \n", "x.json is empty"),
        ("x.parquet", "", "x.parquet is empty"),
        ("x.arrow", "", "x.arrow is empty"),
        ("x.json", "[{\"n\": 1}]", "x.json holds a JSON array"),
        ("x.json", "n: 1\n", "x.json "),
        ("x.parquet", "a,b\n1,2\n", "x.parquet "),
        ("x.arrow", "a,b\n1,2\n3,4\n5,6\n", "x.arrow can't be read as Arrow IPC"),
        ("x.csv", "a,b\n1,2\n3\n", "x.csv is not to be read: line 3 has 1 value"),
        ("x.csv", "a,b\n1,2\n3,4,5\n", "line 3 has 3 values, but there are 2 columns"),
        ("x.json", "{\"n\": 1}\n5\n", "line 2"),
        ("x.json", "{\"n\": 1}\n{\"n\": }\n", "line 2, character 7"),
    ] {
        let error = read(name, bytes, options()).unwrap_err();
        assert!(error.contains(said), "{name}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_folder_and_a_missing_file_are_refused_by_name() {
    let folder = Folder::new();
    let is_folder = folder.0.path().join("x.csv");
    std::fs::create_dir(&is_folder).unwrap();
    let error = Input::new(&is_folder, InputFormat::Csv, options()).open().err().unwrap().to_string();
    assert!(error.contains("x.csv is a folder"), "{error}");
    let error =
        Input::new(Path::new("/no/such.csv"), InputFormat::Csv, options()).open().err().unwrap().to_string();
    assert!(error.contains("/no/such.csv can't be opened"), "{error}");
}

#[test]
fn a_file_is_read_again_from_its_start_and_its_bytes_are_counted() {
    let folder = Folder::new();
    let path = folder.write("x.csv", "n\n1\n2\n");
    let input = Input::new(&path, InputFormat::Csv, options());
    assert_eq!(input.total_bytes(), Some(6));
    for _ in 0..2 {
        let rows: usize = input.open().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
        assert_eq!((rows, input.read_bytes().load(Ordering::Relaxed)), (2, 6));
    }
}

#[test]
fn big_endian_arrow_is_refused_by_name_and_not_read_with_swapped_bytes() {
    let schema = big_endian_schema();
    let mut stream = vec![0xff; 4];
    stream.extend((schema.len() as u32).to_le_bytes());
    stream.extend(&schema);
    let footer = big_endian_footer();
    let length = (footer.len() as u32).to_le_bytes();
    let file = [&b"ARROW1\0\0"[..], &stream, &footer, &length, b"ARROW1"].concat();
    for bytes in [stream, file] {
        let error = read("x.arrow", bytes, options()).unwrap_err();
        assert!(error.contains("x.arrow") && error.contains("in big-endian order"), "{error}");
    }
}

/// The footer of a file without rows.
fn big_endian_footer() -> Vec<u8> {
    let mut builder = flatbuffers::FlatBufferBuilder::new();
    let fields = builder.create_vector::<flatbuffers::WIPOffset<arrow_ipc::Field>>(&[]);
    let mut schema = arrow_ipc::SchemaBuilder::new(&mut builder);
    schema.add_endianness(arrow_ipc::Endianness::Big);
    schema.add_fields(fields);
    let schema = schema.finish();
    let mut footer = arrow_ipc::FooterBuilder::new(&mut builder);
    footer.add_schema(schema);
    let footer = footer.finish();
    builder.finish(footer, None);
    builder.finished_data().to_vec()
}

/// A schema message with a list of decimals, on which Arrow would panic.
fn big_endian_schema() -> Vec<u8> {
    let mut builder = flatbuffers::FlatBufferBuilder::new();
    let none = builder.create_vector::<flatbuffers::WIPOffset<arrow_ipc::Field>>(&[]);
    let mut decimal = arrow_ipc::DecimalBuilder::new(&mut builder);
    decimal.add_precision(10);
    let decimal = decimal.finish().as_union_value();
    let mut item = arrow_ipc::FieldBuilder::new(&mut builder);
    item.add_type_type(arrow_ipc::Type::Decimal);
    item.add_type_(decimal);
    item.add_children(none);
    let item = item.finish();
    let children = builder.create_vector(&[item]);
    let list = arrow_ipc::ListBuilder::new(&mut builder).finish().as_union_value();
    let mut field = arrow_ipc::FieldBuilder::new(&mut builder);
    field.add_type_type(arrow_ipc::Type::List);
    field.add_type_(list);
    field.add_children(children);
    let field = field.finish();
    let fields = builder.create_vector(&[field]);
    let mut schema = arrow_ipc::SchemaBuilder::new(&mut builder);
    schema.add_endianness(arrow_ipc::Endianness::Big);
    schema.add_fields(fields);
    let schema = schema.finish();
    let mut message = arrow_ipc::MessageBuilder::new(&mut builder);
    message.add_version(arrow_ipc::MetadataVersion::V5);
    message.add_header_type(arrow_ipc::MessageHeader::Schema);
    message.add_header(schema.as_union_value());
    let message = message.finish();
    builder.finish(message, None);
    builder.finished_data().to_vec()
}

#[test]
fn parquet_and_arrow_files_are_read_as_they_were_written() {
    use crate::output::{Shape, Writer};

    let batch = read("x.csv", "n,name\n1,one\n2,\n", options()).unwrap();
    for (name, format) in
        [("x.parquet", crate::format::OutputFormat::Parquet), ("x.arrow", crate::format::OutputFormat::Arrow)]
    {
        let folder = Folder::new();
        let path = folder.0.path().join(name);
        let sink = Box::new(File::create(&path).unwrap());
        let mut writer = Writer::start(format, &batch.schema(), sink, Shape { width: None }).unwrap();
        writer.write(&batch).unwrap();
        drop(writer.finish().unwrap());
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(read(name, &bytes, options()).unwrap(), batch, "{name}");
        assert!(read(name, &bytes[..bytes.len() / 2], options()).is_err(), "{name}");
    }
}
