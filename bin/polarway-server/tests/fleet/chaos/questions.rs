//! Queries for several workers, whose answers can be computed without a table.

use std::collections::BTreeMap;
use std::ops::Range;

use polarway_client::{DistributedClient, Table};

use super::model::compare;
use super::table::{numbers_of, rows_of, table_of};

/// The rows of the large table. It has several files.
const MANY: i64 = 240_000;
const FILES: i64 = 6;

/// The rows of the small one.
const FEW: i64 = 10_000;

/// Stores the tables.
pub(super) async fn prepare(client: &DistributedClient) {
    client.store("few", table_of(0..FEW)).await.unwrap();
    client.store("many", table_of(0..0)).await.unwrap();
    for file in 0..FILES {
        let rows = file * MANY / FILES..(file + 1) * MANY / FILES;
        client.append("many", table_of(rows)).await.unwrap();
    }
}

/// A query, and its only right answer.
pub(super) struct Question {
    pub(super) name: &'static str,
    pub(super) sql: String,
    answer: Answer,
}

enum Answer {
    /// Rows of whole numbers, in this order.
    Rows(Vec<Vec<i64>>),
    /// The rows with these numbers, each with its text, in this order.
    Ordered(Vec<i64>),
    /// The rows with these numbers, each with its text, in any order.
    Unordered(Range<i64>),
}

impl Question {
    /// Some question. Each takes another shape of plans.
    pub(super) fn pick(noise: &mut fastrand::Rng) -> Self {
        let from = noise.i64(0..MANY);
        let to = noise.i64(from..=MANY);
        match noise.u32(..7) {
            0 => groups(from..to, noise.i64(1..200)),
            1 => join(noise.i64(1..60)),
            2 => left_out(from..to),
            3 => last(noise.i64(1..100)),
            4 => kinds(from..to, noise.i64(1..50_000)),
            5 => pairs(noise.i64(20..80)),
            _ => all(from..to),
        }
    }

    /// # Errors
    /// Where a table is not the answer.
    pub(super) fn check(&self, found: &Table) -> Result<(), String> {
        let wrong = |what: String| Err(format!("{}: {what}", self.sql));
        match &self.answer {
            Answer::Rows(expected) => match rows_of(found) {
                rows if rows == *expected => Ok(()),
                rows => wrong(format!("{rows:?} and not {expected:?}")),
            },
            Answer::Ordered(expected) => match numbers_of(found)? {
                numbers if numbers == *expected => Ok(()),
                numbers => wrong(format!("{} rows or others, and not {}", numbers.len(), expected.len())),
            },
            Answer::Unordered(expected) => {
                let mut numbers = numbers_of(found)?;
                numbers.sort_unstable();
                compare(&self.sql, std::slice::from_ref(expected), &numbers)
            }
        }
    }
}

fn groups(rows: Range<i64>, keys: i64) -> Question {
    let mut expected: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for number in rows.clone() {
        let (count, sum) = expected.entry(number % keys).or_default();
        *count += 1;
        *sum += number;
    }
    Question {
        name: "groups",
        sql: format!(
            "SELECT n % {keys} AS k, count(*), sum(n)::BIGINT FROM many WHERE n >= {} AND n < {} GROUP BY k ORDER BY k",
            rows.start, rows.end
        ),
        answer: Answer::Rows(expected.into_iter().map(|(key, (count, sum))| vec![key, count, sum]).collect()),
    }
}

fn join(factor: i64) -> Question {
    let matching = FEW.min((MANY - 1) / factor + 1);
    Question {
        name: "join",
        sql: format!("SELECT count(*), sum(few.n)::BIGINT FROM many JOIN few ON many.n = few.n * {factor}"),
        answer: Answer::Rows(vec![vec![matching, matching * (matching - 1) / 2]]),
    }
}

fn left_out(rows: Range<i64>) -> Question {
    let inside = (rows.end.min(FEW) - rows.start).max(0);
    Question {
        name: "left out",
        sql: format!(
            "SELECT count(*) FROM many WHERE n >= {} AND n < {} AND n NOT IN (SELECT n FROM few)",
            rows.start, rows.end
        ),
        answer: Answer::Rows(vec![vec![rows.end - rows.start - inside]]),
    }
}

fn last(step: i64) -> Question {
    let expected = (0..MANY).rev().filter(|number| number % step == 0).take(1_000);
    Question {
        name: "last",
        sql: format!("SELECT n, text FROM many WHERE n % {step} = 0 ORDER BY n DESC LIMIT 1000"),
        answer: Answer::Ordered(expected.collect()),
    }
}

fn kinds(rows: Range<i64>, keys: i64) -> Question {
    let count = (rows.end - rows.start).min(keys);
    Question {
        name: "kinds",
        sql: format!(
            "SELECT count(DISTINCT n % {keys}) FROM many WHERE n >= {} AND n < {}",
            rows.start, rows.end
        ),
        answer: Answer::Rows(vec![vec![count]]),
    }
}

/// It takes longer than the others, so that more of them meet a worker that goes.
fn pairs(keys: i64) -> Question {
    let of_key = |key: i64| (FEW - 1 - key) / keys + 1;
    let pairs = (0..keys).map(|key| of_key(key) * (of_key(key) - 1) / 2).sum();
    Question {
        name: "pairs",
        sql: format!(
            "SELECT count(*) FROM few AS a JOIN few AS b ON a.n % {keys} = b.n % {keys} WHERE a.n < b.n"
        ),
        answer: Answer::Rows(vec![vec![pairs]]),
    }
}

fn all(rows: Range<i64>) -> Question {
    Question {
        name: "all",
        sql: format!("SELECT n, text FROM many WHERE n >= {} AND n < {}", rows.start, rows.end),
        answer: Answer::Unordered(rows),
    }
}
