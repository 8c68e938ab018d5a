//! Medians, ratios and verdicts, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::measures::{Measure, Rival};
use super::peers::Table;

/// How many times the bytes that a measure needs may come from the bucket.
const MOST_RECEIVED_PER_NEEDED: f64 = 1.2;

/// Everything one run measured.
pub(super) struct Report {
    pub(super) table: Table,
    pub(super) rounds: usize,
    pub(super) measurements: Vec<Measurement>,
}

/// The seconds of one measure, round by round.
pub(super) struct Measurement {
    measure: &'static Measure,
    pub(super) ours: Vec<f64>,
    /// In the order of the measure's rivals.
    pub(super) rivals: Vec<Vec<f64>>,
    /// How many times the bytes that we needed came from the bucket, where that is known.
    pub(super) received_per_needed: Vec<f64>,
}

impl Measurement {
    pub(super) fn new(measure: &'static Measure) -> Self {
        let rivals = vec![Vec::new(); measure.rivals.len()];
        Self { measure, ours: Vec::new(), rivals, received_per_needed: Vec::new() }
    }

    fn limit_verdict(&self) -> Option<bool> {
        self.measure.limit_seconds.map(|limit| median(&self.ours) <= limit)
    }

    /// How many times the bytes that were needed came from the bucket, and whether that is few enough.
    fn received(&self) -> Option<(f64, bool)> {
        let times = median(&self.received_per_needed);
        (!times.is_nan()).then_some((times, times <= MOST_RECEIVED_PER_NEEDED))
    }

    /// How many times as fast as the rival we are, and whether that is enough.
    fn against(&self, rival: usize) -> (f64, Option<bool>) {
        let (ours, theirs) = (median(&self.ours), median(&self.rivals[rival]));
        let Rival { at_least, slack_seconds, .. } = self.measure.rivals[rival];
        // Each round's pair ran under the same load: the median of the differences says more than that of either.
        let over: Vec<f64> =
            self.ours.iter().zip(&self.rivals[rival]).map(|(ours, theirs)| ours - theirs).collect();
        let is_too_little_to_count = slack_seconds > 0.0 && median(&over) <= slack_seconds;
        let ratio = theirs / ours;
        (ratio, at_least.map(|bar| ratio >= bar || is_too_little_to_count))
    }
}

impl Report {
    /// A table of medians: who, how long, how much of it per second, how we compare, and the bar.
    pub(super) fn to_text(&self) -> String {
        let Table { rows, arrow_bytes, peers, .. } = &self.table;
        let megabytes = arrow_bytes / 1_000_000;
        let mut text = format!(
            "\n{rows} rows × 8 columns, {megabytes} MB in Arrow; medians of {} rounds; {} cores; {peers}\n",
            self.rounds,
            cores()
        );
        for measurement in &self.measurements {
            text += &format!("\n{}: {}\n", measurement.measure.name, measurement.measure.about);
            text += &self.line("polarway", measurement, &measurement.ours, &limit_words(measurement));
            if let Some((times, passed)) = measurement.received() {
                writeln!(
                    text,
                    "  {:28}{times:.2} times the bytes of these columns came, at most {MOST_RECEIVED_PER_NEEDED}: {}",
                    "",
                    word(passed)
                )
                .ok();
            }
            for (index, rival) in measurement.measure.rivals.iter().enumerate() {
                text += &self.line(
                    rival.name,
                    measurement,
                    &measurement.rivals[index],
                    &rival_words(measurement, index),
                );
            }
        }
        let verdicts: Vec<bool> = self.measurements.iter().flat_map(verdicts).collect();
        let passed = verdicts.iter().filter(|passed| **passed).count();
        writeln!(text, "\n{passed} of {} bars passed", verdicts.len()).ok();
        text
    }

    fn line(&self, name: &str, measurement: &Measurement, seconds: &[f64], words: &str) -> String {
        let (lowest, highest) = extremes(seconds);
        let spread = format!("{} – {}", duration(lowest), duration(highest));
        let throughput = if measurement.measure.moves_the_table {
            format!("{:.2} GB/s", self.table.arrow_bytes as f64 / 1e9 / median(seconds))
        } else {
            String::new()
        };
        let line = format!("  {name:28}{:>10}  {spread:23}{throughput:11}{words}", duration(median(seconds)));
        format!("{}\n", line.trim_end())
    }

    /// The same with every round's seconds.
    pub(super) fn to_json(&self) -> String {
        let measures: Vec<Value> = self.measurements.iter().map(measure_json).collect();
        let report = json!({
            "rows": self.table.rows,
            "arrow_bytes": self.table.arrow_bytes,
            "rounds": self.rounds,
            "cores": cores(),
            "peers": self.table.peers,
            "measures": measures,
        });
        format!("{report:#}\n")
    }
}

fn measure_json(measurement: &Measurement) -> Value {
    let rivals: Vec<Value> = measurement
        .measure
        .rivals
        .iter()
        .enumerate()
        .map(|(index, rival)| {
            let (ratio, passed) = measurement.against(index);
            json!({
                "name": rival.name,
                "median_seconds": median(&measurement.rivals[index]),
                "seconds": measurement.rivals[index],
                "times_as_fast": ratio,
                "at_least": rival.at_least,
                "passed": passed,
            })
        })
        .collect();
    json!({
        "name": measurement.measure.name,
        "median_seconds": median(&measurement.ours),
        "seconds": measurement.ours,
        "limit_seconds": measurement.measure.limit_seconds,
        "passed": measurement.limit_verdict(),
        "received_per_needed": measurement.received().map(|(times, _)| times),
        "rivals": rivals,
    })
}

fn limit_words(measurement: &Measurement) -> String {
    match (measurement.measure.limit_seconds, measurement.limit_verdict()) {
        (Some(limit), Some(passed)) => format!("at most {}: {}", duration(limit), word(passed)),
        _ => String::new(),
    }
}

fn rival_words(measurement: &Measurement, rival: usize) -> String {
    let (ratio, passed) = measurement.against(rival);
    match (measurement.measure.rivals[rival].at_least, passed) {
        (Some(bar), Some(passed)) => {
            format!("polarway is {ratio:.2} times as fast, at least {bar:.3}: {}", word(passed))
        }
        _ => format!("polarway is {ratio:.2} times as fast"),
    }
}

fn verdicts(measurement: &Measurement) -> impl Iterator<Item = bool> {
    let rivals = (0..measurement.rivals.len()).filter_map(|rival| measurement.against(rival).1);
    let received = measurement.received().map(|(_, passed)| passed);
    measurement.limit_verdict().into_iter().chain(received).chain(rivals)
}

pub(super) fn word(passed: bool) -> &'static str {
    if passed { "pass" } else { "FAIL" }
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(super) fn median(seconds: &[f64]) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}

fn extremes(seconds: &[f64]) -> (f64, f64) {
    let lowest = seconds.iter().copied().fold(f64::NAN, f64::min);
    let highest = seconds.iter().copied().fold(f64::NAN, f64::max);
    (lowest, highest)
}

/// Three digits that matter, in the unit that keeps them readable.
pub(super) fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds.abs() {
        magnitude if magnitude < 1e-3 => (seconds * 1e6, "µs"),
        magnitude if magnitude < 1.0 => (seconds * 1e3, "ms"),
        _ => (seconds, "s"),
    };
    let decimals = match value.abs() {
        magnitude if magnitude < 10.0 => 2,
        magnitude if magnitude < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::measures::Party;
    use super::*;

    const STORE: Measure = Measure {
        name: "store",
        about: "store a table",
        moves_the_table: true,
        limit_seconds: Some(0.6),
        rivals: &[
            Rival { name: "slow", by: Party::Peers, at_least: Some(1.5), slack_seconds: 0.0 },
            Rival { name: "fast", by: Party::Peers, at_least: None, slack_seconds: 0.0 },
        ],
    };

    fn report(ours: &[f64]) -> Report {
        let measurement = Measurement {
            ours: ours.to_vec(),
            rivals: vec![vec![1.0], vec![0.25]],
            ..Measurement::new(&STORE)
        };
        let table =
            Table { folder: PathBuf::new(), rows: 10, arrow_bytes: 1_000_000_000, peers: String::new() };
        Report { table, rounds: ours.len(), measurements: vec![measurement] }
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two_there() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_few_milliseconds_over_a_rival_do_not_count_where_they_are_allowed() {
        const SHORT: Measure = Measure {
            rivals: &[Rival { name: "r", by: Party::Peers, at_least: Some(0.95), slack_seconds: 5e-3 }],
            ..STORE
        };
        let measured = |ours: f64| Measurement {
            ours: vec![ours],
            rivals: vec![vec![0.010]],
            ..Measurement::new(&SHORT)
        };
        assert_eq!(measured(0.014).against(0).1, Some(true));
        assert_eq!(measured(0.016).against(0).1, Some(false));
    }

    #[test]
    fn a_duration_has_three_digits_and_a_unit() {
        let expected = [
            (0.000_004_56, "4.56 µs"),
            (0.0123, "12.3 ms"),
            (0.999, "999 ms"),
            (2.5, "2.50 s"),
            (-0.002, "-2.00 ms"),
        ];
        for (seconds, expect) in expected {
            assert_eq!(duration(seconds), expect);
        }
    }

    #[test]
    fn what_meets_its_bars_passes() {
        let text = report(&[0.4, 0.5, 0.6]).to_text();
        assert!(text.contains("at most 600 ms: pass"), "{text}");
        assert!(text.contains("polarway is 2.00 times as fast, at least 1.500: pass"), "{text}");
        assert!(text.contains("polarway is 0.50 times as fast\n"), "{text}");
        assert!(text.contains("2.00 GB/s"), "{text}");
        assert!(text.contains("2 of 2 bars passed"), "{text}");
    }

    #[test]
    fn what_misses_its_bars_fails() {
        let text = report(&[0.8]).to_text();
        assert!(text.contains("at most 600 ms: FAIL"), "{text}");
        assert!(text.contains("polarway is 1.25 times as fast, at least 1.500: FAIL"), "{text}");
        assert!(text.contains("0 of 2 bars passed"), "{text}");
    }

    #[test]
    fn more_bytes_than_a_query_needs_fail() {
        for (received, verdict) in [(1.1, "at most 1.2: pass"), (1.3, "at most 1.2: FAIL")] {
            let mut report = report(&[0.4]);
            report.measurements[0].received_per_needed = vec![received];
            assert!(report.to_text().contains(verdict), "{}", report.to_text());
            assert!(report.to_text().contains("of 3 bars passed"), "{}", report.to_text());
        }
    }

    #[test]
    fn programs_read_the_same_verdicts() {
        let json: Value = serde_json::from_str(&report(&[0.8]).to_json()).unwrap();
        let measure = &json["measures"][0];
        assert_eq!((&measure["passed"], &measure["rivals"][0]["passed"]), (&json!(false), &json!(false)));
        assert_eq!((&measure["seconds"], &measure["rivals"][1]["passed"]), (&json!([0.8]), &json!(null)));
    }
}
