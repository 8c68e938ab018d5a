//! Files that other programs wrote: loads and SQL see the same rows in them.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use parquet::arrow::ArrowWriter;
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type, Int96, Int96Type};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use polarway_core::arrow::array::{
    ArrayRef, DictionaryArray, Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    StructArray,
};
use polarway_core::arrow::datatypes::{DataType, Field, Fields, Int8Type};
use polarway_core::{ErrorKind, Polarway, Selection};
use tempfile::TempDir;

use crate::support::{engine, lines, trades};

/// Writes a file into the cold tier, as any other program might.
fn put(folder: &TempDir, path: &str, batch: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(create(folder, path), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

fn create(folder: &TempDir, path: &str) -> File {
    let path = folder.path().join("cold").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    File::create(path).unwrap()
}

/// A file without an Arrow schema, of one row group that has just these columns.
fn put_plain(
    folder: &TempDir,
    path: &str,
    message: &str,
    write: impl FnOnce(&mut SerializedRowGroupWriter<'_, File>),
) {
    let schema = Arc::new(parse_message_type(message).unwrap());
    let mut writer = SerializedFileWriter::new(create(folder, path), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    write(&mut group);
    group.close().unwrap();
    writer.close().unwrap();
}

macro_rules! put_column {
    ($group:expr, $kind:ty, $values:expr) => {{
        let mut column = $group.next_column().unwrap().unwrap();
        column.typed::<$kind>().write_batch($values, None, None).unwrap();
        column.close().unwrap();
    }};
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .unwrap()
}

fn numbers(name: &'static str, numbers: &[i64]) -> RecordBatch {
    batch(vec![(name, Arc::new(Int64Array::from(numbers.to_vec())))])
}

/// A time in nanoseconds since 1970, as Spark, Hive and Impala write it.
fn int96(nanos: i128) -> Int96 {
    const NANOS_PER_DAY: i128 = 86_400_000_000_000;
    let in_day = nanos.rem_euclid(NANOS_PER_DAY) as u64;
    let mut value = Int96::new();
    let day = u32::try_from(nanos.div_euclid(NANOS_PER_DAY) + 2_440_588).unwrap();
    value.set_data(in_day as u32, (in_day >> 32) as u32, day);
    value
}

async fn load(polarway: &Polarway, name: &str) -> Vec<String> {
    lines(&polarway.load(name).await.unwrap_or_else(|error| panic!("{name}: {error}")))
}

async fn query(polarway: &Polarway, sql: &str) -> Vec<String> {
    lines(&polarway.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")))
}

#[tokio::test]
async fn any_value_in_a_folders_name_is_the_same_for_loads_and_sql() {
    let (polarway, folder) = engine().await;
    let values = [
        ("NULL", "NULL"),
        ("null", "null"),
        ("100%", "100%"),
        ("a%zz", "a%zz"),
        ("a%20b", "a b"),
        ("S%C3%A3o", "São"),
        ("%", "%"),
        ("a*b", "a*b"),
        ("a?b", "a?b"),
        ("[x]", "[x]"),
        ("a[b", "a[b"),
        ("a=b", "a=b"),
        ("it's", "it's"),
        ("\"q\"", "\"q\""),
        ("back\\slash", "back\\slash"),
        ("{a,b}", "{a,b}"),
        ("", ""),
        (" ", " "),
        ("a%2Fb", "a/b"),
    ];
    for (place, (folder_value, _)) in values.iter().enumerate() {
        put(&folder, &format!("t/k={folder_value}/x.parquet"), &numbers("n", &[place as i64]));
    }
    put(&folder, "t/k=__HIVE_DEFAULT_PARTITION__/x.parquet", &numbers("n", &[-1]));
    let mut expected: Vec<String> =
        values.iter().enumerate().map(|(place, (_, value))| format!("{place},{value}")).collect();
    expected.push("-1,".to_owned());
    expected.sort();
    let mut loaded = load(&polarway, "t").await;
    loaded.sort();
    assert_eq!(loaded, expected);
    let mut queried = query(&polarway, "FROM t").await;
    queried.sort();
    assert_eq!(queried, expected);
    assert_eq!(query(&polarway, "SELECT n FROM t WHERE k IS NULL").await, ["-1"]);
    for (place, (_, value)) in values.iter().enumerate() {
        let sql = format!("SELECT n FROM t WHERE k = '{}'", value.replace('\'', "''"));
        assert_eq!(query(&polarway, &sql).await, [place.to_string()], "{sql}");
    }
    // The first append writes them into the dataset.
    let more = polarway.load("t").await.unwrap();
    polarway.append("t", more).await.unwrap();
    assert_eq!(query(&polarway, "SELECT count(*), count(DISTINCT k) FROM t").await, ["40,19"]);
}

#[tokio::test]
async fn folders_may_name_their_columns_in_any_order() {
    let (polarway, folder) = engine().await;
    put(&folder, "t/year=2024/month=1/x.parquet", &numbers("n", &[1]));
    put(&folder, "t/year=2024/month=2/x.parquet", &numbers("n", &[2]));
    put(&folder, "u/year=2024/month=1/x.parquet", &numbers("n", &[1]));
    put(&folder, "u/month=2/year=2025/x.parquet", &numbers("n", &[2]));
    assert_eq!(query(&polarway, "SELECT n FROM t WHERE month = 2").await, ["2"]);
    let mut loaded = load(&polarway, "u").await;
    loaded.sort();
    assert_eq!(loaded, query(&polarway, "FROM u ORDER BY n").await);
    put(&folder, "twice/k=1/k=2/x.parquet", &numbers("n", &[1]));
    put(&folder, "inside/n=1/x.parquet", &numbers("n", &[1]));
    for name in ["twice", "inside"] {
        let error = polarway.load(name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[tokio::test]
async fn columns_whose_names_sql_can_not_tell_apart_are_refused_and_never_taken_for_each_other() {
    let (polarway, folder) = engine().await;
    let column = |number: i64| Arc::new(Int64Array::from(vec![number])) as ArrayRef;
    let alike = vec![("a", column(1)), ("A", column(2)), ("A_1", column(3)), ("A_1_1", column(4))];
    put(&folder, "adopted.parquet", &batch(alike.clone()));
    polarway.store("stored", batch(alike)).await.unwrap();
    put_plain(
        &folder,
        "twice.parquet",
        "message m { required int64 a; required int64 a; required int64 a_1; required int64 a_2; }",
        |group| {
            for number in 1..=4 {
                put_column!(group, Int64Type, &[number]);
            }
        },
    );
    for (name, third, fourth) in
        [("adopted", "A_1", "A_1_1"), ("stored", "A_1", "A_1_1"), ("twice", "a_1", "a_2")]
    {
        assert_eq!(load(&polarway, name).await, ["1,2,3,4"]);
        let sql = format!("SELECT \"{third}\", \"{fourth}\" FROM {name}");
        assert_eq!(query(&polarway, &sql).await, ["3,4"], "{sql}");
        let sql = format!("SELECT count(*) FROM {name} WHERE \"{third}\" = 3");
        assert_eq!(query(&polarway, &sql).await, ["1"], "{sql}");
        let error = polarway.query(&format!("SELECT a FROM {name}")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("tell apart"), "{error}");
    }
    let error = polarway.append("twice", numbers("a", &[1])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{error}");
    assert_eq!(load(&polarway, "twice").await, ["1,2,3,4"]);
}

#[tokio::test]
async fn int96_is_the_same_for_loads_and_sql_or_refused_by_name() {
    let (polarway, folder) = engine().await;
    let file = |name: &str, times: &[i128]| {
        let message = "message m { required int64 id; required int96 t; }";
        let ids: Vec<i64> = (0..times.len() as i64).collect();
        let times: Vec<Int96> = times.iter().map(|nanos| int96(*nanos)).collect();
        put_plain(&folder, name, message, |group| {
            put_column!(group, Int64Type, &ids);
            put_column!(group, Int96Type, &times);
        });
    };
    let never = 253_402_214_400_000_000_000;
    file("spark.parquet", &[0, never, 1_704_141_296_123_456_000, -1_000]);
    let expected = ["1970-01-01T00:00:00", "9999-12-31T00:00:00", "2024-01-01T20:34:56.123456"];
    let loaded = load(&polarway, "spark").await;
    assert_eq!(loaded, query(&polarway, "FROM spark").await);
    for (line, time) in loaded.iter().zip(expected) {
        assert!(line.ends_with(time), "{line}");
    }
    assert_eq!(query(&polarway, "SELECT id FROM spark WHERE t = TIMESTAMP '9999-12-31'").await, ["1"]);

    file("hive.parquet", &[1, 1_704_141_296_123_456_789]);
    let loaded = load(&polarway, "hive").await;
    assert!(loaded[1].ends_with("20:34:56.123456789"), "{loaded:?}");
    let error = polarway.query("SELECT t FROM hive").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("\"t\"") && error.to_string().contains("INT96"), "{error}");
    assert_eq!(query(&polarway, "SELECT id FROM hive").await, ["0", "1"]);

    file("both.parquet", &[1, never]);
    let error = polarway.load("both").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let told = format!(
        "{error}: {}",
        std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default()
    );
    assert!(told.contains("`t`") && told.contains("both"), "{told}");
    assert!(polarway.query("SELECT t FROM both").await.is_err());
    let stored = polarway.load("spark").await.unwrap();
    polarway.append("spark", stored).await.unwrap();
    assert_eq!(query(&polarway, "SELECT count(*) FROM spark WHERE t = TIMESTAMP '9999-12-31'").await, ["2"]);
}

#[tokio::test]
async fn dates_in_milliseconds_that_are_stored_as_days_are_dates_in_sql() {
    let (polarway, folder) = engine().await;
    // As pyarrow writes a date64: days, and the Arrow schema tells of milliseconds.
    let schema = polarway_core::arrow::datatypes::Schema::new(vec![
        Field::new("d", DataType::Date64, false),
        Field::new("n", DataType::Int64, false),
    ]);
    let mut properties = parquet::file::properties::WriterProperties::builder().build();
    parquet::arrow::add_encoded_arrow_schema_to_metadata(&schema, &mut properties);
    let message = "message m { required int32 d (DATE); required int64 n; }";
    let message = Arc::new(parse_message_type(message).unwrap());
    let mut writer =
        SerializedFileWriter::new(create(&folder, "t.parquet"), message, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    put_column!(group, Int32Type, &[0, 19_723]);
    put_column!(group, Int64Type, &[1, 2]);
    group.close().unwrap();
    writer.close().unwrap();
    assert_eq!(
        query(&polarway, "SELECT n, d, typeof(d) FROM t").await,
        ["1,1970-01-01,DATE", "2,2024-01-01,DATE"]
    );
    let loaded = polarway.load("t").await.unwrap();
    assert_eq!(loaded.schema().field(0).data_type(), &DataType::Date64);
    assert_eq!(lines(&loaded), ["1970-01-01T00:00:00,1", "2024-01-01T00:00:00,2"]);
    polarway.append("t", loaded).await.unwrap();
    assert_eq!(query(&polarway, "SELECT count(*) FROM t WHERE d = DATE '2024-01-01'").await, ["2"]);
}

#[tokio::test]
async fn a_column_of_json_takes_plain_text_and_is_queried_as_text() {
    let (polarway, folder) = engine().await;
    let json = |name: &str, text: &str| {
        let values = [ByteArray::from(text)];
        put_plain(&folder, name, "message m { required binary c (JSON); }", |group| {
            put_column!(group, ByteArrayType, &values);
        });
    };
    json("t.parquet", "{\"a\": 1}");
    assert_eq!(query(&polarway, "SELECT c, typeof(c) FROM t").await, ["{\"a\": 1},VARCHAR"]);
    let text = batch(vec![("c", Arc::new(StringArray::from(vec!["plain text"])))]);
    polarway.append("t", text.clone()).await.unwrap();
    assert_eq!(query(&polarway, "FROM t").await, ["{\"a\": 1}", "plain text"]);
    // In one folder too, whichever comes first.
    json("u/a.parquet", "[1]");
    put(&folder, "u/b.parquet", &text);
    json("u/c.parquet", "[2]");
    assert_eq!(query(&polarway, "FROM u").await, ["[1]", "plain text", "[2]"]);
    assert_eq!(load(&polarway, "u").await, ["[1]", "plain text", "[2]"]);
}

#[tokio::test]
async fn files_of_a_folder_that_differ_are_one_table_by_name_in_the_widest_types() {
    let (polarway, folder) = engine().await;
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    let nested = |number: ArrayRef| -> ArrayRef {
        let fields = Fields::from(vec![Field::new("x", number.data_type().clone(), true)]);
        Arc::new(StructArray::new(fields, vec![number], None))
    };
    let int = |number: i32| Arc::new(Int32Array::from(vec![number])) as ArrayRef;
    let long = |number: i64| Arc::new(Int64Array::from(vec![number])) as ArrayRef;
    let large = Arc::new(LargeStringArray::from(vec!["large"])) as ArrayRef;
    let dictionary: DictionaryArray<Int8Type> = [Some("keyed")].into_iter().collect();
    put(&folder, "t/1.parquet", &batch(vec![("n", int(1)), ("s", text("plain")), ("d", nested(int(10)))]));
    put(&folder, "t/2.parquet", &batch(vec![("d", nested(long(1 << 40))), ("s", large), ("n", int(2))]));
    put(
        &folder,
        "t/3.parquet",
        &batch(vec![("s", Arc::new(dictionary)), ("n", long(1 << 40)), ("d", nested(int(30)))]),
    );
    let strict = RecordBatch::try_from_iter([("n", int(4)), ("s", text("strict")), ("d", nested(int(40)))]);
    put(&folder, "t/4.parquet", &strict.unwrap());
    let expected =
        ["1,plain,{x: 10}", "2,large,{x: 1099511627776}", "1099511627776,keyed,{x: 30}", "4,strict,{x: 40}"];
    assert_eq!(load(&polarway, "t").await, expected);
    assert_eq!(query(&polarway, "FROM t").await, expected);
    assert_eq!(query(&polarway, "SELECT typeof(n), n FROM t WHERE s = 'large'").await, ["BIGINT,2"]);
    assert_eq!(query(&polarway, "SELECT sum(d.x) FROM t").await, ["1099511627856"]);
    let described = polarway.describe("t").await.unwrap();
    assert_eq!(described.rows, 4);
    polarway.append("t", strict_row(&polarway).await).await.unwrap();
    assert_eq!(query(&polarway, "SELECT count(*), max(n) FROM t").await, ["5,1099511627776"]);
}

async fn strict_row(polarway: &Polarway) -> RecordBatch {
    let table = polarway.load("t").await.unwrap();
    table.batches()[0].slice(0, 1)
}

#[tokio::test]
async fn files_that_no_type_bridges_are_refused_with_both_files_and_the_column() {
    let (polarway, folder) = engine().await;
    put(&folder, "t/1.parquet", &numbers("n", &[1]));
    put(&folder, "t/2.parquet", &batch(vec![("n", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)]));
    put(&folder, "u/1.parquet", &numbers("n", &[1]));
    put(&folder, "u/2.parquet", &numbers("m", &[1]));
    for name in ["t", "u"] {
        for message in [
            polarway.load(name).await.unwrap_err().to_string(),
            polarway.query(&format!("FROM {name}")).await.unwrap_err().to_string(),
        ] {
            assert!(message.contains("1.parquet") && message.contains("2.parquet"), "{message}");
            assert!(message.contains("\"n\""), "{message}");
        }
    }
    polarway.store("fine", trades(&[("BTC", 1)])).await.unwrap();
    assert_eq!(query(&polarway, "SELECT cents FROM fine").await, ["1"]);
}

/// Overwrites a file in place, so that its inode and length stay, and gives it the time that it had.
fn rewrite_unnoticed(path: &Path, with: &[u8]) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    std::io::Write::write_all(&mut &file, with).unwrap();
    file.set_modified(modified).unwrap();
}

#[tokio::test]
async fn a_file_written_over_in_the_same_second_and_size_gives_its_new_rows() {
    let (polarway, folder) = engine().await;
    put(&folder, "old.parquet", &numbers("n", &[1, 2, 3]));
    put(&folder, "new.parquet", &numbers("n", &[7, 8, 9]));
    let cold = folder.path().join("cold");
    let [old, new] = ["old", "new"].map(|name| fs::read(cold.join(format!("{name}.parquet"))).unwrap());
    assert_eq!(old.len(), new.len());
    let path = cold.join("t.parquet");
    fs::write(&path, &old).unwrap();
    for (bytes, rows) in [(&old, ["1", "2", "3"]), (&new, ["7", "8", "9"]), (&old, ["1", "2", "3"])] {
        for round in 0..3 {
            rewrite_unnoticed(&path, bytes);
            assert_eq!(query(&polarway, "FROM t").await, rows, "round {round}");
            let low = query(&polarway, "SELECT count(*) FROM t WHERE n <= 3").await;
            let high = query(&polarway, "SELECT count(*) FROM t WHERE n >= 7").await;
            let expected = if rows[0] == "1" { ["3", "0"] } else { ["0", "3"] };
            assert_eq!([low[0].as_str(), high[0].as_str()], expected);
            assert_eq!(query(&polarway, "SELECT max(n) FROM t").await, [rows[2]]);
            assert_eq!(load(&polarway, "t").await, rows);
        }
    }
}

#[tokio::test]
async fn files_with_what_duckdb_does_not_read_are_read_by_sql_as_by_loads() {
    use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as PhysicalType};
    use parquet::file::properties::WriterProperties;
    use parquet::schema::types::Type;

    let (polarway, folder) = engine().await;
    let write = |name: &str, properties: WriterProperties| {
        let file = create(&folder, name);
        let rows = numbers("n", &(0..2_000).collect::<Vec<_>>());
        let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
    };
    let properties = WriterProperties::builder().set_dictionary_enabled(false);
    write("lz4/k=1/x.parquet", properties.clone().set_compression(Compression::LZ4).build());
    write("lz4/k=2/x.parquet", properties.clone().set_compression(Compression::SNAPPY).build());
    write("split.parquet", properties.set_encoding(Encoding::BYTE_STREAM_SPLIT).build());
    let map = "message m { required group m (MAP) { repeated group key_value { required int64 key; } } }";
    put_plain(&folder, "map.parquet", map, |group| {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[1, 2], Some(&[1, 1]), Some(&[0, 1])).unwrap();
        column.close().unwrap();
    });
    let point = ByteArray::from(vec![1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 62, 64, 0, 0, 0, 0, 0, 0, 36, 64]);
    let geometry = Type::primitive_type_builder("g", PhysicalType::BYTE_ARRAY)
        .with_logical_type(Some(LogicalType::Geometry { crs: None }))
        .with_repetition(Repetition::REQUIRED);
    let fields = vec![Arc::new(geometry.build().unwrap())];
    let schema = Arc::new(Type::group_type_builder("m").with_fields(fields).build().unwrap());
    let mut writer =
        SerializedFileWriter::new(create(&folder, "geometry.parquet"), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    put_column!(group, ByteArrayType, std::slice::from_ref(&point));
    group.close().unwrap();
    writer.close().unwrap();
    for name in ["lz4", "split", "map", "geometry"] {
        let loaded = load(&polarway, name).await;
        assert!(!loaded.is_empty());
        assert_eq!(query(&polarway, &format!("FROM {name}")).await, loaded, "{name}");
    }
    assert_eq!(
        query(&polarway, "SELECT k, sum(n) FROM lz4 GROUP BY k ORDER BY k").await,
        ["1,1999000", "2,1999000"]
    );
    let stored = polarway.load("lz4").await.unwrap();
    polarway.append("lz4", stored).await.unwrap();
    assert_eq!(query(&polarway, "SELECT count(*) FROM lz4").await, ["8000"]);
}

#[tokio::test]
async fn a_time_of_day_in_utc_is_read_by_sql_with_its_nanoseconds() {
    let (polarway, folder) = engine().await;
    for (unit, kind) in [("NANOS", "int64"), ("MICROS", "int64"), ("MILLIS", "int32")] {
        let name = format!("times_{}", unit.to_lowercase());
        let message = format!("message m {{ required {kind} t (TIME({unit},true)); }}");
        put_plain(&folder, &format!("{name}.parquet"), &message, |group| match kind {
            "int32" => put_column!(group, Int32Type, &[0, 1, 86_399_999]),
            _ => put_column!(group, Int64Type, &[0, 1, 86_399_999_999]),
        });
        let loaded = load(&polarway, &name).await;
        assert_eq!(query(&polarway, &format!("FROM {name}")).await, loaded, "{name}");
        let later = format!("SELECT count(*) FROM {name} WHERE CAST(t AS TIME) > TIME '00:00:00'");
        assert_eq!(query(&polarway, &later).await, ["2"], "{name}");
    }
}

#[tokio::test]
async fn variants_of_other_programs_are_refused_by_sql_by_name_and_loaded_as_they_are_stored() {
    use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
    use parquet::schema::types::{Type, TypePtr};

    let (polarway, folder) = engine().await;
    let part = |name: &str| -> TypePtr {
        let part = Type::primitive_type_builder(name, PhysicalType::BYTE_ARRAY);
        Arc::new(part.with_repetition(Repetition::REQUIRED).build().unwrap())
    };
    let group = |name: &str, fields: Vec<TypePtr>, logical: Option<LogicalType>| -> TypePtr {
        let group = Type::group_type_builder(name).with_fields(fields).with_logical_type(logical);
        Arc::new(group.with_repetition(Repetition::REQUIRED).build().unwrap())
    };
    let variant = |name: &str| {
        let logical = LogicalType::Variant { specification_version: None };
        group(name, vec![part("metadata"), part("value")], Some(logical))
    };
    let id = Type::primitive_type_builder("id", PhysicalType::INT64).with_repetition(Repetition::REQUIRED);
    let id: TypePtr = Arc::new(id.build().unwrap());
    let files = [("flat", variant("v")), ("nested", group("v", vec![variant("inner")], None))];
    for (name, column) in files {
        let schema = Type::group_type_builder("m").with_fields(vec![Arc::clone(&id), column]);
        let schema = Arc::new(schema.build().unwrap());
        let file = create(&folder, &format!("{name}.parquet"));
        let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
        let mut rows = writer.next_row_group().unwrap();
        put_column!(rows, Int64Type, &[7]);
        put_column!(rows, ByteArrayType, &[ByteArray::from(vec![1, 0, 0])]);
        put_column!(rows, ByteArrayType, &[ByteArray::from(vec![12, 34])]);
        rows.close().unwrap();
        writer.close().unwrap();
    }
    create(&folder, "broken.parquet").write_all(polarway_testing::BREAKING_FILE).unwrap();
    for name in ["flat", "nested", "broken"] {
        assert_eq!(polarway.load(name).await.unwrap().num_rows(), 1, "{name}");
        let error = polarway.query(&format!("SELECT v FROM {name}")).await.unwrap_err().to_string();
        assert!(error.contains("column \"v\"") && error.contains("VARIANT"), "{name}: {error}");
        assert_eq!(query(&polarway, &format!("SELECT count(*) FROM {name}")).await, ["1"], "{name}");
    }
    assert_eq!(query(&polarway, "SELECT id FROM nested").await, ["7"]);
    // What Polarway writes says of no column that it is a VARIANT.
    let stored = polarway.load("flat").await.unwrap();
    polarway.store("flat", stored).await.unwrap();
    assert_eq!(query(&polarway, "SELECT octet_length(v.\"value\") FROM flat").await, ["2"]);
}

#[tokio::test]
async fn some_columns_of_adopted_files_are_loaded_in_any_order_those_of_folders_too() {
    let (polarway, folder) = engine().await;
    for (key, first) in [("a", 0), ("b", 10)] {
        let columns = batch(vec![
            ("n", Arc::new(Int64Array::from(vec![first, first + 1])) as _),
            ("m", Arc::new(Int64Array::from(vec![first + 2, first + 3])) as _),
        ]);
        put(&folder, &format!("t/k={key}/x.parquet"), &columns);
    }
    let load = async |columns: &[&str], rows: std::ops::Range<u64>| {
        let selection = Selection::default().with_columns(columns.iter().copied()).with_rows(rows);
        lines(&polarway.load_with("t", selection).await.unwrap())
    };
    assert_eq!(load(&["k"], 0..9).await, ["a", "a", "b", "b"]);
    assert_eq!(load(&["k", "m"], 1..3).await, ["a,3", "b,12"]);
    assert_eq!(load(&["m", "k", "n"], 3..4).await, ["13,b,11"]);
    assert_eq!(load(&["m", "n"], 0..2).await, ["2,0", "3,1"]);
    assert_eq!(load(&["n", "m", "k"], 2..3).await, ["10,12,b"]);
    polarway.load("t").await.unwrap(); // into the cache
    assert_eq!(load(&["k", "m"], 1..3).await, ["a,3", "b,12"]);
}
