//! Polarway at work on real tables: `cargo xtask quickstart` builds and runs this.
//!
//! `quickstart TABLES DATA` stores the five nycflights13 tables of the folder TABLES with an engine that keeps its files in
//! the empty folder DATA. Then it loads, queries, overwrites, goes back a version and appends, and says how long each took.
//! `embedded.rs` beside it is the same in its shortest form.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use polarway_core::arrow::array::RecordBatchReader as _;
use polarway_core::{At, Config, Polarway, Table};

const TABLES: [&str; 5] = ["airlines", "airports", "planes", "weather", "flights"];

const LATE_IN_FOG: &str = "\
SELECT airlines.name AS airline,
       count(*) AS departures,
       round(avg(dep_delay), 1) AS minutes_late,
       round(avg(dep_delay) FILTER (WHERE visib < 3), 1) AS in_fog
FROM flights
JOIN airlines USING (carrier)
JOIN weather USING (origin, time_hour)
GROUP BY airlines.name
ORDER BY in_fog DESC
LIMIT 5";

const AFTER_THE_MERGER: &str = "\
SELECT carrier, CASE carrier WHEN 'US' THEN 'American Airlines Inc.' ELSE name END AS name
FROM airlines";

const RENAMED: &str = "\
SELECT carrier, earlier.name AS version_1, newest.name AS newest
FROM airlines AS newest
JOIN airlines AS earlier AT (VERSION => 1) USING (carrier)
WHERE earlier.name <> newest.name";

const NEXT_JANUARY: &str = "\
SELECT * REPLACE (2014 AS year, 1 AS month, time_hour + INTERVAL 1 MONTH AS time_hour)
FROM flights
WHERE month = 12";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [tables, data] = arguments.as_slice() else {
        bail!("usage: quickstart <folder with the tables> <empty folder for the data>");
    };
    let polarway = Polarway::open(Config::new(data)).await?;

    store(&polarway, tables).await?;
    load(&polarway).await?;
    query(&polarway).await?;
    overwrite(&polarway).await?;
    append(&polarway).await?;
    list(&polarway).await?;
    say_how_to_go_on();
    Ok(())
}

async fn store(polarway: &Polarway, folder: &Path) -> Result<()> {
    headline("1. Store five tables: each is on disk before the call returns");
    for name in TABLES {
        let table = read_parquet(&folder.join(name).with_extension("parquet"))?;
        let started = Instant::now();
        polarway.store(name, &table).await?;
        println!("   {name:9}{}", Pace::of(&table, started.elapsed()));
    }
    Ok(())
}

fn read_parquet(path: &Path) -> Result<Table> {
    let context = || format!("reading {}", path.display());
    let file = File::open(path).with_context(context)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.with_batch_size(65_536).build())
        .with_context(context)?;
    let schema = reader.schema();
    Ok(Table::new(schema, reader.collect::<Result<_, _>>().with_context(context)?))
}

async fn load(polarway: &Polarway) -> Result<()> {
    headline("2. Load one: from disk, and once more from the cache");
    for source in ["from disk", "cached"] {
        let started = Instant::now();
        let flights = polarway.load("flights").await?;
        println!("   {source:9}{}", Pace::of(&flights, started.elapsed()));
    }
    println!();
    show(&polarway.load("flights").await?, 3)
}

async fn query(polarway: &Polarway) -> Result<()> {
    headline("3. Query: who is late when the pilots can't see three miles?");
    let mut scanned = 0;
    for name in ["flights", "airlines", "weather"] {
        scanned += polarway.describe(name).await?.rows;
    }
    let (answer, elapsed) = ask(polarway, LATE_IN_FOG).await?;
    show(&answer, usize::MAX)?;
    let rows_pace = grouped(per_second(scanned as f64, elapsed));
    println!("\n   {} rows of three tables in {}: {rows_pace} rows/s", grouped(scanned), millis(elapsed));
    Ok(())
}

async fn overwrite(polarway: &Polarway) -> Result<()> {
    headline("4. Overwrite, and go back: every version stays readable");
    let before = polarway.load("airlines").await?;
    let (renamed, _) = ask(polarway, AFTER_THE_MERGER).await?;

    let started = Instant::now();
    let stored = polarway.store("airlines", renamed).await?;
    println!("   stored as version {} in {}\n", stored.version, millis(started.elapsed()));

    let (changes, _) = ask(polarway, RENAMED).await?;
    show(&changes, usize::MAX)?;
    let version_1 = polarway.load_at("airlines", At::Version(1)).await?;
    ensure!(version_1 == before, "version 1 of airlines is not what was stored");
    let rows = before.num_rows();
    println!("\n   and load_at(\"airlines\", At::Version(1)) gives all {rows} rows as they were");
    Ok(())
}

async fn append(polarway: &Polarway) -> Result<()> {
    headline("5. Append: its cost is that of the new rows");
    let (january, _) = ask(polarway, NEXT_JANUARY).await?;
    let started = Instant::now();
    let stored = polarway.append("flights", &january).await?;
    println!("   appended {}", Pace::of(&january, started.elapsed()));
    println!("   flights version {} has {} rows", stored.version, grouped(stored.rows));
    Ok(())
}

async fn list(polarway: &Polarway) -> Result<()> {
    headline("6. List what is there");
    println!("   dataset    newest version        rows    on disk");
    for dataset in polarway.datasets().await? {
        let (name, rows, disk) = (dataset.name.as_str(), grouped(dataset.rows), megabytes(dataset.bytes));
        println!("   {name:9}{:>16} {rows:>11} {disk:>10}", dataset.version);
    }
    println!("\n   flights           version        rows    on disk");
    for version in polarway.versions("flights").await? {
        let (rows, disk) = (grouped(version.rows), megabytes(version.bytes));
        println!("{:>28} {rows:>11} {disk:>10}", version.version);
    }
    Ok(())
}

fn say_how_to_go_on() {
    headline("How to go on");
    for (what, about) in [
        ("examples/embedded.rs", "the smallest complete program: copy it into a crate of your own"),
        ("README.md", "what Polarway is, and how to depend on it"),
        ("docs/embedding.md", "all that the embedded engine can do"),
        ("cargo xtask test", "see it proved"),
    ] {
        println!("   {what:22}{about}");
    }
}

/// Runs a query and shows its text.
async fn ask(polarway: &Polarway, sql: &str) -> Result<(Table, Duration)> {
    for line in sql.lines() {
        println!("   {line}");
    }
    println!();
    let started = Instant::now();
    let answer = polarway.query(sql).await?;
    Ok((answer, started.elapsed()))
}

fn headline(text: &str) {
    println!("\n{text}\n");
}

/// Draws a table's first rows, and its first columns as far as the terminal is wide.
fn show(table: &Table, most_rows: usize) -> Result<()> {
    let (rows, columns) = (table.num_rows(), table.schema().fields().len());
    let head = table.slice(0, most_rows);
    let mut shown = columns;
    let mut drawn = head.to_string();
    while shown > 1 && drawn.lines().any(|line| line.chars().count() + 3 > terminal_columns()) {
        shown -= 1;
        drawn = leftmost(&head, shown)?.to_string();
    }
    for line in drawn.lines() {
        println!("   {line}");
    }
    if rows > most_rows || columns > shown {
        let hidden_rows = grouped(rows.saturating_sub(most_rows) as u64);
        println!("   … {hidden_rows} more rows, {} more columns", columns - shown);
    }
    Ok(())
}

fn leftmost(table: &Table, columns: usize) -> Result<Table> {
    let indices: Vec<usize> = (0..columns).collect();
    let schema = table.schema().project(&indices)?;
    let batches = table.batches().iter().map(|batch| batch.project(&indices)).collect::<Result<_, _>>()?;
    Ok(Table::new(schema.into(), batches))
}

/// How wide the terminal is; what is no terminal is as wide as one of old.
fn terminal_columns() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col >= 40 => size.ws_col.into(),
        _ => 80,
    }
}

/// How much passed, and how fast.
struct Pace {
    rows: u64,
    bytes: u64,
    elapsed: Duration,
}

impl Pace {
    fn of(table: &Table, elapsed: Duration) -> Self {
        Self { rows: table.num_rows() as u64, bytes: table.arrow_bytes(), elapsed }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, size, time) = (grouped(self.rows), megabytes(self.bytes), millis(self.elapsed));
        let bytes_pace = grouped(per_second(self.bytes as f64 / 1e6, self.elapsed));
        let rows_pace = grouped(per_second(self.rows as f64, self.elapsed));
        write!(f, "{rows:>8} rows {size:>8} {time:>9} {bytes_pace:>7} MB/s {rows_pace:>11} rows/s")
    }
}

fn per_second(amount: f64, elapsed: Duration) -> u64 {
    (amount / elapsed.as_secs_f64()) as u64
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn millis(elapsed: Duration) -> String {
    format!("{:.1} ms", elapsed.as_secs_f64() * 1e3)
}

/// A number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
