//! Medians, ratios and verdicts of queries on several workers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::report::{cores, duration, median, word};
use super::{FIGURES, MOST_WORKERS, Measured, Part, QUERIES, REPEATED, free, held, held_alone};

/// How many times as long three workers may take on the cores of one.
const MOST_OVERHEAD: f64 = 1.6;

/// How many times as fast three workers with cores of their own must be: in some queries, and in all together.
const LEAST_OF_QUERIES: f64 = 2.5;
const LEAST_OF_ALL: f64 = 2.0;

/// The workers that these bars are for.
const WORKERS: usize = 3;

/// Everything one run measured.
pub(in super::super) struct Report {
    pub(super) parts: Vec<Part>,
    pub(super) rounds: usize,
    pub(super) measured: BTreeMap<String, Measured>,
}

impl Report {
    /// Tables of medians, with the bars.
    pub(in super::super) fn to_text(&self) -> String {
        let mut text = format!(
            "queries of several workers: TPC-H at scale 1, {} cores, medians of {} rounds\n",
            cores(),
            self.rounds
        );
        for part in &self.parts {
            text.push_str(&match part {
                Part::Overhead => self.overhead(),
                Part::Scaling => self.scaling(),
                Part::Figures => self.figures(),
            });
        }
        text
    }

    fn seconds(&self, name: &str) -> f64 {
        self.measured.get(name).map_or(f64::NAN, |measured| median(&measured.seconds))
    }

    fn sum(&self, name: impl Fn(usize) -> String) -> f64 {
        (1..=QUERIES).map(|query| self.seconds(&name(query))).sum()
    }

    /// How many times as long three workers take as one on the same cores: by the geometric mean of all queries.
    fn overhead_ratio(&self) -> f64 {
        let logarithm =
            |query| (self.seconds(&free("distributed", query)) / self.seconds(&free("local", query))).ln();
        ((1..=QUERIES).map(logarithm).sum::<f64>() / QUERIES as f64).exp()
    }

    fn overhead(&self) -> String {
        let mut text = "\nDuckDB on one worker, and three workers together, all on the same cores\n\
                        query        alone   together      times as long\n"
            .to_owned();
        let mut line = |name: &str, alone: f64, together: f64| {
            let (times, alone, together) = (together / alone, duration(alone), duration(together));
            writeln!(text, "{name:8}{alone:>10} {together:>10}   {times:16.2}").ok();
        };
        for query in 1..=QUERIES {
            let seconds = |engine| self.seconds(&free(engine, query));
            line(&query.to_string(), seconds("local"), seconds("distributed"));
        }
        let sum = |engine| self.sum(|query| free(engine, query));
        line("all", sum("local"), sum("distributed"));
        let ratio = self.overhead_ratio();
        let verdict = word(ratio <= MOST_OVERHEAD);
        writeln!(text, "geometric mean {ratio:.2} times as long, at most {MOST_OVERHEAD}: {verdict}").ok();
        text
    }

    /// How many times as fast so many workers are as one, in one query or in all.
    fn speedup(&self, workers: usize, query: Option<usize>) -> f64 {
        match query {
            Some(query) => self.seconds(&held(1, query)) / self.seconds(&held(workers, query)),
            None => self.sum(|query| held(1, query)) / self.sum(|query| held(workers, query)),
        }
    }

    fn scaling(&self) -> String {
        let mut text = "\nworkers with a tenth of a core each, and DuckDB on one of them; \
                        queries without a bar of their own are run once\nquery       DuckDB"
            .to_owned();
        for workers in 1..=MOST_WORKERS {
            write!(text, "{workers:>10}").ok();
        }
        for workers in 2..=MOST_WORKERS {
            write!(text, "{:>9}", format!("{workers} to 1")).ok();
        }
        for query in (1..=QUERIES).map(Some).chain([None]) {
            let name = query.map_or_else(|| "all".to_owned(), |query| query.to_string());
            let seconds = |name: &dyn Fn(usize) -> String| match query {
                Some(query) => self.seconds(&name(query)),
                None => self.sum(name),
            };
            write!(text, "\n{name:8}{:>10}", duration(seconds(&held_alone))).ok();
            for workers in 1..=MOST_WORKERS {
                write!(text, "{:>10}", duration(seconds(&|query| held(workers, query)))).ok();
            }
            for workers in 2..=MOST_WORKERS {
                write!(text, "{:9.2}", self.speedup(workers, query)).ok();
            }
        }
        text.push('\n');
        for (query, speedup, least) in self.bars_of_scaling() {
            let name = query.map_or_else(|| "all queries".to_owned(), |query| format!("query {query}"));
            let verdict = word(speedup >= least);
            let line = format!("{name}: {WORKERS} workers are {speedup:.2} times as fast as one");
            writeln!(text, "{line}, at least {least:.1}: {verdict}").ok();
        }
        text
    }

    fn bars_of_scaling(&self) -> Vec<(Option<usize>, f64, f64)> {
        let queries = REPEATED.map(|query| (Some(query), LEAST_OF_QUERIES));
        let bars = queries.into_iter().chain([(None, LEAST_OF_ALL)]);
        bars.map(|(query, least)| (query, self.speedup(WORKERS, query), least)).collect()
    }

    fn figures(&self) -> String {
        let mut text = "\nbytes of files, and of rows\n".to_owned();
        for (name, about) in FIGURES {
            let seconds = self.seconds(name);
            let rate = self.bytes_per_second(name).unwrap_or(f64::NAN) / 1e6;
            writeln!(text, "{:>10} {rate:9.1} MB/s   {about}", duration(seconds)).ok();
        }
        text
    }

    fn bytes_per_second(&self, name: &str) -> Option<f64> {
        let bytes = self.measured.get(name)?.bytes?;
        Some(bytes as f64 / self.seconds(name))
    }

    /// The same with every round's seconds.
    pub(in super::super) fn to_json(&self) -> String {
        let measures: Vec<Value> = self
            .measured
            .iter()
            .map(|(name, measured)| {
                json!({
                    "name": name,
                    "median_seconds": median(&measured.seconds),
                    "seconds": measured.seconds,
                    "bytes": measured.bytes,
                    "bytes_per_second": self.bytes_per_second(name),
                })
            })
            .collect();
        let bars: Vec<Value> = self
            .bars_of_scaling()
            .into_iter()
            .map(|(query, speedup, least)| json!({"query": query, "speedup": speedup, "at_least": least}))
            .collect();
        let report = json!({
            "rounds": self.rounds,
            "cores": cores(),
            "overhead": self.overhead_ratio(),
            "scaling": bars,
            "measures": measures,
        });
        format!("{report:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each query takes a second in DuckDB on all cores, and `overhead` seconds on three workers. With a tenth of a core it takes 12
    /// seconds, which `workers` workers share but for `rest`.
    fn report(overhead: f64, rest: f64) -> Report {
        let mut measured = BTreeMap::new();
        let mut add = |name: String, seconds: f64| {
            measured.insert(name, Measured { seconds: vec![seconds], bytes: None });
        };
        for query in 1..=QUERIES {
            add(free("local", query), 1.0);
            add(free("distributed", query), overhead);
            add(held_alone(query), 10.0);
            for workers in 1..=MOST_WORKERS {
                add(held(workers, query), rest + (12.0 - rest) / workers as f64);
            }
        }
        measured.insert(FIGURES[0].0.to_owned(), Measured { seconds: vec![2.0], bytes: Some(50_000_000) });
        Report { parts: Part::ALL.to_vec(), rounds: 1, measured }
    }

    #[test]
    fn what_meets_its_bars_passes() {
        let text = report(1.5, 0.5).to_text();
        assert!(text.contains("geometric mean 1.50 times as long, at most 1.6: pass"), "{text}");
        assert!(
            text.contains("query 18: 3 workers are 2.77 times as fast as one, at least 2.5: pass"),
            "{text}"
        );
        assert!(
            text.contains("all queries: 3 workers are 2.77 times as fast as one, at least 2.0: pass"),
            "{text}"
        );
        assert!(text.contains("25.0 MB/s"), "{text}");
    }

    #[test]
    fn what_misses_its_bars_fails() {
        let text = report(1.7, 3.0).to_text();
        assert!(text.contains("geometric mean 1.70 times as long, at most 1.6: FAIL"), "{text}");
        assert!(
            text.contains("query 6: 3 workers are 2.00 times as fast as one, at least 2.5: FAIL"),
            "{text}"
        );
        assert!(
            text.contains("all queries: 3 workers are 2.00 times as fast as one, at least 2.0: pass"),
            "{text}"
        );
    }

    #[test]
    fn the_mean_of_ratios_is_the_geometric_one() {
        let mut report = report(1.0, 0.0);
        let of_first = |seconds| Measured { seconds: vec![seconds], bytes: None };
        report.measured.insert(free("distributed", 1), of_first(4.0));
        report.measured.insert(free("distributed", 2), of_first(0.25));
        assert!((report.overhead_ratio() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn only_the_parts_that_were_measured_are_told() {
        let report = Report { parts: vec![Part::Overhead], ..report(1.5, 0.5) };
        let text = report.to_text();
        assert!(text.contains("geometric mean") && !text.contains("tenth of a core"), "{text}");
    }

    #[test]
    fn programs_read_the_same_numbers() {
        let json: Value = serde_json::from_str(&report(1.5, 0.5).to_json()).unwrap();
        assert!((json["overhead"].as_f64().unwrap() - 1.5).abs() < 1e-9);
        assert_eq!(json["scaling"][3]["query"], Value::Null);
        let scan =
            json["measures"].as_array().unwrap().iter().find(|measure| measure["name"] == FIGURES[0].0);
        assert_eq!(scan.unwrap()["bytes_per_second"], json!(25_000_000.0));
    }
}
