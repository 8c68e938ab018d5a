//! Times with a zone are computed as DuckDB computes them, up to their limits.

use crate::engines::{Engines, Outcome};

/// Times in microseconds: among them the first and the last ones, and those with odd milliseconds that are no DOUBLE.
const TIMES: [i64; 12] = [
    0,
    -1,
    -1_500,
    1_709_254_799_999_999,
    1_706_655_600_000_500,
    -62_135_596_800_000_000,
    -62_162_000_000_000_001,
    9_007_199_254_740_993_001,
    9_223_372_036_854_774_999,
    9_223_372_036_854_775_806,
    -9_223_372_022_400_000_000,
    -9_223_372_022_399_000_999,
];

const INTERVALS: [&str; 14] = [
    "0 days",
    "1 month 1 day",
    "1 month -1 day",
    "-1 month 2 days -2 hours",
    "13 months 36 hours 0.0007 seconds",
    "-13 months -36 hours -0.0007 seconds",
    "1 microsecond",
    "-1 microsecond",
    "999 milliseconds",
    "1.001 seconds",
    "10 days",
    "1 year -365 days 1 hour -1 minute",
    "600000 years",
    "2000000 years -700000000 days",
];

/// A table for each time: DuckDB computes some functions for all values in the dictionary of a file's column, also for those of rows
/// that it has left out, and fails where one of these does.
fn engines() -> Engines {
    let mut engines = Engines::new();
    for (place, micros) in TIMES.iter().enumerate() {
        let row = format!("SELECT make_timestamptz({micros}) AS z, make_timestamp({micros}) AS ts");
        engines.add_query(&format!("t{place}"), &row);
    }
    engines
}

/// The numbers of times for which both engines give the same, and both fail.
fn asked_of_each(engines: &Engines, value: &str) -> (usize, usize) {
    let (mut same, mut failing) = (0, 0);
    for place in 0..TIMES.len() {
        let sql = format!("SELECT {value} FROM t{place}");
        match engines.ask(&sql) {
            Outcome::Same => same += 1,
            Outcome::BothFail => failing += 1,
            other => panic!("{sql}: {other:?}"),
        }
    }
    (same, failing)
}

#[test]
fn an_interval_moves_each_time_as_duckdb_moves_it() {
    let engines = engines();
    let (mut same, mut failing) = (0, 0);
    for interval in INTERVALS {
        for operator in ["+", "-"] {
            for time in ["z", "ts"] {
                let asked = asked_of_each(&engines, &format!("{time} {operator} INTERVAL '{interval}'"));
                (same, failing) = (same + asked.0, failing + asked.1);
            }
        }
    }
    assert!(same > 400 && failing > 100, "{same} are the same, {failing} fail");
}

#[test]
fn each_time_is_cut_to_its_parts_as_duckdb_cuts_it() {
    let engines = engines();
    for part in ["year", "quarter", "month", "week", "day", "hour", "second", "millisecond", "microsecond"] {
        asked_of_each(
            &engines,
            &format!("date_trunc('{part}', z), date_part('{part}', z), date_part('{part}', ts)"),
        );
        asked_of_each(&engines, &format!("date_trunc('{part}', ts)"));
    }
}

#[test]
fn each_time_is_cast_as_duckdb_casts_it() {
    let engines = engines();
    let values = [
        "CAST(z AS VARCHAR), CAST(z AS DATE), dayname(z), CAST(ts AS DATE), CAST(ts AS VARCHAR)",
        "CAST(z AS TIMESTAMP)",
        "CAST(ts AS TIMESTAMPTZ)",
        "TRY_CAST(z AS TIMESTAMP)",
        "TRY_CAST(ts AS TIMESTAMPTZ)",
    ];
    for value in values {
        let (same, failing) = asked_of_each(&engines, value);
        assert!(same >= TIMES.len() - 1 && same + failing == TIMES.len(), "{value}");
    }
}

#[test]
fn a_date_beyond_all_times_has_parts() {
    let engines = engines();
    let sql = "SELECT year(d), month(d), dayofyear(d), week(d), dayname(d), last_day(d), CAST(d AS VARCHAR) \
               FROM (SELECT make_date(5000000 + year(z), 12, 31) AS d FROM t0)";
    assert_eq!(engines.ask(sql), Outcome::Same);
    assert_eq!(
        engines.ask("SELECT CAST(make_date(5000000 + year(z), 1, 1) AS TIMESTAMPTZ) FROM t0"),
        Outcome::BothFail
    );
}
