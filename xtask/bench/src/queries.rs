//! Small queries, beside plain DuckDB over the same file in the same process.

use std::path::Path;

use anyhow::{Result, ensure};
use polarway_core::Polarway;

use crate::clock::{median, timed};
use crate::open;
use crate::plain::{Plain, scan_of};
use crate::whole_table::read_arrow;

/// Small, so that little but the overhead is left.
const ROWS: usize = 10_000;

/// Pairs of queries, one by Polarway and one by DuckDB, whose median difference is the answer.
const PAIRS: usize = 101;

/// What is asked of the table `{table}`; `{number}` makes a text like no other.
const TEXTS: [&str; 2] = [
    "SELECT count(*) + {number} FROM {table}",
    "SELECT id, symbol, price FROM {table} WHERE id = {number} % 10000",
];

pub(crate) struct Queries {
    polarway: Polarway,
    plain: Plain,
    /// How plain DuckDB names the table.
    scan: String,
    /// The last number that was put into a text.
    last_number: u64,
}

impl Queries {
    /// Stores the first rows of the table, and points DuckDB to the file that they are in.
    pub(crate) async fn set_up(data: &Path, folder: &Path) -> Result<Self> {
        let polarway = open(folder, 0).await?;
        let table = read_arrow(&data.join("table.arrow"))?;
        polarway.store("small", table.slice(0, ROWS)).await?;
        let scan = scan_of(folder, "small")?;
        Ok(Self { polarway, plain: Plain::open(folder)?, scan, last_number: 0 })
    }

    /// The overhead when each text is one that was never seen before.
    pub(crate) async fn overhead_of_new_texts(&mut self) -> Result<f64> {
        self.overhead(|last| {
            *last += 1;
            *last
        })
        .await
    }

    /// The overhead when the texts were seen before.
    pub(crate) async fn overhead_of_seen_texts(&mut self) -> Result<f64> {
        self.overhead(|_| 0).await
    }

    /// That of the text which has more of it.
    async fn overhead(&mut self, next_number: impl Fn(&mut u64) -> u64) -> Result<f64> {
        let mut most = f64::NEG_INFINITY;
        for text in TEXTS {
            let mut differences = Vec::with_capacity(PAIRS);
            for pair in 0..=PAIRS {
                let number = next_number(&mut self.last_number);
                let difference = self.difference(text, number, pair % 2 == 0).await?;
                if pair > 0 {
                    differences.push(difference); // the first one warms up
                }
            }
            most = most.max(median(differences));
        }
        Ok(most)
    }

    /// How many seconds longer a query takes by Polarway.
    async fn difference(&self, text: &str, number: u64, plain_first: bool) -> Result<f64> {
        let text = text.replace("{number}", &number.to_string());
        let by_name = text.replace("{table}", "small");
        let by_scan = text.replace("{table}", &self.scan);

        let before = if plain_first { Some(self.plain.ask(&by_scan)?) } else { None };
        let (ours, answer) = timed(self.polarway.query(&by_name)).await?;
        let (plain, rows) = match before {
            Some(asked) => asked,
            None => self.plain.ask(&by_scan)?,
        };
        ensure!(answer.num_rows() == rows, "DuckDB answers {by_scan} with {rows} rows");
        Ok(ours - plain)
    }
}
