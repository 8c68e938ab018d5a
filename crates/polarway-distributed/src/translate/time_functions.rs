//! Functions of dates and times, by name and types.

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{Expr, cast, lit};

use super::scalar_functions::text;
use super::types::arrow_type;
use crate::bound::SqlType;
use crate::functions::{
    ADD_DAYS, ADD_INTERVAL, DATE_PART, DATE_TRUNC, DAY_NAME, LAST_DAY, MAKE_DATE, MAKE_TIME, MONTH_NAME,
    SUBTRACT, SUBTRACT_DAYS, SUBTRACT_INTERVAL,
};
use crate::refusal::Refusal;

/// Parts of times that are functions, or that `date_part` takes, by DuckDB's names.
const PARTS: [(&str, &str); 22] = [
    ("year", "year"),
    ("month", "month"),
    ("day", "day"),
    ("dayofmonth", "day"),
    ("decade", "decade"),
    ("quarter", "quarter"),
    ("hour", "hour"),
    ("minute", "minute"),
    ("second", "second"),
    ("millisecond", "millisecond"),
    ("milliseconds", "millisecond"),
    ("microsecond", "microsecond"),
    ("microseconds", "microsecond"),
    ("dayofweek", "dayofweek"),
    ("weekday", "dayofweek"),
    ("dow", "dayofweek"),
    ("isodow", "isodow"),
    ("dayofyear", "dayofyear"),
    ("doy", "dayofyear"),
    ("week", "week"),
    ("weekofyear", "week"),
    ("mon", "month"),
];

/// Parts that times with a zone count in another way.
const PARTS_WITHOUT_ZONE: [&str; 4] = ["century", "era", "isoyear", "yearweek"];

/// Parts that times are cut to.
const CUTS: [&str; 10] =
    ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond"];

/// A function by its name and the types of its arguments; `None` if it is not known.
pub(super) fn time_function(
    name: &str,
    output: &SqlType,
    types: &[SqlType],
    mut arguments: Vec<Expr>,
) -> Result<Option<Expr>, Refusal> {
    use SqlType::{BigInt, Date, Double, Integer, Interval, Timestamp, TimestampTz, Varchar};
    Ok(Some(match (name, types) {
        (part, [Date | Timestamp]) if PARTS_WITHOUT_ZONE.contains(&part) && *output == BigInt => {
            DATE_PART.call(vec![lit(part), arguments.remove(0)])
        }
        ("dayname", [Date | Timestamp | TimestampTz]) => DAY_NAME.call(arguments),
        ("monthname", [Date | Timestamp | TimestampTz]) => MONTH_NAME.call(arguments),
        ("last_day", [Date | Timestamp]) => LAST_DAY.call(arguments),
        ("make_date", [BigInt, BigInt, BigInt]) => MAKE_DATE.call(arguments),
        ("make_time", [BigInt, BigInt, Double]) => MAKE_TIME.call(arguments),
        (part, [Date | Timestamp | TimestampTz]) if part_of(part).is_some() && *output == BigInt => {
            DATE_PART.call(vec![lit(part_of(part).unwrap_or_default()), arguments.remove(0)])
        }
        ("date_part" | "datepart", [Varchar, Date | Timestamp | TimestampTz]) if *output == BigInt => {
            let Some(part) = text(&arguments[0]).and_then(|part| part_of(&part.to_lowercase())) else {
                return Ok(None);
            };
            DATE_PART.call(vec![lit(part), arguments.remove(1)])
        }
        ("date_trunc" | "datetrunc", [Varchar, Date | Timestamp | TimestampTz])
            if matches!(output, Timestamp | TimestampTz) =>
        {
            let part = text(&arguments[0]).map(|part| part.to_lowercase());
            let Some(part) = part.filter(|part| CUTS.contains(&part.as_str())) else { return Ok(None) };
            DATE_TRUNC.call(vec![lit(part), arguments.remove(1)])
        }
        ("+", [Date | Timestamp | TimestampTz, Interval]) => ADD_INTERVAL.call(arguments),
        ("+", [Interval, Date | Timestamp | TimestampTz]) => {
            arguments.reverse();
            ADD_INTERVAL.call(arguments)
        }
        ("-", [Date | Timestamp | TimestampTz, Interval]) => SUBTRACT_INTERVAL.call(arguments),
        ("+", [Date, Integer]) => ADD_DAYS.call(arguments),
        ("+", [Integer, Date]) => {
            arguments.reverse();
            ADD_DAYS.call(arguments)
        }
        ("-", [Date, Integer]) => SUBTRACT_DAYS.call(arguments),
        ("-", [Date, Date]) if *output == BigInt => {
            let output = arrow_type(output)?;
            let days = |date: Expr| cast(cast(date, DataType::Int32), output.clone());
            let right = arguments.remove(1);
            SUBTRACT.call(vec![days(arguments.remove(0)), days(right)])
        }
        _ => return Ok(None),
    }))
}

fn part_of(name: &str) -> Option<&'static str> {
    PARTS.iter().find(|(known, _)| *known == name).map(|(_, part)| *part)
}
