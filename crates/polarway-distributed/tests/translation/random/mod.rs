//! Random queries over random tables are answered as DuckDB answers them, or refused by name.

mod aggregates;
mod expressions;
mod form;
mod functions;
mod queries;
mod tables;
mod types;
mod windows;

use std::time::{Duration, Instant};

use polarway_testing::{Noise, is_long};

use self::expressions::Maker;
use self::form::Form;
use self::functions::functions;
use self::tables::{ROWS, TABLES, rows_of};
use crate::engines::{Engines, Outcome, on_a_thread_of_queries};

/// Queries over the same tables.
const QUERIES: usize = 120;

/// How often tables are made in the short form of the test.
const ROUNDS: u64 = 2;

/// The time of the long form.
const LONG: Duration = Duration::from_secs(600);

/// After so many differences the test ends.
const MOST_DIFFERENCES: usize = 5;

/// How the queries went.
#[derive(Default)]
struct Tally {
    same: usize,
    failing: usize,
    refused: usize,
    /// Each with the smallest query that shows it.
    differences: Vec<String>,
}

#[test]
fn random_queries_are_answered_as_duckdb_answers_them_or_refused_by_name() {
    on_a_thread_of_queries(|| {
        let functions = functions();
        let mut maker = Maker::new(&functions);
        let (started, mut tally) = (Instant::now(), Tally::default());
        let first = first_seed();
        for seed in first.. {
            let is_over = if is_long() { started.elapsed() > LONG } else { seed - first == ROUNDS };
            if is_over || tally.differences.len() >= MOST_DIFFERENCES {
                break;
            }
            round(seed, &mut maker, &mut tally);
        }
        let Tally { same, failing, refused, differences } = tally;
        println!("{same} are the same, {failing} fail with both, {refused} are refused");
        assert!(differences.is_empty(), "{}", differences.join("\n\n"));
        assert!(same > refused / 3, "only {same} were translated, {refused} refused");
    });
}

/// From `POLARWAY_TEST_SEED`: a run with another one asks other queries.
fn first_seed() -> u64 {
    std::env::var("POLARWAY_TEST_SEED").map_or(0, |seed| seed.parse().unwrap())
}

/// Makes tables from a seed, and asks queries of them.
fn round(seed: u64, maker: &mut Maker<'_>, tally: &mut Tally) {
    let mut noise = Noise::new(seed + 1);
    let mut engines = Engines::new();
    for (name, rows) in TABLES.into_iter().chain(ROWS.map(|name| (name, 1))) {
        engines.add_query(name, &rows_of(&mut noise, rows));
    }
    maker.noise = noise;
    for number in 0..QUERIES {
        let query = maker.query();
        let outcome = engines.ask(&query.sql());
        maker.learn(!matches!(outcome, Outcome::Refused(_)));
        match outcome {
            Outcome::Same => tally.same += 1,
            Outcome::BothFail | Outcome::OverflowsOnTheWay => tally.failing += 1,
            Outcome::Refused(_) => tally.refused += 1,
            Outcome::Fails(_) | Outcome::Differs(_) => {
                let found = format!("seed {seed}, query {number}: {}", smallest(&engines, query));
                println!("{found}");
                tally.differences.push(found);
            }
        }
    }
}

/// The smallest query that goes wrong in the same way, and how it goes.
fn smallest(engines: &Engines, query: Form) -> String {
    let is_failure = matches!(engines.ask(&query.sql()), Outcome::Fails(_));
    let shows = |sql: &str| match engines.ask(sql) {
        Outcome::Fails(_) => is_failure,
        Outcome::Differs(_) => !is_failure,
        Outcome::Same | Outcome::BothFail | Outcome::OverflowsOnTheWay | Outcome::Refused(_) => false,
    };
    let sql = query.shrunk(shows).sql();
    format!("{sql}\n{:?}", engines.ask(&sql))
}
