use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::{Int8Type, IntervalMonthDayNano};
use arrow_array::*;
use arrow_buffer::{OffsetBuffer, i256};

use super::*;
use crate::DUCKDB_TYPE_KEY;

/// The text of each value of a column whose field says that it was of this type in SQL.
fn texts_of(array: ArrayRef, duckdb_type: Option<&str>) -> Vec<String> {
    let metadata = duckdb_type.map(|name| (DUCKDB_TYPE_KEY.to_owned(), name.to_owned()));
    let field = Field::new("c", array.data_type().clone(), true)
        .with_metadata(metadata.into_iter().collect::<HashMap<_, _>>());
    let options = text_options("NULL");
    let formatter = texts(array.as_ref(), &field, &options).unwrap();
    (0..array.len()).map(|row| formatter.value(row).try_to_string().unwrap()).collect()
}

#[track_caller]
fn check(array: impl Array + 'static, expect: &[&str]) {
    assert_eq!(texts_of(Arc::new(array), None), expect);
}

#[test]
fn dates_over_the_whole_range_of_their_type() {
    let days = vec![0, -1, 59, 11_016, 19_782, -719_528, -719_529, 2_932_896, 2_932_897, i32::MAX, i32::MIN];
    check(
        Date32Array::from(days),
        &[
            "1970-01-01",
            "1969-12-31",
            "1970-03-01",
            "2000-02-29",
            "2024-02-29",
            "0000-01-01",
            "-0001-12-31",
            "9999-12-31",
            "+10000-01-01",
            "+5881580-07-11",
            "-5877641-06-23",
        ],
    );
    check(
        Date64Array::from(vec![Some(1), Some(i64::MAX), Some(i64::MIN), None]),
        &[
            "1970-01-01T00:00:00.001",
            "+292278994-08-17T07:12:55.807",
            "-292275055-05-16T16:47:04.192",
            "NULL",
        ],
    );
}

#[test]
fn times_of_day_up_to_its_end_and_beyond() {
    check(Time32SecondArray::from(vec![0, 86_399, 86_400]), &["00:00:00", "23:59:59", "24:00:00"]);
    check(Time32MillisecondArray::from(vec![86_400_000, -1]), &["24:00:00", "-00:00:00.001"]);
    check(
        Time64MicrosecondArray::from(vec![86_400_000_000, 1, i64::MAX, i64::MIN]),
        &["24:00:00", "00:00:00.000001", "2562047788:00:54.775807", "-2562047788:00:54.775808"],
    );
    check(Time64NanosecondArray::from(vec![86_400_000_000_000, 1]), &["24:00:00", "00:00:00.000000001"]);
}

#[test]
fn timestamps_over_the_whole_range_of_every_unit() {
    check(
        TimestampSecondArray::from(vec![-1, i64::MAX, i64::MIN]),
        &["1969-12-31T23:59:59", "+292277026596-12-04T15:30:07", "-292277022657-01-27T08:29:52"],
    );
    check(
        TimestampMillisecondArray::from(vec![1, i64::MAX, i64::MIN]),
        &["1970-01-01T00:00:00.001", "+292278994-08-17T07:12:55.807", "-292275055-05-16T16:47:04.192"],
    );
    check(
        TimestampMicrosecondArray::from(vec![-1, i64::MAX, i64::MIN]),
        &["1969-12-31T23:59:59.999999", "+294247-01-10T04:00:54.775807", "-290308-12-21T19:59:05.224192"],
    );
    check(
        TimestampNanosecondArray::from(vec![-1, i64::MAX, i64::MIN]),
        &["1969-12-31T23:59:59.999999999", "2262-04-11T23:47:16.854775807", "1677-09-21T00:12:43.145224192"],
    );
}

#[test]
fn moments_are_told_in_their_zone_or_in_utc_where_it_is_not_known() {
    let times = |zone: &str| TimestampMicrosecondArray::from(vec![0, i64::MAX]).with_timezone(zone);
    let far = "+294247-01-10T04:00:54.775807Z";
    check(times("UTC"), &["1970-01-01T00:00:00Z", far]);
    check(times("Europe/Berlin"), &["1970-01-01T01:00:00+01:00", far]);
    check(times("-03:30"), &["1969-12-31T20:30:00-03:30", far]);
    check(times("Mars/Olympus Mons"), &["1970-01-01T00:00:00Z", far]);
}

#[test]
fn the_ends_of_the_types_are_infinite_where_they_come_from_sql() {
    let ends = |end: i64| vec![end, -end, end - 1];
    let days: ArrayRef = Arc::new(Date32Array::from(vec![i32::MAX, -i32::MAX, i32::MAX - 1]));
    assert_eq!(texts_of(days, Some("DATE")), ["infinity", "-infinity", "+5881580-07-10"]);
    let times: [(ArrayRef, &str, &str); 3] = [
        (
            Arc::new(TimestampMicrosecondArray::from(ends(i64::MAX))),
            "TIMESTAMP",
            "+294247-01-10T04:00:54.775806",
        ),
        (
            Arc::new(TimestampNanosecondArray::from(ends(i64::MAX))),
            "TIMESTAMP_NS",
            "2262-04-11T23:47:16.854775806",
        ),
        (
            Arc::new(TimestampMicrosecondArray::from(ends(i64::MAX)).with_timezone("UTC")),
            "TIMESTAMP WITH TIME ZONE",
            "+294247-01-10T04:00:54.775806Z",
        ),
    ];
    for (times, duckdb_type, last) in times {
        assert_eq!(texts_of(times, Some(duckdb_type)), ["infinity", "-infinity", last]);
    }
}

#[test]
fn every_time_that_arrow_can_write_is_written_as_arrow_does() {
    // A walk over days and units with a step that meets all parts of a time.
    for step in 0..2_000_i64 {
        let micros = (step - 1_000) * 7_777_777_777_777_777 / 7 + step * 1_001;
        let arrays: [ArrayRef; 5] = [
            Arc::new(TimestampMicrosecondArray::from(vec![micros])),
            Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("America/New_York")),
            Arc::new(TimestampNanosecondArray::from(vec![micros])),
            Arc::new(Date32Array::from(vec![i32::try_from(micros / 86_400_000_000).unwrap()])),
            Arc::new(DurationMicrosecondArray::from(vec![micros])),
        ];
        for array in arrays {
            let arrows =
                ArrayFormatter::try_new(array.as_ref(), &FormatOptions::new().with_display_error(false));
            let Ok(expect) = arrows.unwrap().value(0).try_to_string() else { continue };
            // Offsets that are not whole minutes are told in UTC.
            if array.data_type().to_string().contains("New_York") && micros < -2_717_650_800_000_000 {
                continue;
            }
            assert_eq!(texts_of(array, None), [expect]);
        }
    }
}

#[test]
fn durations_over_the_whole_range_of_every_unit() {
    check(
        DurationSecondArray::from(vec![0, 90, i64::MAX, i64::MIN]),
        &["P0D", "PT90S", "PT9223372036854775807S", "-PT9223372036854775808S"],
    );
    check(DurationMillisecondArray::from(vec![-1, i64::MIN]), &["-PT0.001S", "-PT9223372036854775.808S"]);
    check(DurationMicrosecondArray::from(vec![1_500_000, i64::MAX]), &["PT1.5S", "PT9223372036854.775807S"]);
    check(DurationNanosecondArray::from(vec![i64::MIN]), &["-PT9223372036.854775808S"]);
}

#[test]
fn decimals_have_all_their_digits_whatever_their_precision() {
    let decimals = |values: Vec<i128>, precision, scale| {
        Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap()
    };
    check(
        decimals(vec![i128::MAX, i128::MIN, 0], 38, 0),
        &["170141183460469231731687303715884105727", "-170141183460469231731687303715884105728", "0"],
    );
    check(
        decimals(vec![5, -5, 123_456, i128::MIN], 20, 3),
        &["0.005", "-0.005", "123.456", "-170141183460469231731687303715884105.728"],
    );
    check(decimals(vec![5, 0, -12], 5, -2), &["500", "0", "-1200"]);
    let wide =
        Decimal256Array::from(vec![i256::MAX, i256::from_i128(-1)]).with_precision_and_scale(76, 2).unwrap();
    check(wide, &["578960446186580977117854925043439539266349923328202820197287920039565648199.67", "-0.01"]);
    check(Decimal32Array::from(vec![i32::MIN]).with_precision_and_scale(4, 4).unwrap(), &["-214748.3648"]);
    check(
        Decimal64Array::from(vec![i64::MAX]).with_precision_and_scale(4, 1).unwrap(),
        &["922337203685477580.7"],
    );
}

#[test]
fn values_inside_of_nested_ones_and_dictionaries_are_whole_too() {
    let far = || Arc::new(TimestampMicrosecondArray::from(vec![Some(i64::MAX - 1), None])) as ArrayRef;
    let far_text = "+294247-01-10T04:00:54.775806";
    let item = Arc::new(Field::new_list_field(far().data_type().clone(), true));
    check(
        ListArray::new(item, OffsetBuffer::from_lengths([2]), far(), None),
        &[&format!("[{far_text}, NULL]")],
    );
    let field = Arc::new(Field::new("t", far().data_type().clone(), true));
    check(StructArray::from(vec![(field, far())]), &[&format!("{{t: {far_text}}}"), "{t: NULL}"]);
    let keys = PrimitiveArray::<Int8Type>::from(vec![Some(0), Some(1), None]);
    check(DictionaryArray::new(keys, far()), &[far_text, "NULL", "NULL"]);
    let no_values = Arc::new(Time32SecondArray::from(Vec::<i32>::new()));
    check(DictionaryArray::new(PrimitiveArray::<Int8Type>::from(vec![None]), no_values), &["NULL"]);
}

#[test]
fn a_part_of_an_array_has_its_own_values() {
    let times = TimestampSecondArray::from(vec![Some(0), None, Some(60), Some(120)]).slice(1, 2);
    check(times, &["NULL", "1970-01-01T00:01:00"]);
    let extremes =
        IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(i32::MIN, i32::MAX, i64::MIN)]);
    assert_eq!(texts_of(Arc::new(extremes), None).len(), 1);
}
