//! What a query's columns were in SQL: told by a result and by a handle wherever it is kept, and not by a dataset.

use polarway_core::arrow::array::{Int32Array, RecordBatch};
use polarway_core::arrow::datatypes::{DataType, Field, Schema};
use polarway_core::{ErrorKind, Table};
use polarway_table::{DUCKDB_TYPE_KEY, duckdb_type};

use crate::handles::engines;
use crate::support::engine;

/// A column of each type that is not what it seems in Arrow.
const ALL: &str = "SELECT i,
    sum(i) OVER () AS hugeint,
    340282366920938463463374607431768211455::UHUGEINT AS uhugeint,
    '-12345678901234567890123456789012345678901234567890'::BIGNUM AS bignum,
    '0101'::BIT AS bit,
    TIMETZ '12:00:00+02' AS timetz,
    INTERVAL '14 months -3 days 04:05:06.7' AS \"interval\",
    '01234567-89ab-cdef-0123-456789abcdef'::UUID AS uuid,
    '{\"a\": 1}'::JSON AS json,
    if(i = 1, 'x', 'b')::ENUM('x', 'b', 'it''s') AS enum,
    if(i = 1, union_value(n := 1), NULL)::UNION(n INTEGER, t VARCHAR) AS \"union\",
    {'a': [1, 2]}::VARIANT AS variant,
    DATE 'infinity' AS date,
    TIMESTAMP '-infinity' AS timestamp,
    TIMESTAMP_NS '2013-01-01 12:00:00.000000001' AS timestamp_ns,
    [INTERVAL 1 DAY, NULL] AS list,
    [5::BIGNUM]::BIGNUM[1] AS array,
    {'a': UUID '01234567-89ab-cdef-0123-456789abcdef', 'odd \"name': [{'b': '1'::BIT}]} AS struct,
    MAP {INTERVAL 1 HOUR: 5::HUGEINT} AS map
    FROM range(3) t(i) ORDER BY i";

/// As it may be typed.
const TYPED: &str = "SELECT INTERVAL 1 DAY AS v; -- done";

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_has_the_types_of_its_query_wherever_it_is_kept() {
    for (store, polarway, _folder) in engines().await {
        let asked = polarway.query(ALL).await.unwrap();
        let kept = polarway.query_handle(ALL).await.unwrap().handle;
        let id = kept.id.to_string();
        assert_eq!(&kept.schema, asked.schema(), "{store}");
        let loaded = polarway.load(&id).await.unwrap();
        assert_eq!(loaded.schema(), asked.schema(), "{store}");
        assert_eq!(loaded.to_string(), asked.to_string(), "{store}");
        let again = polarway.query(&format!("FROM {id}")).await.unwrap();
        assert_eq!(again.schema(), asked.schema(), "{store}");
        assert_eq!(again.to_string(), asked.to_string(), "{store}");
        let typed = polarway.query_handle(TYPED).await.unwrap().handle.id.to_string();
        assert!(polarway.load(&typed).await.unwrap().to_string().contains("| 1 day |"), "{store}");
        // SQL goes on with what they were.
        for sql in [
            "SELECT COLUMNS(* EXCLUDE i)::VARCHAR FROM",
            "SELECT typeof(COLUMNS(*)) FROM",
            "SELECT max(\"interval\") + INTERVAL 1 DAY, bit_count(any_value(bit)), min(enum), max(hugeint) + 1 FROM",
            "SELECT list[1] + list[1], struct.a, map_values(map)[1] + 1, union_tag(\"union\"), variant.a FROM",
        ] {
            let of_handle = polarway.query(&format!("{sql} {id}")).await;
            let of_query = polarway.query(&format!("{sql} ({ALL})")).await.unwrap();
            let of_handle = of_handle.unwrap_or_else(|error| panic!("{store}: {sql}: {error}"));
            assert_eq!(of_handle.to_string(), of_query.to_string(), "{store}: {sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_arrow_can_not_hold_is_refused_by_a_load_as_by_a_query() {
    let sql = "SELECT 170141183460469231731687303715884105727::HUGEINT AS large";
    for (store, polarway, _folder) in engines().await {
        assert_eq!(polarway.query(sql).await.unwrap_err().kind(), ErrorKind::Unsupported, "{store}");
        let refused = match polarway.query_handle(sql).await {
            Ok(kept) => polarway.load(&kept.handle.id.to_string()).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{store}");
        assert!(
            refused.to_string().contains("\"large\" holds 170141183460469231731687303715884105727"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_result_that_is_stored_is_a_dataset_like_any_other() {
    let (polarway, _folder) = engine().await;
    let sql =
        "SELECT 1 AS n, '01234567-89ab-cdef-0123-456789abcdef'::UUID AS u, [{'i': INTERVAL 1 DAY}] AS s";
    let result = polarway.query(sql).await.unwrap();
    assert_eq!(duckdb_type(result.schema().field(1)), Some("UUID"));
    polarway.store("t", result.clone()).await.unwrap();
    let loaded = polarway.load("t").await.unwrap();
    assert!(!format!("{:?}", loaded.schema()).contains(DUCKDB_TYPE_KEY), "{:?}", loaded.schema());
    assert_eq!(loaded.to_string(), result.to_string());
    // Its rows go on as what they are, from whom they may come.
    polarway.append("t", result).await.unwrap();
    polarway.append("t", loaded).await.unwrap();
    let plain = polarway.query("SELECT 2 AS n, 'no uuid' AS u, [{'i': 'no interval'}] AS s").await.unwrap();
    polarway.append("t", plain).await.unwrap();
    let counted = polarway.query("SELECT count(*), max(u), any_value(typeof(s)) FROM t").await.unwrap();
    assert!(counted.to_string().contains("| 4 "), "{counted}");
    assert!(counted.to_string().contains("no uuid"), "{counted}");
}

#[tokio::test]
async fn metadata_that_a_file_brings_never_becomes_sql() {
    let (polarway, _folder) = engine().await;
    let evil = Field::new("n", DataType::Int32, true)
        .with_metadata([(DUCKDB_TYPE_KEY.to_owned(), "INTEGER); SELECT 1 --".to_owned())].into());
    let batch = RecordBatch::try_new(
        Schema::new(vec![evil]).into(),
        vec![std::sync::Arc::new(Int32Array::from(vec![7]))],
    );
    polarway.store("t", Table::from(batch.unwrap())).await.unwrap();
    assert!(polarway.query("FROM t").await.unwrap().to_string().contains("| 7 |"));
}
