//! A query with parameters means the same with their values as constants.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, ListArray,
    NullArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Int64Type;

use crate::engines::{Engines, Outcome};

fn values(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, value)| (name, value, true)))
        .unwrap()
}

fn number(value: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

fn null() -> ArrayRef {
    Arc::new(NullArray::new(1))
}

fn engines() -> Engines {
    let mut engines = Engines::new();
    let rows = "SELECT n, n % 3 AS k, 'x' || n AS s, DATE '2024-02-28' + CAST(n AS INTEGER) AS d, n / 7 AS x FROM range(20) AS r(n)";
    engines.add_query("t", rows);
    engines
}

#[test]
fn parameters_are_constants_of_their_types() {
    let engines = engines();
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(3), Some(5), None])]);
    for (sql, values) in [
        ("SELECT n + $1, s FROM t WHERE n > $2", vec![("1", number(7)), ("2", number(11))]),
        ("SELECT n FROM t WHERE s = ? OR n < ?", vec![("1", text("x4")), ("2", number(2))]),
        (
            "SELECT k, sum(n * $by) FROM t WHERE n <> $by GROUP BY k HAVING count(*) > $least",
            vec![("by", number(3)), ("least", number(6))],
        ),
        ("SELECT n FROM t WHERE s LIKE $Pattern", vec![("Pattern", text("x%"))]),
        ("SELECT n FROM t WHERE d = $1", vec![("1", text("2024-03-01"))]),
        ("SELECT n FROM t WHERE d >= $1", vec![("1", Arc::new(Date32Array::from(vec![19_790])))]),
        (
            "SELECT d < $1 FROM t",
            vec![("1", Arc::new(TimestampMicrosecondArray::from(vec![1_709_251_200_000_001])))],
        ),
        ("SELECT n FROM t ORDER BY n LIMIT $1 OFFSET $2", vec![("1", number(4)), ("2", number(3))]),
        ("SELECT n FROM t ORDER BY n LIMIT $1", vec![("1", null())]),
        ("SELECT n, $1, $1 IS NULL, coalesce($1, n) FROM t", vec![("1", null())]),
        (
            "SELECT $1 AND n > 3, $2, n * $2 FROM t",
            vec![
                ("1", Arc::new(BooleanArray::from(vec![true]))),
                ("2", Arc::new(Float64Array::from(vec![-0.5]))),
            ],
        ),
        (
            "SELECT n * $1, $1 FROM t",
            vec![("1", Arc::new(Decimal128Array::from(vec![1_250]).with_precision_and_scale(9, 3).unwrap()))],
        ),
        ("SELECT n, $1 FROM t WHERE n IN (SELECT unnest($1))", vec![("1", Arc::new(list))]),
        (
            "WITH c AS (SELECT ? AS m) SELECT count(*) FROM t, c WHERE n > m + ?",
            vec![("1", number(1)), ("2", number(2))],
        ),
        ("SELECT a.n FROM t AS a JOIN t AS b ON a.n = b.n + $1 WHERE b.k = $1", vec![("1", number(1))]),
        ("SELECT -$1,s||$1::VARCHAR FROM t", vec![("1", Arc::new(Int32Array::from(vec![5])))]),
        ("SELECT '$1', \"s\" /* $2 */ FROM t WHERE n = $1", vec![("1", number(5))]),
    ] {
        assert_eq!(engines.ask_with(sql, Some(&self::values(values))), Outcome::Same, "{sql}");
    }
}

#[test]
fn what_is_wrong_with_parameters_or_their_values_fails_in_both_engines() {
    let engines = engines();
    for (sql, values) in [
        ("SELECT n, count(*) FROM t GROUP BY $1", vec![("1", number(1))]),
        ("SELECT n FROM t ORDER BY $1", vec![("1", number(1))]),
        ("SELECT n FROM t WHERE n = $1", vec![("2", number(1))]),
        ("SELECT n FROM t WHERE n = $1", vec![("1", number(1)), ("2", number(1))]),
        ("SELECT n + $1 FROM t", vec![("1", number(i64::MAX))]),
        ("SELECT nothing FROM t WHERE n = $1", vec![("1", number(1))]),
    ] {
        assert_eq!(engines.ask_with(sql, Some(&self::values(values))), Outcome::BothFail, "{sql}");
    }
    assert_eq!(engines.ask("SELECT n FROM t WHERE n = $1"), Outcome::BothFail);
    let of_no_date =
        engines.ask_with("SELECT n FROM t WHERE d = $1", Some(&values(vec![("1", text("no date"))])));
    assert!(matches!(of_no_date, Outcome::Refused(_)), "{of_no_date:?}");
}

#[test]
fn a_query_that_knows_its_parameters_names_is_refused() {
    let engines = engines();
    for sql in ["SELECT \"$1\" + n FROM (SELECT $1, n FROM t)", "SELECT r FROM (SELECT $1, n FROM t) AS r"] {
        let outcome = engines.ask_with(sql, Some(&values(vec![("1", number(1))])));
        assert!(matches!(outcome, Outcome::Refused(_)), "{sql}: {outcome:?}");
    }
}
