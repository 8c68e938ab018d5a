//! SQL finds every NaN and both zeros in what was stored, whatever the statistics of the files say.

use std::sync::Arc;

use polarway_core::arrow::array::{
    ArrayRef, ArrowPrimitiveType, DictionaryArray, Float16Array, Float32Array, Float64Array, Int8Array,
    ListArray, RecordBatch, StructArray,
};
use polarway_core::arrow::datatypes::{DataType, Field, Fields, Float16Type, Float64Type, Int8Type};
use polarway_core::{Polarway, Table};

use crate::support::{engine, lines};

type F16 = <Float16Type as ArrowPrimitiveType>::Native;

/// The same floats in every form in which they can be stored.
fn table(floats: &[Option<f64>]) -> Table {
    let doubles: ArrayRef = Arc::new(Float64Array::from(floats.to_vec()));
    let halves: Float16Array = floats.iter().map(|value| value.map(F16::from_f64)).collect();
    let singles: Float32Array = floats.iter().map(|value| value.map(|value| value as f32)).collect();
    let in_list: Vec<Option<Vec<Option<f64>>>> = floats.iter().map(|value| Some(vec![*value])).collect();
    let fields = Fields::from(vec![Field::new("f", DataType::Float64, true)]);
    let keys = Int8Array::from_iter_values(0..floats.len() as i8);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("d", doubles.clone()),
        ("s", Arc::new(singles)),
        ("h", Arc::new(halves)),
        ("l", Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(in_list))),
        ("t", Arc::new(StructArray::new(fields, vec![doubles.clone()], None))),
        ("c", Arc::new(DictionaryArray::<Int8Type>::new(keys, doubles))),
    ];
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap().into()
}

const FILTERS: [&str; 12] = [
    "{c} > 5",
    "{c} >= 'nan'",
    "{c} = 'nan'",
    "{c} IN (1, 'nan')",
    "{c} <> 1",
    "{c} < 0",
    "{c} = 0",
    "{c} = '-0.0'::DOUBLE",
    "NOT ({c} <= 5)",
    "{c} BETWEEN 3 AND 'nan'",
    "{c} IS NOT DISTINCT FROM 'nan'",
    "{c} IS NULL",
];

const OTHERS: [&str; 6] = [
    "SELECT max({c}) FROM {t}",
    "SELECT min({c}) FROM {t}",
    "SELECT {c} FROM {t} ORDER BY {c} DESC NULLS LAST LIMIT 1",
    "SELECT count(*) FROM {t} JOIN (VALUES ('nan'::DOUBLE), (1)) v(x) ON {c} = x",
    "SELECT count(*) FROM {t} JOIN (VALUES (2.5::DOUBLE)) v(x) ON {c} > x",
    "SELECT count(*) FROM {t} WHERE {c} = (SELECT max({c}) FROM {t})",
];

/// Asks the table `t`, and its rows in memory, where there are no statistics, the same.
async fn check(polarway: &Polarway, what: &str) {
    for column in ["d", "s", "h", "l[1]", "t.f", "c"] {
        let filters = FILTERS.iter().map(|filter| format!("SELECT count(*) FROM {{t}} WHERE {filter}"));
        let questions = filters.chain(OTHERS.iter().map(|text| (*text).to_owned()));
        let together: Vec<String> = questions.map(|text| format!("({text})")).collect();
        let sql = format!("SELECT unnest([{}])", together.join(", ")).replace("{c}", column);
        let stored = polarway.query(&sql.replace("{t}", "t")).await.unwrap();
        let plain = format!("WITH k AS MATERIALIZED (FROM t) {}", sql.replace("{t}", "k"));
        let plain = polarway.query(&plain).await.unwrap();
        assert_eq!(lines(&stored), lines(&plain), "the answers of {sql} over {what}");
    }
}

const TABLES: [&[Option<f64>]; 5] = [
    &[Some(1.0), Some(f64::NAN), Some(2.0)],
    &[Some(f64::NAN), Some(f64::NAN), None, Some(7.0)],
    &[Some(0.0), Some(-0.0), Some(1.0), Some(-1.0)],
    &[Some(-0.0), None, Some(-3.0), Some(f64::from_bits(0xfff8_0000_0000_0000))],
    &[Some(f64::INFINITY), Some(f64::NAN), Some(f64::NEG_INFINITY), Some(1.0)],
];

#[tokio::test]
async fn filters_aggregates_orders_and_joins_find_nan_and_both_zeros() {
    for floats in TABLES {
        let (polarway, _folder) = engine().await;
        polarway.store("t", table(floats)).await.unwrap();
        for value in floats {
            polarway.append("t", table(&[*value])).await.unwrap();
        }
        check(&polarway, &format!("{floats:?}, together and row by row")).await;
    }
}
