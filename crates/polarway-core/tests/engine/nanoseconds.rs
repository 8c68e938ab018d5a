//! Times of nanoseconds in a zone: SQL has them to the microsecond, and never cuts one.

use std::sync::Arc;

use polarway_core::arrow::array::{
    ArrayRef, Int32Array, ListArray, RecordBatch, StructArray, TimestampNanosecondArray,
};
use polarway_core::arrow::buffer::OffsetBuffer;
use polarway_core::arrow::datatypes::Field;
use polarway_core::{ErrorKind, Polarway, Table};

use crate::support::{engine, lines};

fn zoned(nanos: &[Option<i64>]) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from(nanos.to_vec()).with_timezone("Europe/Berlin"))
}

fn table(columns: Vec<(&str, ArrayRef)>) -> Table {
    let rows = i32::try_from(columns[0].1.len()).unwrap();
    let ids = ("id", Arc::new(Int32Array::from_iter_values(0..rows)) as ArrayRef);
    let columns = columns.into_iter().chain([ids]).map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap().into()
}

async fn check_refused(polarway: &Polarway, sql: &str) {
    let error = polarway.query(sql).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{sql}: {error}");
    assert!(
        error.to_string().contains("\"t\"") && error.to_string().contains("nanoseconds"),
        "{sql}: {error}"
    );
}

#[tokio::test]
async fn a_column_of_whole_microseconds_is_one_of_sqls_times() {
    let (polarway, _folder) = engine().await;
    // 2013-01-01 12:00:00.000001, and a microsecond before 1970.
    let times = [Some(1_357_041_600_000_001_000), None, Some(-1_000)];
    let item = Arc::new(Field::new_list_field(zoned(&[]).data_type().clone(), true));
    let lists = ListArray::new(item, OffsetBuffer::from_lengths([1, 0, 2]), zoned(&times), None);
    let field = Arc::new(Field::new("t", zoned(&[]).data_type().clone(), true));
    let structs = StructArray::from(vec![(field, zoned(&times))]);
    polarway
        .store("x", table(vec![("t", zoned(&times)), ("l", Arc::new(lists)), ("s", Arc::new(structs))]))
        .await
        .unwrap();
    for (sql, expect) in [
        (
            "SELECT typeof(t), t::VARCHAR FROM x WHERE t > TIMESTAMPTZ '2013-01-01 00:00:00Z'",
            &["TIMESTAMP WITH TIME ZONE,2013-01-01 12:00:00.000001+00"][..],
        ),
        ("SELECT min(t)::VARCHAR, count(t) FROM x", &["1969-12-31 23:59:59.999999+00,2"]),
        (
            "SELECT l[-1]::VARCHAR, s.t::VARCHAR FROM x WHERE id = 2",
            &["1969-12-31 23:59:59.999999+00,1969-12-31 23:59:59.999999+00"],
        ),
        ("SELECT count(*) FROM x, (FROM x) y WHERE x.t = y.t", &["2"]),
    ] {
        assert_eq!(lines(&polarway.query(sql).await.unwrap()), expect, "{sql}");
    }
}

#[tokio::test]
async fn a_column_with_a_part_of_a_microsecond_is_refused_by_name_and_the_others_are_not() {
    let (polarway, _folder) = engine().await;
    polarway.store("x", table(vec![("t", zoned(&[Some(1_000), None]))])).await.unwrap();
    assert_eq!(polarway.query("SELECT t FROM x").await.unwrap().num_rows(), 2);
    // One value is enough, in whatever file.
    polarway
        .append("x", table(vec![("t", zoned(&[Some(2_000), Some(1_000_000_000_000_000_001)]))]))
        .await
        .unwrap();
    check_refused(&polarway, "SELECT t FROM x").await;
    check_refused(&polarway, "SELECT * FROM x").await;
    assert_eq!(lines(&polarway.query("SELECT count(id) FROM x").await.unwrap()), ["4"]);
    assert_eq!(polarway.query("SELECT t FROM x AT (VERSION => 1)").await.unwrap().num_rows(), 2);
    let ends = [Some(i64::MAX), Some(i64::MIN)];
    polarway.store("x", table(vec![("t", zoned(&ends))])).await.unwrap();
    check_refused(&polarway, "SELECT t FROM x").await;
    assert_eq!(polarway.load("x").await.unwrap().num_rows(), 2);
}

#[tokio::test]
async fn a_file_of_others_is_looked_through_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cold/x.parquet");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let write = |nanos: i64, rows: usize| {
        let batch = table(vec![("t", zoned(&vec![Some(nanos); rows]))]).to_batch().unwrap();
        let out = std::fs::File::create(&file).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(out, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    };
    write(5_000, 10);
    let polarway = Polarway::open(crate::support::config(&folder)).await.unwrap();
    assert_eq!(
        lines(&polarway.query("SELECT max(t)::VARCHAR FROM x").await.unwrap()),
        ["1970-01-01 00:00:00.000005+00"]
    );
    write(5_001, 1_000);
    check_refused(&polarway, "SELECT t FROM x").await;
}
