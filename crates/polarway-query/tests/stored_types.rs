//! SQL sees every stored type and value as it was stored, or refuses the column by name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::*;

use polarway_query::Error;
use support::{Bench, batch, rows_of};

#[allow(non_camel_case_types, reason = "named as the primitive type that it is")]
type f16 = <Float16Type as ArrowPrimitiveType>::Native;

/// Stores one column and says which SQL type it has and which texts its values have.
fn check(array: ArrayRef, sql_type: &str, values: &[&str]) {
    let bench = Bench::new();
    let stored = array.data_type().clone();
    bench.store("t", &[batch(vec![("c", array.clone())])]);
    let seen = bench.query("SELECT typeof(c) AS type, CAST(c AS VARCHAR) AS value FROM t").unwrap();
    let expected: Vec<String> = values.iter().map(|value| format!("{sql_type}|{value}")).collect();
    assert_eq!(rows_of(&seen), expected, "{stored}");
    // The same type when there are no rows.
    bench.store_empty("none", Arc::new(Schema::new(vec![Field::new("c", stored.clone(), true)])));
    let (none, some) = (bench.query("SELECT c FROM none").unwrap(), bench.query("SELECT c FROM t").unwrap());
    assert_eq!(none.schema(), some.schema(), "{stored}");
    assert_eq!(none.num_rows(), 0);
}

fn refused(array: ArrayRef, expected: &str) {
    let bench = Bench::new();
    let id: ArrayRef = Arc::new(Int32Array::from_iter_values(0..array.len() as i32));
    bench.store("t", &[batch(vec![("odd", array), ("id", id)])]);
    let error = bench.error("SELECT odd FROM t");
    assert!(matches!(error, Error::Unsupported(_)), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("\"odd\"") && message.contains(expected), "{message}");
    // The others are not touched by it.
    assert_eq!(bench.rows("SELECT max(id) >= 0 FROM t WHERE id >= 0"), ["true"]);
    assert_eq!(bench.rows("SELECT count(*) > 0 FROM t"), ["true"]);
}

#[test]
fn numbers() {
    check(Arc::new(Int8Array::from(vec![Some(-128), None, Some(127)])), "TINYINT", &["-128", "NULL", "127"]);
    check(Arc::new(Int16Array::from(vec![i16::MIN, i16::MAX])), "SMALLINT", &["-32768", "32767"]);
    check(Arc::new(UInt8Array::from(vec![0, 255])), "UTINYINT", &["0", "255"]);
    check(Arc::new(UInt16Array::from(vec![u16::MAX])), "USMALLINT", &["65535"]);
    check(Arc::new(UInt32Array::from(vec![u32::MAX])), "UINTEGER", &["4294967295"]);
    check(Arc::new(UInt64Array::from(vec![u64::MAX])), "UBIGINT", &["18446744073709551615"]);
    check(Arc::new(Int64Array::from(vec![i64::MIN])), "BIGINT", &["-9223372036854775808"]);
    check(Arc::new(Float64Array::from(vec![f64::NAN, -0.0, 0.1])), "DOUBLE", &["nan", "-0.0", "0.1"]);
    check(Arc::new(Float16Array::from(vec![f16::from_f32(1.5), f16::NAN])), "FLOAT", &["1.5", "nan"]);
    check(Arc::new(BooleanArray::from(vec![Some(true), None])), "BOOLEAN", &["true", "NULL"]);
}

#[test]
fn decimals_up_to_38_digits() {
    let decimal = Decimal128Array::from(vec![12345, -1]).with_precision_and_scale(9, 2).unwrap();
    check(Arc::new(decimal), "DECIMAL(9,2)", &["123.45", "-0.01"]);
    let decimal = Decimal128Array::from(vec![10_i128.pow(37)]).with_precision_and_scale(38, 0).unwrap();
    check(Arc::new(decimal), "DECIMAL(38,0)", &["10000000000000000000000000000000000000"]);
    let decimal = Decimal256Array::from(vec![i256::from_i128(5)]).with_precision_and_scale(30, 1).unwrap();
    check(Arc::new(decimal), "DECIMAL(30,1)", &["0.5"]);
    let decimal = Decimal32Array::from(vec![7]).with_precision_and_scale(5, 3).unwrap();
    check(Arc::new(decimal), "DECIMAL(5,3)", &["0.007"]);
}

#[test]
fn decimals_over_38_digits_are_refused_by_name() {
    for precision in [39, 60, 76] {
        let decimal =
            Decimal256Array::from(vec![i256::from_i128(5)]).with_precision_and_scale(precision, 1).unwrap();
        refused(Arc::new(decimal), "38 digits");
    }
}

#[test]
fn texts_and_bytes() {
    check(Arc::new(StringArray::from(vec![Some("a'b"), None, Some("")])), "VARCHAR", &["a'b", "NULL", ""]);
    check(Arc::new(LargeStringArray::from(vec!["é"])), "VARCHAR", &["é"]);
    check(
        Arc::new(StringViewArray::from(vec!["a text that is longer than twelve"])),
        "VARCHAR",
        &["a text that is longer than twelve"],
    );
    check(Arc::new(BinaryArray::from_vec(vec![b"a\xff"])), "BLOB", &["a\\xFF"]);
    check(Arc::new(LargeBinaryArray::from_vec(vec![b"a"])), "BLOB", &["a"]);
    check(Arc::new(BinaryViewArray::from_iter_values([b"a"])), "BLOB", &["a"]);
    let fixed = FixedSizeBinaryArray::try_from_iter([[1_u8; 16]].into_iter()).unwrap();
    check(Arc::new(fixed), "BLOB", &["\\x01".repeat(16).as_str()]);
    let words: DictionaryArray<Int8Type> = vec![Some("x"), None, Some("y"), Some("x")].into_iter().collect();
    check(Arc::new(words), "VARCHAR", &["x", "NULL", "y", "x"]);
}

#[test]
fn dates_and_times() {
    check(Arc::new(Date32Array::from(vec![Some(-1), None])), "DATE", &["1969-12-31", "NULL"]);
    check(
        Arc::new(Date64Array::from(vec![Some(-86_400_000), Some(86_400_000 * 20_000), None])),
        "DATE",
        &["1969-12-31", "2024-10-04", "NULL"],
    );
    check(
        Arc::new(Time32SecondArray::from(vec![Some(0), Some(86_399), None])),
        "TIME",
        &["00:00:00", "23:59:59", "NULL"],
    );
    check(Arc::new(Time32MillisecondArray::from(vec![1])), "TIME", &["00:00:00.001"]);
    check(Arc::new(Time64MicrosecondArray::from(vec![1])), "TIME", &["00:00:00.000001"]);
    check(Arc::new(Time64NanosecondArray::from(vec![1])), "TIME_NS", &["00:00:00.000000001"]);
}

#[test]
fn timestamps_in_every_unit() {
    check(
        Arc::new(TimestampSecondArray::from(vec![Some(-1), None])),
        "TIMESTAMP_S",
        &["1969-12-31 23:59:59", "NULL"],
    );
    check(Arc::new(TimestampMillisecondArray::from(vec![1])), "TIMESTAMP_MS", &["1970-01-01 00:00:00.001"]);
    check(Arc::new(TimestampMicrosecondArray::from(vec![1])), "TIMESTAMP", &["1970-01-01 00:00:00.000001"]);
    check(
        Arc::new(TimestampNanosecondArray::from(vec![1])),
        "TIMESTAMP_NS",
        &["1970-01-01 00:00:00.000000001"],
    );
    let zoned = "TIMESTAMP WITH TIME ZONE";
    check(
        Arc::new(TimestampSecondArray::from(vec![1]).with_timezone("Europe/Berlin")),
        zoned,
        &["1970-01-01 00:00:01+00"],
    );
    check(
        Arc::new(TimestampMillisecondArray::from(vec![1]).with_timezone("+01:00")),
        zoned,
        &["1970-01-01 00:00:00.001+00"],
    );
    check(
        Arc::new(TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC")),
        zoned,
        &["1970-01-01 00:00:00.000001+00"],
    );
}

#[test]
fn nanoseconds_with_a_zone_are_refused_by_name() {
    refused(Arc::new(TimestampNanosecondArray::from(vec![1]).with_timezone("UTC")), "nanoseconds");
}

#[test]
fn durations_are_intervals() {
    check(Arc::new(DurationSecondArray::from(vec![Some(90), None])), "INTERVAL", &["00:01:30", "NULL"]);
    check(Arc::new(DurationMillisecondArray::from(vec![-1])), "INTERVAL", &["-00:00:00.001"]);
    check(Arc::new(DurationMicrosecondArray::from(vec![1])), "INTERVAL", &["00:00:00.000001"]);
    check(
        Arc::new(DurationNanosecondArray::from(vec![-2_000, 5_000])),
        "INTERVAL",
        &["-00:00:00.000002", "00:00:00.000005"],
    );
}

#[test]
fn values_that_sql_can_not_hold_are_errors_that_name_the_column() {
    let bench = Bench::new();
    let cases: [(&str, ArrayRef); 5] = [
        ("nanoseconds", Arc::new(DurationNanosecondArray::from(vec![1]))),
        ("292 years", Arc::new(DurationMicrosecondArray::from(vec![i64::MAX]))),
        ("time of day", Arc::new(Date64Array::from(vec![1]))),
        ("outside of a day", Arc::new(Time32SecondArray::from(vec![86_400]))),
        ("", Arc::new(DurationSecondArray::from(vec![i64::MAX]))),
    ];
    for (expected, array) in cases {
        bench.store("t", &[batch(vec![("odd", array)])]);
        let error = bench.error("SELECT odd FROM t");
        assert!(matches!(error, Error::Execution(_)), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(bench.rows("SELECT count(*) FROM t"), ["1"]);
    }
}

#[test]
fn intervals() {
    check(Arc::new(IntervalYearMonthArray::from(vec![14])), "INTERVAL", &["1 year 2 months"]);
    check(
        Arc::new(IntervalDayTimeArray::from(vec![IntervalDayTime::new(2, 1_500)])),
        "INTERVAL",
        &["2 days 00:00:01.5"],
    );
}

#[test]
fn nested_values_are_restored_inside() {
    let durations = ListArray::new(
        Arc::new(Field::new_list_field(DataType::Duration(TimeUnit::Second), true)),
        OffsetBuffer::from_lengths([2, 0, 0]),
        Arc::new(DurationSecondArray::from(vec![Some(1), None])),
        Some(NullBuffer::from(vec![true, true, false])),
    );
    check(Arc::new(durations), "INTERVAL[]", &["['00:00:01', NULL]", "[]", "NULL"]);

    let fixed = FixedSizeListArray::new(
        Arc::new(Field::new_list_field(DataType::Int16, true)),
        2,
        Arc::new(Int16Array::from(vec![1, 2, 3, 4])),
        None,
    );
    check(Arc::new(fixed), "SMALLINT[2]", &["[1, 2]", "[3, 4]"]);

    let structs = StructArray::new(
        Fields::from(vec![
            Field::new("odd \"name\"", DataType::Date64, true),
            Field::new("t", DataType::Time64(TimeUnit::Nanosecond), true),
            Field::new("s", DataType::Timestamp(TimeUnit::Second, None), true),
        ]),
        vec![
            Arc::new(Date64Array::from(vec![Some(86_400_000), None, Some(0)])),
            Arc::new(Time64NanosecondArray::from(vec![1, 2, 3])),
            Arc::new(TimestampSecondArray::from(vec![1, 2, 3])),
        ],
        Some(NullBuffer::from(vec![true, true, false])),
    );
    let bench = Bench::new();
    bench.store("t", &[batch(vec![("c", Arc::new(structs))])]);
    assert_eq!(
        bench.rows("SELECT typeof(c.\"odd \"\"name\"\"\"), typeof(c.t), typeof(c.s), c.\"odd \"\"name\"\"\", c.t, c.s, c IS NULL FROM t"),
        [
            "DATE|TIME_NS|TIMESTAMP_S|1970-01-02|00:00:00.000000001|1970-01-01T00:00:01|false",
            "DATE|TIME_NS|TIMESTAMP_S|NULL|00:00:00.000000002|1970-01-01T00:00:02|false",
            "DATE|TIME_NS|TIMESTAMP_S|NULL|NULL|NULL|true",
        ]
    );

    let mut maps = MapBuilder::new(None, StringBuilder::new(), DurationMillisecondBuilder::new());
    maps.keys().append_value("k");
    maps.values().append_value(5);
    maps.append(true).unwrap();
    maps.append(false).unwrap();
    check(Arc::new(maps.finish()), "MAP(VARCHAR, INTERVAL)", &["{k='00:00:00.005'}", "NULL"]);
}

#[test]
fn a_column_of_nulls_is_a_column_of_nulls() {
    let bench = Bench::new();
    bench.store("t", &[batch(vec![("c", Arc::new(NullArray::new(2)))])]);
    assert_eq!(bench.rows("SELECT c FROM t"), ["NULL", "NULL"]);
}

#[test]
fn names_that_differ_only_in_case_are_refused_and_never_mixed_up() {
    let bench = Bench::new();
    let column = |value: i32| Arc::new(Int32Array::from(vec![value])) as ArrayRef;
    bench.store("t", &[batch(vec![("a", column(1)), ("A", column(2)), ("b", column(3))])]);
    for sql in ["SELECT a FROM t", "SELECT \"A\" FROM t", "SELECT * FROM t"] {
        let error = bench.error(sql);
        assert!(error.to_string().contains("only in case"), "{sql}: {error}");
    }
    assert_eq!(bench.rows("SELECT b FROM t"), ["3"]);
}

#[test]
fn odd_column_names_are_kept() {
    let bench = Bench::new();
    let names = [
        "with space",
        "qu\"ote",
        "select",
        "filename",
        "file_row_number",
        "日本",
        "a.b",
        "1",
        "'",
        "key=value",
    ];
    let columns = names.iter().map(|name| (*name, Arc::new(StringArray::from(vec![*name])) as ArrayRef));
    bench.store("t", &[batch(columns.collect())]);
    let all = bench.query("SELECT * FROM t").unwrap();
    let seen: Vec<_> = all.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(seen, names);
    assert_eq!(rows_of(&all), [names.join("|")]);
    assert_eq!(bench.rows("SELECT filename FROM t"), ["filename"]);
}

#[test]
fn a_column_without_a_name_is_meant_by_its_place() {
    let bench = Bench::new();
    let column = |value: i32| Arc::new(Int32Array::from(vec![value])) as ArrayRef;
    // Two files: DuckDB matches their columns by name.
    let rows = |first| {
        batch(vec![
            ("", column(first)),
            ("b", column(first + 1)),
            ("column2", column(first + 2)),
            ("\0", column(first + 3)),
        ])
    };
    bench.store("t", &[rows(1), rows(5)]);
    assert_eq!(bench.rows("SELECT b FROM t"), ["2", "6"]);
    assert_eq!(bench.rows("SELECT * FROM t"), ["1|2|3|4", "5|6|7|8"]);
    let names: Vec<_> =
        bench.query("FROM t").unwrap().schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["column0", "b", "column2", "column3"]);
    assert_eq!(bench.rows("SELECT column0, column2, column3 FROM t WHERE column0 > 1 AND b = 6"), ["5|7|8"]);
    assert_eq!(bench.rows("SELECT column_name FROM information_schema.columns"), names);
    assert_eq!(bench.rows("SELECT column_names FROM (SHOW ALL TABLES)"), ["[column0, b, column2, column3]"]);
    bench.store_empty("none", rows(1).schema());
    assert_eq!(bench.query("FROM none").unwrap().schema(), bench.query("FROM t").unwrap().schema());
}

#[test]
fn a_column_whose_name_duckdb_would_give_to_another_has_its_own_values() {
    let bench = Bench::new();
    let column = |value: i32| Arc::new(Int32Array::from(vec![value])) as ArrayRef;
    bench.store(
        "t",
        &[batch(vec![
            ("a", column(1)),
            ("A", column(2)),
            ("A_1", column(3)),
            ("C5", column(4)),
            ("a_1_1", column(5)),
            ("", column(6)),
        ])],
    );
    assert_eq!(bench.rows("SELECT \"A_1\", a_1_1, \"C5\", column5 FROM t"), ["3|5|4|6"]);
}

#[test]
fn a_field_of_a_struct_without_a_name_is_meant_by_its_place() {
    let field = |name: &str| Arc::new(Field::new(name, DataType::Int32, true));
    let column = |value: i32| Arc::new(Int32Array::from(vec![Some(value), None])) as ArrayRef;
    let structs = StructArray::new(
        vec![field(""), field("b")].into(),
        vec![column(1), column(2)],
        Some(NullBuffer::from(vec![true, false])),
    );
    check(Arc::new(structs), "STRUCT(v1 INTEGER, b INTEGER)", &["{'v1': 1, 'b': 2}", "NULL"]);
}

#[test]
fn files_of_others_are_cast_to_the_types_that_the_catalog_gives() {
    use arrow::datatypes::Schema;
    use polarway_query::{Catalog, CatalogError, FileGroup, Listed, Reference, Relation};
    struct Wider(std::path::PathBuf);
    impl Catalog for Wider {
        fn sees_analytics(&self, _schema: &str, _table: &str) -> bool {
            true
        }

        fn resolve(&self, _: &[Reference]) -> Result<Vec<Relation>, CatalogError> {
            let schema = Arc::new(Schema::new(vec![Field::new("c", DataType::Int64, true)]));
            let group = FileGroup {
                has_exact_types: false,
                ..support::files::foreign_group(std::slice::from_ref(&self.0), Arc::clone(&schema))
            };
            Ok(vec![Relation::of_groups(vec![group], schema)])
        }

        fn list(&self) -> Result<Vec<Listed>, CatalogError> {
            Ok(Vec::new())
        }
    }
    let bench = Bench::new();
    let file = bench.cold().join("x.parquet");
    support::write(&file, &batch(vec![("c", Arc::new(Int16Array::from(vec![7])))]));
    let result = bench.query_with(Arc::new(Wider(file)), "SELECT typeof(c), c FROM x").unwrap();
    assert_eq!(rows_of(&result), ["BIGINT|7"]);
}
