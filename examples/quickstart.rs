//! Polarway at work on real tables: `cargo xtask quickstart` builds and runs this.
//!
//! `quickstart POLARWAY TABLES DATA` starts a server with the program POLARWAY, on a free port, with the empty folder DATA.
//! Through the command and through the client it stores the five nycflights13 tables of the folder TABLES, loads, queries,
//! overwrites, reads the previous version and appends, and prints the time of each step. `client.rs` beside it is the shortest
//! program with the client, `embedded.rs` uses the engine without a server.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use polarway::{At, DistributedClient, Table};

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
    let [program, tables, data] = arguments.as_slice() else {
        bail!("usage: quickstart <program polarway> <folder with the tables> <empty folder for the data>");
    };
    headline("1. Start a server");
    let server = Server::start(program, data)?;
    println!("   it listens on {}", server.address);
    let client = DistributedClient::connect(server.url()).await?;

    store(&server, tables)?;
    load(&client).await?;
    query(&client).await?;
    overwrite(&client).await?;
    append(&client).await?;
    look(&server)?;
    server.stop()?;
    say_how_to_go_on();
    Ok(())
}

/// A server that this program starts and stops.
struct Server {
    program: PathBuf,
    address: String,
    process: Child,
}

impl Server {
    /// Starts it on a free port, which is in the first line of its log.
    fn start(program: &Path, data: &Path) -> Result<Self> {
        let mut process = Command::new(program)
            .args(["server", "--bind", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            // Its audit log has a line for each write, which would stand between the lines of this tour.
            .env("RUST_LOG", "info,polarway::audit=warn")
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let log = process.stderr.take().context("the server has no log")?;
        let mut log = BufReader::new(log);
        let mut line = String::new();
        log.read_line(&mut line)?;
        let Some((_, address)) = line.trim().rsplit_once("listening on ") else {
            log.read_to_string(&mut line)?;
            bail!("the server did not start: {line}");
        };
        let address = address.to_owned();
        // The rest of its log goes to the terminal.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::stderr()));
        Ok(Self { program: program.canonicalize()?, address, process })
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Runs a command in this folder, and shows the command line and its output.
    fn polarway(&self, folder: &Path, arguments: &[&str]) -> Result<()> {
        println!("   $ polarway {}", arguments.join(" "));
        let output = Command::new(&self.program)
            .args(arguments)
            .current_dir(folder)
            .env("POLARWAY_URL", self.url())
            .stderr(Stdio::inherit())
            .output()?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            println!("   {line}");
        }
        ensure!(output.status.success(), "polarway {} failed", arguments.join(" "));
        Ok(())
    }

    fn stop(mut self) -> Result<()> {
        self.process.kill().context("stopping the server")?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn store(server: &Server, folder: &Path) -> Result<()> {
    headline("2. Store five tables: each is on disk before the command says so");
    let files = TABLES.map(|name| format!("{name}.parquet"));
    let arguments: Vec<&str> =
        ["store", "--each"].into_iter().chain(files.iter().map(String::as_str)).collect();
    server.polarway(folder, &arguments)
}

async fn load(client: &DistributedClient) -> Result<()> {
    headline("3. Load one: from the server's disk, and once more from its cache");
    for source in ["from disk", "cached"] {
        let started = Instant::now();
        let flights = client.load("flights").await?;
        println!("   {source:9}{}", Pace::of(&flights, started.elapsed()));
    }
    println!();
    show(&client.load("flights").await?, 3)
}

async fn query(client: &DistributedClient) -> Result<()> {
    headline("4. Query: who is late when the pilots can't see three miles?");
    let mut scanned = 0;
    for name in ["flights", "airlines", "weather"] {
        scanned += client.describe(name).await?.rows;
    }
    let (answer, elapsed) = ask(client, LATE_IN_FOG).await?;
    show(&answer, usize::MAX)?;
    let rows_pace = grouped(per_second(scanned as f64, elapsed));
    println!("\n   {} rows of three tables in {}: {rows_pace} rows/s", grouped(scanned), millis(elapsed));
    Ok(())
}

async fn overwrite(client: &DistributedClient) -> Result<()> {
    headline("5. Overwrite, and go back: every version stays readable");
    let before = client.load("airlines").await?;
    let (renamed, _) = ask(client, AFTER_THE_MERGER).await?;

    let started = Instant::now();
    let stored = client.store("airlines", renamed).await?;
    println!("   stored as version {} in {}\n", stored.version, millis(started.elapsed()));

    let (changes, _) = ask(client, RENAMED).await?;
    show(&changes, usize::MAX)?;
    let version_1 = client.load_at("airlines", At::Version(1)).await?;
    ensure!(version_1 == before, "version 1 of airlines is not what was stored");
    let rows = before.num_rows();
    println!("\n   and load_at(\"airlines\", At::Version(1)) gives all {rows} rows as they were");
    Ok(())
}

async fn append(client: &DistributedClient) -> Result<()> {
    headline("6. Append: its cost is that of the new rows");
    let (january, _) = ask(client, NEXT_JANUARY).await?;
    let started = Instant::now();
    let stored = client.append("flights", &january).await?;
    println!("   appended {}", Pace::of(&january, started.elapsed()));
    println!("   flights version {} has {} rows", stored.version, grouped(stored.rows));
    Ok(())
}

fn look(server: &Server) -> Result<()> {
    headline("7. Look at what is there");
    for arguments in [&["ls"][..], &["versions", "flights"], &["stats"]] {
        server.polarway(Path::new("."), arguments)?;
        println!();
    }
    Ok(())
}

fn say_how_to_go_on() {
    headline("How to go on");
    for (what, about) in [
        ("cargo xtask run", "a server that stays, and what to type at it"),
        ("cargo xtask build", "the programs in dist/, to run from anywhere"),
        ("examples/client.rs", "the client in a program of your own"),
        ("examples/embedded.rs", "the engine in a program, without a server"),
        ("docs/", "the command, the client, the settings, the storage format"),
        ("cargo xtask test", "see it proved"),
    ] {
        println!("   {what:22}{about}");
    }
}

/// Runs a query and shows its text.
async fn ask(client: &DistributedClient, sql: &str) -> Result<(Table, Duration)> {
    for line in sql.lines() {
        println!("   {line}");
    }
    println!();
    let started = Instant::now();
    let answer = client.query(sql).await?;
    Ok((answer, started.elapsed()))
}

fn headline(text: &str) {
    println!("\n{text}\n");
}

/// Draws a table's first rows, and as many of its first columns as fit into the terminal.
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

/// How wide the terminal is, in characters; 80 if there is no terminal.
fn terminal_columns() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col >= 40 => size.ws_col.into(),
        _ => 80,
    }
}

/// How much was moved, and how fast.
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
