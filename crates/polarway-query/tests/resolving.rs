//! Names, versions and files in a query become what the catalog says, all of it asked for at one moment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in a helper fails the test"
)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use polarway_query::{
    At, Catalog, CatalogError, Error, FileGroup, FileOptions, Listed, PartitionColumn, Reference, Relation,
};
use support::files::{foreign_group, relation};
use support::{Bench, batch, rows_of, stored_schema, write};

fn numbers(values: &[i32]) -> RecordBatch {
    batch(vec![("a", Arc::new(Int32Array::from(values.to_vec())) as ArrayRef)])
}

fn three_versions() -> Bench {
    let bench = Bench::new();
    for version in 1..=3 {
        bench.store("t", &[numbers(&[version])]);
    }
    bench.store("u.v-1", &[numbers(&[10])]);
    bench
}

#[test]
fn a_version_is_chosen_by_number_or_time_wherever_a_table_may_stand() {
    let bench = three_versions();
    let cases = [
        ("FROM t", "3"),
        ("FROM t AT (VERSION => 1)", "1"),
        ("SELECT t.a FROM t AT (VERSION => 2)", "2"),
        ("SELECT f.a FROM t f AT (VERSION => 2)", "2"),
        ("SELECT f.b FROM t AS f(b) AT (VERSION => 2) WHERE f.b = 2", "2"),
        ("SELECT \"f(\".a FROM \"t\" AS \"f(\" at(version=>2)", "2"),
        ("FROM/* a ( comment */t/* ' */AT -- )\n (VERSION => /* ) */ 1) -- the end", "1"),
        ("FROM t AT (TIMESTAMP => '2026-01-01 00:00:30')", "1"),
        ("FROM t AT (TIMESTAMP => TIMESTAMP '2026-01-01 00:01:00')", "2"),
        ("FROM t AT (TIMESTAMP => '2026-01-01 02:01:59+02')", "2"),
        ("FROM t AT (TIMESTAMP => TIMESTAMPTZ '2030-01-01 00:00:00Z')", "3"),
        ("FROM t AT (TIMESTAMP => DATE '2030-01-01')", "3"),
        ("SELECT x.a, y.a, z.a FROM t x AT (VERSION => 1), t y AT (VERSION => 2), t z", "1|2|3"),
        ("SELECT x.a, y.a FROM t AT (VERSION => 1) x2(a), t AT (VERSION => 1) y, t x", ""),
        ("SELECT (FROM t AT (VERSION => 1)) + (FROM t)", "4"),
        ("WITH t AS (FROM t AT (VERSION => 2)) FROM t", "2"),
        ("WITH t AS (SELECT 5 AS a) FROM t AT (VERSION => 2)", "2"),
        ("FROM \"u.v-1\" AT (VERSION => 1)", "10"),
        ("SELECT \"u.v-1\".a FROM \"u.v-1\" AT (VERSION => 1)", "10"),
        ("SELECT 'é日本', a FROM t AT (VERSION => 1)", "é日本|1"),
        ("SELECT a FROM t AT (VERSION => 1) TABLESAMPLE 100%", "1"),
        ("FROM t AT (VERSION => 1) UNION ALL FROM t AT (VERSION => 1) LIMIT 1", "1"),
    ];
    for (sql, expected) in cases {
        if expected.is_empty() {
            assert!(matches!(bench.error(sql), Error::Syntax(_)), "{sql}");
        } else {
            assert_eq!(bench.rows(sql), [expected], "{sql}");
        }
    }
}

#[test]
fn names_that_differ_only_in_case_are_both_what_they_say() {
    let bench = Bench::new();
    bench.store("Day", &[numbers(&[1])]);
    bench.store("day", &[numbers(&[2])]);
    assert_eq!(bench.rows("SELECT x.a, y.a FROM Day x, day y"), ["1|2"]);
    assert_eq!(bench.rows("SELECT x.a, y.a FROM day x, Day y"), ["2|1"]);
    assert_eq!(bench.rows("SELECT Day.a FROM Day"), ["1"]);
}

#[test]
fn files_of_the_cold_tier_are_read_by_path_list_and_glob() {
    let bench = Bench::new();
    for month in 1..=3 {
        write(&bench.cold().join(format!("trades_{month}.parquet")), &numbers(&[month, month]));
    }
    write(&bench.cold().join("it's [one] 100%.parquet"), &numbers(&[9]));
    let cases = [
        ("SELECT sum(a) FROM parquet_scan('/cold/trades_*.parquet')", "12"),
        ("SELECT sum(a) FROM read_parquet('trades_1.parquet')", "2"),
        ("SELECT sum(a) FROM read_parquet(['trades_1.parquet', 'trades_3.parquet'])", "8"),
        ("SELECT sum(a) FROM system.main.read_parquet('trades_*.parquet', hive_partitioning = false)", "12"),
        ("SELECT sum(a) FROM \"read_parquet\" /* ( */ ( 'trades_1.parquet' )", "2"),
        ("SELECT sum(p.a) FROM READ_PARQUET('trades_1.parquet', union_by_name := true) p", "2"),
        ("SELECT sum(read_parquet.a) FROM read_parquet('trades_1.parquet')", "2"),
        ("SELECT sum(p.b) FROM read_parquet('trades_1.parquet') AS p(b)", "2"),
        ("SELECT sum(a) FROM 'trades_1.parquet'", "2"),
        ("SELECT sum(trades_1.a) FROM '/cold/trades_1.parquet'", "2"),
        ("SELECT sum(x.a) FROM \"trades_*.parquet\" x", "12"),
        ("SELECT sum(a) FROM 'it''s [one] 100%.parquet'", "9"),
        (
            "SELECT x.a, y.a FROM (FROM 'trades_1.parquet' LIMIT 1) x, (FROM parquet_scan('trades_2.parquet') LIMIT 1) y",
            "1|2",
        ),
    ];
    for (sql, expected) in cases {
        assert_eq!(bench.rows(sql), [expected], "{sql}");
    }
    let error = bench.error("FROM 'none_*.parquet'");
    assert_eq!(error.to_string(), "no Parquet file matches none_*.parquet");
}

#[test]
fn what_a_query_names_is_resolved_once_and_together() {
    struct Recording(Arc<dyn Catalog>, Mutex<Vec<Vec<Reference>>>);
    impl Catalog for Recording {
        fn sees_analytics(&self, _schema: &str, _table: &str) -> bool {
            true
        }

        fn resolve(&self, references: &[Reference]) -> Result<Vec<Relation>, CatalogError> {
            self.1.lock().unwrap().push(references.to_vec());
            self.0.resolve(references)
        }

        fn list(&self) -> Result<Vec<Listed>, CatalogError> {
            self.0.list()
        }
    }
    let bench = three_versions();
    write(&bench.cold().join("x.parquet"), &numbers(&[1]));
    let recording = Arc::new(Recording(bench.folder.clone(), Mutex::default()));
    let sql = "WITH c AS (FROM t) SELECT * FROM c, t, t AS again, t AT (VERSION => 1) AS old, \
               t older AT (TIMESTAMP => '2026-01-01'), read_parquet('x.parquet', hive_partitioning = true)";
    let sql = sql.replace("t AT (VERSION => 1) AS old", "t old AT (VERSION => 1)");
    bench.query_with(recording.clone(), &sql).unwrap();
    bench.query_with(recording.clone(), "SELECT 1").unwrap();
    let dataset = |at| Reference::Dataset { name: "t".to_owned(), at };
    let expected = vec![vec![
        dataset(At::Newest),
        dataset(At::Version(1)),
        dataset(At::TimeUs(support::FIRST_COMMIT)),
        Reference::Files {
            patterns: vec!["x.parquet".to_owned()],
            options: FileOptions { hive_partitioning: Some(true), union_by_name: None },
        },
    ]];
    assert_eq!(*recording.1.lock().unwrap(), expected);
}

#[test]
fn a_new_version_is_seen_by_a_text_that_ran_before() {
    let bench = three_versions();
    assert_eq!(bench.rows("FROM t"), ["3"]);
    bench.store("t", &[batch(vec![("b", Arc::new(StringArray::from(vec!["four"])) as ArrayRef)])]);
    assert_eq!(bench.rows("FROM t"), ["four"]);
    assert_eq!(bench.rows("FROM t AT (VERSION => 3)"), ["3"]);
}

#[test]
fn a_dataset_without_rows_has_its_columns() {
    let bench = Bench::new();
    let schema =
        Schema::new(vec![Field::new("a", DataType::Int32, true), Field::new("b", DataType::Utf8, false)]);
    bench.store_empty("none", Arc::new(schema));
    bench.store("t", &[numbers(&[1])]);
    let result = bench.query("SELECT none.*, t.a AS c FROM t LEFT JOIN none USING (a)").unwrap();
    assert_eq!(rows_of(&result), ["NULL|NULL|1"]);
    assert_eq!(bench.rows("SELECT count(*) FROM none"), ["0"]);
}

#[test]
fn a_dataset_without_columns_is_refused() {
    let bench = Bench::new();
    bench.store_empty("nothing", Arc::new(Schema::empty()));
    assert!(matches!(bench.error("FROM nothing"), Error::Unsupported(_)));
}

#[test]
fn a_folder_on_the_way_that_looks_like_a_partition_adds_no_column() {
    let bench = Bench::new();
    write(&bench.cold().join("env=prod/a=7/x.parquet"), &numbers(&[1]));
    let result = bench.query("FROM 'env=prod/a=7/x.parquet'").unwrap();
    assert_eq!((result.num_columns(), rows_of(&result)), (1, vec!["1".to_owned()]));
}

/// A catalog with one relation, made by a function.
struct One<F>(F);

impl<F: Fn() -> Relation + Send + Sync> Catalog for One<F> {
    fn sees_analytics(&self, _schema: &str, _table: &str) -> bool {
        true
    }

    fn resolve(&self, references: &[Reference]) -> Result<Vec<Relation>, CatalogError> {
        Ok(references.iter().map(|_| self.0()).collect())
    }

    fn list(&self) -> Result<Vec<Listed>, CatalogError> {
        Ok(Vec::new())
    }
}

fn partitioned(bench: &Bench, folders: &[&str], column: &str, data_type: DataType) -> Arc<dyn Catalog> {
    let files: Vec<_> = folders.iter().map(|folder| bench.cold().join(folder).join("x.parquet")).collect();
    for file in &files {
        write(file, &numbers(&[1]));
    }
    let mut fields: Vec<_> = stored_schema(&files[0]).fields().iter().cloned().collect();
    if !fields.iter().any(|field| field.name() == column) {
        fields.push(Arc::new(Field::new(column, data_type, true)));
    }
    let schema = Arc::new(Schema::new(fields));
    let column = PartitionColumn { name: column.to_owned(), key: column.to_owned() };
    let group = FileGroup { partition_columns: vec![column], ..foreign_group(&files, schema.clone()) };
    Arc::new(One(move || Relation::of_groups(vec![group.clone()], schema.clone())))
}

#[test]
fn partition_columns_have_their_types_and_values() {
    let bench = Bench::new();
    let folders = ["p/day=2024-01-01", "p/day=2024-01-02", "p/day=__HIVE_DEFAULT_PARTITION__"];
    let catalog = partitioned(&bench, &folders, "day", DataType::Date32);
    let rows = |sql: &str| rows_of(&bench.query_with(catalog.clone(), sql).unwrap());
    assert_eq!(
        rows("SELECT typeof(day), day, a FROM p ORDER BY day"),
        ["DATE|2024-01-01|1", "DATE|2024-01-02|1", "DATE|NULL|1"]
    );
    assert_eq!(rows("SELECT count(*) FROM p WHERE day > DATE '2024-01-01'"), ["1"]);
}

#[test]
fn a_partition_value_that_does_not_fit_its_type_is_an_error_and_never_null() {
    let bench = Bench::new();
    let catalog = partitioned(&bench, &["p/n=1", "p/n=two"], "n", DataType::Int32);
    let error = bench.query_with(catalog, "SELECT n FROM p").unwrap_err();
    assert!(matches!(error, Error::Execution(_)), "{error:?}");
}

#[test]
fn folders_that_give_two_values_for_a_column_are_refused() {
    let bench = Bench::new();
    let twice = partitioned(&bench, &["n=0/p/n=1"], "n", DataType::Int32);
    assert!(matches!(bench.query_with(twice, "FROM p"), Err(Error::Unsupported(_))));
    let covered = partitioned(&bench, &["a=5/p/n=1"], "n", DataType::Int32);
    assert!(matches!(bench.query_with(covered, "FROM p"), Err(Error::Unsupported(_))));
}

#[test]
fn groups_of_files_that_differ_are_one_table_by_column_name_in_the_widest_types() {
    let bench = Bench::new();
    let (one, two, three) =
        (bench.cold().join("1.parquet"), bench.cold().join("2.parquet"), bench.cold().join("3.parquet"));
    write(&one, &numbers(&[1]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    write(&two, &batch(vec![("b", Arc::clone(&text))]));
    let wide: ArrayRef = Arc::new(Int64Array::from(vec![1 << 40]));
    write(&three, &batch(vec![("b", text), ("a", wide)]));
    let group = |file: &PathBuf| foreign_group(std::slice::from_ref(file), stored_schema(file));
    let groups = [&one, &two, &three, &one].map(group);
    let schema =
        Schema::new(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)]);
    let schema = Arc::new(schema);
    let catalog = Arc::new(One(move || Relation::of_groups(groups.to_vec(), schema.clone())));
    assert_eq!(
        rows_of(&bench.query_with(catalog.clone(), "SELECT typeof(a), a, b FROM p").unwrap()),
        ["BIGINT|1|NULL", "BIGINT|NULL|x", "BIGINT|1099511627776|x", "BIGINT|1|NULL"]
    );
    assert_eq!(rows_of(&bench.query_with(catalog, "SELECT count(*) FROM p WHERE a = 1").unwrap()), ["2"]);
}

fn foreign(file: &Path, schema: SchemaRef) -> Relation {
    Relation::of_groups(vec![foreign_group(&[file.to_owned()], schema.clone())], schema)
}

#[test]
fn files_that_changed_while_they_were_read_are_an_error_after_the_rows() {
    let bench = Bench::new();
    let file = bench.cold().join("x.parquet");
    write(&file, &numbers(&[1]));
    let checks = Arc::new(AtomicUsize::new(0));
    let checked = checks.clone();
    let catalog: Arc<dyn Catalog> = Arc::new(One(move || {
        let checked = checked.clone();
        let check = move || match checked.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(()),
            _ => Err(CatalogError::Changed { name: "x".to_owned() }),
        };
        Relation { after_scan: Some(Box::new(check)), ..foreign(&file, stored_schema(&file)) }
    }));
    assert_eq!(rows_of(&bench.query_with(catalog.clone(), "FROM x").unwrap()), ["1"]);
    let changed = bench.query_with(catalog.clone(), "FROM x").unwrap_err();
    assert!(matches!(changed, Error::Catalog(CatalogError::Changed { .. })), "{changed:?}");
    // A file that is gone fails in DuckDB; that it changed is the reason given.
    std::fs::write(bench.cold().join("x.parquet"), "no longer Parquet").unwrap();
    let changed = bench.query_with(
        Arc::new(One({
            let file = bench.cold().join("x.parquet");
            let schema = numbers(&[1]).schema();
            move || Relation {
                after_scan: Some(Box::new(|| Err(CatalogError::Changed { name: "x".to_owned() }))),
                ..foreign(&file, schema.clone())
            }
        })),
        "FROM x",
    );
    assert!(matches!(changed, Err(Error::Catalog(CatalogError::Changed { .. }))), "{changed:?}");
}

#[test]
fn a_file_that_is_missing_or_no_parquet_is_named_by_its_dataset_and_not_its_path() {
    let bench = three_versions();
    let file = bench.files("t").remove(0);
    let check = |bench: &Bench| {
        let error = bench.error("SELECT sum(a) FROM t");
        assert!(matches!(error, Error::DataFile(_)), "{error:?}");
        let message = error.to_string();
        assert!(message.contains("the dataset \"t\""), "{message}");
        assert!(!message.contains(bench.dir.path().to_str().unwrap()), "{message}");
    };
    std::fs::write(&file, "this is no Parquet file at all").unwrap();
    check(&bench);
    std::fs::write(&file, "").unwrap();
    check(&bench);
    std::fs::remove_file(&file).unwrap();
    check(&bench);
    assert_eq!(bench.rows("FROM \"u.v-1\""), ["10"]);
}

#[test]
fn a_file_outside_of_the_readable_folders_is_not_read_even_if_the_catalog_names_it() {
    let bench = Bench::new();
    let outside = bench.dir.path().join("outside.parquet");
    write(&outside, &numbers(&[1]));
    let schema = stored_schema(&outside);
    let catalog = Arc::new(One(move || relation(std::slice::from_ref(&outside), schema.clone())));
    assert!(bench.query_with(catalog, "FROM x").is_err());
}
